"""`certkit identity`: the contract of named credentials, on the installed command."""

from __future__ import annotations

import ipaddress
import json
import os
import pty
import shutil
import stat
import subprocess
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certkit.identity.enroll import add_request, enroll
from certkit.identity.install import install
from certkit.identity.overview import overview
from certkit.policy.catalogue import load
from certkit.report import text
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.x509.names import SubjectOptions
from tests import pki, tls_servers
from tests.conftest import Command, command, environment, openssl, openssl_verifies, require_program
from tests.identity.conftest import journaled
from tests.stores.places import let_through, some_group

NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = pki.root(begin=NOW - 5 * pki.YEAR, end=NOW + 10 * pki.YEAR)
ISSUING = ROOT.intermediate(begin=NOW - 2 * pki.YEAR, end=NOW + 5 * pki.YEAR)
OTHER_CA = pki.root(pki.name(O="Partner", CN="Another Root CA"), begin=NOW - pki.YEAR, end=NOW + pki.YEAR)

POLICY = load("wise-sandbox")
SETTINGS = Settings(
    policy="wise-sandbox",
    subject=SubjectOptions(organization="Acme Ltd", country="GB"),
    trust_bundle=ROOT.pem.decode(),
)
ENROLL = ("enroll", "acme", "--policy", "wise-sandbox", "--organization", "Acme Ltd", "--country", "GB")
TRUSTING = ("--ca", "root.pem")
GENERATION = {
    *("generation", "state", "certificate_name", "key_type", "spki_sha256", "csr"),
    *("not_before", "not_after", "days_left", "fingerprint_sha256"),
}


class Identities(Command):
    """The installed command `certkit identity` over the store `store` in a folder of its own."""

    def __call__(self, *arguments, env=None, **options):
        """Run it; no private key may be in what it says."""
        env = {"CERTKIT_STORE": "file:store", **(env or {})}
        ran = super().__call__("identity", *arguments, env=env, **options)
        assert "PRIVATE KEY" not in ran.out + ran.err
        return ran

    @property
    def store(self):
        """The store, for what a test only needs to be there."""
        return journaled(FileStore(self.folder / "store"), "tester", lambda: NOW)

    def csr(self, name="acme"):
        """The CSR that waits for its answer."""
        return x509.load_pem_x509_csr(self.store.load(name).generations[-1].csr)

    def answer(self, name="acme", *, file="answer.pem", issuer=ISSUING, subject=None, **options):
        """Issue the partner's certificate for the request into a file, with the issuing CA."""
        subject = subject or pki.name(O="Acme Ltd", CN="acme-client-id")
        dates = {"begin": NOW - pki.DAY, "end": NOW + 364 * pki.DAY}
        made = issuer.issue(subject, public_key=self.csr(name).public_key(), **{**dates, **options})
        (self.folder / file).write_bytes(made.pem + ISSUING.pem)
        return made

    def use(self, name="acme"):
        """An identity whose first request was answered and is in use; `answer.pem` is the answer."""
        enroll(self.store, name, SETTINGS, POLICY, now=NOW)
        made = self.answer(name)
        _, number = install(
            self.store, self.store.load(name), (self.folder / "answer.pem").read_bytes(), POLICY, now=NOW
        )
        self.store.change(name, lambda record: record.activate(number))
        return made

    def renew(self, name="acme", file="newer.pem"):
        """One more request, as a renewal makes it, and its answer in a file."""
        add_request(self.store, self.store.load(name), POLICY, now=NOW)
        return self.answer(name, file=file)

    def files(self, name="acme"):
        """Every file of an identity in the store, by its path."""
        folder = self.folder / "store" / name
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def identity(tmp_path):
    """The command, with the partner's CA beside it."""
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    return Identities(tmp_path)


def refuses(identity, code, said, *arguments, **options):
    """Return whether a command is refused with an exit code and some words, and nothing is written."""
    before = identity.files()
    ran = identity(*arguments, **options)
    assert (ran.code, ran.out) == (code, ""), ran
    assert said in ran.err
    assert ran.err.startswith("certkit: error: ")
    assert ran.err.count("\n") == 1
    assert identity.files() == before


# enroll


def test_enroll(identity, tmp_path):
    """Says where the CSR goes, under which name, and what comes then; the CSR is what openssl verifies."""
    enrolled = identity(*ENROLL)
    request = (tmp_path / "store/acme/generations/0001/csr.pem").read_text()
    assert (enrolled.code, enrolled.err) == (0, "")
    month = f"{NOW:%Y-%m}"
    assert enrolled.out == (
        "acme for wise-sandbox: no active certificate\n"
        f"  0001  pending    ec-p256  acme-{month}-a\n"
        f"Next, in Developer Hub, under the name acme-{month}-a:\n"
        "  1. Log in to Wise's Developer Hub for this environment and open the section Authentication.\n"
        '  2. Choose "Generate certificate" and type a certificate name that you have not used before.\n'
        "  3. Paste the CSR, the whole file and nothing else.\n"
        "  4. Copy the client certificate that the page shows into a .pem file.\n"
        "Then: certkit identity install acme CERT\n" + request
    )
    assert openssl_verifies(request.encode())
    assert stat.S_IMODE((tmp_path / "store/acme/generations/0001/key.pem").stat().st_mode) == 0o600


