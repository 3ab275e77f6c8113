"""Purposes of certificates: extended key usage and key usage (RFC 5280 sections 4.2.1.3 and 4.2.1.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, unknown, warning
from certkit.x509 import der as tlv
from certkit.x509.extensions import PURPOSES
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from certkit.x509.certificate import Certificate

_ANY_USAGE = "2.5.29.37.0"
_NETSCAPE_TYPE = "2.16.840.1.113730.1.1"
_ALLOWED = {wanted: ok("purpose", f"{wanted} authentication") for wanted in ("server", "client")}
_NETSCAPE_BITS = {"client": 0x80, "server": 0x40}
_USAGES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}


def allows(usage: Container[str], purpose: str) -> bool:
    """Return whether an extended key usage, which must be present, allows a purpose."""
    return purpose == "any" or _USAGES[purpose] in usage or _ANY_USAGE in usage


def judge(path: Sequence[Certificate], wanted: str) -> Finding:
    """Check whether the certificate, and each CA below the anchor, may be used for a purpose.

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
        message = f"not valid for {wanted} authentication: its extended key usage is {_shown(usage)}"
        hint = f"ask the issuer for a certificate with {name}"
        return critical("purpose", f"{message} (RFC 5280 section 4.2.1.12)", hint)
    for ca in path[1:-1]:
        limits = ca.extended_key_usage
        if limits is not None and not allows(limits or (), wanted):
            return critical(
                "purpose",
                f"the CA {ca.brief_name} may not issue certificates for {wanted} authentication, by its own"
                " extended key usage",
                "get a certificate from a CA for that purpose",
            )
    allowed, hint = leaf.key_usage, "ask the issuer for a certificate with digitalSignature"
    if isinstance(allowed, Unreadable):
        return unknown("purpose", f"its key usage cannot be read: {allowed.reason}", hint)
    sufficient = {"digitalSignature"} | ({"keyEncipherment", "keyAgreement"} if wanted == "server" else set())
    if allowed is not None and not allowed & sufficient:
        return critical("purpose", "its key usage does not allow digital signatures (RFC 5280 section 4.2.1.3)", hint)
    rejected = _what_openssl_rejects(path, wanted)
    if rejected:
        message = f"{rejected}, which OpenSSL and nginx reject"
        return warning("purpose", message, f"ask the issuer for a certificate with {name}, below a CA with {name}")
    if usage is None:
        return ok("purpose", f"it has no extended key usage, so it can be used for {wanted} authentication")
    return _ALLOWED[wanted]


def _what_openssl_rejects(path: Sequence[Certificate], wanted: str) -> str:
    """Return what RFC 5280 allows for a purpose and OpenSSL rejects; empty if nothing.

    OpenSSL takes anyExtendedKeyUsage for no purpose of TLS, holds anchors to their extended key usage, and reads the
    certificate type that Netscape invented.
    """
    name, oid = PURPOSES[_USAGES[wanted]], _USAGES[wanted]
    for number, each in enumerate(path):
        usage = each.extended_key_usage
        # Unreadable is falsy, and an extended key usage is never empty.
        if usage and oid not in usage and (number or wanted == "client"):
            whose = f"the extended key usage of the CA {each.brief_name}" if number else "its extended key usage"
            kind = "anyExtendedKeyUsage" if _ANY_USAGE in usage else _shown(usage)
            return f"{whose} is {kind} without {name}"
    netscape = path[0].extension(_NETSCAPE_TYPE)
    if netscape is not None:
        try:
            value, _ = tlv.bits(netscape.raw, tlv.read(netscape.raw, 0, len(netscape.raw)))
        except tlv.DerError:
            return "its Netscape certificate type cannot be read"
        if not value or not value[0] & _NETSCAPE_BITS[wanted]:
            return f"its Netscape certificate type is not that of an SSL {wanted}"
    return ""


def _shown(usage: Iterable[str]) -> str:
    return ", ".join(PURPOSES.get(oid, oid) for oid in usage)
