"""The value of an OCSP response (RFC 6960 section 4.2): the responder, and its statement on each certificate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.once import once
from certkit.printable import decimal
from certkit.x509 import der as tlv
from certkit.x509 import moments
from certkit.x509.certificate import Certificate
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.directory_name import Name
from certkit.x509.signed import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Signed,
    frame,
    read_extensions,
    take,
    take_explicit,
    unreadable,
)
from certkit.x509.spki import DIGESTS, Algorithm

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.x509.extensions import Extension
    from certkit.x509.unreadable import Unreadable

STATUSES = {
    0: "successful",
    1: "malformedRequest",
    2: "internalError",
    3: "tryLater",
    5: "sigRequired",
    6: "unauthorized",
}
NONCE = "1.3.6.1.5.5.7.48.1.2"

_BASIC = "1.3.6.1.5.5.7.48.1.1"
_ENUMERATED, _GENERALIZED_TIME = 0x0A, moments.GENERALIZED_TIME
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82


@dataclass(frozen=True, slots=True)
class CertificateId:
    """The certificate of an OCSP response: its serial number, and hashes of its issuer's name and key."""

    digest: Algorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int

    def is_of(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Return whether it names a certificate of an issuer (section 4.1.1, CertID)."""
        digest = DIGESTS.get(self.digest.oid)
        return (
            digest is not None
            and self.serial == certificate.serial
            and self.issuer_name_hash == hashlib.new(digest, certificate.issuer.der).digest()
            and self.issuer_key_hash == hashlib.new(digest, issuer.key_bits).digest()
        )


@dataclass(frozen=True, slots=True)
class SingleResponse:
    """The responder's statement about one certificate; `status` is `good`, `revoked` or `unknown`."""

    certificate: CertificateId
    status: str
    revoked_at: datetime | Unreadable | None
    reason: int | None
    this_update: datetime | Unreadable
    next_update: datetime | Unreadable | None
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class OcspResponse:
    """A whole response: its status (one of `STATUSES`), and the signed part if it was successful."""

    status: str
    basic: BasicResponse | None

    @classmethod
    def parse(cls, der: bytes) -> OcspResponse:
        """Return the response that the bytes are.

        Raises:
            InputError: if they are no OCSP response in DER, or one of an unknown type.
        """
        try:
            nodes = tlv.parts(der, SEQUENCE)
            number = tlv.integer(der, take(nodes, (_ENUMERATED, "the status"))[0])
            status = STATUSES.get(number, f"unknown status {decimal(number)}")
            body = take_explicit(der, nodes, 0xA0, SEQUENCE, "the response")
            if nodes:
                raise tlv.DerError("something follows the response")  # noqa: TRY301  handled as any other
            if body is None:
                return cls(status, None)
            parts = tlv.children(der, body[2], body[3])
            type_, inner = take(parts, (OID, "the type of response"), (OCTET_STRING, "the response"))
            kind = tlv.oid(der, type_)
            if kind != _BASIC or parts:
                raise tlv.DerError(f"a response of unknown type {kind}")  # noqa: TRY301  as above
        except tlv.DerError as error:
            raise unreadable("OCSP response", error) from error
        return cls(status, BasicResponse.parse(der[inner[2] : inner[3]]))


class BasicResponse(Signed[None]):
    """The signed part of a response (BasicOCSPResponse); make one with `parse`.

    Its `version` is that which people count, and 1 the only one defined; `responses` are those about each certificate.
    """

    what = "OCSP response"

    @classmethod
    def parse(cls, der: bytes) -> BasicResponse:
        """Return the response that the bytes are.

        Raises:
            InputError: if they cannot be read as one.
        """
        try:
            found = cls(der)
        except tlv.DerError as error:
            raise unreadable(cls.what, error) from error
        found.extensions  # noqa: B018  raises
        return found

    def __init__(self, der: bytes) -> None:
        """Split the signed part into its fields, or raise `DerError`."""
        super().__init__(der, None)
        self._frame = frame(der, may_continue=True)
        (_, _, start, end), _, signature = self._frame
        nodes = tlv.children(der, start, end)
        written = take_explicit(der, nodes, 0xA0, INTEGER, "the version")
        self.version = 1 if written is None else tlv.integer(der, written) + 1
        if not nodes or nodes[0][0] not in {0xA1, 0xA2}:
            raise tlv.DerError("the responder is missing")
        self._responder = nodes.pop(0)
        if self._responder[0] == 0xA2:
            tlv.only(der[self._responder[2] : self._responder[3]], OCTET_STRING)
        _, listed = take(nodes, (_GENERALIZED_TIME, "the date of signing"), (SEQUENCE, "the list of responses"))
        self.responses = [_single(der, node) for node in tlv.children(der, listed[2], listed[3])]
        self._listed = take_explicit(der, nodes, 0xA1, SEQUENCE, "the list of extensions")
        if nodes:
            raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
        rest = tlv.children(der, signature[3], len(der))
        bundle = take_explicit(der, rest, 0xA0, SEQUENCE, "the list of certificates")
        if rest:
            raise tlv.DerError("something follows the certificates")
        self._bundle = () if bundle is None else tlv.children(der, bundle[2], bundle[3])

    def _extensions_at(self) -> tlv.Node | None:
        return self._listed

    def is_by(self, signer: Certificate) -> bool:
        """Return whether the response names a certificate, or its key by SHA-1, as the responder's."""
        tag, _, start, end = self._responder
        if tag == 0xA1:
            return Name(self.der[start:end]).key == signer.subject.key
        digest = hashlib.sha1(signer.key_bits, usedforsecurity=False).digest()
        return self.der[start:end] == tlv.encode(OCTET_STRING, digest)

    @once
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates that came with the response, of the responder above all.

        Raises:
            InputError: if one of them is no certificate.
        """
        return tuple(Certificate.parse(self.bytes_of(each)) for each in self._bundle)

    @once
    def deviations(self) -> tuple[Deviation, ...]:
        """The rules that the response breaks although it can be read, apart from those of its single responses."""
        wrong = [deviation("version-unknown", decimal(self.version))] if self.version != 1 else []
        return (*wrong, *self._common_deviations())


def _single(data: bytes, node: tlv.Node) -> SingleResponse:
    nodes = tlv.children(data, node[2], node[3])
    (identifier,) = take(nodes, (SEQUENCE, "the certificate"))
    parts = tlv.children(data, identifier[2], identifier[3])
    tags = [part[0] for part in parts]
    if node[0] != SEQUENCE or tags != [SEQUENCE, OCTET_STRING, OCTET_STRING, INTEGER]:
        raise tlv.DerError("a certificate that is not a digest, two hashes and a serial number")
    certificate = CertificateId(
        Algorithm.parse(data[parts[0][1] : parts[0][3]]),
        data[parts[1][2] : parts[1][3]],
        data[parts[2][2] : parts[2][3]],
        tlv.integer(data, parts[3]),
    )
    if not nodes or nodes[0][0] not in {_GOOD, _REVOKED, _UNKNOWN}:
        raise tlv.DerError("the status of a certificate is missing")
    status = nodes.pop(0)
    revoked_at, reason = _revoked(data, status) if status[0] == _REVOKED else (None, None)
    (begin,) = take(nodes, (_GENERALIZED_TIME, "the date of a status"))
    next_update = take_explicit(data, nodes, 0xA0, _GENERALIZED_TIME, "the next update")
    listed = take_explicit(data, nodes, 0xA1, SEQUENCE, "the list of extensions")
    if nodes:
        raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
    return SingleResponse(
        certificate,
        {_GOOD: "good", _REVOKED: "revoked", _UNKNOWN: "unknown"}[status[0]],
        revoked_at,
        reason,
        moments.read(data, begin)[0],
        None if next_update is None else moments.read(data, next_update)[0],
        () if listed is None else read_extensions(data, listed)[0],
    )


def _revoked(data: bytes, status: tlv.Node) -> tuple[datetime | Unreadable, int | None]:
    nodes = tlv.children(data, status[2], status[3])
    (since,) = take(nodes, (_GENERALIZED_TIME, "the date of revocation"))
    reason = take_explicit(data, nodes, 0xA0, _ENUMERATED, "the reason")
    if nodes:
        raise tlv.DerError("something follows the reason")
    moment = moments.read(data, since)[0]
    return moment, None if reason is None else tlv.integer(data, reason)
