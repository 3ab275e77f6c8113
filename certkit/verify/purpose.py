"""What certificates may be used for: extended key usage and key usage (RFC 5280 sections 4.2.1.3 and 4.2.1.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok
from certkit.x509 import describe, names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

_ANY_USAGE = "2.5.29.37.0"
_USAGES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}
_USAGE_NAMES = {
    _USAGES["server"]: "serverAuth",
    _USAGES["client"]: "clientAuth",
    _ANY_USAGE: "anyExtendedKeyUsage",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
}


def allows(usage: x509.ExtendedKeyUsage, purpose: str) -> bool:
    """Whether an extended key usage, which is there, allows a purpose."""
    allowed = {oid.dotted_string for oid in usage}
    return purpose == "any" or _USAGES[purpose] in allowed or _ANY_USAGE in allowed


def judge(path: Sequence[x509.Certificate], wanted: str) -> Finding:
    """Whether the certificate, and each CA below the anchor, may be used for a purpose.

    Extended key usage may be absent. Key usage, where present, must allow what TLS does with the key: a client signs
    (RFC 8446 section 4.4.3), a server may also decrypt or agree on a key (RFC 5246 section 7.4.2).
    """
    if wanted == "any":
        return ok("purpose", "any purpose was asked for")
    leaf = path[0]
    usage = describe.extension(leaf, "ExtendedKeyUsage")
    if usage is not None and not allows(usage, wanted):
        listed = ", ".join(_USAGE_NAMES.get(oid.dotted_string, oid.dotted_string) for oid in usage)
        return critical(
            "purpose",
            f"not for {wanted} authentication: its extended key usage is {listed} (RFC 5280 section 4.2.1.12)",
            f"ask the issuer for a certificate with {_USAGE_NAMES[_USAGES[wanted]]}",
        )
    for ca in path[1:-1]:
        limits = describe.extension(ca, "ExtendedKeyUsage")
        if limits is not None and not allows(limits, wanted):
            return critical(
                "purpose",
                f"the CA {names.distinguished_name(ca.subject)} may not issue certificates for {wanted} authentication,"
                " by its own extended key usage",
                "get a certificate from a CA for that purpose",
            )
    return _key_usage(leaf, wanted) or ok("purpose", _allowed(wanted, is_named=usage is not None))


def _key_usage(leaf: x509.Certificate, wanted: str) -> Finding | None:
    usage = describe.extension(leaf, "KeyUsage")
    if usage is None or usage.digital_signature:
        return None
    if wanted == "server" and (usage.key_encipherment or usage.key_agreement):
        return None
    return critical(
        "purpose",
        "its key usage does not allow digital signatures (RFC 5280 section 4.2.1.3)",
        "ask the issuer for a certificate with digitalSignature",
    )


def _allowed(wanted: str, *, is_named: bool) -> str:
    if is_named:
        return f"{wanted} authentication"
    return f"it names no extended key usage, so it may be used for {wanted} authentication"
