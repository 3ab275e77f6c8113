"""A CSR as a value (PKCS#10, RFC 2986): its key, the requested name and extensions, and its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from certkit.errors import InputError
from certkit.once import once
from certkit.printable import decimal
from certkit.x509 import der as tlv
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.directory_name import Name
from certkit.x509.signed import INTEGER, OID, SEQUENCE, SignedKey, name_deviations, take
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from cryptography import x509

EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
MICROSOFT_EXTENSIONS = "1.3.6.1.4.1.311.2.1.14"
CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"  # noqa: S105  the name of an attribute (RFC 2985 section 5.4.1)

_ATTRIBUTES, _SET = 0xA0, 0x31
_FIELDS = ((INTEGER, "the version"), (SEQUENCE, "the subject"), (SEQUENCE, "the public key"))


class CsrAttribute(NamedTuple):
    """An attribute of a CSR: its type, and its values in DER (RFC 2986 section 4.1)."""

    oid: str
    values: tuple[bytes, ...]


class Csr(SignedKey["x509.CertificateSigningRequest"]):
    """A certification request; make one with `parse`. Its attributes are in the order of the encoding."""

    what = "CSR"
    loader = "load_der_x509_csr"

    def __init__(self, der: bytes, loaded: x509.CertificateSigningRequest | None) -> None:
        """Split the signed part into its fields, or raise `DerError`."""
        super().__init__(der, loaded)
        data, (_, _, start, end) = der, self._frame[0]
        nodes = tlv.children(data, start, end)
        written, subject, self._key = take(nodes, *_FIELDS)
        self.version = tlv.integer(data, written) + 1
        self.subject = Name.of(self.bytes_of(subject))
        self._wrong = [deviation("csr-version", decimal(self.version))] if self.version != 1 else []
        self._requested: tlv.Node | None = None
        if not nodes:
            self._wrong.append(deviation("csr-attributes"))
        attributes = []
        for outer in take(nodes, (_ATTRIBUTES, "the list of attributes")) if nodes else ():
            for each in tlv.children(data, outer[2], outer[3]):
                parts = tlv.children(data, each[2], each[3])
                if each[0] != SEQUENCE or [part[0] for part in parts] != [OID, _SET]:
                    raise tlv.DerError("an attribute that is not a type and its values")
                oid = tlv.oid(data, parts[0])
                values = tlv.children(data, parts[1][2], parts[1][3])
                attributes.append(CsrAttribute(oid, tuple(data[value[1] : value[3]] for value in values)))
                if oid in {EXTENSION_REQUEST, MICROSOFT_EXTENSIONS}:
                    if self._requested is not None or len(values) != 1:
                        self._wrong.append(deviation("csr-extensions"))
                    self._requested = self._requested or (values[0] if values else None)
        if nodes:
            raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
        self.attributes = tuple(attributes)

    def __repr__(self) -> str:
        """Return the subject."""
        return f"<Csr {self.subject.text!r}>"

    def _key_at(self) -> tlv.Node:
        return self._key

    def _extensions_at(self) -> tlv.Node | None:
        return self._requested

    @once
    def is_signature_valid(self) -> bool | None:
        """Whether the CSR is signed with its own key, however weak the digest; None if that cannot be verified."""
        from certkit.x509.signatures import UnsupportedError

        if isinstance(self.key, Unreadable):
            return None
        try:
            return self.signature_problem(self.key) is None
        except (InputError, UnsupportedError):
            return None

    def _own_deviations(self) -> list[Deviation]:
        wrong = [*self._wrong, *name_deviations("subject", self.subject)]
        return [*wrong, deviation("key", self.key.reason)] if isinstance(self.key, Unreadable) else wrong
