"""A year of trouble: CAs change twice, answers are refused, a hook fails for a week, clocks jump; nothing fails."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509

from certkit.errors import RefusedError
from certkit.identity import activate, credentials, overview
from certkit.identity.hooks import HookError
from certkit.identity.issuers.base import IssuerAnswer
from certkit.identity.renew import Renewal, renew
from certkit.identity.update import Changes, update
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
        self.signed.append(made.certificate)
        return IssuerAnswer(certificates=made.pem + issuer.pem)


def test_a_year_of_trouble(store, tmp_path):
    """Each day what is in use is valid and trusted, and as many certificates are signed as are used."""
    partner, broken, hook = Partner(), tmp_path / "broken", tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntest ! -e {broken}\n")
    hook.chmod(0o755)
    deployment = activate.Deployment(programs=(hook,), environment={"PATH": os.defpath})
    how = activate.Activation(deployment=deployment)
    enroll(store, now=pki.NOW)
    unusable, refused, failed, in_use, learned = [], [], [], [], 0
    for day, jump in zip(DAYS, itertools.cycle((0, 1, -1, 0, 0))):
        now = partner.now = pki.NOW + timedelta(days=day, hours=12 + jump)
        partner.ca = max([0, *(ca for since, ca in NEW_CAS.items() if day >= since)])
        broken.touch() if day in HOOK_DAYS else broken.unlink(missing_ok=True)
        if len(refused) == 3 * (learned + 1):  # it was reported for some days, and the new CA is added
            learned += 1
            added = Changes(anchors=[ROOTS[partner.ca].certificate])
            update(store, store.load("acme"), POLICY, added, now=now)
        wanted = Renewal(issuer=partner, how=how)
        try:
            renew(store, store.load("acme"), POLICY, wanted=wanted, now=now)
        except HookError:
            failed.append(day)
        except RefusedError:
            refused.append(day)
        identity = store.load("acme")
        active = identity.record.active
        certificate = overview.certificate(overview.generation(identity, active))
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            unusable.append(day)
        credentials.require_trusted(identity, active, now=now)
        in_use.append(certificate)
    assert unusable == []
    # Both changes of the CA were reported until it was added, and the certificates that were refused were used.
    assert (len(refused), refused[0] >= 100, refused[3] >= 200) == (6, True, True)
    assert list(dict.fromkeys(in_use)) == partner.signed
    # The hook that failed was run again every day until it succeeded.
    assert failed == [day for day in HOOK_DAYS if day >= failed[0] and day in DAYS]
    assert store.load("acme").record.undeployed is None
    assert set(states(store).values()) == {"previous", "active"}
