"""What Terraform is told of an identity: facts that change when somebody acts, and none that change with the day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tf.types import Bool, String

from certkit.identity.issuers.base import IssuerSpec
from certkit.terraform.provider.schema import computed, utf8

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.identity.overview import GenerationView
    from certkit.policy.rules import Policy
    from certkit.stores.base import Identity, Store

ATTRIBUTES = (
    computed(
        "generation",
        String(),
        "The generation with the newest request that is open or answered, else the active one.",
    ),
    computed(
        "state",
        String(),
        "Its state: `pending` (its request waits for an answer), `issued` (answered, and not in use yet) or `active`.",
    ),
    computed("csr", String(), "Its request, PEM, to be handed in as it is; none for one that was imported."),
    computed("certificate_name", String(), "The unique name under which it is handed in."),
    computed("spki_sha256", String(), "The fingerprint of its public key."),
    computed("active_generation", String(), "The generation in use, whose certificate the following are about."),
    computed("fingerprint_sha256", String(), "The fingerprint of the certificate."),
    computed("not_before", String(), "From when on it is valid, RFC 3339."),
    computed("not_after", String(), "Until when it is valid, RFC 3339."),
    computed("ready_for_renewal", Bool(), "Whether its renewal window is open, by the policy's rules."),
    computed(
        "certificate_path",
        String(),
        "Where the certificate in use is, with its chain: a path that renewals do not change, or a reference in Vault.",
    ),
    computed("key_reference", String(), "Where the private key is: a path, or a reference in Vault. Never a key."),
    computed("next", String(), "What a person does now."),
)
NAMES = tuple(each.name for each in ATTRIBUTES)


def facts(store: Store, identity: Identity, policy: Policy, *, now: datetime) -> dict[str, Any]:
    """The values of those attributes.

    Raises:
        InputError: what the store has cannot be read.
    """
    from certkit.identity import overview, renew
    from certkit.times import rfc3339
    from certkit.x509 import names

    found = overview.overview(identity, policy, now=now)
    newest, certificate = found.pending or found.active, found.active.certificate if found.active else None
    in_use, opens = found.active or newest, renew.window(identity, policy)
    location = store.location(identity, in_use.generation) if in_use else None
    return {
        "generation": newest.generation if newest else None,
        "state": newest.state.value if newest else None,
        "csr": _request(identity, newest) if newest else None,
        "certificate_name": newest.certificate_name if newest else None,
        "spki_sha256": newest.key.spki_sha256 if newest and newest.key else None,
        "active_generation": identity.record.active,
        "fingerprint_sha256": names.fingerprint(certificate) if certificate else None,
        "not_before": rfc3339(certificate.not_valid_before_utc) if certificate else None,
        "not_after": rfc3339(certificate.not_valid_after_utc) if certificate else None,
        "ready_for_renewal": now >= opens if opens else found.pending is None,
        "certificate_path": utf8(location.fullchain) if location and certificate else None,
        "key_reference": utf8(location.key) if location else None,
        "next": found.next,
    }


def next_for_request(found: dict[str, Any], identity: Identity, policy: Policy) -> str:
    """What a person does with the newest request of a manual issuer, the same before and after its installation.

    The resource of an identity is applied before that of its certificate. A text that an installation changes would
    change outputs in the plan after it.
    """
    record = identity.record
    if not found["csr"] or not IssuerSpec.parse(record.settings.issuer).is_manual or record.undeployed is not None:
        return str(found["next"])
    name = f" under the name {found['certificate_name']}" if found["certificate_name"] else ""
    where = f"in {policy.portal.name}, submit" if policy.portal.name else "have a CA sign"
    return f"{where} the CSR of generation {found['generation']}{name}, and give its certificate to certkit_certificate"


def _request(identity: Identity, newest: GenerationView) -> str | None:
    """The CSR of a generation as PEM, answered or not, so that what is made of it stays as it is."""
    from certkit.identity import overview
    from certkit.x509 import objects, pem

    found = overview.generation(identity, newest.generation)
    if found.csr is None:
        return None
    der = objects.csr(found.csr, name=f"generation {found.number}").der
    return pem.encode(pem.CERTIFICATE_REQUEST, der).decode("ascii")
