"""`certkit identity renew`, issuers, hooks and the log: the contract, on the installed command."""

from __future__ import annotations

import re
import sys

import pytest

from certkit.identity.enroll import add_request, enroll
from certkit.identity.install import install
from tests import pki
from tests.cli.test_identity import ENROLL, ISSUING, NOW, POLICY, ROOT, SETTINGS, TRUSTING, Identities
from tests.conftest import Command

SIGN = """\
import os
import sys
from cryptography import x509
from datetime import datetime, timedelta
from cryptography.hazmat.primitives import hashes, serialization
if not os.path.exists("ca.key"):
    sys.exit("cannot sign")
csr = x509.load_pem_x509_csr(sys.stdin.buffer.read())
ca = x509.load_pem_x509_certificate(open("ca.pem", "rb").read())
key = serialization.load_pem_private_key(open("ca.key", "rb").read(), None)
now = datetime.fromisoformat(sys.argv[1])
builder = x509.CertificateBuilder(ca.subject, csr.subject, csr.public_key(), x509.random_serial_number())
builder = builder.not_valid_before(now - timedelta(days=int(sys.argv[2]))).not_valid_after(now + timedelta(days=60))
print(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
"""


@pytest.fixture
def identity(tmp_path):
    """The command, with the partner's CA beside it."""
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    return Identities(tmp_path)


@pytest.fixture
def signer(tmp_path):
    """An issuer of the user's own: a program that signs, as `--issuer` names it."""
    (tmp_path / "ca.pem").write_bytes(ISSUING.pem)
    (tmp_path / "ca.key").write_bytes(ISSUING.key_pem)
    (tmp_path / "sign.py").write_text(SIGN)
    (tmp_path / "bundle.pem").write_bytes(ISSUING.pem + ROOT.pem)
    return f"command:{sys.executable} sign.py {NOW:%Y-%m-%dT%H:%M:%S}"


def renewable(identity, days_left=20, name="acme"):
    """An identity in use, whose certificate ends soon."""
    enroll(identity.store, name, SETTINGS, POLICY, now=NOW)
    identity.answer(name, begin=NOW - 300 * pki.DAY, end=NOW + days_left * pki.DAY + pki.DAY / 2)
    install(identity.store, identity.store.load(name), (identity.folder / "answer.pem").read_bytes(), POLICY, now=NOW)
    identity.store.change(name, lambda record: record.activate("0001"))


def test_nothing_is_due(identity):
    """Exit 0, and it says from when on it is; JSON says that nothing changed."""
    identity.use()
    before = identity.files()
    renewed = identity("renew", "acme")
    assert (renewed.code, renewed.err) == (0, "")
    assert renewed.out.startswith("acme: nothing is due before ")
    assert identity("renew", "acme", "-q").out == ""
    assert identity("renew", "acme", "--json").json["changed"] is False
    assert identity.files() == before


@pytest.mark.parametrize("options", [(), ("-q",)], ids=["", "quiet"])
def test_a_request_is_made(identity, options):
    """When the window is open: the portal's steps, the name to type, and the CSR; also with -q, for cron's mail."""
    renewable(identity)
    renewed = identity("renew", "acme", *options)
    assert (renewed.code, renewed.err) == (0, "")
    assert f"Next, in Developer Hub, under the name acme-{NOW:%Y-%m}-b:" in renewed.out
    assert renewed.out.endswith("-----END CERTIFICATE REQUEST-----\n")


@pytest.mark.parametrize(("days_left", "code"), [(40, 0), (20, 1), (5, 2)])
def test_a_request_that_hangs(identity, days_left, code):
    """Is said on standard error, with the portal's step, and the exit code is how near the end is; also when quiet."""
    renewable(identity, days_left)
    assert identity("renew", "acme").code == 0
    for option in ((), ("--json",)):
        again = identity("renew", "acme", *option)
        assert again.code == code
        assert re.search(r"certkit: acme: the request of generation 0002 is pending, created just now", again.err)
        assert "Submit the CSR in Developer Hub, then run: certkit identity install acme CERT" in again.err
    mailed = identity("renew", "acme", "-q")
    assert [bool(mailed.err), "3. Paste the CSR" in mailed.out, "CERTIFICATE REQUEST" in mailed.out] == [code > 0] * 3


def test_a_dry_run(identity):
    """Says what would happen, and changes nothing."""
    renewable(identity)
    before = identity.files()
    renewed = identity("renew", "acme", "--dry-run")
    assert (renewed.code, renewed.err) == (0, "")
    assert renewed.out == "acme: due; a new request would be created\n"
    assert identity.files() == before


