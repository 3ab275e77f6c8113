"""Qualified-certificate statements (RFC 3739, ETSI EN 319 412-5) and those of PSD2 (ETSI TS 119 495), as DER."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from certkit.printable import printable
from certkit.x509 import der

# What a qualified certificate is for (ETSI EN 319 412-5 section 4.2.3).
QC_TYPES = {"esign": "0.4.0.1862.1.6.1", "eseal": "0.4.0.1862.1.6.2", "web": "0.4.0.1862.1.6.3"}
# Roles of payment service providers (ETSI TS 119 495 section 5.1).
PSD2_ROLES = {
    "PSP_AS": "0.4.0.19495.1.1",
    "PSP_PI": "0.4.0.19495.1.2",
    "PSP_AI": "0.4.0.19495.1.3",
    "PSP_IC": "0.4.0.19495.1.4",
}

_QC_TYPE = "0.4.0.1862.1.6"
_PSD2 = "0.4.0.19495.2"
_OID_TAG = 0x06
_UTF8_TAG = 0x0C


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements that certkit knows: types by name, the PSD2 roles, and the competent authority."""

    types: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    authority: str = ""
    authority_id: str = ""

    def encode(self) -> bytes:
        """Return the extension's value: the type, then the PSD2 statement."""
        found = b""
        if self.types:
            listed = b"".join(_oid(QC_TYPES[each]) for each in self.types)
            found += der.sequence(_oid(_QC_TYPE), der.sequence(listed))
        if self.roles:
            listed = b"".join(der.sequence(_oid(PSD2_ROLES[each]), _text(each)) for each in self.roles)
            statement = der.sequence(der.sequence(listed), _text(self.authority), _text(self.authority_id))
            found += der.sequence(_oid(_PSD2), statement)
        return der.sequence(found)

    @property
    def text(self) -> str:
        """The kind of qualified certificate and the roles of its owner, in words."""
        kinds = {"web": "for websites (QWAC)", "eseal": "for seals (QSEAL)", "esign": "for signatures"}
        parts = [f"qualified {kinds.get(each, each)}" for each in self.types]
        if self.roles:
            parts.append(f"PSD2 roles {', '.join(self.roles)} by {self.authority} ({self.authority_id})")
        return "; ".join(parts)


def facts(identifiers: tuple[str, ...], statements: bytes | None) -> dict[str, Any]:
    """Return organizationIdentifier, type and PSD2 roles as JSON-ready facts, without those that are absent.

    Raises:
        ValueError: if the statements cannot be read.
    """
    found = parse(statements) if statements is not None else Statements()
    listed = {
        "organization_identifier": printable(", ".join(identifiers)),
        "qualified_types": list(found.types),
        "psd2_roles": list(found.roles),
        "psd2_authority": printable(found.authority),
        "psd2_authority_id": printable(found.authority_id),
    }
    return {name: value for name, value in listed.items() if value}


def parse(value: bytes) -> Statements:
    """Return the statements in an extension's value; those of other kinds are skipped.

    Raises:
        ValueError: if the value is not such a list.
    """
    [outer] = _parts(value, exactly=1)
    types: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    authority, authority_id = "", ""
    for statement in _parts(outer):
        identifier, *info = _parts(statement)
        oid = der.object_identifier(identifier)
        if oid == _QC_TYPE:
            names = {known: name for name, known in QC_TYPES.items()}
            found = [der.object_identifier(each) for each in _parts(info[0])]
            types = tuple(names.get(each, each) for each in found)
        elif oid == _PSD2:
            listed, name, number = _parts(info[0], exactly=3)
            known_roles = {known: name for name, known in PSD2_ROLES.items()}
            found = [der.object_identifier(_parts(each, exactly=2)[0]) for each in _parts(listed)]
            roles = tuple(known_roles.get(each, each) for each in found)
            authority, authority_id = name.decode("utf-8"), number.decode("utf-8")
    return Statements(types, roles, authority, authority_id)


def _parts(value: bytes, *, exactly: int = 0) -> list[bytes]:
    """The values of the elements side by side; of an OID or text its content, of a sequence what is in it."""
    found = [value[start:end] for _, _, start, end in der.elements(value)]
    if not found or (exactly and len(found) != exactly):
        raise ValueError("not a list of statements")
    return found


def _text(value: str) -> bytes:
    return der.encode(_UTF8_TAG, value.encode("utf-8"))


def _oid(dotted: str) -> bytes:
    first, second, *arcs = map(int, dotted.split("."))
    content = b""
    for arc in (40 * first + second, *arcs):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.insert(0, 0x80 | arc & 0x7F)
        content += bytes(octets)
    return der.encode(_OID_TAG, content)
