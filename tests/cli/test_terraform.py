"""`certkit terraform query`: the protocol of Terraform's data source `external`, to the letter."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from certkit.identity import activate, install
from certkit.identity.enroll import enroll
from certkit.policy import catalogue
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.x509.names import SubjectOptions
from tests import pki, tls_servers
from tests.conftest import command, environment
from tests.terraform.external import ExternalError, external, result_of
from tests.terraform.secrets import forms_of_key

KEYS = [
    "status",
    "state",
    "days_left",
    "validity_start_time",
    "validity_end_time",
    "ready_for_renewal",
    "fingerprint_sha256",
    "spki_sha256",
    "subject",
    "issuer",
    "serial",
    "csr",
    "certificate_path",
    "key_reference",
    "deploy_hook",
]
PROGRAM = [*command(), "terraform", "query"]


def ask(folder, program=PROGRAM, env=None, **query):
    """Return Terraform's result of a query."""
    return external(program, query, folder=folder, env={**environment(), **(env or {})})


def issued(ca, *, days, **options):
    """A pair that is valid for so many days from now."""
    now = pki.datetime.now(pki.UTC)
    return ca.issue(begin=now - 300 * pki.DAY, end=now + days * pki.DAY + pki.DAY / 2, **options)


def in_use(folder, ca, *, days=200):
    """A store with an identity whose certificate is in use, and its private key."""
    now = pki.datetime.now(pki.UTC)
    store = FileStore(folder / "identities")
    settings = Settings(policy="wise-sandbox", subject=SubjectOptions(organization="Acme Ltd"))
    identity = enroll(store, "acme", settings, catalogue.load("wise-sandbox"), now=now).identity
    request = pki.x509.load_pem_x509_csr(identity.generations[0].csr)
    pair = ca.issue(public_key=request.public_key(), begin=now - pki.DAY, end=now + days * pki.DAY + pki.DAY / 2)
    policy = catalogue.load("wise-sandbox")
    install.install(store, store.load("acme"), pair.pem, policy, trust_bundle=ca.pem, now=now)
    activate.activate(store, store.load("acme"), now=now)
    return store.key("acme", "0001").reveal()


def test_an_identity_that_is_not_there_is_an_answer(tmp_path):
    """So that a first plan works; the store is not made."""
    told = ask(tmp_path, identity="acme", store="file:identities")
    assert told == {**dict.fromkeys(KEYS, ""), "state": "absent", "deploy_hook": "none"}
    assert list(told) == KEYS
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("query", [{"identity": "acme"}, {"identity": "acme", "store": "file:identities"}])
def test_any_user_may_ask_without_a_home(tmp_path, query):
    """A uid without a passwd entry and without HOME, as in a container, needs only a store that is named."""
    if os.getuid() != 0 and "store" not in query:
        pytest.skip("only root can be a uid without a passwd entry")
    alone = {name: value for name, value in environment().items() if name not in {"HOME", "XDG_DATA_HOME"}}
    setpriv = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"] if os.getuid() == 0 else []
    ran = subprocess.run(
        [*setpriv, *PROGRAM], input=json.dumps(query), cwd="/", env=alone, capture_output=True, text=True, check=False
    )
    if "store" in query:
        assert (ran.returncode, json.loads(ran.stdout)["state"]) == (0, "absent"), ran.stderr
    else:
        assert ran.returncode == 3
        assert ran.stderr == (
            "certkit: error: no default store: this user has no home directory."
            ' Name the store with "store", or set CERTKIT_STORE\n'
        )


def test_an_identity_in_use_is_told_without_its_key(tmp_path, root):
    """Facts, a path, and where the key is."""
    key = in_use(tmp_path, root)
    told = ask(tmp_path, identity="acme", store="file:identities")
    assert told["certificate_path"] == f"{tmp_path}/identities/acme/active/certificate.pem"
    assert told["key_reference"] == f"{tmp_path}/identities/acme/active/key.pem"
    assert (told["status"], told["state"], told["days_left"], told["csr"]) == ("ok", "active", "200", "")
    said = json.dumps(told).encode()
    assert not [form for form in forms_of_key(key) if form in said]


def test_nothing_is_changed(tmp_path, root):
    """No file is written, not even for a moment: the directory keeps its times."""
    in_use(tmp_path, root)
    before = {str(path): path.lstat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]}
    ask(tmp_path, identity="acme", store="file:identities")
    assert {str(path): path.lstat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]} == before


def test_the_store_of_the_environment_is_taken_if_none_is_named(tmp_path, root):
    """As every command does."""
    in_use(tmp_path, root)
    assert ask(tmp_path, env={"CERTKIT_STORE": "file:identities"}, identity="acme")["state"] == "active"


def test_what_is_null_is_left_out(tmp_path, root):
    """Terraform does so, and then the environment and the policy say what holds."""
    in_use(tmp_path, root)
    told = ask(tmp_path, identity="acme", store="file:identities", warn=None, source=None)
    assert told["status"] == "ok"


def test_thresholds_can_be_chosen(tmp_path, root):
    """They change the status and nothing else."""
    in_use(tmp_path, root)
    usual = ask(tmp_path, identity="acme", store="file:identities")
    told = ask(tmp_path, identity="acme", store="file:identities", warn="300d", critical="250d")
    assert told == {**usual, "status": "critical"}


def test_an_expired_certificate_is_an_answer(tmp_path, root):
    """A plan is where it is to be seen."""
    pair = issued(root, days=-3)
    pair.write(tmp_path, "acme")
    told = ask(tmp_path, source="acme.pem")
    assert (told["status"], told["days_left"], told["ready_for_renewal"]) == ("critical", "-3", "true")