def test_the_json_of_enroll(identity, tmp_path):
    """Is the contract's, with everything that is not there as null."""
    document = identity(*ENROLL, "--json").json
    request = (tmp_path / "store/acme/generations/0001/csr.pem").read_text()
    public = x509.load_pem_x509_csr(request.encode()).public_key()
    digest = openssl("dgst", "-sha256", stdin=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    name = f"acme-{NOW:%Y-%m}-a"
    assert document == {
        "name": "acme",
        "policy": "wise-sandbox",
        "changed": True,
        "status": "unknown",
        "active": None,
        "pending": {
            "generation": "0001",
            "state": "pending",
            "certificate_name": name,
            "key_type": "ec-p256",
            "spki_sha256": digest.stdout.decode().split()[-1],
            "csr": request,
            "not_before": None,
            "not_after": None,
            "days_left": None,
            "fingerprint_sha256": None,
        },
        "previous": None,
        "next": f"in Developer Hub, submit the CSR under the name {name}; then: certkit identity install acme CERT",
    }


def test_enroll_again(identity):
    """With the same options, or fewer, or none: exit 0, and nothing changes."""
    identity(*ENROLL, "--client-id", "acme-client-id", *TRUSTING)
    before = identity.files()
    for options in ((*ENROLL[2:], "--client-id", "acme-client-id", *TRUSTING), ENROLL[2:], ("--country", "GB"), ()):
        again = identity("enroll", "acme", *options, "--json")
        assert (again.code, again.json["changed"], again.json["policy"]) == (0, False, "wise-sandbox")
    assert identity.files() == before


@pytest.mark.parametrize(
    "options",
    [("--policy", "wise-production"), ("--policy", "general"), ("--organization", "Other"), ("--type", "rsa-2048")],
)
def test_enroll_again_otherwise(identity, options):
    """A conflicting option is exit 3 that names it, and nothing changes; no setting of these can be changed."""
    identity(*ENROLL)
    said = f"acme: already exists with a different {options[0]}. Leave the option out, or choose another name\n"
    refuses(identity, 3, said, "enroll", "acme", *options)


@pytest.mark.parametrize(
    "options", [("--client-id", "other"), ("--issuer", "command:/bin/false"), ("--probe", "https://x.example/")]
)
def test_enroll_again_with_another_setting(identity, options):
    """The error names the command that changes it."""
    identity(*ENROLL, "--client-id", "acme")
    said = f"or change the setting: certkit identity update acme {options[0]} …"
    refuses(identity, 3, said, "enroll", "acme", *options)


def test_enroll_by_a_file(identity, tmp_path):
    """A policy of the user's own is found again from anywhere."""
    (tmp_path / "own.toml").write_text('extends = "wise-sandbox"\ntitle = "Our own"\n')
    identity("enroll", "acme", "--policy", "own.toml", "--organization", "Acme Ltd")
    shown = identity("show", "acme", "--json", env={"CERTKIT_STORE": f"file:{tmp_path}/store"})
    assert shown.json["policy"] == str(tmp_path / "own.toml")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--policy", "wise-sandbox"), 2, "policy wise-sandbox rejects this: O is missing"),
        (("--policy", "absent", "--organization", "Acme"), 3, "absent"),
        (("--organization", "Acme", "--client-id", ""), 3, "invalid value for '--client-id': it is empty"),
        (("--organization", "Acme", "--group", "no-such-group"), 3, "this host has no group 'no-such-group'"),
        (("--organization", "Acme", "--ca", "absent.pem"), 3, "cannot read absent.pem: no such file or directory"),
        (("--organization", "Acme", "--type", "rsa-1024"), 3, "invalid value for '--type'"),
    ],
)
def test_what_enroll_refuses(identity, tmp_path, options, code, said):
    """Leaves no trace."""
    refuses(identity, code, said, "enroll", "acme", *options)
    assert not (tmp_path / "store" / "acme").exists()


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "é", "x" * 65, "a\x1b[31m"])
def test_what_is_no_name(identity, tmp_path, name):
    """Is exit 3, and never shown as it is."""
    ran = identity("enroll", "--organization", "Acme Ltd", "--", name)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("certkit: error: not a valid identity name: ")
    assert "\x1b" not in ran.err
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "../acme", "--key", "a", "--cert", "b"),
        ("install", "../acme", "root.pem"),
        ("activate", "../acme"),
        ("show", "../acme"),
        ("export", "../acme", "--out", "tls"),
        ("copy", "../acme", "--to", "file:other"),
        ("remove", "../acme", "--force"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_no_name_for_any_command(identity, tmp_path, arguments):
    """Is the first thing that each of them looks at."""
    ran = identity(*arguments)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("certkit: error: not a valid identity name: '../acme'. ")
    assert [path.name for path in tmp_path.iterdir()] == ["root.pem"]


def test_an_identity_that_is_not_there(identity):
    """Is exit 3 for every command that wants one, in JSON too."""
    (identity.folder / "store").mkdir()
    for arguments in (
        ("install", "acme", "root.pem"),
        ("activate", "acme"),
        ("rollback", "acme"),
        ("discard", "acme"),
        ("retire", "acme", "0001"),
        ("show", "acme"),
        ("export", "acme", "--out", "tls"),
        ("copy", "acme", "--to", "file:other"),
        ("remove", "acme"),
    ):
        ran = identity(*arguments, "--json")
        assert (ran.code, ran.json["status"]) == (3, "unknown"), arguments
        assert ran.json["error"] == {
            "message": "no identity 'acme' in file:store",
            "hint": "list the identities: certkit identity list",
        }


# install


def test_install(identity, tmp_path):
    """Matches the answer to the request, checks it, and puts it to use."""
    identity(*ENROLL)
    made = identity.answer()
    installed = identity("install", "acme", "answer.pem", *TRUSTING, "--json")
    document = installed.json
    assert (installed.code, installed.err) == (0, "")
    assert document["active"].keys() == GENERATION
    assert document["active"] | {"spki_sha256": None} == {
        "generation": "0001",
        "state": "active",
        "certificate_name": f"acme-{NOW:%Y-%m}-a",
        "key_type": "ec-p256",
        "spki_sha256": None,
        "csr": None,
        "not_before": f"{made.certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{made.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": 363,
        "fingerprint_sha256": made.certificate.fingerprint(pki.hashes.SHA256()).hex(),
    }
    rest = {name: document[name] for name in ("name", "changed", "status", "pending", "previous", "next")}
    assert rest == {
        "name": "acme",
        "changed": True,
        "status": "ok",
        "pending": None,
        "previous": None,
        "next": "nothing",
    }
    assert (tmp_path / "store/acme/active/fullchain.pem").read_bytes() == made.pem + ISSUING.pem
    assert (tmp_path / "store/acme/active/ca.pem").read_bytes() == ROOT.pem


def test_install_twice(identity):
    """The same answer changes nothing the second time."""
    identity.use()
    before = identity.files()
    again = identity("install", "acme", "answer.pem", "--json")
    assert (again.code, again.json["changed"], again.json["active"]["generation"]) == (0, False, "0001")
    assert identity.files() == before


def test_what_is_installed_and_not_put_to_use(identity):
    """Because the partner cannot be asked: JSON tells that it is there, and the second time that nothing changed."""
    identity(*ENROLL, "--probe", "https://127.0.0.1:1/")
    identity.answer()
    install = ("install", "acme", "answer.pem", *TRUSTING, "--json")
    stopped = identity(*install)
    assert (stopped.code, stopped.json["changed"]) == (3, True)
    why = "the probe of generation 0001 could not be made: 127.0.0.1:1: connection refused; "
    why += "the active generation is unchanged"
    assert why in stopped.json["error"]["message"]
    assert identity("show", "acme", "--json").json["pending"]["state"] == "issued"
    assert "changed" not in identity(*install).json


@pytest.mark.parametrize(
    "paste",
    [
        lambda leaf: (ISSUING.pem + leaf).replace(b"\n", b"\r\n"),
        lambda leaf: b"Dear customer,\n\n" + (leaf + ISSUING.pem).replace(b"\n", b"\n\t"),
        lambda leaf: (leaf + ISSUING.pem).rstrip(),
    ],
    ids=["CRLF", "indented", "no last line end"],
)
def test_install_what_is_pasted(identity, tmp_path, paste):
    """From standard input, however the page was copied."""
    identity(*ENROLL, *TRUSTING)
    made = identity.answer()
    assert identity("install", "acme", "-", stdin=paste(made.pem)).code == 0
    assert (tmp_path / "store/acme/active/fullchain.pem").read_bytes() == made.pem + ISSUING.pem


def test_install_without_activation(identity, tmp_path):
    """Leaves what is in use; `activate` comes later."""
    identity(*ENROLL, *TRUSTING)
    identity.answer()
    issued = identity("install", "acme", "answer.pem", "--no-activate", "--json").json
    assert (issued["active"], issued["pending"]["state"], issued["status"]) == (None, "issued", "unknown")
    assert issued["next"] == "activate it: certkit identity activate acme"
    assert not (tmp_path / "store/acme/active").exists()
    active = identity("activate", "acme", "--json").json
    assert (active["changed"], active["active"]["state"], active["pending"]) == (True, "active", None)
    assert os.readlink(tmp_path / "store/acme/active") == "generations/0001"


@pytest.mark.parametrize(
    ("shape", "check"),
    [
        ({"begin": NOW - pki.YEAR, "end": NOW - pki.DAY}, "validity"),
        ({"issuer": OTHER_CA}, "chain"),
        ({"subject": pki.name(O="Other Ltd", CN="acme-client-id")}, "subject"),
        ({"subject": pki.name(O="Acme Ltd", CN="production-client-id")}, "name"),
        ({"extensions": (pki.SERVER,)}, "purpose"),
        ({"end": NOW + 2 * pki.YEAR}, "policy"),
    ],
    ids=["expired", "other CA", "O", "CN", "server", "too long"],
)
def test_what_install_refuses(identity, shape, check):
    """Is exit 2 with the check that does not hold, in JSON with all of them; and nothing is written."""
    identity(*ENROLL, *TRUSTING, "--client-id", "acme-client-id")
    identity.answer(**shape)
    refuses(identity, 2, f"acme: certificate rejected: {check}: ", "install", "acme", "answer.pem")
    refused = identity("install", "acme", "answer.pem", "--json")
    assert (refused.code, refused.json["status"], refused.json["changed"]) == (2, "critical", False)
    assert {name for name, status in refused.checks().items() if status == "critical"} == {check}


def test_the_certificate_of_another_request(identity):
    """The key of another environment's identity, or of none: exit 2, with both fingerprints."""
    identity(*ENROLL, *TRUSTING)
    identity("enroll", "production", "--policy", "wise-production", "--organization", "Acme Ltd")
    identity.answer("production")
    refuses(
        identity,
        2,
        "acme: certificate rejected: key-match: the certificate matches no pending request",
        "install",
        "acme",
        "answer.pem",
    )
    checks = identity("install", "acme", "answer.pem", "--json").json["checks"]
    own = identity("show", "acme", "--json").json["pending"]["spki_sha256"]
    other = identity("show", "production", "--json").json["pending"]["spki_sha256"]
    [check] = checks
    assert (check["id"], check["status"]) == ("key-match", "critical")
    assert check["message"].endswith(f"SPKI SHA-256 of the certificate {other}, of the requests {own}")


def test_nothing_to_trust(identity):
    """Neither here nor from the enrollment: exit 3."""
    identity(*ENROLL)
    identity.answer()
    refuses(identity, 3, "acme: no trust bundle", "install", "acme", "answer.pem")


def test_the_certificate_as_its_own_ca(identity):
    """The same file twice is a mistake: exit 2."""
    identity(*ENROLL)
    identity.answer()
    arguments = ("install", "acme", "answer.pem", "--ca", "answer.pem")
    refuses(identity, 2, "chain: the certificate is itself in the trust bundle", *arguments)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"no certificate\n", b"\x30\x82\xff\xff", ROOT.key_pem])
