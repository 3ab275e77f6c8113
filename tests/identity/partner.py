"""A partner who answers requests at once, and what must hold of an identity at any moment of its life."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography import x509

from certkit.findings import Status
from certkit.identity import install, overview
from certkit.identity.issuers import IssuerAnswer
from certkit.stores.opening import findings_of
from certkit.stores.record import State
from certkit.x509 import keys, objects
from tests import pki
from tests.identity.conftest import ISSUING

YEAR = 365 * pki.DAY

# What a killed run may leave, and the next one repairs or ignores.
_LEFT_OVER = re.compile("by interrupted runs|was interrupted|of a killed run")


@dataclass(frozen=True)
class Partner:
    """An automatic issuer: every CSR is answered by a certificate that begins at a moment and lives for a year."""

    now: object = pki.NOW

    def issue(self, csr):
        """A certificate of its own for each time that it is asked for."""
        request = x509.load_pem_x509_csr(csr)
        subject = pki.name(O="Acme Ltd", CN="acme-client-id")
        made = ISSUING.issue(subject, public_key=request.public_key(), begin=self.now, end=self.now + YEAR)
        return IssuerAnswer(certificates=made.pem + ISSUING.pem)


def states(identity):
    """The states of the generations, the oldest first."""
    return [overview.state_of(identity, each).value for each in identity.generations]


def spki_of_key(store, name, number):
    """The fingerprint of the public key that belongs to a private key in the store."""
    found = objects.private_key(store.key(name, number).reveal(), name=number).value
    return keys.key_facts(found.public_key()).spki_sha256


def faults(store, name, *, now):
    """Return the faults of an identity in use: no pair that works, a lost key, two requests at once."""
    identity = store.load(name)
    active = identity.record.active
    certificate = overview.certificate(overview.generation(identity, active)) if active else None
    if certificate is None or not certificate.not_before <= now <= certificate.not_after:
        yield "no valid certificate is in use"
    for each in identity.generations:
        own = spki_of_key(store, name, each.number)
        if any(
            holder and install.spki(holder) != own for holder in (overview.request(each), overview.certificate(each))
        ):
            yield f"the key of generation {each.number} is lost"
    if len(overview.in_state(identity, State.PENDING, State.ISSUED)) > 1:
        yield f"two requests at once: {states(identity)}"


def troubles(store):
    """Return the findings of the store's check, apart from what a killed run may leave."""
    findings = (each for each in findings_of(store) if each.status is not Status.OK)
    return [each for each in findings if not _LEFT_OVER.search(each.message)]
