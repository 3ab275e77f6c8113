"""What certificates, CSRs, CRLs and OCSP answers have in common: a signed part, its signature, extensions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar, overload

from certkit.errors import InputError
from certkit.x509 import der as tlv
from certkit.x509.deviations import deviation
from certkit.x509.once import once
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from certkit.x509.deviations import Deviation
    from certkit.x509.directory_name import Name
    from certkit.x509.extensions import Extension
    from certkit.x509.spki import Algorithm

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30
_MAX_SERIAL_BYTES = 20
# The rule that a default is not written out.
_DEFAULT = "X.690 section 11.5"
# Signature algorithms without parameters (RFC 5758 section 3), which older software writes with NULL.
_ECDSA_AND_DSA = {
    "1.2.840.10045.4.1",
    *(f"1.2.840.10045.4.3.{number}" for number in range(1, 5)),
    "1.2.840.10040.4.3",
    *(f"2.16.840.1.101.3.4.3.{number}" for number in range(1, 5)),
}

_TWICE = Unreadable("the extension appears more than once (RFC 5280 section 4.2)")

ReadExtensions: TypeAlias = "tuple[tuple[Extension, ...], tuple[Deviation, ...]]"
Value = TypeVar("Value")
Loaded = TypeVar("Loaded")
Parts = TypeVar("Parts", bound="HasExtensions")


class HasExtensions(Protocol):
    """Where the fields of a signed part lie, with its extensions among them."""

    @property
    def extensions(self) -> tlv.Node | None:
        """Where the extensions lie, None where there are none."""


class ExtensionValue(Generic[Value]):
    """The value of an extension as an attribute, by the name of its identifier in `extensions`.

    It is `Unreadable` if it cannot be read, and None without the extension.
    """

    def __init__(self, name: str, doc: str) -> None:
        """Keep the name; what reads extensions is imported on use."""
        self._name = name
        self.__doc__ = doc

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: Signed[Any, Any], owner: type) -> Value | Unreadable | None: ...

    def __get__(self, instance: Signed[Any, Any] | None, owner: type) -> Self | Value | Unreadable | None:
        """Return the value."""
        if instance is None:
            return self
        from certkit.x509 import extensions

        value: Value | Unreadable | None = instance.value(getattr(extensions, self._name))
        return value


class Signed(Generic[Loaded, Parts]):
    """A signed structure; two are equal if their bytes are. Every attribute is computed on first use.

    `Loaded` is what `cryptography` makes of it, and `Parts` where the fields of the signed part lie.
    """

    what: ClassVar[str] = "object"

    def __init__(self, der: bytes, loaded: Loaded | None) -> None:
        """Keep the bytes, and what `cryptography` made of them; `parse` is the way to make one."""
        self.der = der
        self._loaded = loaded

    def __eq__(self, other: object) -> bool:
        """Return whether the other object is of the same kind and has the same bytes."""
        return type(other) is type(self) and self.der == other.der

    def __hash__(self) -> int:
        """Return a hash of the bytes."""
        return hash(self.der)

    def cryptography(self) -> Loaded | None:
        """Return the object as `cryptography` has it, or None if that library refuses it."""
        return self._loaded

    def bytes_of(self, node: tlv.Node) -> bytes:
        """Return a whole element, header included."""
        return self.der[node[1] : node[3]]

    @once
    def _frame(self) -> tuple[tlv.Node, tlv.Node, tlv.Node]:
        try:
            return frame(self.der)
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    @once
    def _parts(self) -> Parts:
        try:
            return self._cut()
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    def _cut(self) -> Parts:
        """Tell apart the fields of the signed part.

        Raises:
            DerError: if they are not those of such an object.
        """
        raise NotImplementedError

    @once
    def tbs(self) -> bytes:
        """The signed part, byte for byte."""
        return self.bytes_of(self._frame[0])

    @once
    def signature_algorithm(self) -> Algorithm:
        """The algorithm that is named beside the signature."""
        from certkit.x509.spki import Algorithm

        try:
            return Algorithm.parse(self.bytes_of(self._frame[1]))
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    @property
    def signature(self) -> bytes:
        """The signature."""
        node = self._frame[2]
        return self.der[node[2] + 1 : node[3]]

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the whole."""
        return hashlib.sha256(self.der).digest()

    @property
    def fingerprint_sha256(self) -> str:
        """The SHA-256 of the whole as lower-case hex."""
        return self.fingerprint.hex()

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions in the order of the encoding; an identifier that appears twice is listed twice."""
        return self._extensions[0]

    @once
    def _extensions(self) -> ReadExtensions:
        node = self._parts.extensions
        try:
            return ((), ()) if node is None else read_extensions(self.der, node)
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    def extension(self, oid: str) -> Extension | None:
        """Return the first extension with an identifier, or None."""
        return next((each for each in self.extensions if each.oid == oid), None)

    def value(self, oid: str) -> Any:
        """Return the value of an extension: `Unreadable` if there are two of its kind, None if there is none."""
        return self._values.get(oid)

    @once
    def _values(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in self.extensions:
            found[each.oid] = _TWICE if each.oid in found else each.value
        return found

    def _common_deviations(self) -> list[Deviation]:
        found = []
        if self.der[self._frame[2][2]]:
            found.append(deviation("signature-bits"))
        try:
            algorithm = self.signature_algorithm
        except InputError:
            found.append(deviation("encoding", "the signature's algorithm cannot be read"))
        else:
            if algorithm.oid in _ECDSA_AND_DSA and algorithm.parameters == tlv.NULL:
                found.append(deviation("algorithm-parameters"))
        return found + list(self._extensions[1])


def name_deviations(names: Iterable[tuple[str, Name]]) -> list[Deviation]:
    """Return the rules that names break, with the fields that hold them."""
    return [deviation(each.id, f"{field}: {each.message}") for field, name in names for each in name.problems]


def serial_deviations(serial: int, length: int) -> list[Deviation]:
    """Return the rules that a serial number breaks (section 4.1.2.2)."""
    found = []
    if serial < 0:
        found.append(deviation("serial-negative"))
    if serial == 0:
        found.append(deviation("serial-zero"))
    # A positive number of 20 bytes may need a 21st for its sign.
    if length > _MAX_SERIAL_BYTES + (serial > 0 and serial.bit_length() == 8 * _MAX_SERIAL_BYTES):
        found.append(deviation("serial-long"))
    return found


def read_extensions(data: bytes, node: tlv.Node) -> ReadExtensions:
    """Read a list of extensions, and what is wrong with it and them.

    Raises:
        DerError: if the extensions cannot be told apart.
    """
    from certkit.x509 import extensions as kinds

    if node[0] != SEQUENCE:
        raise tlv.DerError("extensions that are not a sequence")
    found: list[Extension] = []
    wrong: list[Deviation] = []
    for each in tlv.children(data, node[2], node[3]):
        parts = tlv.children(data, each[2], each[3])
        tags = [part[0] for part in parts]
        if each[0] != SEQUENCE or tags not in ([OID, OCTET_STRING], [OID, BOOLEAN, OCTET_STRING]):
            raise tlv.DerError("an extension that is not an identifier, a flag and a value")
        oid = tlv.oid(data, parts[0])
        is_critical = len(parts) == 3 and tlv.boolean(data, parts[1])
        if len(parts) == 3 and not is_critical:
            wrong.append(deviation("default-encoded", f"critical FALSE of extension {oid}"))
        extension = kinds.read(oid, is_critical, data[parts[-1][2] : parts[-1][3]])
        if isinstance(extension.value, Unreadable):
            wrong.append(deviation("extension-unreadable", f"{oid}: {extension.value.reason}"))
        for problem in extension.problems:
            kind = "default-encoded" if _DEFAULT in problem else kinds.DEVIATIONS.get(oid, "extension-value")
            wrong.append(deviation(kind, problem))
        if any(oid == other.oid for other in found):
            wrong.append(deviation("extension-duplicate", oid))
        found.append(extension)
    return tuple(found), tuple(wrong) if found else (deviation("extensions-empty"),)


def unreadable(what: str, error: tlv.DerError) -> InputError:
    """Return the error for bytes that are no such object, which tells what is cut off from what breaks a rule."""
    if error.is_cut_off:
        return InputError(f"the {what} is cut off or damaged: {error}", hint="get a new copy from its source")
    return InputError(
        f"the {what} breaks a rule of its encoding: {error}", hint=f"ask the issuer of the {what} for one in DER"
    )


def take(nodes: list[tlv.Node], tag: int, what: str) -> tlv.Node:
    """Take the first of the elements, which must have a tag.

    Raises:
        DerError: if there is none, or it has another tag.
    """
    if not nodes or nodes[0][0] != tag:
        raise tlv.DerError(f"{what} is missing")
    return nodes.pop(0)


def frame(data: bytes, *, may_continue: bool = False) -> tuple[tlv.Node, tlv.Node, tlv.Node]:
    """Tell apart the signed part, the algorithm and the signature of a structure; more follows only if it may.

    Raises:
        DerError: if they consist of anything else.
    """
    nodes = tlv.children(data, *tlv.only(data, SEQUENCE))
    found = (
        take(nodes, SEQUENCE, "the signed part"),
        take(nodes, SEQUENCE, "the signature algorithm"),
        take(nodes, BIT_STRING, "the signature"),
    )
    if nodes and not may_continue:
        raise tlv.DerError("something follows the signature")
    tlv.bits(data, found[2])
    return found


def take_explicit(data: bytes, nodes: list[tlv.Node], tag: int, inner: int, what: str) -> tlv.Node | None:
    """Take the element that an explicit tag wraps, if that tag comes next.

    Raises:
        DerError: if the tag wraps anything else.
    """
    if not nodes or nodes[0][0] != tag:
        return None
    outer = nodes.pop(0)
    wrapped = tlv.children(data, outer[2], outer[3])
    node = take(wrapped, inner, what)
    if wrapped:
        raise tlv.DerError(f"something follows {what}")
    return node
