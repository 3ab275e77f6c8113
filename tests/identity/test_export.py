"""`certkit.identity.export`: what is in use, in a directory for the programs of a host."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import threading
import time
from dataclasses import replace

import kubernetes_validate
import pytest
import yaml
from cryptography import x509

from certkit.errors import InputError
from certkit.identity import activate, retire
from certkit.identity.export import FORMS, WantedExport, export
from certkit.identity.hooks import HookError
from certkit.identity.import_ import adopt
from certkit.secret import Secret
from certkit.stores.base import AbsentError
from certkit.stores.file.store import FileStore
from certkit.x509 import keys, objects
from tests import pki
from tests.conftest import openssl
from tests.identity.conftest import ISSUING, POLICY, ROOT, SETTINGS, enroll, install, issue, pasted, use
from tests.stores import steps

PEM_FILES = {"key.pem", "certificate.pem", "fullchain.pem", "ca.pem"}


@pytest.fixture
def wanted(tmp_path):
    """The plainest wish: PEM files in a directory that is still to be made."""
    return WantedExport(directory=tmp_path / "tls", environment={"PATH": os.defpath})


@pytest.fixture
def hook(tmp_path):
    """A program that records its runs and its environment; it fails as long as `fail` exists."""
    path = tmp_path / "hook"
    path.write_text(f"#!/bin/sh\ncd {tmp_path}\nenv | sort > told\necho x >> runs\ntest ! -e fail\n")
    path.chmod(0o755)
    return str(path)


def runs(tmp_path):
    """How often the hook ran."""
    path = tmp_path / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def files(folder):
    """Return the names of the visible files."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def stamps(folder):
    """Return the numbers and times of the files, which differ after any change."""
    paths = [folder, *folder.rglob("*")]
    return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns) for path in paths}


def pair_of(folder):
    """The fingerprints of the public keys of certificate and private key, read through one look at the pointer."""
    folder = folder / os.readlink(folder / "..data")
    certificate = x509.load_pem_x509_certificate((folder / "fullchain.pem").read_bytes())
    key = objects.private_key((folder / "key.pem").read_bytes(), name="key").value
    return keys.key_facts(certificate.public_key()).spki_sha256, keys.key_facts(key.public_key()).spki_sha256


def test_the_files(store, wanted):
    """Are the key, the certificate, it with what stands above it, and what to trust."""
    [made] = use(store)
    done = export(store, store.load("acme"), wanted)
    folder = wanted.directory
    assert (done.changed, done.generation, files(folder)) == (True, "0001", PEM_FILES)
    assert (folder / "key.pem").read_bytes() == store.key("acme", "0001").reveal()
    assert (folder / "certificate.pem").read_bytes() == made.pem
    assert (folder / "fullchain.pem").read_bytes() == made.pem + ISSUING.pem
    assert (folder / "ca.pem").read_bytes() == ROOT.pem


@pytest.mark.parametrize("form", FORMS)
def test_again(store, wanted, form):
    """Nothing is touched, in any form."""
    use(store)
    asked = replace(wanted, form=form, passphrase=Secret(b"correct horse"))
    assert export(store, store.load("acme"), asked).changed
    before = stamps(wanted.directory)
    assert not export(store, store.load("acme"), asked).changed
    assert stamps(wanted.directory) == before


def test_what_is_in_use_now(store, wanted):
    """Is exported: after a renewal the new pair, after a rollback the old one."""
    first, second = use(store, count=2)
    found = []
    for turn in range(3):
        if turn:
            activate.rollback(store, store.load("acme"), now=pki.NOW)
        assert export(store, store.load("acme"), wanted).changed
        found.append((wanted.directory / "certificate.pem").read_bytes())
    assert found == [second.pem, first.pem, second.pem]


def test_another_form(store, wanted):
    """Takes the place of the one before."""
    use(store)
    export(store, store.load("acme"), replace(wanted, form="nginx"))
    assert files(wanted.directory) == {*PEM_FILES, "nginx.conf"}
    export(store, store.load("acme"), replace(wanted, form="pkcs12"))
    assert files(wanted.directory) == {"bundle.p12"}


