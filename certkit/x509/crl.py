"""The value of a CRL (RFC 5280 section 5): who issued it, until when it is valid, and which certificates it revokes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from certkit.printable import decimal
from certkit.x509 import der as tlv
from certkit.x509 import foreign, moments, oids
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.directory_name import Name
from certkit.x509.signed import (
    INTEGER,
    SEQUENCE,
    ReadExtensions,
    Signed,
    extension_value,
    name_deviations,
    read_extensions,
    take,
    take_explicit,
    unreadable,
)
from certkit.x509.spki import Algorithm
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cryptography import x509

    from certkit.x509 import extensions as kinds
    from certkit.x509.signed import ExtensionValue


_EXTENSIONS = 0xA0
_TIMES = (moments.UTC_TIME, moments.GENERALIZED_TIME)


class RevokedEntry:
    """One revoked certificate: its serial number, since when, and the extensions of the entry."""

    def __init__(self, data: bytes, serial: int, date: tlv.Node, extensions: tlv.Node | None) -> None:
        """Keep where the fields lie; they are read on first use."""
        self._data, self._date, self._list = data, date, extensions
        self.serial = serial

    @cached_property
    def date(self) -> datetime | Unreadable:
        """Since when the certificate is revoked."""
        return moments.read(self._date[0], self._data[self._date[2] : self._date[3]])[0]

    @cached_property
    def _read(self) -> ReadExtensions:
        return ((), ()) if self._list is None else read_extensions(self._data, self._list)

    @property
    def extensions(self) -> tuple[kinds.Extension, ...]:
        """The extensions of the entry.

        Raises:
            DerError: if the list cannot be split into extensions.
        """
        return self._read[0]

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The rules that the extensions break."""
        return self._read[1]


@dataclass(frozen=True, slots=True)
class _Parts:
    version: int
    algorithm: tlv.Node
    issuer: tlv.Node
    this_update: tlv.Node
    next_update: tlv.Node | None
    entries: tlv.Node | None
    extensions: tlv.Node | None
    deviations: tuple[Deviation, ...]


# A CRL as the library loads it.
_Loaded: TypeAlias = "x509.CertificateRevocationList"


