"""`certkit store`: whether the place where identities live can be used, on the installed command."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests import pki

NOW = datetime.now(UTC).replace(microsecond=0)
ENROLL = ("identity", "enroll", "acme", "--organization", "Acme Ltd")


@pytest.fixture
def store(certkit):
    """A store with one identity."""
    assert certkit(*ENROLL, "--store", "file:store").code == 0
    return certkit.folder / "store"


def test_a_sound_store(certkit, store):
    """Is exit 0, and says what is in it."""
    checked = certkit("store", "check", "--store", "file:store")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == (
        "file:store: ok\n"
        "  ok        store                1 identity in store\n"
        "  ok        identity:acme        1 generation, none active\n"
        "  ok        permissions          only the intended users can read the keys\n"
    )


def test_the_json_of_a_check(certkit, store):
    """Is that of every judging command."""
    checked = certkit("store", "check", "--store", "file:store", "--json").json
    assert checked.keys() == {"status", "subject", "checks"}
    assert (checked["status"], checked["subject"]) == ("ok", "file:store")
    assert checked["checks"][0] == {
        "id": "store",
        "status": "ok",
        "message": "1 identity in store",
        "hint": "",
    }


def test_quiet_is_silent_while_all_is_well(certkit, store):
    """For cron."""
    checked = certkit("store", "check", "--store", "file:store", "-q")
    assert (checked.code, checked.out, checked.err) == (0, "", "")


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("/etc/store", "For a directory give file:/etc/store"),
        ("stores/a", "For a directory give file:stores/a"),
        ("store", "Give file:DIR or vault://MOUNT/PREFIX"),
        ("file:store?Transit=transit/key", "After the directory only ?transit=MOUNT/KEY may follow"),
        ("file:store?transit=", "Give file:DIR?transit=MOUNT/KEY"),
        ("file:store?transit=key", "Give file:DIR?transit=MOUNT/KEY"),
        ("file:store?transit=transit/", "Give file:DIR?transit=MOUNT/KEY"),
        ("file:?transit=transit/key", "Name its directory: file:DIR"),
        ("https://vault", "Give file:DIR or vault://MOUNT/PREFIX"),
    ],
)
def test_what_was_meant_for_a_store_is_said(certkit, uri, hint):
    """Is bad usage, and what was probably meant is said."""
    refused = certkit("store", "check", "--store", uri)
    assert (refused.code, refused.err) == (3, f"certkit: error: not a store: {uri}. {hint}\n")


def test_what_is_not_private(certkit, store):
    """A key that others may read is a warning, one that they may write is critical; the hint fixes it."""
    key = store / "acme/generations/0001/key.pem"
    key.chmod(0o644)
    checked = certkit("store", "check", "--store", "file:store", "--json")
    assert (checked.code, checked.checks()["permissions"]) == (1, "warning")
    assert any(check["hint"] == f"chmod 600 {key.relative_to(certkit.folder)}" for check in checked.json["checks"])
    key.chmod(0o666)
    assert certkit("store", "check", "--store", "file:store").code == 2


def test_a_key_of_another_certificate(certkit):
    """Is critical, and is not activated, exported or gone back to; a sealed one is opened if that can be done."""
    ca = pki.root()
    (certkit.folder / "ca.pem").write_bytes(ca.pem)
    for name in ("one", "two"):
        pair = ca.issue(pki.name(O="Acme Ltd"), begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY)
        (certkit.folder / f"{name}.pem").write_bytes(pair.pem)
        (certkit.folder / f"{name}.key").write_bytes(pair.key_pem)
        (certkit.folder / f"{name}.key").chmod(0o600)
        pair = ("--key", f"{name}.key", "--cert", f"{name}.pem", "--ca", "ca.pem", "--store", "file:store")
        assert certkit("identity", "import", name, "--policy", "general", *pair).code == 0
    assert certkit("store", "check", "--store", "file:store").code == 0
    generations = [certkit.folder / "store" / name / "generations/0001/key.pem" for name in ("one", "two")]
    generations[0].write_bytes(generations[1].read_bytes())
    checked = certkit("store", "check", "--store", "file:store", "--json")
    assert (checked.code, checked.checks()["identity:one"]) == (2, "critical")
    exported = certkit("identity", "export", "one", "--out", "tls", "--store", "file:store")
    assert (exported.code, "its private key does not belong to its certificate" in exported.err) == (3, True)
    assert not (certkit.folder / "tls").exists()


def test_what_is_damaged(certkit, store):
    """Is critical, and the rest is looked at all the same."""
    certkit("identity", "enroll", "other", "--organization", "Acme Ltd", "--store", "file:store")
    (store / "acme/generations/0001/key.pem").unlink()
    checked = certkit("store", "check", "--store", "file:store", "--json")
    assert (checked.code, checked.checks()["identity:acme"], checked.checks()["identity:other"]) == (
        2,
        "critical",
        "ok",
    )


def test_a_store_that_is_not_there_yet(certkit):
    """Is unknown, for it may be a misspelt one; nothing is created."""
    checked = certkit("store", "check", "--store", "file:absent")
    assert checked.code == 3
    assert "the directory absent does not exist" in checked.out
    assert not (certkit.folder / "absent").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("identity", "list"),
        ("identity", "renew", "--all", "-q"),
        ("identity", "prune", "--all"),
        ("identity", "show", "acme"),
        ("identity", "renew", "acme"),
        ("identity", "log", "acme"),
        ("identity", "export", "acme", "--out", "tls"),
        ("store", "migrate"),
    ],
)
def test_a_store_that_does_not_exist(certkit, command):
    """Is exit 3 with a hint, never "no identities": HOME or --store may be wrong. An empty one is only a warning."""
    missing = certkit(*command, "--store", "file:absent")
    assert (missing.code, missing.out) == (3, "")
    assert missing.err.startswith("certkit: error: there is no store at file:absent. Check --store, CERTKIT_STORE and")
    (certkit.folder / "absent").mkdir()
    empty = certkit(*command, "--store", "file:absent")
    assert empty.code == (3 if "acme" in command else 0)
    assert ("no identity 'acme' in" if "acme" in command else "no identities in") in empty.err


def test_a_store_by_the_environment(certkit, store):
    """CERTKIT_STORE names it where the option does not."""
    assert certkit("store", "check", env={"CERTKIT_STORE": "file:store"}).out.startswith("file:store: ok\n")
    assert certkit("store", "check", "--store", "file:store", env={"CERTKIT_STORE": "file:absent"}).code == 0


@pytest.mark.parametrize("uri", ["store", "file:", "vault:secret", "vault://", "http://x/y", "s3://bucket"])
def test_what_is_no_store(certkit, uri):
    """Is exit 3 that says what to give, in JSON too."""
    ran = certkit("store", "check", "--store", uri, "--json")
    assert (ran.code, ran.json["status"]) == (3, "unknown")
    assert "file:DIR" in ran.err or "vault://MOUNT/PREFIX" in ran.err
