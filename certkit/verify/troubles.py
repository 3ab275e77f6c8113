"""Why a revocation list does not count, in words, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Trouble(IntEnum):
    """Why a list does not count, in the order in which it is looked at: the last one came nearest."""

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
    """What is the trouble, and a detail of it: a time, a name, the reasons that are missing."""

    trouble: Trouble
    detail: str = ""


_GET_NEW = "get the CA's current list"
_ASK = "ask the CA for a list that can be used"
_FROM_CA = "get the list from the CA itself"
# What is said of a certificate {x}, issued by {y}, over a list that does not count; and what to do.
WORDS = {
    Trouble.MISSING: ("there is no list for {x}, issued by {y}", _GET_NEW + " for it, and give it with --crl"),
    Trouble.UNREADABLE: ("a list cannot be read, or the certificate itself, for {x}, issued by {y}", _FROM_CA),
    Trouble.INDIRECT: (
        (
            "the list does not cover {x}: {y} issued it, and the list is not an indirect one that its distribution"
            " point names (RFC 5280 section 6.3.3)"
        ),
        "get the list that its distribution point names",
    ),
    Trouble.KIND: (
        "the list does not cover this kind of certificate (RFC 5280 section 5.2.5), for {x}, issued by {y}",
        "get the list that its distribution point names",
    ),
    Trouble.PLACE: (
        "the list is that of another distribution point (RFC 5280 section 5.2.5), for {x}, issued by {y}",
        "get the list that its distribution point names",
    ),
    Trouble.NO_SIGNER: (
        "the signer of the list, {detail}, is missing, for {x}, issued by {y}",
        "add it with --untrusted",
    ),
    Trouble.UNSIGNED: (
        "the list is not signed by the CA that it names, {detail} (another key?), for {x}, issued by {y}",
        _FROM_CA + ", or add the certificate of its signer with --untrusted",
    ),
    Trouble.UNTRUSTED: (
        "the signer of the list, {detail}, has no valid path to the same anchor, for {x}, issued by {y}",
        _FROM_CA + ", or add what is missing between with --untrusted",
    ),
    Trouble.CA_MAY_NOT: (
        "the CA {detail} may not sign lists: its key usage lacks cRLSign (RFC 5280 section 4.2.1.3), for {x}",
        "ask the CA who signs its lists",
    ),
    Trouble.SIGNER_MAY_NOT: (
        (
            "the signer of the list, {detail}, may not sign lists: its key usage lacks cRLSign"
            " (RFC 5280 section 4.2.1.3), for {x}, issued by {y}"
        ),
        "ask the CA who signs its lists",
    ),
    Trouble.SIGNER_REVOKED: ("the signer of the list, {detail}, is revoked itself, for {x}, issued by {y}", _FROM_CA),
    Trouble.SIGNER_UNKNOWN: (
        "it is not known whether the signer of the list, {detail}, is revoked, for {x}, issued by {y}",
        "give the list that covers the signer too",
    ),
    Trouble.CRITICAL: (
        "the list has a critical extension that is not known (RFC 5280 section 5.2), for {x}, issued by {y}",
        "ask the CA for a plain list",
    ),
    Trouble.WEAK: (
        "the list is signed with a digest that can be forged, for {x}, issued by {y}",
        "ask the CA for a list signed with SHA-256",
    ),
    Trouble.NO_BASE: (
        "there is only a delta list, and no list for {x}, issued by {y}, that it builds on (RFC 5280 section 5.2.4)",
        "get the CA's complete list",
    ),
    Trouble.EARLY: ("the list is not valid yet: not before {detail}, for {x}, issued by {y}", "check the clock"),
    Trouble.ENDLESS: (
        "the list does not say until when it holds (RFC 5280 section 5.1.2.5), for {x}, issued by {y}",
        "ask the CA for a list with nextUpdate",
    ),
    Trouble.STALE: ("the list is stale since {detail}, for {x}, issued by {y}", _GET_NEW),
    Trouble.STRICT: (
        "the list does not follow RFC 5280 to the letter: {detail}, for {x}, issued by {y}",
        "ask the CA for a list that does, or leave --strict out",
    ),
    Trouble.HELD: ("{x} was on hold by a list that is no longer current, issued by {y}", _GET_NEW),
    Trouble.REASONS: (
        "the lists for {x}, issued by {y}, do not cover every reason (RFC 5280 section 6.3.3); missing: {detail}",
        "give the lists for the other reasons too",
    ),
}
