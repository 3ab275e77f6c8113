"""One revocation list (RFC 5280 section 5): what it says of itself, whom it speaks of, and its entries."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.times import rfc3339
from certkit.verify.pool import canonical
from certkit.verify.scope import HOLD, REMOVE, directories, directory, names_of
from certkit.verify.troubles import Problem, Trouble
from certkit.x509 import der as tlv
from certkit.x509 import keys, names

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from certkit.verify.pool import CanonicalName
    from certkit.verify.scope import Point, Target

_KNOWN_IN_LISTS = frozenset({"2.5.29.18", "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35", "2.5.29.46"})
_KNOWN_IN_ENTRIES = frozenset({"2.5.29.21", "2.5.29.24", "2.5.29.29"})
# So many keys are tried for one list.
_MAX_KEYS = 8
# How an extension says that it is critical, in DER: TRUE, before the OCTET STRING that is its value.
_CRITICAL = b"\x01\x01\xff\x04"
_CERTIFICATE_ISSUER = bytes.fromhex("0603551d1d") + _CRITICAL


@dataclass(frozen=True, slots=True)
class Entry:
    """That a list names a certificate: since when, and why (empty if it does not say)."""

    since: datetime
    reason: str

    @property
    def is_lasting(self) -> bool:
        """Whether no later list can take it back (RFC 5280 section 5.3.1)."""
        return self.reason not in {HOLD, REMOVE}


class RevocationList:
    """A list, read: a field that cannot be read raises here, and never later.

    Raises:
        ValueError: and other errors of the parser.
    """

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        from cryptography import x509

        self._crl = crl
        self._signed: dict[bytes, bool] = {}
        self.name = names.distinguished_name(crl.issuer)
        self.issuer = canonical(crl.issuer)
        self.begin, self.end = crl.last_update_utc, crl.next_update_utc
        self.extensions = {each.oid.dotted_string: each.critical for each in crl.extensions}
        values: dict[Any, Any] = {type(each.value): each.value for each in crl.extensions}
        self.point: x509.IssuingDistributionPoint | None = values.get(x509.IssuingDistributionPoint)
        self.number: int | None = values[x509.CRLNumber].crl_number if x509.CRLNumber in values else None
        delta = values.get(x509.DeltaCRLIndicator)
        self.base: int | None = delta.crl_number if delta else None
        hint = values.get(x509.AuthorityKeyIdentifier)
        self.key_identifier: bytes | None = hint.key_identifier if hint else None
        self.is_understood = self._is_understood()

    @property
    def is_indirect(self) -> bool:
        """Whether the list speaks of other issuers' certificates too."""
        return self.point is not None and self.point.indirect_crl

    @property
    def order(self) -> tuple[datetime, int]:
        """What is greater for a newer list."""
        return self.begin, self.number if self.number is not None else -1

    def entry(self, target: Target) -> Entry | None:
        """What the list says of a certificate."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._entries is not None:
                found = self._among(self._entries, target)
            elif target.issuer == self.issuer:
                found = self._crl.get_revoked_certificate_by_serial_number(target.serial)
            else:
                found = None
            return None if found is None else _entry(found)

    def reasons(self, target: Target) -> frozenset[str] | Problem:
        """For which reasons the list speaks of a certificate, by its scope (RFC 5280 section 6.3.3 b to d)."""
        if not self._is_kind_of(target):
            return Problem(Trouble.KIND)
        fitting = [each for each in target.points if self._may_serve(each, target)]
        if not fitting:
            return Problem(Trouble.INDIRECT)
        told = frozenset[str]().union(*(each.reasons for each in fitting if self._is_at(each)))
        if not told:
            return Problem(Trouble.PLACE)
        some = self.point.only_some_reasons if self.point else None
        return told if some is None else told & {each.value for each in some}

    def staleness(self, at: datetime) -> Problem | None:
        """Why the list is not current at a moment (RFC 5280 sections 5.1.2.4 and 5.1.2.5); None if it is."""
        if at < self.begin:
            return Problem(Trouble.EARLY, rfc3339(self.begin))
        if self.end is None:
            return Problem(Trouble.ENDLESS)
        return Problem(Trouble.STALE, rfc3339(self.end)) if at > self.end else None

    @functools.cached_property
    def is_weak(self) -> bool:
        """Whether the list is signed with a digest that can be forged."""
        digest = self._crl.signature_hash_algorithm
        return digest is not None and keys.is_weak_digest(digest.name)

    def is_signed_by(self, certificate: x509.Certificate) -> bool:
        """Whether the list is signed with a certificate's key; each key is tried once, and not too many."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                key = certificate.public_key()
                wanted = keys.key_facts(key).spki_sha256.encode()
                if wanted not in self._signed and len(self._signed) < _MAX_KEYS:
                    self._signed[wanted] = self._is_signature_of(key)
                return self._signed.get(wanted, False)
        except Exception:  # noqa: BLE001  a foreign key meets a parser: it has its own kinds of error
            return False

    def _is_signature_of(self, key: Any) -> bool:
        from cryptography.hazmat.primitives.serialization import Encoding

        crl = self._crl
        parameters, digest = crl.signature_algorithm_parameters, crl.signature_hash_algorithm
        whole = crl.public_bytes(Encoding.DER)
        if not tlv.is_signed_exactly(whole, crl.tbs_certlist_bytes, crl.signature):
            return False
        return keys.is_signature(key, crl.signature, crl.tbs_certlist_bytes, parameters, digest) is True

    def _is_understood(self) -> bool:
        """Whether every critical extension is known; in the list (RFC 5280 section 5.2) and in entries (5.3)."""
        if any(critical and oid not in _KNOWN_IN_LISTS for oid, critical in self.extensions.items()):
            return False
        known = sum(self.extensions.values()) + self._crl.tbs_certlist_bytes.count(_CERTIFICATE_ISSUER)
        if self._entries is None or self._criticals == known:
            return True
        return all(_are_known(each.extensions) for each in self._entries)

    @functools.cached_property
    def _criticals(self) -> int:
        return self._crl.tbs_certlist_bytes.count(_CRITICAL)

    @functools.cached_property
    def _entries(self) -> list[x509.RevokedCertificate] | None:
        """All entries; None where none has a critical extension: then they can be looked up by serial number."""
        return list(self._crl) if self._criticals > sum(self.extensions.values()) else None

    @functools.cached_property
    def _positions(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for position, each in enumerate(self._entries or ()):
            found.setdefault(each.serial_number, []).append(position)
        return found

    def _among(self, entries: list[x509.RevokedCertificate], target: Target) -> x509.RevokedCertificate | None:
        """The entry of a certificate.

        An entry is about the certificate issuer of the last entry that names one (RFC 5280 section 5.3.3).
        """
        issuers: tuple[CanonicalName, ...] = (self.issuer,)
        start = 0
        for position in self._positions.get(target.serial, ()):
            before = map(_certificate_issuers, reversed(entries[start : position + 1]))
            issuers = next(filter(None, before), issuers)
            if target.issuer in issuers:
                return entries[position]
            start = position + 1
        return None

    def _is_kind_of(self, target: Target) -> bool:
        scope = self.point
        if scope is None:
            return True
        excluded = scope.only_contains_user_certs if target.is_ca else scope.only_contains_ca_certs
        return not (excluded or scope.only_contains_attribute_certs)

    def _may_serve(self, point: Point, target: Target) -> bool:
        if point.issuers:
            return self.is_indirect and self.issuer in point.issuers
        return self.issuer == target.issuer

    def _is_at(self, point: Point) -> bool:
        scope = self.point
        if scope is None or (scope.full_name is None and scope.relative_name is None):
            return True
        wanted = point.names or {directory(each) for each in point.issuers}
        return bool(names_of(scope, self.issuer) & wanted)


def _entry(found: x509.RevokedCertificate) -> Entry:
    from cryptography import x509

    reasons = (each.value.reason.value for each in found.extensions if isinstance(each.value, x509.CRLReason))
    return Entry(found.revocation_date_utc, next(reasons, ""))


def _certificate_issuers(entry: x509.RevokedCertificate) -> tuple[CanonicalName, ...]:
    from cryptography import x509

    for each in entry.extensions:
        if isinstance(each.value, x509.CertificateIssuer):
            return directories(each.value)
    return ()


def _are_known(extensions: x509.Extensions) -> bool:
    return all(not each.critical or each.oid.dotted_string in _KNOWN_IN_ENTRIES for each in extensions)
