"""`certkit.identity.limits`: what a partner takes, over all that a store knows, and what environments do not share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certkit.errors import RefusedError
from certkit.findings import Status
from certkit.identity import enroll, import_, limits
from certkit.policy.catalogue import load
from tests import pki
from tests.identity.conftest import ISSUING, POLICY, ROOT, SETTINGS, install, issue, pasted, request_again, use
from tests.identity.conftest import enroll as enroll_one

OTHER_ROOT = pki.root(pki.name(O="Partner", CN="Production Root CA"))
PRODUCTION = load("wise-production")


def room(store, *, policy=POLICY, now=pki.NOW):
    """Return the findings about the room for one more certificate."""
    return limits.Neighbours(store, "acme", policy).room(now=now)


def full(store, count):
    """So many live certificates, in use by as many identities."""
    for number in range(count):
        use(store, f"client-{number}")


def test_there_is_room(store):
    """For a partner without a limit there always is; below the last one nothing is said."""
    full(store, 2)
    three = replace(POLICY, certificate=replace(POLICY.certificate, max_live=4))
    assert room(store, policy=three) == ()
    assert room(store, policy=load("general")) == ()


def test_the_last_one(store):
    """Is a warning that proposes what to revoke: what nothing uses, what ends first before the others."""
    full(store, 1)
    use(store, "old", count=2)
    number = request_again(store, "old")
    install(store, pasted(issue(store, number, "old")), "old")
    [found] = room(store, policy=replace(POLICY, certificate=replace(POLICY.certificate, max_live=5)))
    assert (found.status, found.message) == (
        Status.WARNING,
        "this is the last of the 5 live certificates that Wise Platform (sandbox) allows",
    )
    assert found.hint == (
        "nothing uses old 0001 (previous), old 0003 (issued); "
        "revoke it at the partner, then: certkit identity retire old 0001"
    )


def test_one_too_many(store):
    """Is refused before a key is made, and what is retired makes room."""
    full(store, 1)
    use(store, "old", count=2)
    three = replace(POLICY, certificate=replace(POLICY.certificate, max_live=3))
    with pytest.raises(RefusedError, match="allows 3 live certificates, and there are already 3") as refused:
        enroll.enroll(store, "acme", SETTINGS, three, now=pki.NOW)
    assert refused.value.findings[0].id == "policy"
    assert "acme" not in store.names()
    store.change("old", lambda record: record.retire("0001"))
    done = enroll.enroll(store, "acme", SETTINGS, three, now=pki.NOW)
    assert [each.status for each in done.findings] == [Status.WARNING]


def test_what_counts(store):
    """Live certificates and open requests of the environment; not what has expired, was retired or discarded."""
    two = replace(POLICY, certificate=replace(POLICY.certificate, max_live=2))
    use(store, "short", begin=pki.NOW - pki.DAY, end=pki.NOW + pki.DAY)
    assert len(room(store, policy=two)) == 1
    assert room(store, policy=two, now=pki.NOW + 2 * pki.DAY) == ()
    enroll_one(store, "legacy", replace(SETTINGS, policy="wise-sandbox-legacy"))
    with pytest.raises(RefusedError):
        room(store, policy=two)
    store.change("legacy", lambda record: record.discard("0001"))
    enroll_one(store, "production", replace(SETTINGS, policy="wise-production", trust_bundle=OTHER_ROOT.pem.decode()))
    assert len(room(store, policy=two)) == 1


def test_what_cannot_be_counted(store):
    """Is reported, because the limit is then unknown."""
    store.create("odd", enroll.Record(settings=replace(SETTINGS, policy="/absent/policy.toml", key_type="ec-p256")))
    [found] = room(store)
    assert (found.status, found.message) == (
        Status.WARNING,
        "the number of live certificates is unknown: odd cannot be read",
    )


def adopt_pair(store, name, pair, *, policy, anchors):
    """Adopt a pair for an identity."""
    settings = replace(SETTINGS, policy=policy.name)
    return import_.adopt(
        store,
        name,
        settings,
        policy,
        key=pair.key,
        certificates=[pair.value],
        anchors=anchors,
        now=pki.NOW,
    )


def test_a_key_of_another_environment(store):
    """Is not adopted; another name in the same environment may have it."""
    subject = pki.name(O="Acme Ltd", CN="acme-client-id")
    key = pki.new_key()
    first = ROOT.issue(subject, key=key)
    adopt_pair(store, "sandbox", first, policy=POLICY, anchors=[ROOT.value])
    with pytest.raises(RefusedError, match=r"the key belongs to sandbox, which is for Wise Platform \(sandbox"):
        adopt_pair(
            store,
            "production",
            OTHER_ROOT.issue(subject, key=key),
            policy=PRODUCTION,
            anchors=[OTHER_ROOT.value],
        )
    assert store.names() == ["sandbox"]
    adopt_pair(store, "again", first, policy=POLICY, anchors=[ROOT.value])


def test_a_trust_bundle_of_another_environment(store):
    """Is refused when an answer is taken in, and when a pair is adopted; nothing is written."""
    use(store, "sandbox")
    settings = replace(SETTINGS, policy="wise-production", trust_bundle=None)
    enroll_one(store, "production", settings)
    with pytest.raises(
        RefusedError, match=r"the trust bundle belongs to sandbox, which is for Wise Platform \(sandbox\)"
    ):
        install(store, pasted(issue(store, name="production")), "production", policy=PRODUCTION, trust_bundle=ROOT.pem)
    assert store.load("production").generations[0].issued is None
    pair = ISSUING.issue(pki.name(O="Acme Ltd", CN="acme-client-id"))
    with pytest.raises(RefusedError, match="the trust bundle belongs to sandbox"):
        adopt_pair(store, "other", pair, policy=PRODUCTION, anchors=[ISSUING.value, ROOT.value])


def test_environments_without_names(store):
    """May share what they like: two private CAs' clients under the general policy."""
    use(store, "sandbox")
    settings = replace(SETTINGS, policy="general", key_type="ec-p256")
    enroll_one(store, "mine", settings)
    install(store, pasted(issue(store, name="mine")), "mine", policy=load("general"))
