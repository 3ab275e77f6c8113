"""Just enough DER (X.690) to examine bytes before a library parses them.

An encrypted key names the cost of its key derivation in the open. A hostile file names one that would keep a processor
busy for hours, and nothing can interrupt the library then.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SEQUENCE = 0x30
NULL = b"\x05\x00"
# A million PBKDF2 iterations take about half a second; OpenSSL writes 2,048, password managers up to 1,000,000.
MAX_KDF_COST = 10_000_000

_INTEGER = 0x02
_BIT_STRING = 0x03
_OCTET_STRING = 0x04
_CONSTRUCTED = 0x20
_VERSION = 0xA0
_MAX_DEPTH = 24
_MAX_OID_BYTES = 128
# An element of two bytes takes a hundred in memory; no bundle has so many certificates, no certificate so many names.
_MAX_CHILDREN = 100_000


class DerError(ValueError):
    """Bytes that break a rule of DER; the message names the rule.

    `is_cut_off` is whether an element promises more bytes than there are.
    """

    def __init__(self, message: str, *, is_cut_off: bool = False) -> None:
        super().__init__(message)
        self.is_cut_off = is_cut_off


# An element as `read` returns it: its tag, and the offsets of its header, of its value, and of what follows.
Node = tuple[int, int, int, int]


def read(data: bytes, at: int, end: int, *, is_ber: bool = False) -> Node:
    """Read the header of the DER element at `at`, which must end at `end` at the latest.

    With `is_ber`, its length may take more bytes than it needs.

    Raises:
        DerError: if there is no element, or its length is indefinite or not in DER (X.690 section 10.1).
    """
    if at + 2 > end:
        raise DerError("an element is missing or cut off", is_cut_off=True)
    tag, start = data[at], at + 1
    if tag & 0x1F == 0x1F:
        tag, start = _long_tag(data, at, end)
    length = data[start]
    start += 1
    if length & 0x80:
        size = length & 0x7F
        if size == 0:
            raise DerError("an indefinite length, which is BER and not DER (X.690 section 10.1)")
        first, start = start, start + size
        if size > 4 or start > end:
            raise DerError("a length that is cut off or too large", is_cut_off=True)
        length = int.from_bytes(data[first:start])
        if not is_ber and (length < 0x80 or length >> 8 * (size - 1) == 0):
            raise DerError("a length that is not in its shortest form (X.690 section 10.1)")
    stop = start + length
    if stop > end:
        raise DerError("an element is cut off", is_cut_off=True)
    return tag, at, start, stop


def _long_tag(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a tag of several bytes (X.690 section 8.1.2.4), which no tag of one byte equals, and where it ends."""
    tag, at = data[at], at + 1
    while at < end - 1:
        tag, at = tag << 8 | data[at], at + 1
        if tag & 0x80 == 0:
            return tag, at
        if tag >> 32:
            raise DerError("a tag number above 268,435,455")
    raise DerError("a tag is cut off", is_cut_off=True)


def children(data: bytes, start: int, end: int) -> list[Node]:
    """Read the headers of consecutive DER elements between two offsets.

    Raises:
        DerError: as `read` does, and if there are more than 100,000.
    """
    if end - start > 2 * _MAX_CHILDREN:
        return _children_of_many(data, start, end)
    found = []
    while start < end:
        # Nearly all have a tag of one byte, and a length of one, or of two after 0x82; `read` does the rest.
        tag, value = data[start], start + 2
        length = data[start + 1] if value <= end and tag & 0x1F != 0x1F else 0x80
        if length < 0x80:
            node = (tag, start, value, value + length)
        elif length == 0x82 and value + 2 <= end and data[value]:
            node = (tag, start, value + 2, value + 2 + (data[value] << 8 | data[value + 1]))
        else:
            node = read(data, start, end)
        start = node[3]
        if start > end:
            raise DerError("an element is cut off", is_cut_off=True)
        found.append(node)
    return found


def _children_of_many(data: bytes, start: int, end: int) -> list[Node]:
    found: list[Node] = []
    while start < end:
        if len(found) == _MAX_CHILDREN:
            raise DerError(f"more than {_MAX_CHILDREN:,} elements side by side")
        found.append(read(data, start, end))
        start = found[-1][3]
    return found


def only(data: bytes, tag: int) -> tuple[int, int]:
    """Return where the value lies of the one element with this tag that the bytes consist of.

    Raises:
        DerError: if the bytes are anything else.
    """
    found, _, start, end = read(data, 0, len(data))
    if found != tag:
        raise DerError(f"tag {found:#04x} where {tag:#04x} belongs")
    if end != len(data):
        raise DerError("bytes follow the value")
    return start, end


