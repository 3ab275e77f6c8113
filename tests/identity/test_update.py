"""`certkit.identity.update` and `prune` over both stores, and requests that are answered badly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from cryptography import x509

from certkit.errors import RefusedError
from certkit.identity import activate, limits, overview
from certkit.identity.issuers import IssuerAnswer
from certkit.identity.renew import Renewal, renew
from certkit.identity.retire import prune
from certkit.identity.update import Changes, update
from certkit.stores.base import AbsentError
from tests import pki
from tests.identity.conftest import ISSUING, POLICY, ROOT, enroll, install, issue, pasted, request_again, states, use

LATE = pki.NOW + 330 * pki.DAY
OTHER = pki.root(pki.name(O="Partner", CN="Next Root CA"))


@dataclass
class Wrong:
    """An issuer below a CA that the identity does not trust yet; it counts what it has signed."""

    issuer: object = field(default_factory=OTHER.intermediate)
    signed: int = 0

    def issue(self, csr):
        """A certificate of the other CA."""
        self.signed += 1
        key = x509.load_pem_x509_csr(csr).public_key()
        made = self.issuer.issue(
            pki.name(O="Acme Ltd", CN="acme-client-id"), public_key=key, begin=LATE - pki.DAY, end=LATE + 365 * pki.DAY
        )
        return IssuerAnswer(certificates=made.pem + self.issuer.pem)


def adding(root, **options):
    """The change that adds a CA."""
    return Changes(anchors=[root.value], **options)


def bundle(store):
    """The trust bundle of the identity."""
    return store.load("acme").record.settings.trust_bundle.encode()


def renewed(store, issuer, *, now=LATE, **options):
    """Renew the identity."""
    return renew(store, store.load("acme"), POLICY, wanted=Renewal(issuer=issuer, **options), now=now).identity


def test_a_ca_is_added(store):
    """Beside the ones that are trusted; the same again changes nothing."""
    use(store)
    assert update(store, store.load("acme"), POLICY, adding(OTHER), now=pki.NOW).changed
    assert bundle(store) == ROOT.pem + OTHER.pem
    assert not update(store, store.load("acme"), POLICY, adding(OTHER), now=pki.NOW).changed


def test_a_bundle_is_replaced_only_if_the_active_certificate_verifies(store):
    """Or with force."""
    use(store)
    replacing = adding(OTHER, replaces_anchors=True)
    with pytest.raises(RefusedError, match="is not trusted"):
        update(store, store.load("acme"), POLICY, replacing, now=pki.NOW)
    assert bundle(store) == ROOT.pem
    assert update(store, store.load("acme"), POLICY, replacing, force=True, now=pki.NOW).changed
    assert bundle(store) == OTHER.pem


@pytest.mark.parametrize("number", ["0001", None])
def test_what_is_trusted_no_more_is_not_put_to_use(store, number):
    """Neither by `activate` nor by `rollback`, which say how; once its CA is added again, it is."""
    use(store)
    update(store, store.load("acme"), POLICY, adding(OTHER), now=LATE)
    renewed(store, Wrong())
    update(store, store.load("acme"), POLICY, adding(OTHER, replaces_anchors=True), now=LATE)
    with pytest.raises(RefusedError, match="generation 0001 is not trusted") as refused:
        back_to(store, number)
    for way_out in ("certkit identity update acme --ca FILE", "certkit identity renew acme --force"):
        assert way_out in refused.value.hint
    assert states(store) == {"0001": "previous", "0002": "active"}
    update(store, store.load("acme"), POLICY, adding(ROOT), now=LATE)
    assert back_to(store, number).record.active == "0001"


def back_to(store, number):
    """Activate a generation, or roll back."""
    identity = store.load("acme")
    if number is None:
        return activate.rollback(store, identity, now=LATE).identity
    return activate.activate(store, identity, number, now=LATE).identity


def test_a_bundle_of_expired_cas_is_refused(store):
    """Nothing could be verified with it."""
    use(store)
    expired = pki.root(pki.name(CN="Old Root CA"), begin=pki.NOW - 20 * pki.DAY, end=pki.NOW - pki.DAY)
    with pytest.raises(RefusedError, match="every CA in the trust bundle has expired"):
        update(store, store.load("acme"), POLICY, adding(expired), now=pki.NOW)
    assert bundle(store) == ROOT.pem


def test_other_settings(store):
    """Are changed one by one; the rest stays."""
    use(store)
    before = store.load("acme").record.settings
    done = update(store, store.load("acme"), POLICY, Changes(settings={"client_id": "new", "probe": None}), now=pki.NOW)
    assert done.identity.record.settings == replace(before, client_id="new", probe=None)


def test_a_refused_certificate_is_kept_and_tried_again(store):
    """It was signed once; after the CA was added the next run puts it to use, and asks for no other."""
    use(store)
    issuer = Wrong()
    for _ in range(2):
        with pytest.raises(RefusedError, match="chain") as refused:
            renewed(store, issuer)
        assert "the certificate was kept" in refused.value.hint
    assert (issuer.signed, len(store.answers("acme", "0002"))) == (1, 1)
    assert states(store) == {"0001": "active", "0002": "pending"}
    update(store, store.load("acme"), POLICY, adding(OTHER), now=LATE)
    renewed(store, issuer)
    assert (issuer.signed, states(store)) == (1, {"0001": "previous", "0002": "active"})


def test_another_certificate_is_requested_after_a_week(store):
    """Or at once with force; each one counts as live."""
    use(store)
    issuer = Wrong()
    for now, force, signed in (
        (LATE, False, 1),
        (LATE + 6 * pki.DAY, False, 1),
        (LATE + 7 * pki.DAY, False, 2),
        (LATE + 8 * pki.DAY, True, 3),
    ):
        with pytest.raises(RefusedError):
            renewed(store, issuer, now=now, force=force)
        assert issuer.signed == signed
    full = replace(POLICY, certificate=replace(POLICY.certificate, max_live=4))
    neighbours = limits.Neighbours(store, "acme", full)
    with pytest.raises(RefusedError, match="there are already 4"):
        neighbours.room(now=LATE)


def test_a_certificate_that_expired_unused_is_set_aside(store):
    """A new request is made, and nothing waits for ever."""
    use(store)
    request_again(store)
    install(store, pasted(issue(store, "0002", end=pki.NOW + 30 * pki.DAY)))
    assert states(store) == {"0001": "active", "0002": "issued"}
    renewed(store, None, now=LATE)
    assert states(store) == {"0001": "active", "0002": "discarded", "0003": "pending"}


def test_what_is_pruned(store):
    """Keys and certificates of past generations, but for those that may be needed and the newest others."""
    use(store, count=5)
    done, numbers = prune(store, store.load("acme"), keep=1)
    assert numbers == ["0001", "0002"]
    assert [each.number for each in done.identity.generations] == ["0003", "0004", "0005"]
    assert [each.number for each in store.load("acme").generations] == ["0003", "0004", "0005"]
    with pytest.raises(AbsentError):
        store.key("acme", "0001")
    assert not prune(store, store.load("acme"), keep=1)[0].changed
    assert activate.rollback(store, store.load("acme"), now=pki.NOW).identity.record.active == "0004"
    assert request_again(store) == "0006"


def test_what_was_pruned_counts_as_live(store):
    """The partner still accepts it, whatever was deleted here."""
    use(store, count=3)
    prune(store, store.load("acme"), keep=0)
    full = replace(POLICY, certificate=replace(POLICY.certificate, max_live=3))
    with pytest.raises(RefusedError, match="there are already 3"):
        limits.Neighbours(store, "acme", full).room(now=pki.NOW)


def test_an_open_request_is_not_pruned(store):
    """Nor is a certificate that is still to be activated."""
    enroll(store)
    assert prune(store, store.load("acme"), keep=0)[1] == []
    install(store, pasted(issue(store)))
    assert prune(store, store.load("acme"), keep=0)[1] == []
    assert overview.generation(store.load("acme"), "0001").issued.chain == ISSUING.pem


@pytest.mark.parametrize("kind", ["stored", "named for that once"])
def test_a_hook_that_can_never_succeed_is_given_up(store, kind):
    """Another one takes its place, or none: nothing is owed for ever."""
    use(store)
    is_stored = kind == "stored"
    update(store, store.load("acme"), POLICY, Changes(settings={"deploy_hook": "/gone"} if is_stored else {}), now=LATE)
    failed = None if is_stored else "/gone"
    store.change("acme", lambda record: replace(record, undeployed="0001", undeployed_hook=failed))
    assert update(store, store.load("acme"), POLICY, Changes(settings={"deploy_hook": None}), now=LATE).changed
    assert store.load("acme").record.undeployed_hook is None
    how = activate.Activation(deployment=activate.Deployment(environment={}))
    done = activate.activate(store, store.load("acme"), how=how, now=pki.NOW)
    assert (done.identity.record.undeployed, overview.owed_hook(done.identity)) == (None, None)
