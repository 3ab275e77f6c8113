"""The value of a distinguished name (RFC 5280 section 4.1.2.4), read from its own bytes, however they are encoded."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from certkit.once import once
from certkit.printable import printable
from certkit.x509 import der as tlv
from certkit.x509.attributes import SHORT_NAMES

# The short names, one as OpenSSL prints it, and one whose value is no string.
_UNIQUE_IDENTIFIER = "2.5.4.45"
_SHOWN_NAMES = SHORT_NAMES | {"2.5.4.9": "STREET", _UNIQUE_IDENTIFIER: "x500UniqueIdentifier"}

_EMPTY = b"\x30\x00"
_SEQUENCE, _SET, _OID, _BIT_STRING = 0x30, 0x31, 0x06, 0x03
_UTF8, _NUMERIC, _PRINTABLE, _T61, _IA5, _VISIBLE, _UNIVERSAL, _BMP = 0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1C, 0x1E
# The strings, with their codecs and names.
_STRINGS = {
    _UTF8: ("utf-8", "UTF8String"),
    _NUMERIC: ("ascii", "NumericString"),
    _PRINTABLE: ("ascii", "PrintableString"),
    _IA5: ("ascii", "IA5String"),
    _VISIBLE: ("ascii", "VisibleString"),
    _T61: ("latin-1", "T61String"),
    _UNIVERSAL: ("utf-32-be", "UniversalString"),
    _BMP: ("utf-16-be", "BMPString"),
}
_PRINTABLE_ONLY = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
_NUMERIC_ONLY = re.compile(r"[0-9 ]*")
_MUST_ESCAPE = re.compile(r'[\\",+;<>\0]')


class AttributeValue(NamedTuple):
    """One attribute of a name: its type, its value as text, and the encoded value with its tag.

    `text` is None where the value is no string. `problem` says what is wrong with a value that was read leniently.
    """

    oid: str
    text: str | None
    raw: bytes
    problem: str = ""

    @property
    def name(self) -> str:
        """The short name of the type, or its dotted identifier."""
        return SHORT_NAMES.get(self.oid, self.oid)

    @property
    def key(self) -> tuple[str, str | bytes]:
        """The form for comparison (RFC 5280 section 7.1); what was read leniently equals only the same bytes."""
        if self.text is None or self.problem:
            return self.oid, self.raw
        return self.oid, _prepared(self.text)

    def __str__(self) -> str:
        """The attribute as in RFC 4514 section 2: by name, or as `OID=#hex` where the type has none."""
        name = _SHOWN_NAMES.get(self.oid)
        if name is None or self.text is None:
            return f"{name or self.oid}=#{self.raw.hex()}"
        return f"{name}={_escaped(self.text)}"


class NameProblem(NamedTuple):
    """A rule that a name breaks although it can be read."""

    id: str
    message: str


class Name:
    """A distinguished name: its exact bytes, and its parts.

    Two names are equal if their bytes are; `key` compares them as RFC 5280 section 7.1 does.
    """

    def __init__(self, der: bytes) -> None:
        """Keep the bytes of a whole name, header included; they are read on first use."""
        self.der = der

    @staticmethod
    def of(der: bytes) -> Name:
        """Return the name that the bytes are; few CAs issue many certificates, so short ones are kept."""
        return _cached(der) if len(der) <= _SHORT else Name(der)

    def __eq__(self, other: object) -> bool:
        """Return whether the other name has the same bytes."""
        return isinstance(other, Name) and self.der == other.der

    def __hash__(self) -> int:
        """Return a hash of the bytes."""
        return hash(self.der)

    def __repr__(self) -> str:
        """Return the name as text."""
        return f"Name({self.text!r})"

    def __str__(self) -> str:
        """Return the name as text."""
        return self.text

    @once
    def _read(self) -> tuple[tuple[_Rdn, ...], str]:
        """The parts, or why they cannot be parsed."""
        try:
            return tuple([_rdn(self.der[at:last]) for _, at, _, last in tlv.parts(self.der, _SEQUENCE)]), ""
        except tlv.DerError as error:
            return (), str(error)

    @once
    def problems(self) -> tuple[NameProblem, ...]:
        """The rules that the name breaks."""
        rdns, reason = self._read
        if reason:
            return (NameProblem("name-structure", f"the name cannot be read: {reason}"),)
        found: list[NameProblem] = []
        for rdn in rdns:
            found += [NameProblem("name-encoding", each.problem) for each in rdn.attributes if each.problem]
            if not rdn.is_ordered:
                found.append(NameProblem("rdn-order", "a part of the name is not sorted (X.690 section 11.6)"))
        return tuple(found)

    @once
    def attributes(self) -> tuple[AttributeValue, ...]:
        """All attributes in the order of the encoding."""
        return tuple([each for rdn in self._read[0] for each in rdn.attributes])

    @once
    def text(self) -> str:
        """The name as RFC 4514 text, most specific part first, safe to show; as hex where its structure is broken."""
        try:
            parts = [_rdn_text(self.der[at:last]) for _, at, _, last in tlv.parts(self.der, _SEQUENCE)]
        except tlv.DerError:
            return f"#{self.der.hex()}"
        return printable(",".join(parts[::-1]))

    @property
    def is_empty(self) -> bool:
        """Whether the name has no parts."""
        return self.der == _EMPTY

    @once
    def key(self) -> tuple[object, ...]:
        """The normalised form of each part for comparison (RFC 5280 section 7.1); of a broken name, its bytes.

        An attribute may be in a part twice.
        """
        rdns, reason = self._read
        if reason:
            return (self.der,)
        keys = [tuple([each.key for each in rdn.attributes]) for rdn in rdns]
        return tuple([tuple(sorted(each, key=repr)) if len(each) > 1 else each for each in keys])

    def values(self, short_name: str) -> tuple[str, ...]:
        """All values of one attribute that are text, by its short name."""
        return tuple(each.text for each in self.attributes if each.name == short_name and each.text is not None)


class _Rdn(NamedTuple):
    """One part of a name: its attributes, whether they are sorted, and their text."""

    attributes: tuple[AttributeValue, ...]
    is_ordered: bool
    text: str


_SHORT = 512
_cached = functools.lru_cache(maxsize=1024)(Name)


# Organisations recur in a scan, so what was read is kept.
@functools.lru_cache(maxsize=2048)
def _rdn(rdn: bytes) -> _Rdn:
    parts, encoded = [], []
    for tag, at, first, last in tlv.parts(rdn, _SET):
        if tag != _SEQUENCE:
            raise tlv.DerError("an attribute that is not a sequence")
        pair = tlv.children(rdn, first, last)
        if len(pair) != 2 or pair[0][0] != _OID:
            raise tlv.DerError("an attribute that is not a type and a value")
        parts.append(_attribute(tlv.oid(rdn, pair[0]), rdn, pair[1]))
        encoded.append(rdn[at:last])
    if not parts:
        raise tlv.DerError("a part without attributes")
    is_ordered = len(encoded) < 2 or encoded == sorted(encoded)
    return _Rdn(tuple(parts), is_ordered, "+".join(map(str, parts)))


# One attribute of X.520 as a UTF8String or PrintableString of ASCII (X.690 section 8.1).
_SIMPLE_RDN = re.compile(rb"\x31.\x30.\x06\x03\x55\x04[\x03-\x7f][\x0c\x13].[\x20-\x7e]*", re.DOTALL)


@functools.lru_cache(maxsize=2048)
def _rdn_text(rdn: bytes) -> str:
    """Return a part as text, at once where it is one short attribute of the usual kind, as in nearly every name."""
    found = _SIMPLE_RDN.fullmatch(rdn)
    if found is not None and rdn[1] == len(rdn) - 2 and rdn[3] == len(rdn) - 4 and rdn[10] == len(rdn) - 11:
        name = _SHOWN_NAMES.get(f"2.5.4.{rdn[8]}")
        if name is not None:
            return f"{name}={_escaped(rdn[11:].decode())}"
    return _rdn(rdn).text


def _attribute(oid: str, data: bytes, node: tlv.Node) -> AttributeValue:
    tag, at, start, end = node
    value = data[start:end]
    raw = data[at:end]
    shown = _SHOWN_NAMES.get(oid, oid)
    if tag not in _STRINGS:
        tlv.require_value(data, node)
        is_identifier = oid == _UNIQUE_IDENTIFIER and tag == _BIT_STRING
        return AttributeValue(oid, None, raw, "" if is_identifier else f"{shown} is not a string")
    codec, kind = _STRINGS[tag]
    # No attribute is a VisibleString (RFC 5280 appendix A.1, DirectoryString).
    problem = f"{shown} is a {kind}" if tag == _VISIBLE else ""
    try:
        text = value.decode(codec)
    except UnicodeDecodeError:
        text = value.decode("latin-1")
        problem = f"{shown} holds bytes that are not in a {kind}"
    else:
        if not _fits(tag, text):
            problem = f"{shown} holds characters that are not in a {kind}"
    return AttributeValue(oid, text, raw, problem)


def _fits(tag: int, text: str) -> bool:
    if tag == _PRINTABLE:
        return _PRINTABLE_ONLY.fullmatch(text) is not None
    if tag == _NUMERIC:
        return _NUMERIC_ONLY.fullmatch(text) is not None
    # T61's own character sets are hardly ever what is meant, so beyond ASCII its text is a guess.
    return text.isascii() if tag == _T61 else True


def _escaped(text: str) -> str:
    """Escape a value by RFC 4514 section 2.4."""
    if text.isalnum():
        return text
    escaped = _MUST_ESCAPE.sub(lambda match: "\\00" if match[0] == "\0" else "\\" + match[0], text)
    if escaped[:1] in {" ", "#"}:
        escaped = "\\" + escaped
    if text.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


@functools.lru_cache(maxsize=2048)
def _prepared(text: str) -> str:
    """Prepare a string for comparison (RFC 4518 section 2): compatible characters, no case, single spaces."""
    if not text.isascii():
        import unicodedata

        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())
