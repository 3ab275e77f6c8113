"""The common form of certificates, CSRs, CRLs and OCSP responses: a signed part, a signature, extensions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from certkit.errors import InputError
from certkit.once import once
from certkit.x509 import der as tlv
from certkit.x509 import foreign, oids
from certkit.x509.deviations import deviation
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from certkit.x509.deviations import Deviation
    from certkit.x509.directory_name import Name
    from certkit.x509.extensions import Extension
    from certkit.x509.general_names import GeneralName
    from certkit.x509.spki import Algorithm, PublicKeyInfo

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30
# Signature algorithms without parameters (RFC 5758 section 3), which older software writes with NULL.
_ECDSA_AND_DSA = {
    "1.2.840.10045.4.1",
    *(f"1.2.840.10045.4.3.{number}" for number in range(1, 5)),
    "1.2.840.10040.4.3",
    *(f"2.16.840.1.101.3.4.3.{number}" for number in range(1, 5)),
}

_FRAME = ((SEQUENCE, "the signed part"), (SEQUENCE, "the signature algorithm"), (BIT_STRING, "the signature"))
_TWICE = Unreadable("the extension appears more than once (RFC 5280 section 4.2)")

ReadExtensions: TypeAlias = "tuple[tuple[Extension, ...], tuple[Deviation, ...]]"
Loaded = TypeVar("Loaded")
Value = TypeVar("Value")
ExtensionValue: TypeAlias = "once[Value | Unreadable | None]"
"""The value of an extension as an attribute: `Unreadable` if it cannot be read, and None without the extension."""


class Signed(Generic[Loaded]):
    """A signed structure; two are equal if their bytes are. `Loaded` is what `cryptography` makes of it."""

    what: ClassVar[str] = "object"
    loader: ClassVar[str]
    """The name of the function of `cryptography.x509` that loads such an object."""

    @classmethod
    def parse(cls, der: bytes) -> Self:
        """Return the object that the bytes are.

        Raises:
            InputError: if they are anything else: cut off, followed by other bytes, or not in DER.
        """
        from cryptography import x509

        try:
            found = cls(der, foreign.attempt(getattr(x509, cls.loader), der))
        except tlv.DerError as error:
            raise unreadable(cls.what, error) from error
        found.extensions  # noqa: B018  raises
        return found

    def __init__(self, der: bytes, loaded: Loaded | None) -> None:
        """Keep the bytes, and what `cryptography` made of them; create one with `parse`."""
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

    def _extensions_at(self) -> tlv.Node | None:
        """Return where the list of extensions lies; None if there is none."""
        raise NotImplementedError

    @property
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

    def signature_problem(self, key: PublicKeyInfo) -> str | None:
        """Say why the signature is not one of a key; None if it is.

        Raises:
            UnsupportedError: if the algorithm or the key is not supported.
        """
        from certkit.x509 import signatures

        return signatures.problem(self.signature_algorithm, key, self.signature, self.tbs)

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
        node = self._extensions_at()
        try:
            return ((), ()) if node is None else read_extensions(self.der, node)
        except tlv.DerError as error:
            raise unreadable(self.what, error) from error

    def extension(self, oid: str) -> Extension | None:
        """Return the first extension with an identifier, or None."""
        for each in self.extensions:
            if each.oid == oid:
                return each
        return None

    @once
    def values(self) -> dict[str, Any]:
        """The values of the extensions by their identifiers, `Unreadable` where there are two of a kind."""
        found: dict[str, Any] = {}
        for oid, _, _, value in self.extensions:
            found[oid] = _TWICE if oid in found else value
        return found

    @once
    def deviations(self) -> tuple[Deviation, ...]:
        """The rules that the object breaks although it can be read, in the order of its fields.

        What `cryptography` refuses for a reason that is not among `DEVIATIONS` is one of encoding, never tolerated.
        """
        found = (*self._own_deviations(), *self._common_deviations())
        return found if found or self._loaded is not None else (deviation("encoding"),)

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
        return [*found, *self._extensions[1]]

    def _own_deviations(self) -> list[Deviation]:
        """Return the deviations of the fields that other signed structures do not have."""
        raise NotImplementedError


class SignedKey(Signed[Loaded]):
    """A signed structure about a public key: a certificate, or a CSR."""

    def _key_at(self) -> tlv.Node:
        """Return where the key lies."""
        raise NotImplementedError

    @once
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, byte for byte."""
        return self.bytes_of(self._key_at())

    @property
    def spki_sha256(self) -> str:
        """The SHA-256 of the SubjectPublicKeyInfo as lower-case hex."""
        return hashlib.sha256(self.spki).hexdigest()

    @once
    def key(self) -> PublicKeyInfo | Unreadable:
        """The facts of the public key."""
        from certkit.x509.spki import PublicKeyInfo

        return PublicKeyInfo.parse(self.spki)

    def public_key(self) -> PublicKeyTypes:
        """Return the public key for `cryptography`.

        Raises:
            InputError: if it is damaged, too costly, of a kind that is not supported, or on a written-out curve.
        """
        if isinstance(self.key, Unreadable):
            raise InputError(f"the public key cannot be read: {self.key.reason}", hint="create the key again")
        return self.key.load()

    subject_alt_name: ExtensionValue[tuple[GeneralName, ...]] = once(
        lambda self: self.values.get(oids.SUBJECT_ALT_NAME)
    )
    """The alternative names (RFC 5280 section 4.2.1.6), malformed ones with their problem."""


