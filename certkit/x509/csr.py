"""A CSR as a value (PKCS#10, RFC 2986): its key, the requested name and extensions, and its signature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.printable import decimal
from certkit.x509 import der as tlv
from certkit.x509 import foreign
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.directory_name import Name
from certkit.x509.signed import INTEGER, OID, SEQUENCE, SignedKey, name_deviations, take
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from cryptography import x509  # noqa: F401  in the base class of Csr

EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
MICROSOFT_EXTENSIONS = "1.3.6.1.4.1.311.2.1.14"
CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"  # noqa: S105  the name of an attribute (RFC 2985 section 5.4.1)

_ATTRIBUTES, _SET = 0xA0, 0x31
_FIELDS = ((INTEGER, "the version"), (SEQUENCE, "the subject"), (SEQUENCE, "the public key"))


@dataclass(frozen=True, slots=True)
class CsrAttribute:
    """An attribute of a CSR: its type, and its values in DER (RFC 2986 section 4.1)."""

    oid: str
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    version: int
    subject: tlv.Node
    spki: tlv.Node
    attributes: tuple[CsrAttribute, ...]
    extensions: tlv.Node | None
    deviations: tuple[Deviation, ...]


class Csr(SignedKey["x509.CertificateSigningRequest", _Parts]):
    """A certification request; make one with `parse`."""

    what = "CSR"

    @classmethod
    def parse(cls, der: bytes) -> Csr:
        """Return the CSR that the bytes are.

        Raises:
            InputError: if they are no CSR: cut off, followed by other bytes, or not in DER.
        """
        from cryptography.x509 import load_der_x509_csr

        found = cls(der, foreign.attempt(load_der_x509_csr, der))
        found._parts  # noqa: B018  raises
        found.extensions  # noqa: B018  raises
        return found

    def __repr__(self) -> str:
        """Return the subject."""
        return f"<Csr {self.subject.text!r}>"

    def _cut(self) -> _Parts:
        wrong: list[Deviation] = []
        data, (_, _, start, end) = self.der, self._frame[0]
        nodes = tlv.children(data, start, end)
        written, subject, spki = take(nodes, *_FIELDS)
        version = tlv.integer(data, written) + 1
        if version != 1:
            wrong.append(deviation("csr-version", decimal(version)))
        attributes: list[CsrAttribute] = []
        extensions: tlv.Node | None = None
        if nodes:
            (outer,) = take(nodes, (_ATTRIBUTES, "the list of attributes"))
            for each in tlv.children(data, outer[2], outer[3]):
                parts = tlv.children(data, each[2], each[3])
                if each[0] != SEQUENCE or [part[0] for part in parts] != [OID, _SET]:
                    raise tlv.DerError("an attribute that is not a type and its values")
                oid = tlv.oid(data, parts[0])
                values = tlv.children(data, parts[1][2], parts[1][3])
                attributes.append(CsrAttribute(oid, tuple(data[value[1] : value[3]] for value in values)))
                if oid in {EXTENSION_REQUEST, MICROSOFT_EXTENSIONS}:
                    if extensions is not None or len(values) != 1:
                        wrong.append(deviation("csr-extensions"))
                    extensions = extensions or (values[0] if values else None)
        else:
            wrong.append(deviation("csr-attributes"))
        if nodes:
            raise tlv.DerError(f"an unexpected field with tag {nodes[0][0]:#04x}")
        return _Parts(version, subject, spki, tuple(attributes), extensions, tuple(wrong))

    @property
    def version(self) -> int:
        """The version as people count it; 1 is the only one defined."""
        return self._parts.version

    @cached_property
    def subject(self) -> Name:
        """The requested name."""
        return Name.of(self.bytes_of(self._parts.subject))

    def _key_node(self) -> tlv.Node:
        return self._parts.spki

    @property
    def attributes(self) -> tuple[CsrAttribute, ...]:
        """The attributes in the order of the encoding."""
        return self._parts.attributes

    @cached_property
    def is_signature_valid(self) -> bool | None:
        """Whether the CSR is signed with its own key, however weak the digest; None if that cannot be verified."""
        from certkit.x509.signatures import UnsupportedError

        if isinstance(self.key, Unreadable):
            return None
        try:
            return self.signature_problem(self.key) is None
        except (InputError, UnsupportedError):
            return None

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The rules that the CSR breaks although it can be read."""
        found = [*self._parts.deviations, *name_deviations("subject", self.subject)]
        if isinstance(self.key, Unreadable):
            found.append(deviation("key", self.key.reason))
        found += self._common_deviations()
        if self._loaded is None and not found:
            found.append(deviation("encoding"))
        return tuple(found)
