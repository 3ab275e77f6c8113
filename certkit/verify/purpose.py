"""What certificates may be used for: extended key usage and key usage (RFC 5280 sections 4.2.1.3 and 4.2.1.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, unknown, warning
from certkit.printable import brief
from certkit.x509.extensions import PURPOSES
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from certkit.x509.certificate import Certificate

_ANY_USAGE = "2.5.29.37.0"
_USAGES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}


def allows(usage: Container[str], purpose: str) -> bool:
    """Whether an extended key usage, which is there, allows a purpose."""
    return purpose == "any" or _USAGES[purpose] in usage or _ANY_USAGE in usage


def judge(path: Sequence[Certificate], wanted: str) -> Finding:
    """Return whether the certificate, and each CA below the anchor, may be used for a purpose.

    Extended key usage may be absent. Key usage, where present, must allow what TLS does with the key: a client signs
    (RFC 8446 section 4.4.3), a server may also decrypt or agree on a key (RFC 5246 section 7.4.2).
    """
    if wanted == "any":
        return ok("purpose", "any purpose is allowed")
    leaf = path[0]
    name = PURPOSES[_USAGES[wanted]]
    usage = leaf.extended_key_usage
    if isinstance(usage, Unreadable):
        return unknown("purpose", f"its extended key usage cannot be read: {usage.reason}", f"ask for one with {name}")
    if usage is not None and not allows(usage, wanted):
        listed = ", ".join(PURPOSES.get(oid, oid) for oid in usage)
        return critical(
            "purpose",
            f"not valid for {wanted} authentication: its extended key usage is {listed} (RFC 5280 section 4.2.1.12)",
            f"ask the issuer for a certificate with {name}",
        )
    for ca in path[1:-1]:
        limits = ca.extended_key_usage
        if limits is not None and not allows(limits or (), wanted):
            return critical(
                "purpose",
                f"the CA {brief(ca.display_name)} may not issue certificates for {wanted} authentication, by its own"
                " extended key usage",
                "get a certificate from a CA for that purpose",
            )
    problem = _key_usage(leaf, wanted)
    if problem is not None:
        return problem
    if usage is None:
        return ok("purpose", f"it has no extended key usage, so it can be used for {wanted} authentication")
    if wanted == "client" and _USAGES[wanted] not in usage:
        return warning(
            "purpose",
            f"its extended key usage is anyExtendedKeyUsage without {name}, which OpenSSL and nginx reject",
            f"ask the issuer for a certificate with {name}",
        )
    return ok("purpose", f"{wanted} authentication")


def _key_usage(leaf: Certificate, wanted: str) -> Finding | None:
    usage = leaf.key_usage
    if isinstance(usage, Unreadable):
        hint = "ask the issuer for a certificate with digitalSignature"
        return unknown("purpose", f"its key usage cannot be read: {usage.reason}", hint)
    sufficient = {"digitalSignature"} | ({"keyEncipherment", "keyAgreement"} if wanted == "server" else set())
    if usage is None or usage & sufficient:
        return None
    return critical(
        "purpose",
        "its key usage does not allow digital signatures (RFC 5280 section 4.2.1.3)",
        "ask the issuer for a certificate with digitalSignature",
    )