def test_what_is_no_certificate(identity, data):
    """Cannot be read: exit 3, and a private key that was pasted by mistake is not shown."""
    identity(*ENROLL, *TRUSTING)
    refuses(identity, 3, "cannot read standard input as a certificate: ", "install", "acme", "-", stdin=data)
    (identity.folder / "pasted.pem").write_bytes(data)
    refuses(identity, 3, "cannot read pasted.pem as a certificate: ", "install", "acme", "pasted.pem")


# import


def test_import(identity, tmp_path):
    """Adopts a pair that is in use; again it changes nothing."""
    made = ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 20 * pki.DAY)
    made.write(tmp_path, "old")
    (tmp_path / "ca.pem").write_bytes(ISSUING.pem + ROOT.pem)
    arguments = ("import", "acme", "--policy", "wise-sandbox", "--key", "old.key", "--cert", "old.pem")
    imported = identity(*arguments, "--ca", "ca.pem", "--json")
    assert (imported.code, imported.json["changed"], imported.json["status"]) == (0, True, "warning")
    assert (imported.json["active"]["csr"], imported.json["active"]["certificate_name"]) == (None, None)
    assert (tmp_path / "store/acme/active/fullchain.pem").read_bytes() == made.pem + ISSUING.pem
    before = identity.files()
    for again in (identity(*arguments, "--json"), identity("import", "acme", *arguments[4:], "--json")):
        assert (again.code, again.json["changed"]) == (0, False)
    assert identity.files() == before
    refuses(identity, 3, "with a different --policy", *(*arguments[:3], "wise-production", *arguments[4:]))