def test_a_kubernetes_secret(store, wanted):
    """Is accepted by Kubernetes, private, and holds the chain, the key, and the CA that the client trusts."""
    [made] = use(store)
    export(store, store.load("acme"), replace(wanted, form="kubernetes"))
    assert files(wanted.directory) == {"secret.yaml"}
    path = wanted.directory / "secret.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    secret = yaml.safe_load(path.read_text())
    kubernetes_validate.validate(secret, "1.34", strict=True)
    assert (secret["kind"], secret["type"]) == ("Secret", "kubernetes.io/tls")
    assert secret["metadata"] == {"name": "acme"}
    assert {name: base64.b64decode(value) for name, value in secret["data"].items()} == {
        "ca.crt": ROOT.pem,
        "tls.crt": made.pem + ISSUING.pem,
        "tls.key": store.key("acme", "0001").reveal(),
    }


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("Acme_Ltd", "acme-ltd"),
        ("acme.sandbox", "acme.sandbox"),
        ("a..-b-.c_", "a.b.c"),
        ("0", "0"),
    ],
)
def test_the_name_of_a_kubernetes_secret(tmp_path, name, called):
    """Is a DNS subdomain (RFC 1123), whatever the identity is called."""
    store = FileStore(tmp_path / "store")
    use(store, name)
    wanted = WantedExport(directory=tmp_path / "tls", form="kubernetes", environment={})
    export(store, store.load(name), wanted)
    found = yaml.safe_load((wanted.directory / "secret.yaml").read_text())["metadata"]["name"]
    assert found == called
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", found)


def test_a_hook_is_told_where_the_one_file_is(store, wanted, hook, tmp_path):
    """A form that is one file names that file for the key and the certificate."""
    use(store)
    export(store, store.load("acme"), replace(wanted, form="kubernetes", hook=hook))
    told = (tmp_path / "told").read_text()
    assert f"CERTKIT_KEY_PATH={wanted.directory}/secret.yaml\n" in told
    assert f"CERTKIT_CERT_PATH={wanted.directory}/secret.yaml\n" in told


def test_arguments_of_ghostunnel(store, wanted):
    """Are a file of flags, one in each line, that names the files by absolute paths."""
    use(store)
    export(store, store.load("acme"), replace(wanted, form="ghostunnel"))
    folder = wanted.directory
    assert files(folder) == {*PEM_FILES, "ghostunnel.args"}
    assert (folder / "ghostunnel.args").read_text() == (
        f"--cert={folder}/fullchain.pem\n--key={folder}/key.pem\n--cacert={folder}/ca.pem\n"
    )


def test_curl_and_nginx_name_the_files(store, wanted):
    """By absolute paths that lead through the directory's own names."""
    use(store)
    folder = wanted.directory
    export(store, store.load("acme"), replace(wanted, form="curl"))
    assert (folder / "curl.conf").read_text() == (
        f'cert = "{folder}/fullchain.pem"\nkey = "{folder}/key.pem"\ncacert = "{folder}/ca.pem"\n'
    )
    export(store, store.load("acme"), replace(wanted, form="nginx"))
    assert (folder / "nginx.conf").read_text() == (
        f'proxy_ssl_certificate "{folder}/fullchain.pem";\n'
        f'proxy_ssl_certificate_key "{folder}/key.pem";\n'
        f'proxy_ssl_trusted_certificate "{folder}/ca.pem";\n'
        "proxy_ssl_verify on;\n"
        "proxy_ssl_server_name on;\n"
    )


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a$b", "a\u202eb"])
def test_a_directory_whose_name_cannot_be_quoted(store, wanted, name):
    """Is refused before anything is written, where a file would have to name it."""
    use(store)
    asked = replace(wanted, directory=wanted.directory.with_name(name))
    for form in ("curl", "nginx"):
        with pytest.raises(InputError, match="cannot be written into a configuration file"):
            export(store, store.load("acme"), replace(asked, form=form))
    assert not asked.directory.exists()
    assert export(store, store.load("acme"), asked).changed


def test_without_a_trust_bundle(store, wanted):
    """No file stands for it, and none is named."""
    made = ISSUING.issue()
    settings = replace(SETTINGS, trust_bundle=None)
    certificates = [made.value, ISSUING.value]
    adopt(store, "acme", settings, POLICY, key=made.key, certificates=certificates, anchors=None, now=pki.NOW)
    folder = wanted.directory
    for form, name in (("curl", "curl.conf"), ("nginx", "nginx.conf")):
        export(store, store.load("acme"), replace(wanted, form=form))
        assert files(folder) == {*PEM_FILES, name} - {"ca.pem"}
        assert "ca.pem" not in (folder / name).read_text()
    assert "proxy_ssl_verify on" in (folder / "nginx.conf").read_text()