class Crl(Signed[_Loaded, _Parts]):
    """A revocation list; make one with `parse`."""

    what = "CRL"

    @classmethod
    def parse(cls, der: bytes) -> Crl:
        """Return the CRL that the bytes are.

        Raises:
            InputError: if they are no CRL: cut off, followed by other bytes, or not in DER.
        """
        from cryptography.x509 import load_der_x509_crl

        found = cls(der, foreign.attempt(load_der_x509_crl, der))
        if found._loaded is None:
            for _ in found.entries():
                pass
        found._extensions  # noqa: B018  raises
        return found

    def __repr__(self) -> str:
        """Return the issuer and the date."""
        return f"<Crl {self.issuer.text!r} {self.this_update}>"

    def _cut(self) -> _Parts:
        wrong: list[Deviation] = []
        data, (_, _, start, end) = self.der, self._frame[0]
        nodes = tlv.children(data, start, end)
        version = 1
        if nodes and nodes[0][0] == INTEGER:
            version = tlv.integer(data, nodes.pop(0)) + 1
            if version != 2:
                wrong.append(deviation("version-unknown", decimal(version)))
        algorithm, issuer = take(nodes, (SEQUENCE, "the signature algorithm"), (SEQUENCE, "the issuer"))
        if not nodes or nodes[0][0] not in _TIMES:
            raise tlv.DerError("the date of issue is missing")
        this_update = nodes.pop(0)
        next_update = nodes.pop(0) if nodes and nodes[0][0] in _TIMES else None
        entries = nodes.pop(0) if nodes and nodes[0][0] == SEQUENCE else None
        if entries is not None and entries[2] == entries[3]:
            wrong.append(deviation("crl-entries-empty"))
        extensions = take_explicit(data, nodes, _EXTENSIONS, SEQUENCE, "the list of extensions")
        if nodes:
            raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
        Algorithm.parse(data[algorithm[1] : algorithm[3]])
        return _Parts(version, algorithm, issuer, this_update, next_update, entries, extensions, tuple(wrong))

    @property
    def version(self) -> int:
        """The version as people count it: 1 or 2."""
        return self._parts.version

    @cached_property
    def tbs_signature_algorithm(self) -> Algorithm:
        """The algorithm that is named in the signed part; the two must be the same (section 5.1.1.2)."""
        return Algorithm.parse(self.bytes_of(self._parts.algorithm))

    @cached_property
    def issuer(self) -> Name:
        """The name of the issuer."""
        return Name.of(self.bytes_of(self._parts.issuer))

    @cached_property
    def _times(self) -> tuple[tuple[datetime | Unreadable, tuple[str, ...]], ...]:
        nodes = (self._parts.this_update, self._parts.next_update)
        return tuple(moments.read(node[0], self.der[node[2] : node[3]]) for node in nodes if node is not None)

    @property
    def this_update(self) -> datetime | Unreadable:
        """When the CRL was issued."""
        return self._times[0][0]

    @property
    def next_update(self) -> datetime | Unreadable | None:
        """When the next CRL is due at the latest; None where the CRL does not say."""
        return self._times[1][0] if len(self._times) == 2 else None

    def entries(self) -> Iterator[RevokedEntry]:
        """Read the entries one by one.

        Raises:
            InputError: if the list cannot be split into entries.
        """
        node = self._parts.entries
        if node is None:
            return
        at, end = node[2], node[3]
        try:
            while at < end:
                tag, _, start, at = tlv.read(self.der, at, end)
                fields = tlv.children(self.der, start, at)
                tags = [field[0] for field in fields]
                if tag != SEQUENCE or not 2 <= len(tags) <= 3 or tags[0] != INTEGER or tags[1] not in _TIMES:
                    raise tlv.DerError("an entry that is not a serial number, a date and extensions")  # noqa: TRY301
                serial = tlv.integer(self.der, fields[0])
                yield RevokedEntry(self.der, serial, fields[1], fields[2] if len(fields) == 3 else None)
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    @cached_property
    def revoked_count(self) -> int:
        """How many certificates are revoked."""
        return len(self._loaded) if self._loaded is not None else sum(1 for _ in self.entries())

    number: ExtensionValue[int] = extension_value(oids.CRL_NUMBER)
    """The CRL number (section 5.2.3)."""
    delta_base: ExtensionValue[int] = extension_value(oids.DELTA_CRL_INDICATOR)
    """The number of the CRL that a delta CRL completes (section 5.2.4)."""
    issuing_distribution_point: ExtensionValue[kinds.IssuingDistributionPoint] = extension_value(
        oids.ISSUING_DISTRIBUTION_POINT
    )
    """What the CRL covers (section 5.2.5)."""
    authority_key_identifier: ExtensionValue[kinds.AuthorityKeyIdentifier] = extension_value(
        oids.AUTHORITY_KEY_IDENTIFIER
    )
    """Which key of the issuer signed (section 5.2.1)."""

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The rules that the CRL breaks although it can be read; its entries have their own."""
        found = [*self._parts.deviations, *name_deviations("issuer", self.issuer)]
        for field, (moment, problems) in zip(("thisUpdate", "nextUpdate"), self._times, strict=False):
            listed = problems or ((moment.reason,) if isinstance(moment, Unreadable) else ())
            found += [deviation("time-form", f"{field}: {problem}") for problem in listed]
        if self.signature_algorithm != self.tbs_signature_algorithm:
            found.append(deviation("crl-algorithms"))
        if self.extensions and self.version < 2:
            found.append(deviation("crl-version-extensions"))
        found += self._common_deviations()
        if self._loaded is None and not found:
            found.append(deviation("encoding"))
        return tuple(found)
