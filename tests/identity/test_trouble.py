"""A year of trouble: CAs change twice, answers are refused, a hook fails, clocks jump, a request is forgotten."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509
from OpenSSL import crypto

from certkit.errors import RefusedError
from certkit.findings import Status
from certkit.identity import activate, credentials, install, overview
from certkit.identity.hooks import HookError
from certkit.identity.issuers import IssuerAnswer
from certkit.identity.programs import Program
from certkit.identity.renew import Renewal, renew
from certkit.identity.update import Changes, update
from certkit.stores.record import State
from tests import pki
from tests.identity.conftest import ISSUING, POLICY, ROOT, enroll, states

ROOTS = [ROOT, *(pki.root(pki.name(O="Partner", CN=f"Root CA {number}")) for number in (2, 3))]
ISSUERS = [ISSUING, *(root.intermediate() for root in ROOTS[1:])]
DAYS = range(0, 400, 2)
LIFE = timedelta(days=90)
# From these days on the partner's certificates come from its next CA; the identity learns it some days later.
NEW_CAS = {100: 1, 200: 2}
HOOK_DAYS = range(280, 330)


@dataclass
class Partner:
    """An issuer whose CA changes; it remembers what it has signed."""

    now: object = pki.NOW
    ca: int = 0
    signed: list[object] = field(default_factory=list)

    def issue(self, csr):
        """A certificate for ninety days, of the present CA."""
        key = x509.load_pem_x509_csr(csr).public_key()
        issuer = ISSUERS[self.ca]
        made = issuer.issue(public_key=key, begin=self.now - timedelta(minutes=90), end=self.now + LIFE)
        self.signed.append(made.value)
        return IssuerAnswer(certificates=made.pem + issuer.pem)


def call(store, now):
    """Return why the partner's server rejects the active certificate, by OpenSSL at that time, or None."""
    shown = credentials.of_generation(store, store.load("acme"))
    leaf, *above = shown.credentials.chain
    if shown.credentials.key.public_key() != leaf.public_key():
        return "another key"
    trusted = crypto.X509Store()
    for root in ROOTS:
        trusted.add_cert(crypto.X509.from_cryptography(root.certificate))
    trusted.set_time(now.replace(tzinfo=None))
    chain = [crypto.X509.from_cryptography(each.loaded()) for each in above]
    try:
        crypto.X509StoreContext(trusted, crypto.X509.from_cryptography(leaf.loaded()), chain).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return None


class Forgotten:
    """An identity beside the other one, whose next request lies about until its certificate has expired."""

    def __init__(self, store):
        self.store, self.partner, self.requests, self.seen = store, Partner(), set(), []
        enroll(store, "idle", now=pki.NOW)
        self.bring(pki.NOW)

    def bring(self, now):
        """A person fetches the certificate after all."""
        self.partner.now = now
        [pending] = overview.in_state(self.store.load("idle"), State.PENDING)
        answer = self.partner.issue(pending.csr).certificates
        done, number = install.install(self.store, self.store.load("idle"), answer, POLICY, now=now)
        activate.activate(self.store, done.identity, number, now=now)

    def live(self, now):
        """What cron does; a person looks three weeks after expiry."""
        said = renew(self.store, self.store.load("idle"), POLICY, wanted=Renewal(), now=now).outcome
        identity = self.store.load("idle")
        self.requests |= {each.number for each in overview.in_state(identity, State.PENDING)}
        certificate = overview.certificate(overview.generation(identity, identity.record.active))
        if len(self.partner.signed) == 1 and now > certificate.not_after + timedelta(weeks=3):
            self.bring(now)
        elif len(self.partner.signed) == 1:
            self.seen.append(said.status)


def test_a_year_of_trouble(store, tmp_path):
    """Each day what is in use works, and as many certificates are signed as are used."""
    partner, broken, hook = Partner(), tmp_path / "broken", tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntest ! -e {broken}\n")
    hook.chmod(0o755)
    deployment = activate.Deployment(programs=(Program((str(hook),)),), environment={"PATH": os.defpath})
    how = activate.Activation(deployment=deployment)
    enroll(store, now=pki.NOW)
    failed_calls, refused, failed, in_use, learned = [], [], [], [], 0
    forgotten = Forgotten(store)
    for day, jump in zip(DAYS, itertools.cycle((0, 1, -1, 0, 0))):
        now = partner.now = pki.NOW + timedelta(days=day, hours=12 + jump)
        partner.ca = max([0, *(ca for since, ca in NEW_CAS.items() if day >= since)])
        broken.touch() if day in HOOK_DAYS else broken.unlink(missing_ok=True)
        if len(refused) == 3 * (learned + 1):  # it was reported for some days, and the new CA is added
            learned += 1
            added = Changes(anchors=[ROOTS[partner.ca].value])
            update(store, store.load("acme"), POLICY, added, now=now)
        wanted = Renewal(issuer=partner, how=how)
        try:
            renew(store, store.load("acme"), POLICY, wanted=wanted, now=now)
        except HookError:
            failed.append(day)
        except RefusedError:
            refused.append(day)
        forgotten.live(now) if day < 150 else None
        if (why := call(store, now)) is not None:
            failed_calls.append((day, why))
        identity = store.load("acme")
        credentials.require_trusted(identity, identity.record.active, now=now)
        in_use.append(overview.certificate(overview.generation(identity, identity.record.active)))
    assert failed_calls == []
    # Both changes of the CA were reported until it was added, and the certificates that were refused were used.
    assert (len(refused), refused[0] >= 100, refused[3] >= 200) == (6, True, True)
    assert list(dict.fromkeys(in_use)) == list(map(pki.value, partner.signed))
    # The hook that failed was run again every day until it succeeded.
    assert failed == [day for day in HOOK_DAYS if day >= failed[0] and day in DAYS]
    assert store.load("acme").record.undeployed is None
    # The forgotten request was made once, reported ever more urgently, and answered in the end.
    assert forgotten.requests == {"0002"}
    reported = [status for status, _ in itertools.groupby(forgotten.seen)]
    assert reported == [Status.OK, Status.WARNING, Status.CRITICAL]
    assert states(store, "idle") == {"0001": "previous", "0002": "active"}
    assert len(forgotten.partner.signed) == 2
    assert set(states(store).values()) == {"previous", "active"}
