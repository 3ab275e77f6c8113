"""The values of general names (RFC 5280 section 4.2.1.6), each read by itself, so that a bad one spoils no other."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass

from certkit.printable import printable
from certkit.x509 import der as tlv
from certkit.x509.directory_name import Name

KINDS = ("otherName", "email", "DNS", "x400Address", "dirName", "ediPartyName", "URI", "IP", "RID")

_CONTEXT, _CONSTRUCTED = 0x80, 0x20
_UTF8_STRING = 0x0C
# otherName, x400Address, directoryName and ediPartyName hold other elements.
_CONSTRUCTED_KINDS = {0, 3, 4, 5}


@dataclass(frozen=True, slots=True)
class GeneralName:
    """One general name: its kind (one of `KINDS`), its value as text, and its bytes without tag and length.

    `problem` says which rule the value breaks; the value is then shown as far as it can be read.
    """

    kind: str
    value: str
    raw: bytes
    problem: str = ""

    def __str__(self) -> str:
        """The name as `TYPE:value`, safe to show."""
        return printable(f"{self.kind}:{self.value}")

    @property
    def name(self) -> Name:
        """The distinguished name of a `dirName`."""
        return Name(self.raw)


def read_all(data: bytes, start: int, end: int) -> tuple[GeneralName, ...]:
    """Read consecutive general names.

    Raises:
        DerError: if the bytes cannot be split into elements.
    """
    return tuple(read(data, node) for node in tlv.children(data, start, end))


def read(data: bytes, node: tlv.Node, *, is_constraint: bool = False) -> GeneralName:
    """Read one general name; the base of a name constraint has an address with its mask (section 4.2.1.10)."""
    tag, _, start, end = node
    raw = data[start:end]
    number = tag & ~(_CONTEXT | _CONSTRUCTED)
    is_constructed = bool(tag & _CONSTRUCTED)
    if tag & 0xC0 != _CONTEXT or number >= len(KINDS):
        return GeneralName("unknown", f"#{raw.hex()}", raw, f"tag {tag:#04x} is not a kind of general name")
    kind = KINDS[number]
    if is_constructed is not (number in _CONSTRUCTED_KINDS):
        return GeneralName(kind, f"#{raw.hex()}", raw, f"{kind} with the wrong tag {tag:#04x}")
    if kind in {"email", "DNS", "URI"}:
        return _ascii(kind, raw)
    try:
        if kind == "IP":
            return _network(raw) if is_constraint else GeneralName(kind, str(ipaddress.ip_address(raw)), raw)
        if kind == "RID":
            return GeneralName(kind, tlv.oid(data, node), raw)
        if kind == "dirName":
            name = Name(raw)
            return GeneralName(kind, name.text, raw, "; ".join(each.message for each in name.problems))
        if kind == "otherName":
            return GeneralName(kind, _other_name(raw), raw)
        _require_parts(kind, raw)
    except (tlv.DerError, ValueError) as error:
        reason = f"an IP address of {len(raw)} bytes" if kind == "IP" else str(error)
        return GeneralName(kind, f"#{raw.hex()}", raw, reason)
    return GeneralName(kind, f"#{raw.hex()}", raw)


def _require_parts(kind: str, raw: bytes) -> None:
    """Require that an x400Address or ediPartyName, which is never compared, has the parts that it must have.

    Raises:
        DerError: if it is not in DER, or an ediPartyName has no party.
    """
    parts = tlv.children(raw, 0, len(raw))
    for each in parts:
        tlv.require_value(raw, each)
    if kind == "ediPartyName" and [each[0] for each in parts] not in ([0xA1], [0xA0, 0xA1]):
        raise tlv.DerError("an ediPartyName without a party")


def _ascii(kind: str, raw: bytes) -> GeneralName:
    text = raw.decode("latin-1")
    if not raw.isascii():
        return GeneralName(kind, text, raw, f"{kind} name with characters that are not in ASCII (IA5String)")
    if "\0" in text:
        return GeneralName(kind, text, raw, f"{kind} name with a NUL")
    return GeneralName(kind, text, raw)


def _network(raw: bytes) -> GeneralName:
    if len(raw) not in {8, 32}:
        raise ValueError
    half = len(raw) // 2
    address, mask = ipaddress.ip_address(raw[:half]), int.from_bytes(raw[half:])
    width = half * 8
    length = mask.bit_count()
    if mask != (1 << width) - (1 << width - length):
        return GeneralName("IP", f"{address}/{ipaddress.ip_address(raw[half:])}", raw, "a mask that is not a prefix")
    text = f"{address}/{length}"
    has_host_bits = int(address) & ~mask & ((1 << width) - 1)
    problem = f"{text} has bits set beyond its prefix" if has_host_bits else ""
    return GeneralName("IP", text, raw, problem)


@functools.lru_cache(maxsize=256)
def _other_name(raw: bytes) -> str:
    """Return `OID;UTF8:text` where the value is a UTF8String, `OID;#hex` otherwise."""
    kind, *rest = tlv.children(raw, 0, len(raw)) or [(0, 0, 0, 0)]
    if len(rest) != 1 or rest[0][0] != (_CONTEXT | _CONSTRUCTED):
        raise tlv.DerError("an otherName that is not a type and a value")
    value = rest[0]
    inner = raw[value[2] : value[3]]
    tag, _, start, end = held = tlv.read(inner, 0, len(inner))
    if end != len(inner):
        raise tlv.DerError("an otherName with more than one value")
    tlv.require_value(inner, held)
    shown = f"#{inner.hex()}"
    if tag == _UTF8_STRING:
        shown = "UTF8:" + inner[start:end].decode("utf-8")
    return f"{tlv.oid(raw, kind)};{shown}"