def test_every_file_may_be_a_pipe(identity, tmp_path):
    """Each file is read once, so the shell's <(COMMAND) can stand for it."""
    ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY).write(tmp_path, "old")
    (tmp_path / "ca.pem").write_bytes(ISSUING.pem + ROOT.pem)
    identity(*ENROLL)
    identity.answer()
    for arguments in (
        "install acme <(cat answer.pem) --ca <(cat root.pem) --store file:store",
        "update acme --ca <(cat root.pem) --store file:store",
        "import other --key <(cat old.key) --cert <(cat old.pem) --ca <(cat ca.pem) --store file:others",
        "enroll third --organization Acme --ca <(cat root.pem) --store file:others",
    ):
        ran = subprocess.run(
            ["bash", "-c", f'"$@" identity {arguments}', "-", *command()],
            capture_output=True, cwd=tmp_path, env=environment(), check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, b""), arguments


def test_import_what_does_not_belong_together(identity, tmp_path):
    """Is exit 2, and there is no identity."""
    ROOT.issue(begin=NOW - pki.DAY, end=NOW + pki.DAY).write(tmp_path, "one")
    ROOT.issue(begin=NOW - pki.DAY, end=NOW + pki.DAY).write(tmp_path, "two")
    refuses(
        identity,
        2,
        "acme: certificate rejected: key-match: ",
        "import",
        "acme",
        "--key",
        "one.key",
        "--cert",
        "two.pem",
    )
    assert not (tmp_path / "store").exists()


def bundled(folder, pair, *, has_key=True):
    """Write a pair as a PKCS#12 bundle of openssl's, whose passphrase is in the file `pw`."""
    pair.write(folder, "own")
    (folder / "pw").write_text("correct horse\n")
    key = ("-inkey", folder / "own.key") if has_key else ("-nokeys",)
    (folder / "above.pem").write_bytes(ISSUING.pem)
    more = ("-certfile", folder / "above.pem", "-passout", f"file:{folder / 'pw'}", "-out", folder / "own.p12")
    openssl("pkcs12", "-export", *key, "-in", folder / "own.pem", *more)
    (folder / "own.p12").chmod(0o600)


PKCS12 = ("import", "acme", "--policy", "wise-sandbox", "--pkcs12", "own.p12", "--ca", "root.pem")


def test_import_pkcs12(identity, tmp_path):
    """Adopts key, certificate and chain of a bundle; the pair from files is the same identity."""
    pair = ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY)
    bundled(tmp_path, pair)
    imported = identity(*PKCS12, "--passphrase-file", "pw", "--json")
    assert (imported.code, imported.json["changed"], imported.json["active"]["state"]) == (0, True, "active")
    assert (tmp_path / "store/acme/active/fullchain.pem").read_bytes() == pair.pem + ISSUING.pem
    assert identity("export", "acme", "--out", "tls", "--passphrase-file", "pw").code == 0
    assert (tmp_path / "tls/key.pem").read_bytes() == pair.key_pem
    again = ("import", "acme", "--key", "own.key", "--cert", "own.pem", "--passphrase-file", "pw", "--json")
    assert not identity(*again).json["changed"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "is encrypted. Give its passphrase with --passphrase-file"),
        (("--passphrase-file", "root.pem"), "the passphrase is wrong"),
        (("--passphrase-file", "pw", "--pkcs12", "own.pem"), "own.pem contains no private key"),
        (("--passphrase-file", "pw", "--pkcs12", "absent"), "absent"),
        (("--passphrase-file", "pw", "--key", "own.key"), "give --key KEY --cert CERT, or --pkcs12 FILE"),
    ],
)
def test_import_of_bad_bundles(identity, tmp_path, options, said):
    """Is exit 3 with the reason, and there is no identity."""
    bundled(tmp_path, ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY))
    ran = identity(*PKCS12, *options)
    assert (ran.code, ran.out, (tmp_path / "store").exists()) == (3, "", False)
    assert said.lower() in ran.err.lower()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("pkcs12", "it contains 2 private keys. Export one of them: keytool -importkeystore"),
        ("jks", "the keys of a Java key store are not supported. Convert it: keytool -importkeystore"),
    ],
)
def test_import_from_a_key_store_of_java(identity, tmp_path, kind, said):
    """No key is guessed, and no passphrase is asked for that would not help."""
    keytool = require_program("keytool")
    bundled(tmp_path, ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY))
    for alias in ("first", "second") if kind == "pkcs12" else ("first",):
        passphrases = ("-srcstorepass:file", "pw", "-deststorepass:file", "pw", "-destkeypass:file", "pw")
        aliases = ("-srcalias", "1", "-destalias", alias, "-deststoretype", kind)
        copying = (keytool, "-importkeystore", "-srckeystore", "own.p12", "-destkeystore", "java", "-noprompt")
        subprocess.run([*copying, *aliases, *passphrases], cwd=tmp_path, check=True, capture_output=True)
    ran = identity(*PKCS12, "--pkcs12", "java", "--passphrase-file", "pw")
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_import_a_bundle_without_a_key(identity, tmp_path):
    """Says what is missing, and advises nothing that --pkcs12 excludes."""
    bundled(tmp_path, ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY), has_key=False)
    refused = identity(*PKCS12, "--passphrase-file", "pw").err
    assert "contains no private key" in refused
    assert "Give a bundle that contains the key, or --key KEY --cert CERT instead of --pkcs12" in refused


@pytest.mark.parametrize(
    "command",
    [
        ENROLL,
        ("import", "acme", "--policy", "wise-sandbox", "--key", "own.key", "--cert", "own.pem"),
        ("install", "used", "own.pem"),
        ("update", "used"),
    ],
)
def test_only_expired_cas(identity, tmp_path, command):
    """Are refused wherever a trust bundle is given: nothing would ever lead to them."""
    old = pki.root(pki.name(O="Partner", CN="Old Root CA"), begin=NOW - pki.YEAR, end=NOW - pki.DAY)
    (tmp_path / "old-root.pem").write_bytes(old.pem)
    ISSUING.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY).write(tmp_path, "own")
    identity.use("used")
    identity.answer("used", file="own.pem")
    refuses(identity, 2, "every CA in the trust bundle has expired", *command, "--ca", "old-root.pem")


