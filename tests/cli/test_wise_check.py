"""`certkit wise check`: what must differ between sandbox and production, and what must hold for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from certkit.identity import activate, enroll, install
from certkit.policy import catalogue
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.record import Record, Settings
from certkit.wise import check as going_live
from certkit.wise import tokens
from certkit.wise.tokens import Token
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.cli.test_wise_rehearse import rehearsing
from tests.cli.test_wise_setup import REHEARSAL, STORE, through
from tests.cli.test_wise_setup import acme as acme  # noqa: PLC0414  a fixture
from tests.cli.test_wise_setup import setup as setup  # noqa: PLC0414  a fixture

SANDBOX, PRODUCTION = ("sandbox", "wise-sandbox"), ("production", "wise-production")


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return FileStore(tmp_path / "identities")


def identity(store, name, policy, *, ca=None, key=None, days=300, base_url=None):
    """An identity with a certificate in use and a token, of a CA of its own."""
    now = datetime.now(UTC)
    ca = ca or pki.root(begin=now - pki.YEAR, end=now + pki.YEAR)
    settings = Settings(policy=policy, subject=SubjectOptions(organization="Acme Ltd"), base_url=base_url)
    rules = catalogue.load(policy)
    if key is None:
        csr = enroll.enroll(store, name, settings, rules, now=now).identity.generations[0].csr
    else:
        store.create(name, Record(settings=replace(settings, key_type="ec-p256")))
        csr = enroll.add_request(store, store.load(name), rules, now=now, key=key).identity.generations[0].csr
    public_key = x509.load_pem_x509_csr(csr).public_key()
    subject = pki.name(O="Acme Ltd", CN="acme")
    issued = ca.issue(subject, public_key=public_key, begin=now - pki.DAY, end=now + days * pki.DAY)
    number = install.install(store, store.load(name), issued.pem, rules, trust_bundle=ca.pem, now=now)[1]
    activate.activate(store, store.load(name), number, now=now)
    token = Token(
        grant="client_credentials",
        client_id="acme",
        access=Secret(b"token"),
        received_at=now,
        expires_at=now + timedelta(hours=12),
    )
    tokens.write(store, name, token, over=None)


def check(certkit, *options):
    """The findings by their ids, the worst of each."""
    ran = certkit("wise", "check", "sandbox", "production", "--json", *options, env=STORE)
    order = ["skipped", "ok", "warning", "unknown", "critical"]
    found = {}
    for each in ran.json["checks"]:
        found[each["id"]] = max(found.get(each["id"], "skipped"), each["status"], key=order.index)
    return found


def test_two_that_are_ready(certkit, store):
    """Nothing is wrong but what this host alone can say: reminders."""
    identity(store, *SANDBOX)
    identity(store, *PRODUCTION)
    found = check(certkit)
    assert found.pop("reminders") in {"ok", "warning"}
    assert found == {
        **dict.fromkeys(("environment", "hosts", "key-match", "trust", "chain", "expiry", "token"), "ok"),
        **dict.fromkeys(("store", "permissions", "identity:sandbox", "identity:production"), "ok"),
        **dict.fromkeys(("http", "fallback"), "skipped"),
    }


def test_a_key_in_both(certkit, store):
    """Critical, over all generations."""
    key = pki.new_key()
    identity(store, *SANDBOX, key=key)
    identity(store, *PRODUCTION, key=key)
    assert check(certkit)["key-match"] == "critical"


def test_the_wrong_environment(certkit, store):
    """The second is for production, with the hosts of it; a proxy is worth a look."""
    identity(store, *SANDBOX)
    identity(store, "production", "wise-sandbox-legacy", base_url="https://proxy.example")
    found = check(certkit)
    assert (found["environment"], found["hosts"]) == ("critical", "warning")


def test_the_retired_sandbox(certkit, store):
    """A warning that says since when, and how to go on."""
    identity(store, "sandbox", "wise-sandbox-legacy")
    identity(store, *PRODUCTION)
    ran = certkit("wise", "check", "sandbox", "production", "--json", env=STORE)
    [found] = [each for each in ran.json["checks"] if each["id"] == "hosts" and each["status"] == "warning"]
    assert "was retired by the partner on 2026-06-30; use policy wise-sandbox instead" in found["message"]
    assert "certkit wise setup sandbox-new --environment sandbox" in found["hint"]


def test_near_the_end_and_readable(certkit, store, tmp_path):
    """The time that is left, and a key that others may read."""
    identity(store, *SANDBOX)
    identity(store, *PRODUCTION, days=20)
    (tmp_path / "identities/production/generations/0001/key.pem").chmod(0o644)
    found = check(certkit)
    assert (found["expiry"], found["chain"]) == ("warning", "ok")
    assert {"warning", "critical"} & {found[each] for each in found if each in {"permissions", "identity:production"}}


def test_nothing_there_yet(certkit, store):
    """A missing certificate is critical, a missing token a warning; without a key the comparison is unknown."""
    identity(store, *SANDBOX)
    store.create("production", Record(settings=Settings(policy="wise-production")))
    found = check(certkit)
    assert (found["chain"], found["token"], found["key-match"]) == ("critical", "warning", "unknown")


def test_an_identity_that_is_not_there(certkit, store):
    """Exit 3, by name."""
    identity(store, *SANDBOX)
    ran = certkit("wise", "check", "sandbox", "production", env=STORE)
    assert (ran.code, "production" in ran.err) == (3, True)


def test_online_both_are_asked(certkit, setup, acme, tmp_path):
    """Certificate and token at the playground, and the plain host to go back to."""
    with rehearsing(tmp_path, *REHEARSAL) as wise:
        through(wise, setup, acme, tmp_path)
        ran = certkit("wise", "check", "acme", "acme", "--online", "--json", env=STORE)
        said = {each["id"]: each["message"] for each in ran.json["checks"]}
        assert ran.code == 2
        assert said["http"].endswith("accepts the certificate and the token (status 200)")
        assert said["fallback"].startswith("acme: the plain host 127.0.0.1:")
        assert said["environment"] == "acme belongs to rehearsal, not to Wise production"


def test_jobs_that_remind(tmp_path):
    """A line that runs certkit regularly, in a crontab or a unit; one that is commented out does not count."""
    (tmp_path / "off").write_text("# 17 6 * * * root certkit expiry -q /etc/partners\n")
    (tmp_path / "other").write_text("certkit inspect a.pem\n")
    message = going_live.reminders([str(tmp_path)]).message
    assert message in {"no cron job or timer on this host runs certkit expiry", "certkit is scheduled by crontab"}
    (tmp_path / "on").write_text("17 6 * * * root certkit expiry -q identity:acme\n")
    (tmp_path / "timer.service").write_text("[Service]\nExecStart=/usr/bin/certkit identity renew --all\n")
    found = going_live.reminders([str(tmp_path), "/no/such/place"])
    assert (
        found.message.removesuffix(", crontab")
        == f"certkit is scheduled by {tmp_path / 'on'}, {tmp_path / 'timer.service'}"
    )


def test_a_failed_hook_does_not_make_the_expiry_critical(certkit, store):
    """The certificate is valid for long, so its hint is not to renew; the store's finding names the hook."""
    identity(store, *SANDBOX)
    identity(store, *PRODUCTION)
    store.change(store.load("sandbox"), lambda record: replace(record, undeployed="0001", undeployed_hook="/bin/false"))
    listed = certkit("identity", "list", "--store", "file:identities")
    assert [line.split()[0] + line[line.index(" left") :].rstrip() for line in listed.out.splitlines()[1:]] == [
        "ok left",
        "critical left, hook failed",
    ]
    checks = certkit("wise", "check", "sandbox", "production", "--store", "file:identities", "--json").json["checks"]
    assert [each["status"] for each in checks if each["id"] in {"expiry", "identity:sandbox"}] == [
        *("ok", "ok", "critical")
    ]