def test_of_a_directory_the_most_urgent_certificate_is_told(tmp_path, root):
    """Of a bundle the leaf; what it is beside does not count."""
    soon, late = issued(root, days=20), issued(root, days=200)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "late.pem").write_bytes(late.pem)
    (tmp_path / "certs" / "soon.pem").write_bytes(soon.pem + issued(root, days=2).pem)
    (tmp_path / "certs" / "notes.txt").write_text("nothing to see")
    told = ask(tmp_path, source="certs")
    assert (told["days_left"], told["status"], told["state"]) == ("20", "warning", "")
    serial = soon.certificate.serial_number
    assert told["serial"] == serial.to_bytes((serial.bit_length() + 7) // 8).hex()


def test_a_live_host_can_be_asked(tmp_path, root):
    """By HOST:PORT, as `certkit expiry` does; what is above its certificate does not count."""
    pair = issued(root, days=60, extensions=[pki.SERVER])
    with tls_servers.tls(pair, tmp_path) as server:
        told = ask(tmp_path, source=f"127.0.0.1:{server.port}")
    assert (told["days_left"], told["subject"]) == ("60", "CN=acme-client-id,O=Acme Ltd")


def test_an_identity_can_be_a_source(tmp_path, root):
    """Then it must be there."""
    in_use(tmp_path, root)
    told = ask(tmp_path, source="identity:acme", store="file:identities")
    assert (told["days_left"], told["certificate_path"]) == ("200", "")
    with pytest.raises(ExternalError, match="no identity 'other'"):
        ask(tmp_path, source="identity:other", store="file:identities")


BAD = {
    "nothing": (b"", "it is empty"),
    "a bad store": (b'{"identity":"acme","store":"identities"}', "not a store: identities"),
    "thresholds that contradict": (b'{"source":"acme.pem","warn":"1d","critical":"2d"}', "critical (2d) is above"),
    "no such file": (b'{"source":"nothing.pem"}', "no such file or directory"),
    "what has no end": (b'{"source":"/dev/zero"}', "it is a device or a pipe"),
    "standard input": (b'{"source":"-"}', "standard input"),
    "nesting": (b'{"identity":' + b"[" * 30_000, "it is nested too deeply"),
    "too much": (b'{"identity":"' + b"a" * 70_000 + b'"}', "larger than 65,536 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_query_is_one_line_and_nothing_on_standard_output(certkit, root, name):
    """Terraform shows that line."""
    issued(root, days=20).write(certkit.folder, "acme")
    data, reason = BAD[name]
    ran = certkit("terraform", "query", stdin=data)
    assert (ran.code, ran.out) == (3, "")
    assert reason in ran.err
    assert ran.err.startswith("certkit: error: ")
    assert ran.err.count("\n") == 1


HINTS = {
    "thresholds": ({"source": "acme.pem", "warn": "1d", "critical": "2d"}, 'Set "warn" to at least "critical"'),
    "the store": (
        {"source": "identity:other", "store": "file:identities"},
        "certkit identity list --store file:identities",
    ),
    "the passphrase": ({"source": "acme.p12"}, "Give its passphrase with --passphrase-file"),
}


@pytest.mark.parametrize("name", HINTS)
def test_hints_are_about_the_query(certkit, root, name):
    """They name its keys, and the one option of the command; commands to paste name its store."""
    in_use(certkit.folder, root)
    pair = issued(root, days=20)
    pair.write(certkit.folder, "acme")
    encryption = serialization.BestAvailableEncryption(b"secret")
    (certkit.folder / "acme.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(None, pair.key, pair.certificate, None, encryption)
    )
    query, hint = HINTS[name]
    ran = certkit("terraform", "query", stdin=json.dumps(query).encode())
    assert ran.code == 3
    assert ran.err.rstrip().endswith(hint)


def test_at_a_terminal_nobody_waits(tmp_path):
    """At a terminal, the error says what the query must be."""
    ours, theirs = pty.openpty()
    done = subprocess.run(PROGRAM, stdin=theirs, capture_output=True, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"it is a terminal" in done.stderr
    assert b"For example: echo " in done.stderr


def test_closed_standard_input_is_told(certkit):
    """As by a parent that closes it."""
    done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *PROGRAM], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"standard input: it is closed" in done.stderr


def test_warnings_do_not_get_into_the_answer(certkit, openbao_tls):
    """Neither does what -v explains: they are on standard error."""
    env = {"VAULT_ADDR": openbao_tls.address, "VAULT_TOKEN": openbao_tls.plain.token, "VAULT_SKIP_VERIFY": "1"}
    query = b'{"identity":"acme","store":"vault://secret/nowhere"}'
    ran = certkit("terraform", "query", "-v", stdin=query, env=env)
    assert ran.code == 0, ran.err
    assert "certkit: warning: VAULT_SKIP_VERIFY is set" in ran.err
    assert result_of(ran.out.encode())["state"] == "absent"


def test_a_path_that_is_no_text_is_refused(tmp_path, root):
    """Terraform would read another one."""
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    in_use(tmp_path, root)
    os.rename(tmp_path / "identities", folder + b"/identities")
    with pytest.raises(ExternalError, match=r"certificate_path is not UTF-8: "):
        ask(folder, identity="acme", store="file:identities")


def test_a_store_that_cannot_be_reached_is_an_error(tmp_path):
    """It is not taken for one without the identity."""
    env = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "x", "VAULT_MAX_RETRIES": "0"}
    with pytest.raises(ExternalError, match="certkit: error: "):
        ask(tmp_path, env=env, identity="acme", store="vault://secret/certkit")


def test_with_json_a_failure_is_a_document_as_everywhere(certkit):
    """For those who ask for it; Terraform reads standard output on success only."""
    ran = certkit("terraform", "query", "--json", stdin=b"{}")
    assert ran.code == 3
    assert ran.json["status"] == "unknown"