def test_import_a_key_that_others_can_read(identity, tmp_path):
    """Is a warning; the copy in the store is private."""
    ROOT.issue(begin=NOW - pki.DAY, end=NOW + pki.YEAR).write(tmp_path, "old")
    (tmp_path / "old.key").chmod(0o644)
    imported = identity("import", "acme", "--key", "old.key", "--cert", "old.pem")
    assert imported.code == 0
    assert imported.err.startswith("certkit: warning: old.key is readable by its group or other users.")
    assert stat.S_IMODE((tmp_path / "store/acme/active/key.pem").stat().st_mode) == 0o600


# activate, rollback, discard, retire, remove


def pasted(ran):
    """The command that a hint ends with, as arguments of `certkit identity`."""
    return ran.err.rpartition("certkit identity ")[2].split()


def test_install_of_what_was_rolled_back(identity):
    """Says which generation it is, and the command that puts it to use again; what was retired needs another one."""
    identity.use()
    identity.renew()
    assert identity("install", "acme", "newer.pem").code == 0
    assert identity("rollback", "acme").code == 0
    refuses(identity, 2, "this is the certificate of generation 0002 (previous)", "install", "acme", "newer.pem")
    assert identity(*pasted(identity("install", "acme", "newer.pem")), "--json").json["active"]["generation"] == "0002"
    assert identity("install", "acme", "newer.pem", "--json").json["changed"] is False
    assert identity("retire", "acme", "1").code == 0
    refuses(identity, 2, "this is the certificate of generation 0001 (retired)", "install", "acme", "answer.pem")
    assert pasted(identity("install", "acme", "answer.pem")) == ["renew", "acme", "--force"]


def test_a_pointer_that_a_backup_replaced_by_a_copy(identity, tmp_path):
    """Is recognised by every command, and the one that the message names makes it a link again."""
    identity.use()
    home = tmp_path / "store" / "acme"
    shutil.copytree((home / "active").resolve(), home / "copy")
    (home / "active").unlink()
    (home / "copy").rename(home / "active")
    for words in (("show", "acme"), ("list",), ("renew", "acme"), ("export", "acme", "--out", "tls")):
        ran = identity(*words)
        assert (ran.code, "it is a copy of generation 0001, not a link" in ran.err) == (3, True)
    repaired = identity(*pasted(ran), "--json")
    assert (repaired.code, repaired.json["changed"], repaired.json["active"]["generation"]) == (0, True, "0001")
    assert (os.readlink(home / "active"), identity("show", "acme").code) == ("generations/0001", 0)
    assert not identity("activate", "acme", "--json").json["changed"]


def test_a_pointer_that_is_another_directory(identity, tmp_path):
    """Is not removed: it may hold the only copy of a key."""
    identity.use()
    home = tmp_path / "store" / "acme"
    (home / "active").unlink()
    shutil.copytree(home / "generations/0001", home / "active")
    (home / "active/key.pem").write_bytes(b"another one")
    for words in (("show", "acme"), ("activate", "acme", "1")):
        ran = identity(*words)
        assert (ran.code, "it is a directory that is no generation" in ran.err) == (3, True)
    assert (home / "active/key.pem").read_bytes() == b"another one"


def test_two_generations(identity):
    """The pointer goes forth and back; what was in use is the previous one, until it is retired."""
    identity.use()
    identity.renew()
    refuses(identity, 2, "this is already the certificate of generation 0001", "install", "acme", "answer.pem")
    found = [
        identity("install", "acme", "newer.pem", "--json").json,
        identity("rollback", "acme", "--json").json,
        identity("activate", "acme", "0002", "--json").json,
        identity("retire", "acme", "0001", "--json").json,
    ]
    assert [each["active"]["generation"] for each in found] == ["0002", "0001", "0002", "0002"]
    assert [each["previous"] and each["previous"]["generation"] for each in found] == ["0001", "0002", "0001", None]
    assert all(each["changed"] for each in found)
    refuses(identity, 3, "nothing to roll back to", "rollback", "acme")
    refuses(identity, 3, "generation 0001 was retired or discarded", "activate", "acme", "0001")
    refuses(identity, 3, "generation 0002 is active", "retire", "acme", "0002")
    refuses(identity, 3, "has no generation 0003", "retire", "acme", "0003")
    assert identity("retire", "acme", "0001", "--json").json["changed"] is False


def test_discard(identity):
    """Drops the request; nothing to drop is exit 0; and a new one has a new name."""
    identity(*ENROLL)
    dropped = identity("discard", "acme", "--json").json
    assert (dropped["changed"], dropped["pending"]) == (True, None)
    assert identity("discard", "acme", "--json").json["changed"] is False
    refuses(identity, 3, "no generation is ready to be activated", "activate", "acme")
    again = identity(*ENROLL, "--json").json["pending"]
    assert (again["generation"], again["certificate_name"]) == ("0002", f"acme-{NOW:%Y-%m}-b")


def test_a_request_is_not_activated(identity):
    """It has no certificate: exit 2."""
    identity(*ENROLL)
    refuses(identity, 2, "generation 0001 of acme: it has no certificate yet", "activate", "acme", "0001")


