"""`certkit.identity.renew`: a new generation when it is time, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from certkit.errors import InputError, RefusedError
from certkit.findings import Status
from certkit.identity import renew
from certkit.identity.done import Done
from certkit.identity.enroll import add_request
from certkit.identity.renew import Renewal
from certkit.policy.rules import Answer
from tests import pki
from tests.identity.conftest import POLICY, SETTINGS, csr_of, enroll, everything, install, issue, pasted, states, use
from tests.identity.issuing import Away, Signing

# What `use` issues ends here, and wise-sandbox opens the window 45 days before.
END = pki.NOW + 364 * pki.DAY
OPENS = END - 45 * pki.DAY
SOON = timedelta(seconds=1)


def run(store, *, now=OPENS + SOON, policy=POLICY, **wanted):
    """Renew the identity."""
    return renew.renew(store, store.load("acme"), policy, wanted=Renewal(**wanted), now=now)


def used(store, **options):
    """An identity in use, whose certificate ends at `END`."""
    return use(store, begin=pki.NOW - pki.DAY, end=END, **options)


def test_nothing_is_due(store):
    """Before the window opens nothing changes, and it says when it does."""
    used(store)
    before = everything(store)
    renewed = run(store, now=OPENS - SOON)
    assert (renewed.changed, renewed.outcome.status) == (False, Status.OK)
    assert renewed.outcome.message == "acme: nothing is due before 2027-10-08T12:00:00Z"
    assert everything(store) == before


def test_it_is_time(store):
    """A request with a new key of the same type is made; what is in use stays in use."""
    used(store)
    renewed = run(store)
    assert (renewed.changed, renewed.outcome.status) == (True, Status.OK)
    assert states(store) == {"0001": "active", "0002": "pending"}
    assert csr_of(store, "0002").public_key() != csr_of(store, "0001").public_key()
    assert csr_of(store, "0002").public_key().curve.name == csr_of(store, "0001").public_key().curve.name
    assert csr_of(store, "0002").subject == csr_of(store, "0001").subject


def test_the_window_without_a_policy(store):
    """Opens when a third of the lifetime is left."""
    used(store)
    policy = replace(POLICY, renewal=replace(POLICY.renewal, opens=None))
    assert renew.window(store.load("acme"), policy) == END - 365 * pki.DAY / 3


def test_jitter(store):
    """Opens the window later, by a share that is the generation's own and the same everywhere."""
    used(store)
    identity = store.load("acme")
    opens = renew.window(identity, POLICY, jitter=10 * pki.DAY)
    assert OPENS < opens < OPENS + 10 * pki.DAY
    assert opens == renew.window(identity, POLICY, jitter=10 * pki.DAY)
    assert opens != renew.window(replace(identity, name="other"), POLICY, jitter=10 * pki.DAY)


def test_force(store):
    """Renews before it is time."""
    used(store)
    assert run(store, now=pki.NOW, force=True).changed
    assert states(store) == {"0001": "active", "0002": "pending"}


def test_a_dry_run(store):
    """Says what would happen, and nothing changes, whoever answers."""
    used(store)
    before = everything(store)
    for issuer in (None, Signing()):
        renewed = run(store, dry_run=True, issuer=issuer)
        assert not renewed.changed
        assert renewed.outcome.message.startswith("acme: due; a new request would be created")
    assert everything(store) == before


@pytest.mark.parametrize(
    ("left", "status", "end"),
    [
        (40, Status.OK, "expires on"),
        (20, Status.WARNING, "expires on"),
        (5, Status.CRITICAL, "expires on"),
        (-1, Status.CRITICAL, "expired on"),
    ],
)
def test_a_request_that_hangs(store, left, status, end):
    """Is not made twice, and is the worse the nearer the end of the certificate in use is; it tells its age."""
    used(store)
    run(store)
    before = everything(store)
    renewed = run(store, now=END - left * pki.DAY)
    assert (renewed.changed, renewed.outcome.status) == (False, status)
    assert f"the request of generation 0002 has been pending for {44 - left} days" in renewed.outcome.message
    assert f"the active certificate {end} 2027-11-22T12:00:00Z" in renewed.outcome.message
    assert renewed.outcome.hint == "submit the CSR in Developer Hub, then run: certkit identity install acme CERT"
    assert everything(store) == before


def test_the_first_request_hangs(store):
    """Nothing changes; nothing is in use that could end."""
    enroll(store)
    renewed = run(store, now=pki.NOW + 9 * pki.DAY)
    assert (renewed.changed, renewed.outcome.status) == (False, Status.OK)
    assert "the request of generation 0001 has been pending for 9 days" in renewed.outcome.message