def test_pkcs12_opens_with_its_passphrase(store, wanted):
    """In openssl too, with the key, the certificate and what stands above it."""
    use(store)
    export(store, store.load("acme"), replace(wanted, form="pkcs12", passphrase=Secret(b"correct horse")))
    bundle = wanted.directory / "bundle.p12"
    opened = openssl("pkcs12", "-in", bundle, "-passin", "pass:correct horse", "-nodes").stdout
    assert opened.count(b"-----BEGIN CERTIFICATE-----") == 2
    assert objects.private_key(opened, name="key").value.public_key() == (
        objects.private_key(store.key("acme", "0001").reveal(), name="key").value.public_key()
    )
    assert openssl("pkcs12", "-in", bundle, "-passin", "pass:wrong", "-nodes", check=False).returncode != 0


def test_pkcs12_with_another_passphrase(store, wanted):
    """Is another bundle, also with none after one and one after none."""
    use(store)
    for passphrase in (None, b"one", b"another", None):
        asked = replace(wanted, form="pkcs12", passphrase=Secret(passphrase) if passphrase else None)
        assert export(store, store.load("acme"), asked).changed
        assert not export(store, store.load("acme"), asked).changed


@pytest.mark.parametrize("form", ["pem", "pkcs12", "curl", "nginx"])
def test_a_pair_that_is_none(store, wanted, form):
    """Is an error in every form, for the store is damaged, and what was exported before stays."""
    enroll(store)
    data = pasted(issue(store))
    enroll(store, "other")
    store.create("mixed", store.load("acme").record)
    store.add("mixed", "0001", key=store.key("other", "0001"), csr=store.load("acme").generations[0].csr)
    install(store, data, "mixed")
    store.change("mixed", lambda record: record.activate("0001"))
    with pytest.raises(InputError, match="generation 0001 of mixed: its private key does not belong to its certif"):
        export(store, store.load("mixed"), replace(wanted, form=form))
    assert not wanted.directory.exists()


def test_nothing_in_use(store, wanted):
    """It is an error that names the next step, and no directory is made."""

    def hint():
        with pytest.raises(InputError, match="acme: no generation is active") as caught:
            export(store, store.load("acme"), wanted)
        return caught.value.hint

    with pytest.raises(AbsentError):
        export(store, store.load("acme"), wanted)
    enroll(store)
    assert hint() == "install the issued certificate: certkit identity install acme CERT"
    install(store, pasted(issue(store)))
    assert hint() == "activate the newest: certkit identity activate acme"
    retire.retire(store, store.load("acme"), "0001")
    assert hint() == "create a request: certkit identity renew acme"
    assert not wanted.directory.exists()


def test_a_hook(store, wanted, hook, tmp_path):
    """Runs after a change, and only then."""
    use(store, count=2)
    asked = replace(wanted, hook=hook)
    counts = []
    for change in (
        lambda: None,
        lambda: None,
        lambda: activate.rollback(store, store.load("acme"), now=pki.NOW),
        lambda: None,
    ):
        change()
        export(store, store.load("acme"), asked)
        counts.append(runs(tmp_path))
    assert counts == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("pem", ("certificate.pem", "key.pem", "fullchain.pem")),
        ("pkcs12", ("bundle.p12", "bundle.p12", "bundle.p12")),
    ],
)
def test_what_a_hook_is_told(store, wanted, hook, tmp_path, monkeypatch, form, names):
    """The name, the directory, files that are there, by absolute paths, and the end; and what it inherits."""
    use(store)
    monkeypatch.chdir(tmp_path)
    relative = wanted.directory.relative_to(tmp_path)
    asked = replace(wanted, directory=relative, form=form, hook=hook, environment={**wanted.environment, "OWN": "1"})
    export(store, store.load("acme"), asked)
    told = dict(line.split("=", 1) for line in (tmp_path / "told").read_text().splitlines())
    folder = str(tmp_path / "tls")
    assert {name: value for name, value in told.items() if name.startswith(("CERTKIT", "RENEWED", "OWN"))} == {
        "CERTKIT_NAME": "acme",
        "CERTKIT_LINEAGE": folder,
        "RENEWED_LINEAGE": folder,
        "CERTKIT_CERT_PATH": f"{folder}/{names[0]}",
        "CERTKIT_KEY_PATH": f"{folder}/{names[1]}",
        "CERTKIT_CHAIN_PATH": f"{folder}/{names[2]}",
        "CERTKIT_NOT_AFTER": "2027-11-22T12:00:00Z",
        "OWN": "1",
    }
    assert all((tmp_path / "tls" / name).exists() for name in names)


