"""Reasons why a revocation list is unusable, in words, with hints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from certkit.findings import Finding, unknown
from certkit.printable import brief

if TYPE_CHECKING:
    from certkit.x509.certificate import Certificate

_GET_NEW = "get the CA's current CRL"
_FROM_CA = "get the CRL from the CA itself"
_FROM_POINT = "get the CRL that its distribution point names"
_WHO_SIGNS = "ask the CA who signs its CRLs"


class Trouble(Enum):
    """The reason why a CRL is unusable, in the order of the checks: the last one came nearest.

    Each has a message about a certificate {x}, issued by {y}, which are added at the end of one that names neither; and
    a hint.
    """

    MISSING = ("there is no CRL for {x}, issued by {y}", _GET_NEW + " for it, and give it with --crl")
    UNREADABLE = ("a CRL or the certificate cannot be read", _FROM_CA)
    INDIRECT = (
        (
            "the CRL does not cover {x}: {y} issued it, and the CRL is not an indirect one that its distribution"
            " point names (RFC 5280 section 6.3.3)"
        ),
        _FROM_POINT,
    )
    KIND = ("the CRL does not cover this kind of certificate (RFC 5280 section 5.2.5)", _FROM_POINT)
    PLACE = ("the CRL belongs to another distribution point (RFC 5280 section 5.2.5)", _FROM_POINT)
    NO_SIGNER = ("the signer of the CRL, {detail}, is missing", "add it with --untrusted")
    UNSIGNED = (
        "the CRL is not signed by the CA that it names, {detail} (another key?)",
        _FROM_CA + ", or add the certificate of its signer with --untrusted",
    )
    UNTRUSTED = (
        "the signer of the CRL, {detail}, has no valid path to the same anchor",
        _FROM_CA + ", or add what is missing between with --untrusted",
    )
    CA_MAY_NOT = (
        "the CA {detail} may not sign CRLs: its key usage lacks cRLSign (RFC 5280 section 4.2.1.3), for {x}",
        _WHO_SIGNS,
    )
    SIGNER_MAY_NOT = (
        "the signer of the CRL, {detail}, may not sign CRLs: its key usage lacks cRLSign (RFC 5280 section 4.2.1.3)",
        _WHO_SIGNS,
    )
    SIGNER_REVOKED = ("the signer of the CRL, {detail}, is itself revoked", _FROM_CA)
    SIGNER_UNKNOWN = (
        "the revocation status of the signer of the CRL, {detail}, is unknown",
        "give the CRL that covers the signer too",
    )
    CRITICAL = (
        "the CRL has a critical extension that certkit does not know (RFC 5280 section 5.2)",
        "ask the CA for a plain CRL",
    )
    WEAK = ("the CRL is signed with a digest that can be forged", "ask the CA for a CRL signed with SHA-256")
    NO_BASE = (
        "there is only a delta CRL, and no base CRL for {x}, issued by {y} (RFC 5280 section 5.2.4)",
        "get the CA's complete CRL",
    )
    EARLY = ("the CRL is not valid before {detail}", "check the clock")
    ENDLESS = ("the CRL has no nextUpdate (RFC 5280 section 5.1.2.5)", "ask the CA for a CRL with nextUpdate")
    STALE = ("the CRL has been stale since {detail}", _GET_NEW)
    HELD = ("{x} was on hold in a CRL that is no longer current, issued by {y}", _GET_NEW)
    REASONS = (
        "the CRLs for {x}, issued by {y}, do not cover every reason (RFC 5280 section 6.3.3); missing: {detail}",
        "give the CRLs for the other reasons too",
    )
    STRICT = (
        "the CRL does not follow all of RFC 5280: {detail}",
        "ask the CA for a CRL that does, or leave --strict out",
    )

    @property
    def order(self) -> int:
        """The number of the check."""
        return list(Trouble).index(self)


@dataclass(frozen=True, slots=True)
class Problem:
    """A trouble with its detail: a time, a name, the reasons that are missing."""

    trouble: Trouble
    detail: str = ""

    def finding(self, certificate: Certificate) -> Finding:
        """Return the finding that the revocation status of a certificate is unknown, and why."""
        words, hint = self.trouble.value
        words = words if "{x}" in words else f"{words}, for {{x}}, issued by {{y}}"
        issuer = brief(certificate.issuer.text)
        return unknown("revocation", words.format(x=certificate.brief_name, y=issuer, detail=self.detail), hint)