def parts(data: bytes, tag: int) -> list[Node]:
    """Read the headers of the elements inside the one element with this tag that the bytes consist of.

    Raises:
        DerError: if the bytes are anything else.
    """
    return children(data, *only(data, tag))


def integer(data: bytes, node: Node) -> int:
    """Read an INTEGER in its shortest form (X.690 section 8.3), whatever its tag.

    Raises:
        DerError: if it is empty or padded.
    """
    value = data[node[2] : node[3]]
    if not value:
        raise DerError("an integer without a value (X.690 section 8.3)")
    if len(value) > 1 and value[0] == (0xFF if value[1] & 0x80 else 0):
        raise DerError("an integer that is not in its shortest form (X.690 section 8.3.2)")
    return int.from_bytes(value, signed=True)


def boolean(data: bytes, node: Node) -> bool:
    """Read a BOOLEAN, whatever its tag.

    Raises:
        DerError: if it is neither 0x00 nor 0xFF (X.690 section 11.1).
    """
    value = data[node[2] : node[3]]
    if value not in {b"\0", b"\xff"}:
        raise DerError("a BOOLEAN that is neither 00 nor FF (X.690 section 11.1)")
    return value == b"\xff"


def oid(data: bytes, node: Node) -> str:
    """Read an OBJECT IDENTIFIER in its dotted form, whatever its tag.

    Raises:
        DerError: if it is empty, cut off or padded (X.690 section 8.19).
    """
    return object_identifier(data[node[2] : node[3]])


@functools.lru_cache(maxsize=512)
def object_identifier(value: bytes) -> str:
    """Return the dotted form of an object identifier's value.

    Raises:
        DerError: if it is empty, cut off or padded (X.690 section 8.19), or longer than 128 bytes.
    """
    if not value or value[-1] & 0x80:
        raise DerError("an object identifier that is empty or cut off (X.690 section 8.19)")
    if value[0] == 0x80 or re.search(rb"[\x00-\x7f]\x80", value):
        raise DerError("an object identifier with padding (X.690 section 8.19.2)")
    if len(value) > _MAX_OID_BYTES:
        raise DerError("an object identifier of more than 128 bytes")
    arcs, arc = [], 0
    for octet in value:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def require_value(data: bytes, node: Node, depth: int = _MAX_DEPTH) -> None:
    """Require that an element is DER as far as its tag defines it: its form, its value, and its nested elements.

    Raises:
        DerError: if it breaks a rule of its universal type, or holds elements in more than 24 levels.
    """
    tag, _, start, end = node
    is_universal = tag < 0x40
    if is_universal and bool(tag & _CONSTRUCTED) is not (tag & 0x1F in _CONSTRUCTED_TYPES):
        raise DerError(f"an element of type {tag & 0x1F} in the wrong form (X.690 section 10.2)")
    if tag & _CONSTRUCTED:
        if not depth:
            raise DerError("elements in too many levels")
        for each in children(data, start, end):
            require_value(data, each, depth - 1)
    elif is_universal and tag in _PRIMITIVE_TYPES:
        _PRIMITIVE_TYPES[tag](data, node)
    elif tag == 0:
        raise DerError("the end of an indefinite length, which is BER and not DER (X.690 section 10.1)")
    elif tag == NULL[0] and start != end:
        raise DerError("a NULL with a value (X.690 section 8.8)")


def bits(data: bytes, node: Node) -> tuple[bytes, int]:
    """Read a BIT STRING, whatever its tag: its bytes, and how many bits of the last one are unused.

    Raises:
        DerError: if the count of unused bits is wrong, or an unused bit is set (X.690 section 11.2.1).
    """
    value = data[node[2] : node[3]]
    if not value or value[0] > 7 or (value[0] and len(value) == 1):
        raise DerError("a BIT STRING with a wrong count of unused bits (X.690 section 8.6.2)")
    if value[0] and value[-1] & ((1 << value[0]) - 1):
        raise DerError("a BIT STRING whose unused bits are set (X.690 section 11.2.1)")
    return value[1:], value[0]


# EXTERNAL, EMBEDDED PDV, SEQUENCE and SET; every other universal type is primitive in DER.
_CONSTRUCTED_TYPES = frozenset({0x08, 0x0B, 0x10, 0x11})
_PRIMITIVE_TYPES = {0x01: boolean, _INTEGER: integer, _BIT_STRING: bits, 0x06: oid, 0x0A: integer}