def time_deviations(field: str, moment: object, problems: tuple[str, ...]) -> list[Deviation]:
    """Return the rules that the form of a date breaks, with the field that holds it."""
    listed = problems or ((moment.reason,) if isinstance(moment, Unreadable) else ())
    return [deviation("time-form", f"{field}: {problem}") for problem in listed]


def name_deviations(field: str, name: Name) -> list[Deviation]:
    """Return the rules that a name breaks, with the field that holds it."""
    return [deviation(each.id, f"{field}: {each.message}") for each in name.problems]


def read_extensions(data: bytes, node: tlv.Node) -> ReadExtensions:
    """Read a list of extensions, with the problems of the list and of each extension.

    Raises:
        DerError: if the list cannot be split into extensions.
    """
    from certkit.x509 import extensions as kinds

    if node[0] != SEQUENCE:
        raise tlv.DerError("extensions that are not a sequence")
    found: list[Extension] = []
    oids: set[str] = set()
    wrong: list[Deviation] = []
    for _, start, _, end in tlv.children(data, node[2], node[3]):
        extension, departures = kinds.read(data[start:end])
        wrong += departures
        if extension.oid in oids:
            wrong.append(deviation("extension-duplicate", extension.oid))
        oids.add(extension.oid)
        found.append(extension)
    return tuple(found), tuple(wrong) if found else (deviation("extensions-empty"),)


def unreadable(what: str, error: tlv.DerError) -> InputError:
    """Return the error for bytes that are not such an object: cut off, or against the encoding rules."""
    if error.is_cut_off:
        return InputError(f"the {what} is cut off or damaged: {error}", hint="get a new copy from its source")
    return InputError(
        f"the {what} breaks a rule of its encoding: {error}", hint=f"ask the issuer of the {what} for one in DER"
    )


def take(nodes: list[tlv.Node], *wanted: tuple[int, str]) -> list[tlv.Node]:
    """Take the first elements, which must have these tags, each given with what the element is.

    Raises:
        DerError: if one is missing, or has another tag.
    """
    for number, (tag, what) in enumerate(wanted):
        if number >= len(nodes) or nodes[number][0] != tag:
            raise tlv.DerError(f"{what} is missing")
    found = nodes[: len(wanted)]
    del nodes[: len(wanted)]
    return found


def frame(data: bytes, *, may_continue: bool = False) -> tuple[tlv.Node, tlv.Node, tlv.Node]:
    """Split a structure into signed part, algorithm and signature; more may follow only where allowed.

    Raises:
        DerError: if they consist of anything else.
    """
    nodes = tlv.parts(data, SEQUENCE)
    signed, algorithm, signature = take(nodes, *_FRAME)
    if nodes and not may_continue:
        raise tlv.DerError("something follows the signature")
    tlv.bits(data, signature)
    return signed, algorithm, signature


def take_explicit(data: bytes, nodes: list[tlv.Node], tag: int, inner: int, what: str) -> tlv.Node | None:
    """Take the element that an explicit tag wraps, if that tag comes next.

    Raises:
        DerError: if the tag wraps anything else.
    """
    if not nodes or nodes[0][0] != tag:
        return None
    outer = nodes.pop(0)
    wrapped = tlv.children(data, outer[2], outer[3])
    (node,) = take(wrapped, (inner, what))
    if wrapped:
        raise tlv.DerError(f"something follows {what}")
    return node