def test_a_hook_that_fails(store, wanted, hook, tmp_path):
    """Leaves the files in place, and is run again until it succeeds."""
    use(store)
    (tmp_path / "fail").touch()
    asked = replace(wanted, hook=hook)
    for count in (1, 2):
        with pytest.raises(HookError, match="it exited with code 1"):
            export(store, store.load("acme"), asked)
        assert (runs(tmp_path), files(wanted.directory)) == (count, PEM_FILES)
    (tmp_path / "fail").unlink()
    assert not export(store, store.load("acme"), asked).changed
    export(store, store.load("acme"), asked)
    assert runs(tmp_path) == 3


def test_a_hook_that_fails_for_a_later_change(store, wanted, hook, tmp_path):
    """Is run again, although the hook of an earlier one succeeds after it."""
    use(store, count=2)
    (tmp_path / "fail").touch()
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\n: > {tmp_path}/begun\nwhile test ! -e {tmp_path}/go; do sleep 0.02; done\n")
    slow.chmod(0o755)
    first = threading.Thread(target=export, args=(store, store.load("acme"), replace(wanted, hook=str(slow))))
    first.start()
    wait_for(tmp_path / "begun")
    activate.rollback(store, store.load("acme"), now=pki.NOW)
    with pytest.raises(HookError):
        export(store, store.load("acme"), replace(wanted, hook=hook))
    (tmp_path / "go").touch()
    first.join(30)
    (tmp_path / "fail").unlink()
    export(store, store.load("acme"), replace(wanted, hook=hook))
    assert runs(tmp_path) == 2


def wait_for(path):
    """Wait for a file, for at most ten seconds."""
    for _ in range(500):
        if path.exists():
            return
        time.sleep(0.02)
    raise TimeoutError(path)


def test_readers_see_pairs(store, wanted):
    """A reader that resolves the pointer once gets a matching pair, while a hundred exports alternate."""
    use(store, count=2)
    export(store, store.load("acme"), wanted)
    done = threading.Event()

    def work():
        try:
            for _ in range(100):
                activate.rollback(store, store.load("acme"), now=pki.NOW)
                export(store, store.load("acme"), wanted)
        finally:
            done.set()

    worker = threading.Thread(target=work)
    worker.start()
    seen = set()
    while not done.is_set():
        with contextlib.suppress(FileNotFoundError):  # two changes later it is gone
            seen.add(pair_of(wanted.directory))
        time.sleep(0.001)
    worker.join()
    assert [pair for pair in seen if pair[0] != pair[1]] == []
    assert len(seen) == 2


def test_many_at_once(store, wanted, hook):
    """Twenty exports end well, and leave one version."""
    use(store)
    done = []

    def work():
        done.append(export(store, store.load("acme"), replace(wanted, hook=hook)).changed)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == [False] * 19 + [True]
    assert len([path for path in wanted.directory.iterdir() if path.name.startswith("..v-")]) == 1


def test_a_run_that_is_killed(store, wanted, hook, tmp_path):
    """At whatever step: a pair is there or none, the next export completes it, and the hook has run after it."""
    use(store, count=2)
    asked = replace(wanted, hook=hook)
    export(store, store.load("acme"), asked)
    activate.rollback(store, store.load("acme"), now=pki.NOW)
    shutil.copytree(wanted.directory, tmp_path / "before", symlinks=True)
    old = pair_of(tmp_path / "before")

    def begin():
        shutil.rmtree(wanted.directory)
        shutil.copytree(tmp_path / "before", wanted.directory, symlinks=True)
        (tmp_path / "runs").unlink(missing_ok=True)

    def work():
        export(store, store.load("acme"), asked)

    begin()
    calls = [call for call in steps.run(work, tmp_path).calls if "tls" in call.rest]
    new = pair_of(wanted.directory)
    assert (len(calls) > 20, new != old) == (True, True)
    for call in calls:
        begin()
        ended = steps.run(work, tmp_path, inject=f"{call.name}:signal=SIGKILL:when={call.count}")
        assert ended.code == -9, call
        assert pair_of(wanted.directory) in (old, new), call
        export(store, store.load("acme"), asked)
        assert (pair_of(wanted.directory), runs(tmp_path) > 0) == (new, True), call
        assert [path for path in wanted.directory.rglob("*") if re.search(r"\.tmp$", path.name)] == [], call