def test_what_is_installed_and_not_in_use(store):
    """Stays inactive, because a user chose that; the hint says how to activate it."""
    used(store)
    run(store)
    install(store, pasted(issue(store, "0002")))
    renewed = run(store)
    assert states(store) == {"0001": "active", "0002": "issued"}
    assert "generation 0002 is installed but not active" in renewed.outcome.message
    assert renewed.outcome.hint == (
        "activate it: certkit identity activate acme; or request another one: certkit identity renew acme --force"
    )


def test_a_request_that_was_discarded(store):
    """Is followed by another one."""
    enroll(store)
    store.change("acme", lambda record: record.discard("0001"))
    assert run(store).changed
    assert states(store) == {"0001": "discarded", "0002": "pending"}


def test_an_issuer_that_answers(store):
    """Carries it through: the new generation is in use, the old one the previous one."""
    used(store)
    renewed = run(store, issuer=Signing())
    assert renewed.changed
    assert renewed.outcome.message == "acme: generation 0002 is active"
    assert states(store) == {"0001": "previous", "0002": "active"}


def test_an_issuer_that_is_away(store):
    """Leaves the request, which the next run has answered."""
    used(store)
    with pytest.raises(InputError, match="cannot reach"):
        run(store, issuer=Away())
    assert states(store) == {"0001": "active", "0002": "pending"}
    issuer = Signing()
    assert run(store, issuer=issuer).changed
    assert (states(store), len(issuer.asked)) == ({"0001": "previous", "0002": "active"}, 1)


def test_an_answer_that_was_not_put_to_use(store):
    """By a run that was killed, is put to use by the next one, without another certificate."""
    used(store)
    run(store)
    install(store, pasted(issue(store, "0002")))
    issuer = Signing()
    assert run(store, issuer=issuer).changed
    assert (states(store), issuer.asked) == ({"0001": "previous", "0002": "active"}, [])


def test_an_issuer_whose_answer_is_bad(store):
    """Is refused like anybody's, and nothing is installed."""
    used(store)
    expired = Signing(begin=pki.NOW - 9 * pki.DAY, end=pki.NOW - 8 * pki.DAY)
    with pytest.raises(RefusedError, match="validity"):
        run(store, issuer=expired)
    assert states(store) == {"0001": "active", "0002": "pending"}


def test_what_the_issuer_says(store):
    """Is passed on."""
    used(store)
    found = run(store, issuer=Signing(warnings=("a shorter time is granted",))).findings
    assert "the issuer says: a shorter time is granted" in [each.message for each in found]


def test_the_bundle_of_an_issuer(store):
    """Is trusted where none was given, and the one that was given where there is one."""
    enroll(store, settings=replace(SETTINGS, trust_bundle=None))
    begun = Done(store.load("acme"), changed=False)
    done = renew.carry_through(store, begun, POLICY, issuer=Signing(), now=pki.NOW)
    assert done.identity.generations[0].issued.trust_bundle == SETTINGS.trust_bundle.encode()


def test_the_same_key_again(store):
    """When it is asked for; whether the partner takes it is said."""
    used(store)
    renewed = run(store, reuse_key=True)
    assert csr_of(store, "0002").public_key() == csr_of(store, "0001").public_key()
    assert store.key("acme", "0002") == store.key("acme", "0001")
    assert [each.message for each in renewed.findings] == [
        "policy wise-sandbox does not say whether a key may be reused"
    ]


def test_the_same_key_where_it_is_refused(store):
    """By the policy, or because nothing is in use."""
    used(store)
    strict = replace(POLICY, renewal=replace(POLICY.renewal, reuse_key=Answer.NO))
    with pytest.raises(RefusedError, match="accepts each key only once"):
        run(store, reuse_key=True, policy=strict)
    assert states(store) == {"0001": "active"}
    enroll(store, "other")
    store.change("other", lambda record: record.discard("0001"))
    with pytest.raises(InputError, match="there is no active key"):
        renew.renew(store, store.load("other"), POLICY, wanted=Renewal(reuse_key=True), now=pki.NOW)


def test_another_process_answers_first(store):
    """Its answer counts, and the generation is in use."""
    used(store)
    run(store)

    class Slow(Signing):
        def issue(self, csr):
            install(store, pasted(issue(store, "0002")))
            return super().issue(csr)

    assert run(store, issuer=Slow()).changed
    assert states(store) == {"0001": "previous", "0002": "active"}


def test_a_stale_look_makes_no_second_generation(store):
    """A run that saw no request at its start, and finds one when it writes, changes nothing."""
    used(store)
    stale = store.load("acme")
    run(store, issuer=Signing())
    assert not add_request(store, stale, POLICY, now=OPENS + SOON).changed
    assert states(store) == {"0001": "previous", "0002": "active"}