def at_a_terminal(tmp_path, answer, *arguments):
    """Run a command at a terminal and type an answer; return the exit code and what the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command(), "identity", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env={**environment(), "CERTKIT_STORE": "file:store", "TERM": "dumb"},
    )
    os.close(theirs)
    os.write(ours, answer)
    code = process.wait(30)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    return code, shown.decode()


def test_remove_asks(identity, tmp_path):
    """At a terminal, and takes no for an answer."""
    identity(*ENROLL)
    code, shown = at_a_terminal(tmp_path, b"n\n", "remove", "acme")
    assert (code, (tmp_path / "store/acme").exists()) == (3, True)
    assert "Remove acme with 1 generation and all keys? [y/N]:" in shown
    assert "certkit: error: acme was not removed" in shown
    assert at_a_terminal(tmp_path, b"y\n", "remove", "acme")[0] == 0
    assert not (tmp_path / "store/acme").exists()


def test_what_is_in_use_is_not_removed(identity, tmp_path):
    """Not even at a terminal; only with --force."""
    identity.use()
    code, shown = at_a_terminal(tmp_path, b"y\n", "remove", "acme")
    assert (code, (tmp_path / "store/acme/active/key.pem").exists()) == (2, True)
    assert "certkit: error: refusing to remove acme: generation 0001 is active. Use --force" in shown
    assert identity("remove", "acme", "--force").code == 0
    assert not (tmp_path / "store/acme").exists()


def test_remove_without_a_terminal(identity, tmp_path):
    """Is exit 3 that names the option; with it, all of the identity is gone."""
    identity.use()
    said = "refusing to remove acme without confirmation (no terminal). Use --force"
    refuses(identity, 3, said, "remove", "acme", stdin=b"y\n")
    removed = identity("remove", "acme", "--force", "--json")
    assert (removed.code, removed.json) == (0, {"name": "acme", "changed": True, "status": "ok"})
    again = identity("remove", "acme", "--force", "--json")
    assert (again.code, again.json) == (0, {"name": "acme", "changed": False, "status": "ok"})
    assert [path.name for path in (tmp_path / "store").iterdir()] == [".lock"]


# list, show


def test_list(identity, tmp_path):
    """Tells each identity's state in the order of names; the exit code is that of the worst."""
    ROOT.issue(begin=NOW - 300 * pki.DAY, end=NOW + 20.5 * pki.DAY).write(tmp_path, "old")
    ROOT.issue(begin=NOW - 300 * pki.DAY, end=NOW + 5.5 * pki.DAY).write(tmp_path, "late")
    (tmp_path / "store").mkdir()
    assert (identity("list").code, identity("list").out) == (0, "")
    codes = []
    for name, file in (("zeta", "old"), ("late", "late")):
        identity("import", name, "--policy", "wise-sandbox", "--key", f"{file}.key", "--cert", f"{file}.pem")
        codes.append(identity("list").code)
    identity(*ENROLL)
    listed = identity("list")
    assert [*codes, listed.code] == [1, 2, 2]
    assert listed.out == (
        "STATUS    NAME  POLICY        CERTIFICATE            REQUEST\n"
        "unknown   acme  wise-sandbox  no active certificate  0001 pending\n"
        "critical  late  wise-sandbox  5 days left\n"
        "warning   zeta  wise-sandbox  20 days left\n"
    )
    documents = identity("list", "--json").json
    assert [(each["name"], each["status"]) for each in documents] == [
        ("acme", "unknown"),
        ("late", "critical"),
        ("zeta", "warning"),
    ]
    assert documents[0] == identity("show", "acme", "--json").json


def test_list_says_why_a_certificate_is_critical(identity):
    """One of tomorrow has many days left, and works no better than one that has expired."""
    begin = identity.use().certificate.not_valid_before_utc
    early = overview(identity.store.load("acme"), POLICY, now=begin - pki.DAY)
    row = f"critical  acme  wise-sandbox  not valid before {begin:%Y-%m-%dT%H:%M:%SZ}\n"
    assert text.identities([early], header=False) == row


def test_list_goes_on_after_a_broken_one(identity, tmp_path):
    """The others are listed, the broken one is an error, and the exit code says so."""
    identity.use()
    identity("enroll", "broken", "--organization", "Acme Ltd")
    (tmp_path / "store/broken/identity.json").write_text("{")
    listed = identity("list")
    assert (listed.code, listed.out) == (
        3,
        "STATUS    NAME  POLICY        CERTIFICATE    REQUEST\nok        acme  wise-sandbox  363 days left\n",
    )
    assert "store/broken/identity.json: not an identity's record" in listed.err


def test_quiet_is_silent_while_all_is_well(identity):
    """For cron."""
    identity.use()
    for arguments in (("list", "-q"), ("show", "acme", "-q"), ("activate", "acme", "-q"), ("enroll", "acme", "-q")):
        ran = identity(*arguments)
        assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_show_never_shows_what_is_around_a_csr(identity, tmp_path):
    """Control characters in the record are escaped, and a broken CSR is an error."""
    identity(*ENROLL)
    path = tmp_path / "store/acme/generations/0001/csr.pem"
    request = path.read_bytes()
    path.write_bytes(b"\x1b]0;evil\x07" + request + b"\xff\xfe")
    shown = identity("show", "acme")
    assert (shown.code, "\x1b" in shown.out) == (0, False)
    assert shown.out.endswith(request.decode())
    path.write_bytes(b"\xff")
    broken = identity("show", "acme")
    assert (broken.code, broken.out) == (3, "")
    assert "cannot read generation 0001" in broken.err


# Where identities live


def test_the_default_store(identity, tmp_path):
    """Is in the user's data directory, private."""
    env = {"XDG_DATA_HOME": str(tmp_path / "data"), "CERTKIT_STORE": ""}
    assert identity(*ENROLL, env=env).code == 0
    assert (tmp_path / "data/certkit/identities/acme/generations/0001/key.pem").exists()
    assert stat.S_IMODE((tmp_path / "data/certkit/identities").stat().st_mode) == 0o700
    assert not (tmp_path / "store").exists()


def test_the_option_counts_more_than_the_variable(identity, tmp_path):
    """--store wins over CERTKIT_STORE."""
    identity(*ENROLL, "--store", "file:other")
    assert (tmp_path / "other/acme").exists()
    assert not (tmp_path / "store").exists()


def test_keys_under_a_passphrase(identity, tmp_path):
    """Are kept encrypted, are needed to export only, and nothing waits for a prompt."""
    (tmp_path / "passphrase").write_text("correct horse\n")
    secret = ("--passphrase-file", "passphrase")
    identity(*ENROLL, *TRUSTING, *secret)
    made = identity.answer()
    assert identity("install", "acme", "answer.pem").code == 0
    key = tmp_path / "store/acme/active/key.pem"
    assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert openssl("pkey", "-in", key, "-passin", "pass:correct horse", "-noout").returncode == 0
    locked = identity("export", "acme", "--out", "tls")
    assert (locked.code, "--passphrase-file" in locked.err, (tmp_path / "tls").exists()) == (3, True, False)
    assert identity("export", "acme", "--out", "tls", *secret).code == 0
    public = openssl("pkey", "-in", tmp_path / "tls/key.pem", "-pubout").stdout
    assert public == made.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_for_a_group(identity, tmp_path):
    """Keys are 0640 and directories 0750, in the store and in an export, for that group."""
    group = some_group()
    identity(*ENROLL, *TRUSTING, "--group", group.gr_name)
    identity.answer()
    identity("install", "acme", "answer.pem")
    identity("export", "acme", "--out", "tls", "--group", group.gr_name)
    for path, mode in (
        ("store/acme/generations/0001/key.pem", 0o640),
        ("store/acme/generations/0001", 0o750),
        ("tls/key.pem", 0o640),
        ("tls", 0o750),
    ):
        status = (tmp_path / path).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (mode, group.gr_gid), path