def test_a_dry_run_with_an_issuer(identity, signer):
    """Says that the request that waits would be answered, and does not."""
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "bundle.pem", "--issuer", f"{signer} 1")
    (identity.folder / "ca.key").rename(identity.folder / "away.key")
    identity("enroll", "mine", *options)
    dry = identity("renew", "mine", "--dry-run")
    said = "mine: the request of generation 0001 would be signed and activated\n"
    assert (dry.code, dry.out) == (0, said)


def test_an_issuer_that_needs_a_trust_bundle(identity, signer):
    """It can be given afterwards; another one cannot."""
    options = ("--policy", "general", "--organization", "Acme Ltd", "--issuer", f"{signer} 1")
    assert "no trust bundle" in identity("enroll", "mine", *options).err
    enrolled = identity("enroll", "mine", *options, "--ca", "bundle.pem", "--json")
    assert (enrolled.code, enrolled.json["active"]["generation"]) == (0, "0001")
    assert "with a different --ca" in identity("enroll", "mine", *options, "--ca", "root.pem").err


def test_encrypted_keys_stay_encrypted(identity, signer):
    """A renewal without the passphrase is refused, and with it the new key is encrypted, too."""
    (identity.folder / "pass").write_text("correct horse\n")
    (identity.folder / "pass").chmod(0o600)
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "bundle.pem", "--issuer", f"{signer} 1")
    assert identity("enroll", "mine", *options, "--passphrase-file", "pass").code == 0
    refused = identity("renew", "mine", "--force")
    assert (refused.code, "Give --passphrase-file" in refused.err) == (3, True)
    assert identity("renew", "mine", "--force", "--passphrase-file", "pass").code == 0
    keys = sorted((identity.folder / "store/mine/generations").glob("*/key.pem"))
    assert [each.read_text().splitlines()[0] for each in keys] == ["-----BEGIN ENCRYPTED PRIVATE KEY-----"] * 2


def test_all_names_what_failed(identity, signer):
    """Also where the error does not."""
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "bundle.pem", "--issuer", f"{signer} 1")
    (identity.folder / "ca.key").rename(identity.folder / "away.key")
    identity("enroll", "mine", *options)
    assert "certkit: error: mine: program failed" in identity("renew", "--all").err


def test_a_failed_renewal_has_the_facts_of_its_identity(identity, signer):
    """In the JSON of --all, the error is beside them."""
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "bundle.pem", "--issuer", f"{signer} 1")
    identity("enroll", "mine", *options)
    (identity.folder / "ca.key").rename(identity.folder / "away.key")
    ran = identity("renew", "--all", "--force", "--json")
    [entry] = ran.json
    assert (ran.code, entry["status"], entry["changed"]) == (2, "critical", True)
    assert entry["error"]["message"].startswith("program failed")
    assert (entry["policy"], entry["active"]["generation"], entry["pending"]["generation"]) == (
        ("general", "0001", "0002")
    )
    assert set(entry) == {*identity("show", "mine", "--json").json, "error"}


def test_an_active_certificate_that_is_missing(identity):
    """Is what expiry says of an identity whose file was deleted; a generation is active."""
    identity.use("mine")
    (identity.folder / "store/mine/generations/0001/certificate.pem").unlink()
    watched = Command(identity.folder)("expiry", "identity:mine", "--store", "file:store")
    assert watched.code == 3
    assert "cannot read identity:mine: the certificate of the active generation 0001 is missing" in watched.err


def test_all(identity):
    """Goes on after one fails; a list, with the failure in its place, and the exit code of the worst."""
    renewable(identity, name="a")
    renewable(identity, name="b")
    identity.use("c")
    (identity.folder / "store/b/identity.json").write_text("{")
    renewed = identity("renew", "--all", "--json")
    assert renewed.code == 3
    assert [(each["name"], each["changed"], each["status"]) for each in renewed.json] == [
        ("a", True, "warning"),
        ("b", False, "unknown"),
        ("c", False, "ok"),
    ]
    assert "not an identity's record" in renewed.json[1]["error"]["message"]
    assert "certkit: error: cannot read " in renewed.err


def test_all_of_an_empty_store(identity):
    """Nothing is due, but it may be the wrong store, so even -q reports it."""
    (identity.folder / "store").mkdir()
    renewed = identity("renew", "--all", "-q")
    assert (renewed.code, renewed.out) == (0, "")
    assert renewed.err == "certkit: warning: no identities in file:store. Check --store and CERTKIT_STORE\n"
    assert identity("renew", "--all", "--json").json == []


@pytest.mark.parametrize(
    "arguments", [(), ("acme", "--all"), ("../acme",), ("acme", "--jitter", "33%"), ("acme", "--jitter", "soon")]
)
def test_bad_usage(identity, arguments):
    """Is exit 3, and nothing changes."""
    renewable(identity)
    before = identity.files()
    assert identity("renew", *arguments).code == 3
    assert identity.files() == before


