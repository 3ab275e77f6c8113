"""The value of a CRL (RFC 5280 section 5): who issued it, until when it is valid, and which certificates it revokes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

from certkit.once import once
from certkit.printable import decimal
from certkit.x509 import der as tlv
from certkit.x509 import moments, oids
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.directory_name import Name
from certkit.x509.signed import (
    INTEGER,
    SEQUENCE,
    Signed,
    name_deviations,
    take,
    take_explicit,
    time_deviations,
)
from certkit.x509.spki import Algorithm

if TYPE_CHECKING:
    from cryptography import x509

    from certkit.x509 import extensions as kinds
    from certkit.x509.signed import ExtensionValue


_EXTENSIONS = 0xA0
_TIMES = (moments.UTC_TIME, moments.GENERALIZED_TIME)


# A CRL as the library loads it.
_Loaded: TypeAlias = "x509.CertificateRevocationList"


class Crl(Signed[_Loaded]):
    """A revocation list; make one with `parse`.

    `version` is that which people count: 1 or 2. `next_update` is None where the CRL does not say.
    """

    what = "CRL"
    loader = "load_der_x509_crl"

    def __init__(self, der: bytes, loaded: _Loaded | None) -> None:
        """Split the signed part into its fields, or raise `DerError`."""
        super().__init__(der, loaded)
        _, _, start, end = self._frame[0]
        nodes = tlv.children(der, start, end)
        self._wrong: list[Deviation] = []
        self.version = 1
        if nodes and nodes[0][0] == INTEGER:
            self.version = tlv.integer(der, nodes.pop(0)) + 1
            if self.version != 2:
                self._wrong.append(deviation("version-unknown", decimal(self.version)))
        algorithm, issuer = take(nodes, (SEQUENCE, "the signature algorithm"), (SEQUENCE, "the issuer"))
        self.tbs_signature_algorithm = Algorithm.parse(self.bytes_of(algorithm))
        self.issuer = Name.of(self.bytes_of(issuer))
        times = list(itertools.takewhile(lambda node: node[0] in _TIMES, nodes[:2]))
        if not times:
            raise tlv.DerError("the date of issue is missing")
        del nodes[: len(times)]
        self._times = [moments.read(der, node) for node in times]
        self.this_update = self._times[0][0]
        self.next_update = self._times[1][0] if len(times) == 2 else None
        entries = nodes.pop(0) if nodes and nodes[0][0] == SEQUENCE else None
        if entries is not None and entries[2] == entries[3]:
            self._wrong.append(deviation("crl-entries-empty"))
        self._listed = take_explicit(der, nodes, _EXTENSIONS, SEQUENCE, "the list of extensions")
        if nodes:
            raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
        self.revoked_count = len(loaded) if loaded is not None else _count(der, entries)

    def __repr__(self) -> str:
        """Return the issuer and the date."""
        return f"<Crl {self.issuer.text!r} {self.this_update}>"

    def _extensions_at(self) -> tlv.Node | None:
        return self._listed

    number: ExtensionValue[int] = once(lambda self: self.values.get(oids.CRL_NUMBER))
    """The CRL number (section 5.2.3)."""
    delta_base: ExtensionValue[int] = once(lambda self: self.values.get(oids.DELTA_CRL_INDICATOR))
    """The number of the CRL that a delta CRL completes (section 5.2.4)."""
    issuing_distribution_point: ExtensionValue[kinds.IssuingDistributionPoint] = once(
        lambda self: self.values.get(oids.ISSUING_DISTRIBUTION_POINT)
    )
    """What the CRL covers (section 5.2.5)."""
    authority_key_identifier: ExtensionValue[kinds.AuthorityKeyIdentifier] = once(
        lambda self: self.values.get(oids.AUTHORITY_KEY_IDENTIFIER)
    )
    """Which key of the issuer signed (section 5.2.1)."""

    def _own_deviations(self) -> list[Deviation]:
        found = [*self._wrong, *name_deviations("issuer", self.issuer)]
        for field, (moment, problems) in zip(("thisUpdate", "nextUpdate"), self._times, strict=False):
            found += time_deviations(field, moment, problems)
        if self.signature_algorithm != self.tbs_signature_algorithm:
            found.append(deviation("crl-algorithms"))
        if self.extensions and self.version < 2:
            found.append(deviation("crl-version-extensions"))
        return found


def _count(data: bytes, entries: tlv.Node | None) -> int:
    """Return how many certificates a list of entries revokes."""
    _, _, at, end = entries or (0, 0, 0, 0)
    count = 0
    while at < end:
        tag, _, start, at = tlv.read(data, at, end)
        fields = tlv.children(data, start, at)
        tags = [field[0] for field in fields]
        if tag != SEQUENCE or not 2 <= len(tags) <= 3 or tags[0] != INTEGER or tags[1] not in _TIMES:
            raise tlv.DerError("an entry that is not a serial number, a date and extensions")
        tlv.integer(data, fields[0])
        count += 1
    return count