# export


def test_export(identity, tmp_path):
    """Writes the pair that is in use; again it touches nothing."""
    made = identity.use()
    exported = identity("export", "acme", "--out", "tls", "--json")
    assert (exported.code, exported.json["changed"]) == (0, True)
    assert (tmp_path / "tls/fullchain.pem").read_bytes() == made.pem + ISSUING.pem
    times = {path: path.lstat().st_mtime_ns for path in (tmp_path / "tls").rglob("*")}
    again = identity("export", "acme", "--out", "tls", "--json")
    assert (again.code, again.json["changed"]) == (0, False)
    assert {path: path.lstat().st_mtime_ns for path in (tmp_path / "tls").rglob("*")} == times


def test_what_export_refuses(identity, tmp_path):
    """A directory with files of others, a file, a place without a parent, a group that is not there."""
    identity.use()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/x").touch()
    for arguments, said in (
        (("--out", "foreign"), "cannot write foreign: it contains files that certkit did not write, such as x"),
        (("--out", "root.pem"), "cannot write root.pem: not a directory"),
        (("--out", "-"), "--out needs a name, not -"),
        (("--out", "a/b"), "cannot write a/b: no such file or directory"),
        (("--out", "tls", "--group", "no-such-group"), "no such group: no-such-group"),
        (("--out", ""), "identity export: invalid value for '--out'"),
        (("--out", "tls", "--format", "jks"), "identity export: invalid value for '--format'"),
    ):
        refuses(identity, 3, said, "export", "acme", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.pem", "foreign", "root.pem", "store"]
    assert [path.name for path in (tmp_path / "foreign").iterdir()] == ["x"]


def test_export_where_one_may_not_write(identity, tmp_path):
    """Is exit 3, also for root without its powers."""
    identity.use()
    (tmp_path / "shut").mkdir(mode=0o500)
    powerless = [require_program("setpriv"), "--bounding-set=-dac_override", "--inh-caps=-all"]
    done = subprocess.run(
        [*(powerless if os.geteuid() == 0 else []), *command(), "identity", "export", "acme", "--out", "shut/tls"],
        cwd=tmp_path,
        env={**environment(), "CERTKIT_STORE": "file:store"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith(b"certkit: error: cannot write shut/tls: permission denied. ")


def test_export_for_a_group_that_cannot_get_there(identity, tmp_path):
    """Warns, and names the directory that is closed to it and the command that opens it."""
    identity.use()
    (tmp_path / "closed off").mkdir()
    let_through(tmp_path / "closed off")
    export = ("export", "acme", "--out", "closed off/tls", "--group", some_group().gr_name)
    assert identity(*export).err == ""
    (tmp_path / "closed off").chmod(0o700)
    where = tmp_path / "closed off"
    said = f"the group {some_group().gr_name} cannot enter {where}. Let it through: chmod o+x '{where}'"
    assert (identity(*export).code, identity(*export).err) == (0, f"certkit: warning: {said}\n")


def test_a_hook_that_fails(identity, tmp_path):
    """Is exit 2, the files are in place, and the next run runs it again, also without naming it."""
    identity.use()
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\necho told: $CERTKIT_NAME\ntest -e ready\n")
    hook.chmod(0o755)
    arguments = ("export", "acme", "--out", "tls", "--deploy-hook", "./hook", "--json")
    failed = identity(*arguments)
    assert (failed.code, failed.json["status"]) == (2, "critical")
    assert failed.err == (
        f"told: acme\ncertkit: error: hook failed: {tmp_path}/hook: it exited with code 1. "
        "Fix it and run the same command again\n"
    )
    assert (tmp_path / "tls/key.pem").exists()
    (tmp_path / "ready").touch()
    assert [identity(*arguments[:4]).err for _ in range(2)] == ["told: acme\n", ""]


def test_pkcs12(identity, tmp_path):
    """Opens in openssl with the passphrase that was given."""
    identity.use()
    (tmp_path / "passphrase").write_text("correct horse\n")
    (tmp_path / "another").write_text("battery staple\n")
    export = ("export", "acme", "--format", "pkcs12", "--passphrase-file", "passphrase")
    assert identity(*export, "--out", "one").code == 0
    assert identity(*export, "--out", "two", "--out-passphrase-file", "another").code == 0
    for folder, passphrase in (("one", "correct horse"), ("two", "battery staple")):
        bundle = tmp_path / folder / "bundle.p12"
        opened = openssl("pkcs12", "-in", bundle, "-passin", f"pass:{passphrase}", "-nokeys").stdout
        assert opened.count(b"-----BEGIN CERTIFICATE-----") == 2
        assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    for form in ("pem", "curl", "nginx", "kubernetes", "ghostunnel"):
        refused = identity("export", "acme", "--format", form, "--out", "three", "--out-passphrase-file", "another")
        assert (refused.code, "use --format pkcs12" in refused.err) == (3, True)
    assert not (tmp_path / "three").exists()


def test_curl_uses_what_is_exported(identity, tmp_path):
    """A server that requires client certificates accepts it, and rejects a client without one."""
    curl = require_program("curl")
    identity.use()
    assert identity("export", "acme", "--out", "tls", "--format", "curl").code == 0
    extensions = (pki.SERVER, x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]))
    server = ROOT.issue(pki.name(CN="partner"), extensions=extensions, begin=NOW - pki.DAY, end=NOW + pki.DAY)
    (tmp_path / "nginx").mkdir()
    with tls_servers.nginx(server, tmp_path / "nginx") as port:
        ask = [curl, "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"https://127.0.0.1:{port}/"]
        without = subprocess.run([*ask, "--cacert", tmp_path / "root.pem"], capture_output=True, check=True)
        with_it = subprocess.run([*ask, "--config", tmp_path / "tls/curl.conf"], capture_output=True, check=True)
    assert without.stdout == b"400"
    assert with_it.stdout in {b"403", b"404"}  # it may ask, and there is nothing


def test_nginx_takes_what_is_exported(identity, tmp_path):
    """In a location that passes on to the partner, in a directory with a blank in its name."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or require_program("nginx")
    identity.use()
    assert identity("export", "acme", "--out", "our tls", "--format", "nginx").code == 0
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;\n"
        f"fastcgi_temp_path {tmp_path}/fastcgi; uwsgi_temp_path {tmp_path}/uwsgi; scgi_temp_path {tmp_path}/scgi;\n"
        f"server {{ listen 127.0.0.1:{tls_servers.free_port()}; location / {{\n"
        f'include "{tmp_path}/our tls/nginx.conf";\n'
        "proxy_pass https://127.0.0.1:1; } } }\n"
    )
    tried = subprocess.run(
        [nginx, "-t", "-e", tmp_path / "error.log", "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
        capture_output=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr.decode()


def test_twenty_at_once(identity, tmp_path):
    """Cron on a busy host: all end well, one changes something."""
    identity.use()
    arguments = [*command(), "identity", "export", "acme", "--out", "tls", "--store", "file:store", "--json"]
    running = [
        subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(20)
    ]
    said = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 20
    assert sorted(json.loads(out)["changed"] for out, _ in said) == [False] * 19 + [True]


# copy


def test_copy(identity, tmp_path):
    """Moves every generation to another store, where it is as here; again it changes nothing."""
    identity.use()
    copied = identity("copy", "acme", "--to", "file:other", "--json")
    assert (copied.code, copied.json["changed"]) == (0, True)
    record = "acme/identity.json"  # it says here as there what happened, and there that it was put to use
    before = {str(path.relative_to(tmp_path / "store")): data for path, data in identity.files().items()}
    there = [path for path in (tmp_path / "other/acme").rglob("*") if path.is_file() and path.name != ".lock"]
    after = {str(path.relative_to(tmp_path / "other")): path.read_bytes() for path in there}
    assert {**after, record: b""} == {**before, record: b""}
    assert (
        json.loads(after[record])["log"][: len(json.loads(before[record])["log"])] == json.loads(before[record])["log"]
    )
    assert identity("copy", "acme", "--to", "file:other", "--json").json["changed"] is False
    shown = identity("show", "acme", "--store", "file:other", "--json").json
    assert shown == identity("show", "acme", "--json").json


def test_copy_keeps_keys_encrypted(identity, tmp_path):
    """Where they were under a passphrase, they are again; without it nothing is written."""
    (tmp_path / "passphrase").write_text("correct horse\n")
    identity(*ENROLL, "--passphrase-file", "passphrase")
    locked = identity("copy", "acme", "--to", "file:other")
    assert (locked.code, "--passphrase-file" in locked.err, (tmp_path / "other").exists()) == (3, True, False)
    assert identity("copy", "acme", "--to", "file:other", "--passphrase-file", "passphrase").code == 0
    key = (tmp_path / "other/acme/generations/0001/key.pem").read_text()
    assert key.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_copy_never_replaces(identity):
    """Another identity of that name stays: exit 3."""
    identity.use()
    identity(*ENROLL, "--store", "file:other")
    said = "acme: file:other already has another identity of that name"
    refuses(identity, 3, said, "copy", "acme", "--to", "file:other")


def test_an_identity_with_what_its_policy_demands(identity, tmp_path):
    """Any attribute, usages and statements; a renewal asks for the same, and other options are another identity."""
    psd2 = (
        *("--subject", "C=GB", "--subject", "O=Acme", "--subject", "organizationIdentifier=PSDGB-FCA-1"),
        *("--subject", "CN=x", "--psd2-role", "PSP_AI", "--psd2-authority", "FCA", "--psd2-authority-id", "GB-FCA"),
    )
    made = identity("enroll", "acme", "--policy", "obwac", *psd2, "--json")
    assert (made.code, made.json["pending"]["key_type"]) == (0, "rsa-2048")
    shown = openssl("req", "-noout", "-text", stdin=made.json["pending"]["csr"].encode()).stdout.decode()
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in shown
    assert "organizationIdentifier = PSDGB-FCA-1" in shown
    assert identity("enroll", "acme", "--policy", "obwac", *psd2, "--json").json["changed"] is False
    other = identity("enroll", "acme", "--policy", "obwac", "--psd2-role", "PSP_PI", *psd2)
    assert (other.code, "different --psd2-role" in other.err) == (3, True)
    identity("discard", "acme")
    again = identity("enroll", "acme", "--policy", "obwac", *psd2, "--json").json["pending"]["csr"]
    assert "PSDGB-FCA-1" in openssl("req", "-noout", "-text", stdin=again.encode()).stdout.decode()


def test_a_retired_policy_is_pointed_out(identity):
    """Where it is chosen, and where an identity uses it; once each time."""
    said = "certkit: warning: policy wise-sandbox-legacy was retired by the partner on 2026-06-30; use policy"
    made = identity("enroll", "old", "--policy", "wise-sandbox-legacy", "--organization", "Acme")
    assert made.err.count(said) == 1
    assert identity("show", "old").err.count(said) == 1
    assert identity("list").err.count(said) == 1


def test_a_key_that_must_be_in_hardware_is_not_made(identity):
    """Before anything is stored."""
    refused = identity("enroll", "bank", "--policy", "clearbank", "--organization", "Acme")
    assert (refused.code, "requires a key created in an HSM" in refused.err) == (2, True)
    assert identity("show", "bank").code == 3


def test_a_partner_that_demands_protected_keys(certkit, tmp_path):
    """Swish wants a passphrase on the private key: without one nothing is created, with one the key is encrypted."""
    options = ("--policy", "swish", "--organization", "Acme Ltd", "--store", f"file:{tmp_path}/store")
    refused = certkit("identity", "enroll", "acme", *options)
    assert refused.code == 2
    assert "Swish (merchants) requires a passphrase on the private key" in refused.err
    assert "Add --passphrase-file FILE, or keep the identity in Vault" in refused.err
    assert not list(tmp_path.rglob("key.pem"))
    (tmp_path / "pw").write_text("correct horse")
    assert certkit("identity", "enroll", "acme", *options, "--passphrase-file", tmp_path / "pw").code == 0
    [key] = tmp_path.rglob("key.pem")
    assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