def elements(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Node]:
    """Yield the consecutive elements in a range of bytes, which may have longer lengths than DER allows.

    Raises:
        DerError: if the bytes are anything else.
    """
    end = len(data) if end is None else end
    while start < end:
        node = read(data, start, end, is_ber=True)
        yield node
        start = node[3]


def first_element(data: bytes, start: int = 0) -> bytes | None:
    """Return the bytes of the first element from `start` on, header included, or None if there is no whole one."""
    try:
        return data[start : read(data, start, len(data), is_ber=True)[3]]
    except DerError:
        return None


def certificate_fields(data: bytes) -> list[Node]:
    """Return the fields of a certificate from the serial number to the public key (RFC 5280 section 4.1), quickly.

    They are the serial number, the algorithm, the issuer, the validity, the subject and the key. The bytes must be DER
    that a library has accepted.
    """
    at, fields = 0, []
    for depth in (1, 1, 0, 0, 0, 0, 0, 0, 0):  # the whole, its signed part, and what is side by side in that
        length, start = data[at + 1], at + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start])
        if not depth:
            fields.append((data[at], at, start, start + length))
        at = start if depth else start + length
    return fields[1:] if fields[0][0] == _VERSION else fields[:6]


def encode(tag: int, value: bytes) -> bytes:
    """An element in DER: its tag, the shortest form of its length, its value."""
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + value


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of elements in DER."""
    return encode(SEQUENCE, b"".join(parts))


def integer_of(value: int) -> bytes:
    """A natural number as an INTEGER in DER."""
    return encode(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def is_pkcs12(data: bytes) -> bool:
    """Return whether the bytes begin as a PFX does, in DER or BER: a sequence with the version 3 and another one."""
    return data[:1] == b"\x30" and b"\x02\x01\x03\x30" in data[:12]


def looks_like_private_key(data: bytes) -> bool:
    """Return whether the bytes start like a private key in DER: PKCS#8, PKCS#1, SEC1, or PKCS#12."""
    begin = data[:64]
    version = rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)\x02\x01"
    plain = re.match(version + rb"(?:\x00[\x30\x02]|\x01[\x30\x04])", begin, re.DOTALL)
    # The algorithm identifiers for password based encryption: 1.2.840.113549.1.5 and .1.12.1.
    locked = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05" in begin or b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01" in begin
    return plain is not None or (data[:1] == b"\x30" and locked) or is_pkcs12(data)


def looks_like_signed(data: bytes) -> bool:
    """Return whether the bytes start like a certificate, CSR or CRL.

    That is a long sequence, in it another one, and in that a version, a serial number or an algorithm.
    """
    begin = rb"\x30(?:\x80|\x81.|\x82..|\x83...)\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...)[\x02\x30\xa0]"
    return re.match(begin, data[:16], re.DOTALL) is not None


# PKCS#12 wraps its parts, sequences of sequences, in OCTET STRINGs.
_WRAPPED = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)\x30", re.DOTALL)


def kdf_cost(data: bytes) -> int:
    """Return the cost of the key derivations that an encrypted key or PKCS#12 names: iterations, or scrypt's blocks.

    Every such parameter set is a SEQUENCE that holds an OCTET STRING (the salt) followed by INTEGERs: PBKDF2 and PBES1
    (RFC 8018 A.2, A.3), PKCS#12's own (RFC 7292 appendix C), scrypt (RFC 7914 section 7).
    """
    return _cost(data, 0, len(data), _MAX_DEPTH)


def _cost(data: bytes, start: int, end: int, depth: int) -> int:
    if depth == 0:
        return 0
    total = 0
    salted = False
    factors: list[int] = []
    try:
        for tag, _, first, last in elements(data, start, end):
            if tag == _INTEGER and salted:
                factors.append(int.from_bytes(data[first:last][:8]))
                continue
            salted = tag == _OCTET_STRING
            if tag & _CONSTRUCTED or (tag == _OCTET_STRING and _WRAPPED.match(data, first, last)):
                total += _cost(data, first, last, depth - 1)
    except DerError:
        pass
    # PBKDF2 may add a key length (RFC 8018 A.2); scrypt has N, r and p, and a block of it costs
    # about as much as eight PBKDF2 rounds, and 128 bytes of memory.
    if len(factors) >= 3:
        return total + 8 * factors[0] * factors[1] * factors[2]
    return total + sum(factors[:1])
