"""Reasons why a revocation list is unusable, in words, with hints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Trouble(IntEnum):
    """The reason why a CRL is unusable, in the order of the checks: the last one came nearest."""

    MISSING = 0
    UNREADABLE = 1
    INDIRECT = 2
    KIND = 3
    PLACE = 4
    NO_SIGNER = 5
    UNSIGNED = 6
    UNTRUSTED = 7
    CA_MAY_NOT = 8
    SIGNER_MAY_NOT = 9
    SIGNER_REVOKED = 10
    SIGNER_UNKNOWN = 11
    CRITICAL = 12
    WEAK = 13
    NO_BASE = 14
    EARLY = 15
    ENDLESS = 16
    STALE = 17
    HELD = 18
    REASONS = 19
    STRICT = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """A trouble with its detail: a time, a name, the reasons that are missing."""

    trouble: Trouble
    detail: str = ""


_GET_NEW = "get the CA's current CRL"
_FROM_CA = "get the CRL from the CA itself"
# The message about a certificate {x}, issued by {y}, whose list is unusable; and the hint.
WORDS = {
    Trouble.MISSING: ("there is no CRL for {x}, issued by {y}", _GET_NEW + " for it, and give it with --crl"),
    Trouble.UNREADABLE: ("a CRL or the certificate cannot be read, for {x}, issued by {y}", _FROM_CA),
    Trouble.INDIRECT: (
        (
            "the CRL does not cover {x}: {y} issued it, and the CRL is not an indirect one that its distribution"
            " point names (RFC 5280 section 6.3.3)"
        ),
        "get the CRL that its distribution point names",
    ),
    Trouble.KIND: (
        "the CRL does not cover this kind of certificate (RFC 5280 section 5.2.5), for {x}, issued by {y}",
        "get the CRL that its distribution point names",
    ),
    Trouble.PLACE: (
        "the CRL belongs to another distribution point (RFC 5280 section 5.2.5), for {x}, issued by {y}",
        "get the CRL that its distribution point names",
    ),
    Trouble.NO_SIGNER: (
        "the signer of the CRL, {detail}, is missing, for {x}, issued by {y}",
        "add it with --untrusted",
    ),
    Trouble.UNSIGNED: (
        "the CRL is not signed by the CA that it names, {detail} (another key?), for {x}, issued by {y}",
        _FROM_CA + ", or add the certificate of its signer with --untrusted",
    ),
    Trouble.UNTRUSTED: (
        "the signer of the CRL, {detail}, has no valid path to the same anchor, for {x}, issued by {y}",
        _FROM_CA + ", or add what is missing between with --untrusted",
    ),
    Trouble.CA_MAY_NOT: (
        "the CA {detail} may not sign CRLs: its key usage lacks cRLSign (RFC 5280 section 4.2.1.3), for {x}",
        "ask the CA who signs its CRLs",
    ),
    Trouble.SIGNER_MAY_NOT: (
        (
            "the signer of the CRL, {detail}, may not sign CRLs: its key usage lacks cRLSign"
            " (RFC 5280 section 4.2.1.3), for {x}, issued by {y}"
        ),
        "ask the CA who signs its CRLs",
    ),
    Trouble.SIGNER_REVOKED: ("the signer of the CRL, {detail}, is itself revoked, for {x}, issued by {y}", _FROM_CA),
    Trouble.SIGNER_UNKNOWN: (
        "the revocation status of the signer of the CRL, {detail}, is unknown, for {x}, issued by {y}",
        "give the CRL that covers the signer too",
    ),
    Trouble.CRITICAL: (
        "the CRL has a critical extension that certkit does not know (RFC 5280 section 5.2), for {x}, issued by {y}",
        "ask the CA for a plain CRL",
    ),
    Trouble.WEAK: (
        "the CRL is signed with a digest that can be forged, for {x}, issued by {y}",
        "ask the CA for a CRL signed with SHA-256",
    ),
    Trouble.NO_BASE: (
        "there is only a delta CRL, and no base CRL for {x}, issued by {y} (RFC 5280 section 5.2.4)",
        "get the CA's complete CRL",
    ),
    Trouble.EARLY: ("the CRL is not valid before {detail}, for {x}, issued by {y}", "check the clock"),
    Trouble.ENDLESS: (
        "the CRL has no nextUpdate (RFC 5280 section 5.1.2.5), for {x}, issued by {y}",
        "ask the CA for a CRL with nextUpdate",
    ),
    Trouble.STALE: ("the CRL has been stale since {detail}, for {x}, issued by {y}", _GET_NEW),
    Trouble.STRICT: (
        "the CRL does not follow all of RFC 5280: {detail}, for {x}, issued by {y}",
        "ask the CA for a CRL that does, or leave --strict out",
    ),
    Trouble.HELD: ("{x} was on hold in a CRL that is no longer current, issued by {y}", _GET_NEW),
    Trouble.REASONS: (
        "the CRLs for {x}, issued by {y}, do not cover every reason (RFC 5280 section 6.3.3); missing: {detail}",
        "give the CRLs for the other reasons too",
    ),
}