def test_an_issuer_that_is_a_program(identity, signer):
    """Enroll carries it through, and so does renew when it is time; relative paths hold wherever it is run."""
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "bundle.pem", "--issuer", f"{signer} 300")
    enrolled = identity("enroll", "mine", *options, "--json")
    assert (enrolled.code, enrolled.err) == (0, ""), enrolled
    assert (enrolled.json["active"]["generation"], enrolled.json["next"]) == ("0001", "nothing")
    assert identity("enroll", "mine", *options, "--json").json["changed"] is False
    renewed = identity("renew", "mine", "--json")
    assert (renewed.code, renewed.json["changed"]) == (0, True)
    assert (renewed.json["active"]["generation"], renewed.json["previous"]["generation"]) == ("0002", "0001")


def test_an_issuer_that_fails(identity, signer):
    """Is exit 2 with its reason; the request stays, of which JSON tells, and is answered by the next run."""
    options = ("--policy", "general", "--organization", "Acme Ltd", "--ca", "bundle.pem", "--issuer", f"{signer} 1")
    (identity.folder / "ca.key").rename(identity.folder / "away.key")
    failed = identity("enroll", "mine", *options, "--json")
    assert (failed.code, failed.json["changed"]) == (2, True)
    assert "cannot sign\ncertkit: error: program failed" in failed.err
    assert identity("enroll", "mine", *options, "--json").json["changed"] is False
    (identity.folder / "away.key").rename(identity.folder / "ca.key")
    assert identity("renew", "mine", "--json").json["active"]["generation"] == "0001"


@pytest.mark.parametrize("issuer", ["acme", "vault-pki:role", "command:", "command:'"])
def test_what_is_no_issuer(identity, issuer):
    """Is exit 3, before anything is written."""
    refused = identity(*ENROLL, "--issuer", issuer)
    assert (refused.code, "not a" in refused.err) == (3, True)
    assert identity.files() == {}


def test_an_issuer_that_takes_its_time(identity, signer):
    """A certificate that begins when it is signed, after the command began, is taken."""
    moment = "datetime.fromisoformat(sys.argv[1])"
    late = "began = int(time.time())\nwhile int(time.time()) == began:\n    time.sleep(0.01)\nnow = datetime.now(UTC)"
    script = SIGN.replace(f"now = {moment}", late).replace("import sys\n", "import sys\nimport time\n")
    (identity.folder / "sign.py").write_text(script.replace("import datetime,", "import UTC, datetime,"))
    enrolled = identity(*ENROLL, "--ca", "bundle.pem", "--issuer", f"{signer} 0", "--json")
    assert (enrolled.code, enrolled.json["active"]["generation"]) == (0, "0001")
    renewed = identity("renew", "acme", "--force", "--json")
    assert (renewed.code, renewed.json["active"]["generation"]) == (0, "0002")


def test_a_hook_that_fails_after_a_change(identity):
    """JSON says that another generation is in use, and that nothing changed when only the hook ran again."""
    identity(*ENROLL)
    identity.answer()
    hook = ("--deploy-hook", "./missing", "--json")
    failed = identity("install", "acme", "answer.pem", *TRUSTING, *hook)
    assert (failed.code, failed.json["changed"]) == (2, True)
    again = identity("activate", "acme", *hook)
    assert (again.code, again.json["changed"]) == (2, False)
    assert identity("renew", "--all", *hook).json[0]["changed"] is False


def test_hooks_of_an_identity(identity):
    """Executables in its hooks/deploy.d run, and then the one that is named; a failure is exit 2, and retried."""
    identity(*ENROLL)
    identity.answer()
    folder = identity.folder / "store/acme/hooks/deploy.d"
    folder.mkdir(parents=True)
    (folder / "10-reload").write_text('#!/bin/sh\necho "$CERTKIT_NAME $CERTKIT_KEY_PATH" >>told\n')
    (folder / "10-reload").chmod(0o755)
    (folder / "note.txt").write_text("not to be run")
    (identity.folder / "last").write_text("#!/bin/sh\nexit 1\n")
    (identity.folder / "last").chmod(0o755)
    failed = identity("install", "acme", "answer.pem", *TRUSTING, "--deploy-hook", "./last")
    assert failed.code == 2
    assert f"certkit: error: hook failed: {identity.folder}/last: it exited with code 1" in failed.err
    shown = identity("show", "acme", "--json").json
    assert (shown["active"]["generation"], shown["next"]) == (
        "0001",
        "a deploy hook failed; fix it, then: certkit identity activate acme",
    )
    listed = identity("list")
    assert (listed.code, listed.out.splitlines()[1].endswith(" days left, hook failed")) == (2, True)
    owed = identity("activate", "acme")
    assert (owed.code, f"hook failed: {identity.folder}/last: it exited with code 1" in owed.err) == (2, True)
    (identity.folder / "last").write_text("#!/bin/sh\nexit 0\n")
    (identity.folder / "told").unlink()
    assert identity("activate", "acme").code == 0
    assert identity("show", "acme", "--json").json["next"] == "nothing"
    path = identity.folder / "store/acme/active/key.pem"
    assert (identity.folder / "told").read_text() == f"acme {path}\n"
    assert identity("activate", "acme").code == 0
    assert (identity.folder / "told").read_text() == f"acme {path}\n"


