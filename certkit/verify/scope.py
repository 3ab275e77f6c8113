"""Whom a revocation list speaks of: distribution points, kinds of certificates, reasons (RFC 5280 section 5.2.5)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.verify.pool import canonical
from certkit.x509 import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

    from certkit.verify.pool import CanonicalName

HOLD = "certificateHold"
REMOVE = "removeFromCRL"
# The reasons that lists can be split by (ReasonFlags, RFC 5280 section 4.2.1.13).
ALL_REASONS = frozenset(
    {
        "keyCompromise",
        "cACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        HOLD,
        "privilegeWithdrawn",
        "aACompromise",
    }
)


@dataclass(frozen=True, slots=True)
class Point:
    """Where a certificate's lists are to be found (RFC 5280 section 4.2.1.13), in names that can be compared."""

    names: frozenset[object]
    issuers: frozenset[CanonicalName] = frozenset()
    reasons: frozenset[str] = ALL_REASONS


class Target:
    """A certificate whose revocation is asked, and what lists are looked up by.

    Raises:
        ValueError: and other errors of the parser: a field cannot be read.
    """

    def __init__(self, certificate: x509.Certificate) -> None:
        self.issuer = canonical(certificate.issuer)
        self.is_ca = describe.is_ca(certificate)
        self.end = certificate.not_valid_after_utc
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of serial numbers below zero
            self.serial = certificate.serial_number
        named = describe.extension(certificate, "CRLDistributionPoints") or ()
        # Lists that no distribution point tells of count too, where the issuer's own (RFC 5280 section 6.3.3).
        own = Point(frozenset({directory(self.issuer)}))
        self.points = (*(_point(each, self.issuer) for each in named), own)

    @property
    def list_issuers(self) -> tuple[CanonicalName, ...]:
        """Those whose lists may speak of the certificate."""
        return tuple(dict.fromkeys([self.issuer, *(each for point in self.points for each in _sorted(point))]))


def _sorted(point: Point) -> list[CanonicalName]:
    """The issuers of a point's lists, in an order that does not change."""
    return sorted(point.issuers, key=repr)


def _point(found: x509.DistributionPoint, issuer: CanonicalName) -> Point:
    reasons = ALL_REASONS if found.reasons is None else frozenset(each.value for each in found.reasons)
    issuers = directories(found.crl_issuer or ())
    above = issuers[0] if issuers else issuer
    return Point(names_of(found, above), frozenset(issuers), reasons)


def names_of(found: x509.DistributionPoint | x509.IssuingDistributionPoint, above: CanonicalName) -> frozenset[object]:
    """The names of a distribution point; a relative one is put below the name of the list's issuer."""
    from cryptography import x509

    if found.relative_name is not None:
        return frozenset({directory((*above, *canonical(x509.Name([found.relative_name]))))})
    return frozenset(map(_comparable, found.full_name or ()))


def _comparable(name: x509.GeneralName) -> object:
    from cryptography import x509

    return directory(canonical(name.value)) if isinstance(name, x509.DirectoryName) else name


def directory(name: CanonicalName) -> object:
    """A directory name, in a form that can be compared."""
    return "directory", name


def directories(names: Iterable[x509.GeneralName]) -> tuple[CanonicalName, ...]:
    """The directory names among others."""
    from cryptography import x509

    return tuple(canonical(each.value) for each in names if isinstance(each, x509.DirectoryName))
