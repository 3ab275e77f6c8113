"""One revocation list (RFC 5280 section 5): its own fields, the certificates that it covers, and its entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from certkit.once import once
from certkit.printable import brief
from certkit.times import rfc3339
from certkit.verify.troubles import Problem, Trouble
from certkit.x509 import der as tlv
from certkit.x509 import extensions as kinds
from certkit.x509 import foreign, oids, signatures
from certkit.x509.directory_name import Name
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from certkit.x509.certificate import Certificate
    from certkit.x509.crl import Crl
    from certkit.x509.general_names import GeneralName

    Key = tuple[object, ...]

Value = TypeVar("Value")

HOLD, REMOVE = "certificateHold", "removeFromCRL"
# The reasons that lists can be split by (ReasonFlags, RFC 5280 section 4.2.1.13).
ALL_REASONS = frozenset(kinds.REASONS) - {"unused"}
_KNOWN_IN_LISTS = frozenset(
    {
        oids.ISSUER_ALT_NAME,
        oids.CRL_NUMBER,
        oids.DELTA_CRL_INDICATOR,
        oids.ISSUING_DISTRIBUTION_POINT,
        oids.AUTHORITY_KEY_IDENTIFIER,
        "2.5.29.46",  # freshestCRL
    }
)
_KNOWN_IN_ENTRIES = frozenset({oids.REASON_CODE, "2.5.29.24", oids.CERTIFICATE_ISSUER})
# So many keys are tried for one list.
_MAX_KEYS = 8
# How an extension says that it is critical, in DER: TRUE, before the OCTET STRING that is its value.
_CRITICAL = b"\x01\x01\xff\x04"
_CERTIFICATE_ISSUER = bytes.fromhex("0603551d1d") + _CRITICAL


@dataclass(frozen=True, slots=True)
class Point:
    """A distribution point of lists (RFC 5280 section 4.2.1.13): its names in comparable form, and its scope."""

    names: frozenset[object]
    issuers: tuple[Key, ...] = ()
    reasons: frozenset[str] = ALL_REASONS


class Target:
    """A certificate whose revocation is checked, and the fields by which lists are found.

    Raises:
        ValueError: if its distribution points or its end cannot be read.
    """

    def __init__(self, certificate: Certificate) -> None:
        named = _readable(certificate.crl_distribution_points)
        self.issuer: Key = certificate.issuer.key
        self.is_ca = certificate.is_ca
        self.end = _readable(certificate.not_after)
        self.serial = certificate.serial
        self.points: list[Point] = []
        for found in named or ():
            issuers = tuple(each.name.key for each in found.crl_issuer or () if each.kind == "dirName")
            reasons = ALL_REASONS if found.reasons is None else found.reasons
            above = issuers[0] if issuers else self.issuer
            self.points.append(Point(_names(found.full_name, found.relative_name, above), issuers, reasons))
        # Lists that no distribution point names count too, where they are the issuer's own (RFC 5280 section 6.3.3).
        self.points.append(Point(frozenset({("dirName", self.issuer)})))

    @property
    def list_issuers(self) -> tuple[Key, ...]:
        """The issuers whose lists may cover the certificate."""
        return tuple(dict.fromkeys([self.issuer, *(each for point in self.points for each in point.issuers)]))


def _names(full: tuple[GeneralName, ...] | None, relative: bytes | None, above: Key) -> frozenset[object]:
    """Return the names of a distribution point; a relative one is appended to the name of the list's issuer."""
    if relative is not None:
        return frozenset({("dirName", (*above, *Name(tlv.encode(tlv.SEQUENCE, relative)).key))})
    return frozenset(
        ("dirName", each.name.key) if each.kind == "dirName" else (each.kind, each.raw) for each in full or ()
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """The entry of a revoked certificate: since when, and why (empty if the list does not say)."""

    since: datetime
    reason: str

    @property
    def is_lasting(self) -> bool:
        """Whether the revocation is permanent (RFC 5280 section 5.3.1)."""
        return self.reason not in {HOLD, REMOVE}


class RevocationList:
    """A list whose own fields have been read: errors in them are raised here, never later.

    Raises:
        ValueError: if the list or its scope cannot be read.
    """

    def __init__(self, crl: Crl) -> None:
        loaded = crl.cryptography()
        if loaded is None or any(not each.is_tolerated for each in crl.deviations):
            raise ValueError("the CRL breaks a rule of its encoding")
        self._crl, self._loaded = crl, loaded
        self.begin, self.end = _readable(crl.this_update), _readable(crl.next_update)
        self.point = _readable(crl.issuing_distribution_point)
        self.number, self.base = _readable(crl.number), _readable(crl.delta_base)
        self._signed: dict[bytes, bool] = {}
        self.name, self.issuer = brief(crl.issuer.text), crl.issuer.key
        hint = crl.authority_key_identifier
        self.key_identifier: bytes | None = hint.key_identifier if hint else None
        self.is_understood = foreign.attempt(RevocationList._is_understood, self)
        if self.is_understood is None:
            raise ValueError("an entry of the list cannot be read")

    @property
    def departure(self) -> str:
        """The rule of RFC 5280 section 5 that the list breaks although it is accepted; empty if it breaks none."""
        if self._crl.version != 2:
            return "it is not of version 2 (RFC 5280 section 5.1.2.1)"
        number = self._crl.extension(oids.CRL_NUMBER)
        if number is None or number.critical:
            wrong = "no CRL number" if number is None else "a critical CRL number"
            return f"it has {wrong} (RFC 5280 section 5.2.3)"
        if self._crl.authority_key_identifier is None:
            return "it has no authority key identifier (RFC 5280 section 5.2.1)"
        return next((f"{each.message} ({each.source})" for each in self._crl.deviations), "")

    @property
    def order(self) -> tuple[datetime, int]:
        """A sort key that is greater for a newer list."""
        return self.begin, self.number if self.number is not None else -1

    def builds_on(self, complete: RevocationList) -> bool:
        """Return whether a list is a delta of a complete one, by their numbers (RFC 5280 section 5.2.4)."""
        if self.base is None or self.number is None or complete.number is None:
            return False
        return self.base <= complete.number < self.number

    def entry(self, target: Target) -> Listing | None:
        """Return the entry of a certificate in the list.

        Raises:
            ValueError: if its entry cannot be read.
        """
        found, error = foreign.try_or_error(self._looked_up, target)
        if error is not None:
            raise ValueError("an entry of the list cannot be read") from error
        return found

    def _looked_up(self, target: Target) -> Listing | None:
        from cryptography import x509

        found = None
        if self._entries is not None:
            found = self._among(self._entries, target)
        elif target.issuer == self.issuer:
            found = self._loaded.get_revoked_certificate_by_serial_number(target.serial)
        if found is None:
            return None
        reasons = (each.value.reason.value for each in found.extensions if isinstance(each.value, x509.CRLReason))
        return Listing(found.revocation_date_utc, next(reasons, ""))

    def reasons(self, target: Target) -> frozenset[str] | Problem:
        """Return the reasons for which the list covers a certificate, by its scope (RFC 5280 section 6.3.3 b to d)."""
        scope = self.point
        if scope is not None and (
            scope.only_attribute_certificates
            or (scope.only_user_certificates if target.is_ca else scope.only_ca_certificates)
        ):
            return Problem(Trouble.KIND)
        is_indirect = scope is not None and scope.indirect
        fitting = [
            each
            for each in target.points
            if (is_indirect and self.issuer in each.issuers if each.issuers else self.issuer == target.issuer)
        ]
        if not fitting:
            return Problem(Trouble.INDIRECT)
        if scope is not None and (scope.full_name is not None or scope.relative_name is not None):
            here = _names(scope.full_name, scope.relative_name, self.issuer)
            fitting = [each for each in fitting if here & (each.names or {("dirName", one) for one in each.issuers})]
        named = frozenset[str]().union(*(each.reasons for each in fitting))
        if not named:
            return Problem(Trouble.PLACE)
        return named if scope is None or scope.only_some_reasons is None else named & scope.only_some_reasons

    def problem(self, at: datetime, *, strict: bool) -> Problem | None:
        """Return why the list is not acceptable at a moment; None if it is (RFC 5280 sections 5.1.2.4 and 5.1.2.5)."""
        if not self.is_understood:
            return Problem(Trouble.CRITICAL)
        if signatures.scheme(self._crl.signature_algorithm).is_weak:
            return Problem(Trouble.WEAK)
        if strict and self.departure:
            return Problem(Trouble.STRICT, self.departure)
        if at < self.begin:
            return Problem(Trouble.EARLY, rfc3339(self.begin))
        if self.end is None:
            return Problem(Trouble.ENDLESS)
        return Problem(Trouble.STALE, rfc3339(self.end)) if at > self.end else None

    def is_signed_by(self, certificate: Certificate) -> bool:
        """Return whether the list is signed with a certificate's key; each key is tried once, up to a limit."""
        key, crl = certificate.key, self._crl
        if isinstance(key, Unreadable) or crl.signature_algorithm != crl.tbs_signature_algorithm:
            return False
        if key.der not in self._signed and len(self._signed) < _MAX_KEYS:
            try:
                problem = crl.signature_problem(key)
            except signatures.UnsupportedError as error:
                problem = str(error)
            self._signed[key.der] = problem is None
        return self._signed.get(key.der, False)

    def _is_understood(self) -> bool:
        """Return whether every critical extension of a list and its entries is known (RFC 5280 sections 5.2, 5.3)."""
        critical = [each for each in self._crl.extensions if each.critical]
        if any(each.oid not in _KNOWN_IN_LISTS or isinstance(each.value, Unreadable) for each in critical):
            return False
        known = len(critical) + self._crl.tbs.count(_CERTIFICATE_ISSUER)
        if self._entries is None or self._criticals == known:
            return True
        return all(
            not each.critical or each.oid.dotted_string in _KNOWN_IN_ENTRIES
            for entry in self._entries
            for each in entry.extensions
        )

    @once
    def _criticals(self) -> int:
        return self._crl.tbs.count(_CRITICAL)

    @once
    def _entries(self) -> list[x509.RevokedCertificate] | None:
        """All entries; None where none has a critical extension: then they can be looked up by serial number."""
        return list(self._loaded) if self._criticals > sum(each.critical for each in self._crl.extensions) else None

    @once
    def _positions(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for position, each in enumerate(self._entries or ()):
            found.setdefault(each.serial_number, []).append(position)
        return found

    def _among(self, entries: list[x509.RevokedCertificate], target: Target) -> x509.RevokedCertificate | None:
        """Return the entry of a certificate.

        An entry is about the certificate issuer of the last entry that names one (RFC 5280 section 5.3.3).
        """
        issuers: tuple[Key, ...] = (self.issuer,)
        start = 0
        for position in self._positions.get(target.serial, ()):
            before = map(_certificate_issuers, reversed(entries[start : position + 1]))
            issuers = next(filter(None, before), issuers)
            if target.issuer in issuers:
                return entries[position]
            start = position + 1
        return None


def _readable(value: Value | Unreadable) -> Value:
    if isinstance(value, Unreadable):
        raise ValueError(value.reason)  # noqa: TRY004  hostile bytes
    return value


def _certificate_issuers(entry: x509.RevokedCertificate) -> tuple[Key, ...]:
    from cryptography import x509

    for each in entry.extensions:
        if isinstance(each.value, x509.CertificateIssuer):
            named = [name for name in each.value if isinstance(name, x509.DirectoryName)]
            return tuple(Name(name.value.public_bytes()).key for name in named)
    return ()