def test_a_hook_that_is_stored(identity):
    """It is named at enroll, runs after each activation, and is owed until it succeeds: every command says so."""
    hook = identity.folder / "my hook"
    hook.write_text("#!/bin/sh\nenv >env\ntest -e ready\n")
    hook.chmod(0o755)
    assert identity(*ENROLL, "--deploy-hook", "./my hook").code == 0
    identity.answer()
    assert identity("install", "acme", "answer.pem", *TRUSTING).code == 2
    listed = identity("list", "--json")
    assert (listed.code, listed.json[0]["status"]) == (2, "critical")
    shown = identity("show", "acme", "--json")
    assert (shown.code, shown.json["status"]) == (0, "critical")
    due = identity("renew", "acme")
    assert (due.code, f"hook failed: '{hook}': it exited with code 1" in due.err) == (2, True)
    (identity.folder / "ready").touch()
    assert identity("renew", "acme").code == 0
    assert identity("list").code == 0
    variables = dict(line.partition("=")[::2] for line in (identity.folder / "env").read_text().splitlines())
    assert variables["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert not {"CERTKIT_PASSPHRASE", "CERTKIT_STORE", "VAULT_TOKEN"} & set(variables)


def test_the_log(identity):
    """A line for each thing that happened, with who did it; --json has the fingerprints, too."""
    identity(*ENROLL)
    identity.answer()
    identity("install", "acme", "answer.pem", *TRUSTING)
    events = identity("log", "acme", "--json").json
    assert [each["what"] for each in events] == [
        "created",
        "requested",
        "settings changed",
        "installed",
        "activated",
    ]
    assert all("@" in each["who"] for each in events)
    lines = identity("log", "acme").out.splitlines()
    assert [(line[:20], line.rpartition("  ")[2]) for line in lines] == [(each["time"], each["who"]) for each in events]
    assert [line[20:].rpartition("  ")[0].strip() for line in lines] == [
        *("created", f"requested 0001 as acme-{NOW:%Y-%m}-a", "settings changed", "installed 0001", "activated 0001")
    ]
    assert [each for each in events if "fingerprint_sha256" in each] == [events[3]]


def test_the_twelfth(identity):
    """One more than the partner takes is exit 2, and says what to give up."""
    identity.use()
    for _ in range(2):
        add_request(identity.store, identity.store.load("acme"), POLICY, now=NOW)
        identity.store.change("acme", lambda record: record.discard(max(record.names)))
    policy = identity.folder / "strict.toml"
    policy.write_text('extends = "wise-sandbox"\ntitle = "Strict"\n[certificate]\nmax_live = 1\n')
    refused = identity("enroll", "other", "--policy", "strict.toml", "--organization", "Acme Ltd", "--json")
    assert refused.code == 2
    assert refused.json["checks"][0]["message"] == "Strict allows 1 live certificates, and there are already 1"


def test_a_list_with_a_request_that_hangs(identity):
    """Tells its age, and is a warning at least."""
    identity.use()
    add_request(identity.store, identity.store.load("acme"), POLICY, now=NOW)
    assert identity("list").code == 0
    identity.store.change("acme", lambda record: record.discard("0002"))
    add_request(identity.store, identity.store.load("acme"), POLICY, now=NOW - 5 * pki.DAY)
    listed = identity("list", "-q")
    assert listed.code == 1
    assert "0003 pending for 5 days" in listed.out


def test_expiry_with_a_request_that_hangs(identity, certkit):
    """An expected certificate that is not there has its error, in every format; a fresh request has none."""
    identity.use()
    add_request(identity.store, identity.store.load("acme"), POLICY, now=NOW)
    arguments = ("expiry", "identity:acme", "--leaf-only", "--json")
    store = {"CERTKIT_STORE": "file:store"}
    assert certkit(*arguments, env=store).code == 0
    later = f"{NOW + 4 * pki.DAY:%Y-%m-%dT%H:%M:%SZ}"
    judged = certkit(*arguments, "--at", later, env=store)
    assert (judged.code, len(judged.json["certificates"])) == (3, 1)
    assert judged.json["errors"] == [
        {
            "source": "identity:acme",
            "message": "identity:acme: the request of generation 0002 has been pending for 4 days",
            "reason": "request_waiting",
        }
    ]
