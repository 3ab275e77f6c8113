"""The extensions of certificates, CSRs, CRLs and OCSP answers (RFC 5280 sections 4.2 and 5.2), each read by itself.

An extension that cannot be read is `Unreadable`, with the reason, and does not affect the others.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from certkit.printable import decimal
from certkit.x509 import der as tlv
from certkit.x509 import general_names, oids
from certkit.x509.attributes import EXTENDED_KEY_USAGES, KEY_USAGES
from certkit.x509.deviations import Deviation, deviation
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.x509.general_names import GeneralName

    Reader = Callable[[bytes], "Read"]

REASONS = (
    "unused",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
)
# Short names of extended key usages, and, as OpenSSL prints them, of others in use.
PURPOSES = {
    **{oid: name for name, oid in EXTENDED_KEY_USAGES.items()},
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.4.1.311.20.2.2": "smartcardLogon",
    "1.3.6.1.5.2.3.4": "pkinitClient",
    "1.3.6.1.5.2.3.5": "pkinitKDC",
    "1.3.6.1.5.5.7.3.17": "ipsecIKE",
}

# Which deviation a problem of a value is; "extension-value" of all others.
DEVIATIONS = {
    oids.BASIC_CONSTRAINTS: "path-length",
    oids.SUBJECT_ALT_NAME: "general-name",
    oids.ISSUER_ALT_NAME: "general-name",
    oids.NAME_CONSTRAINTS: "address-bits",
}

_BOOLEAN, _INTEGER, _BIT_STRING, _OCTET_STRING, _NULL, _OID, _ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A
_SEQUENCE = 0x30
# id-qt-cps and id-qt-unotice (section 4.2.1.4) with the tags of their values; the texts that a notice may be.
_NOTICE = "1.3.6.1.5.5.7.2.2"
_QUALIFIERS = {"1.3.6.1.5.5.7.2.1": 0x16, _NOTICE: _SEQUENCE}
_NOTICE_TEXTS = frozenset({0x0C, 0x16, 0x1A, 0x1E})


class Extension(NamedTuple):
    """One extension: its value, `Unreadable`, or None where certkit does not know the kind.

    `raw` is the content of its OCTET STRING.
    """

    oid: str
    critical: bool
    raw: bytes
    value: Any


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """Basic constraints: whether a certificate is a CA's, and how many intermediates may follow (section 4.2.1.9)."""

    ca: bool
    path_length: int | None


@dataclass(frozen=True, slots=True)
class Subtree:
    """One tree of names below a CA (section 4.2.1.10)."""

    base: GeneralName
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """The names that a CA may and may not give; None where the list is absent."""

    permitted: tuple[Subtree, ...] | None
    excluded: tuple[Subtree, ...] | None


@dataclass(frozen=True, slots=True)
class PolicyInformation:
    """One certificate policy, with its qualifiers as pairs of an identifier and DER (section 4.2.1.4)."""

    oid: str
    qualifiers: tuple[tuple[str, bytes], ...] = ()

    @property
    def has_readable_qualifiers(self) -> bool:
        """Whether every qualifier is an address of practices (CPSuri) or a notice for users."""
        try:
            for oid, raw in self.qualifiers:
                start, end = tlv.only(raw, _QUALIFIERS[oid])
                if oid == _NOTICE:
                    tags = [node[0] for node in tlv.children(raw, start, end)]
                    if tags and not (set(tags) - {_SEQUENCE} <= _NOTICE_TEXTS and tags[1:] in ([], tags[-1:])):
                        return False
                elif not raw[start:end].isascii():
                    return False
        except (KeyError, tlv.DerError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class PolicyConstraints:
    """After how many certificates a policy is required, and mapping ends (section 4.2.1.11)."""

    require_explicit_policy: int | None
    inhibit_policy_mapping: int | None


@dataclass(frozen=True, slots=True)
class AuthorityKeyIdentifier:
    """The issuer's key that signed (section 4.2.1.1)."""

    key_identifier: bytes | None
    issuer: tuple[GeneralName, ...] | None
    serial: int | None


@dataclass(frozen=True, slots=True)
class DistributionPoint:
    """A place from which a CRL can be fetched (section 4.2.1.13); `relative_name` is an RDN as a SET in DER."""

    full_name: tuple[GeneralName, ...] | None
    relative_name: bytes | None
    reasons: frozenset[str] | None
    crl_issuer: tuple[GeneralName, ...] | None


@dataclass(frozen=True, slots=True)
class IssuingDistributionPoint:
    """The scope of a CRL (section 5.2.5)."""

    full_name: tuple[GeneralName, ...] | None
    relative_name: bytes | None
    only_user_certificates: bool
    only_ca_certificates: bool
    only_some_reasons: frozenset[str] | None
    indirect: bool
    only_attribute_certificates: bool


@dataclass(frozen=True, slots=True)
class AccessDescription:
    """One way to the issuer's certificate or to OCSP (section 4.2.2.1)."""

    method: str
    location: GeneralName


def read(der: bytes) -> tuple[Extension, tuple[Deviation, ...]]:
    """Read one extension from its bytes, and the rules that it breaks although it can be read.

    Short ones recur in the certificates of a CA, so they are cached.

    Raises:
        DerError: if the bytes are no extension.
    """
    return _read_short(der) if len(der) <= _SHORT else _read(der)


def _read(der: bytes) -> tuple[Extension, tuple[Deviation, ...]]:
    parts = tlv.children(der, *tlv.read(der, 0, len(der))[2:])
    tags = [der[0], *(part[0] for part in parts)]
    if tags not in ([_SEQUENCE, _OID, _OCTET_STRING], [_SEQUENCE, _OID, _BOOLEAN, _OCTET_STRING]):
        raise tlv.DerError("an extension that is not an identifier, a flag and a value")
    oid, raw = tlv.oid(der, parts[0]), der[parts[-1][2] : parts[-1][3]]
    critical = len(parts) == 3 and tlv.boolean(der, parts[1])
    wrong = []
    if len(parts) == 3 and not critical:
        wrong.append(deviation("default-encoded", f"critical FALSE of extension {oid}"))
    try:
        value, problems = _READERS[oid](raw) if oid in _READERS else (None, ())
    except (tlv.DerError, ValueError) as error:
        value, problems = Unreadable(str(error)), ()
        wrong.append(deviation("extension-unreadable", f"{oid}: {error}"))
    for problem in problems:
        kind = "default-encoded" if "X.690 section 11.5" in problem else DEVIATIONS.get(oid, "extension-value")
        wrong.append(deviation(kind, problem))
    return Extension(oid, critical, raw, value), tuple(wrong)


_SHORT = 128
_read_short = functools.lru_cache(maxsize=1024)(_read)

# A value, and the rules that it breaks.
Read = tuple[Any, tuple[str, ...]]


def _sequence(raw: bytes, *, may_be_empty: bool = False) -> list[tlv.Node]:
    found = tlv.parts(raw, _SEQUENCE)
    if not found and not may_be_empty:
        raise tlv.DerError("an empty sequence")
    return found


def _inside(raw: bytes, node: tlv.Node, tag: int = _SEQUENCE) -> list[tlv.Node]:
    _expect(node, tag)
    return tlv.children(raw, node[2], node[3])


def _expect(node: tlv.Node, tag: int) -> tlv.Node:
    if node[0] != tag:
        raise tlv.DerError(f"tag {node[0]:#04x} where {tag:#04x} belongs")
    return node


def _whole(raw: bytes, tag: int) -> tlv.Node:
    start, end = tlv.only(raw, tag)
    return tag, 0, start, end


def _natural(raw: bytes, node: tlv.Node) -> int:
    number = tlv.integer(raw, node)
    if number < 0:
        raise tlv.DerError("a negative number")
    return number


def _fields(nodes: list[tlv.Node], tags: tuple[int, ...]) -> dict[int, tlv.Node]:
    """Identify optional elements by their tags, each of which may occur once, in this order."""
    found: dict[int, tlv.Node] = {}
    rest = list(tags)
    for node in nodes:
        if node[0] not in rest:
            raise tlv.DerError(f"an unexpected element with tag {node[0]:#04x}")
        del rest[: rest.index(node[0]) + 1]
        found[node[0]] = node
    return found


def _names(raw: bytes, node: tlv.Node | None) -> tuple[GeneralName, ...] | None:
    return None if node is None else general_names.read_all(raw, node[2], node[3])


def _true(raw: bytes, node: tlv.Node | None) -> bool:
    if node is None:
        return False
    if not tlv.boolean(raw, node):
        raise tlv.DerError("a default value is written out (X.690 section 11.5)")
    return True


def _basic_constraints(raw: bytes) -> Read:
    fields = _fields(_sequence(raw, may_be_empty=True), (_BOOLEAN, _INTEGER))
    problems: tuple[str, ...] = ()
    ca = False
    if _BOOLEAN in fields:
        ca = tlv.boolean(raw, fields[_BOOLEAN])
        if not ca:
            problems = ("cA FALSE is written out, the default (X.690 section 11.5)",)
    length = _natural(raw, fields[_INTEGER]) if _INTEGER in fields else None
    if length is not None and not ca:
        problems += (f"pathLenConstraint {decimal(length)}",)
    return BasicConstraints(ca, length), problems


def _flags(raw: bytes, node: tlv.Node, names: tuple[str, ...]) -> frozenset[str]:
    value, _ = tlv.bits(raw, node)
    number = int.from_bytes(value)
    width = len(value) * 8
    return frozenset(name for at, name in enumerate(names) if at < width and number >> (width - 1 - at) & 1)


def _key_usage(raw: bytes) -> Read:
    node = _whole(raw, _BIT_STRING)
    value, unused = tlv.bits(raw, node)
    problems = []
    if not any(value):
        problems.append("no key usage is set")
    elif not value[-1] >> unused & 1:
        problems.append("trailing zero bits in key usage (X.690 section 11.2.2)")
    return _flags(raw, node, KEY_USAGES), tuple(problems)


def _extended_key_usage(raw: bytes) -> Read:
    return tuple(tlv.oid(raw, _expect(node, _OID)) for node in _sequence(raw)), ()


def _alternative_names(raw: bytes) -> Read:
    start, end = tlv.only(raw, _SEQUENCE)
    found = general_names.read_all(raw, start, end)
    problems = tuple(f"{each}: {each.problem}" for each in found if each.problem)
    return found, problems if found else ("it holds no name",)


def _subtrees(raw: bytes, node: tlv.Node | None, problems: list[str]) -> tuple[Subtree, ...] | None:
    if node is None:
        return None
    found = []
    for tree in tlv.children(raw, node[2], node[3]):
        base, *rest = _inside(raw, tree) or [(0, 0, 0, 0)]
        fields = _fields(rest, (0x80, 0x81))
        minimum = _natural(raw, fields[0x80]) if 0x80 in fields else 0
        maximum = _natural(raw, fields[0x81]) if 0x81 in fields else None
        if 0x80 in fields and minimum == 0:
            problems.append("a minimum of 0 is written out, the default (X.690 section 11.5)")
        found.append(Subtree(general_names.read(raw, base, is_constraint=True), minimum, maximum))
    if not found:
        raise tlv.DerError("an empty list of trees")
    return tuple(found)


def _name_constraints(raw: bytes) -> Read:
    fields = _fields(_sequence(raw), (0xA0, 0xA1))
    problems: list[str] = []
    value = NameConstraints(*(_subtrees(raw, fields.get(tag), problems) for tag in (0xA0, 0xA1)))
    trees = (value.permitted or ()) + (value.excluded or ())
    problems += [f"{each.base}: {each.base.problem}" for each in trees if each.base.problem]
    return value, tuple(dict.fromkeys(problems))


def _policies(raw: bytes) -> Read:
    found = []
    problems = []
    for node in _sequence(raw):
        parts = _inside(raw, node)
        if not 1 <= len(parts) <= 2:
            raise tlv.DerError("a policy that is not an identifier and its qualifiers")
        qualifiers: list[tuple[str, bytes]] = []
        for pair in _inside(raw, parts[1]) if len(parts) == 2 else ():
            kind, *value = _inside(raw, pair) or [(0, 0, 0, 0)]
            end = value[-1][3] if value else kind[3]
            qualifiers.append((tlv.oid(raw, _expect(kind, _OID)), raw[kind[3] : end]))
        if len(parts) == 2 and not qualifiers:
            problems.append("a policy has an empty list of qualifiers")
        found.append(PolicyInformation(tlv.oid(raw, _expect(parts[0], _OID)), tuple(qualifiers)))
    if len({each.oid for each in found}) < len(found):
        problems.append("a policy is listed twice")
    return tuple(found), tuple(problems)


def _policy_mappings(raw: bytes) -> Read:
    found = []
    for node in _sequence(raw):
        pair = _inside(raw, node)
        if len(pair) != 2:
            raise tlv.DerError("a policy mapping that is not a pair")
        found.append((tlv.oid(raw, _expect(pair[0], _OID)), tlv.oid(raw, _expect(pair[1], _OID))))
    return tuple(found), ()


def _policy_constraints(raw: bytes) -> Read:
    fields = _fields(_sequence(raw), (0x80, 0x81))
    first, second = (_natural(raw, fields[tag]) if tag in fields else None for tag in (0x80, 0x81))
    return PolicyConstraints(first, second), ()


def _number(raw: bytes) -> Read:
    return _natural(raw, _whole(raw, _INTEGER)), ()


def _octets(raw: bytes) -> Read:
    start, end = tlv.only(raw, _OCTET_STRING)
    return raw[start:end], ()


def _authority_key_identifier(raw: bytes) -> Read:
    fields = _fields(_sequence(raw, may_be_empty=True), (0x80, 0xA1, 0x82))
    identifier = fields.get(0x80)
    value = AuthorityKeyIdentifier(
        None if identifier is None else raw[identifier[2] : identifier[3]],
        _names(raw, fields.get(0xA1)),
        tlv.integer(raw, fields[0x82]) if 0x82 in fields else None,
    )
    is_half = (value.issuer is None) is not (value.serial is None)
    return value, ("issuer and serial number belong together",) if is_half else ()


def _point_name(raw: bytes, node: tlv.Node | None) -> tuple[tuple[GeneralName, ...] | None, bytes | None]:
    if node is None:
        return None, None
    inner = tlv.children(raw, node[2], node[3])
    if len(inner) != 1 or inner[0][0] not in {0xA0, 0xA1}:
        raise tlv.DerError("a distribution point's name that is neither full nor relative")
    if inner[0][0] == 0xA0:
        return _names(raw, inner[0]), None
    return None, tlv.encode(0x31, raw[inner[0][2] : inner[0][3]])


def _distribution_points(raw: bytes) -> Read:
    found = []
    for node in _sequence(raw):
        fields = _fields(_inside(raw, node), (0xA0, 0x81, 0xA2))
        full, relative = _point_name(raw, fields.get(0xA0))
        reasons = _flags(raw, fields[0x81], REASONS) if 0x81 in fields else None
        issuers = _names(raw, fields.get(0xA2))
        if not full and relative is None and not issuers:
            raise tlv.DerError("a distribution point without a name (RFC 5280 section 4.2.1.13)")
        found.append(DistributionPoint(full, relative, reasons, issuers))
    return tuple(found), ()


def _issuing_distribution_point(raw: bytes) -> Read:
    fields = _fields(_sequence(raw, may_be_empty=True), (0xA0, 0x81, 0x82, 0x83, 0x84, 0x85))
    full, relative = _point_name(raw, fields.get(0xA0))
    flags = {tag: _true(raw, fields.get(tag)) for tag in (0x81, 0x82, 0x84, 0x85)}
    reasons = _flags(raw, fields[0x83], REASONS) if 0x83 in fields else None
    return IssuingDistributionPoint(full, relative, flags[0x81], flags[0x82], reasons, flags[0x84], flags[0x85]), ()


def _access(raw: bytes) -> Read:
    found = []
    for node in _sequence(raw):
        pair = _inside(raw, node)
        if len(pair) != 2:
            raise tlv.DerError("an access description that is not a pair")
        found.append(AccessDescription(tlv.oid(raw, _expect(pair[0], _OID)), general_names.read(raw, pair[1])))
    return tuple(found), ()


def _tls_features(raw: bytes) -> Read:
    return tuple(_natural(raw, _expect(node, _INTEGER)) for node in _sequence(raw, may_be_empty=True)), ()


def _qc_statements(raw: bytes) -> Read:
    found = []
    for node in _sequence(raw, may_be_empty=True):
        kind, *rest = _inside(raw, node) or [(0, 0, 0, 0)]
        found.append((tlv.oid(raw, _expect(kind, _OID)), raw[kind[3] : node[3]] if rest else None))
    return tuple(found), ()


def _reason_code(raw: bytes) -> Read:
    return _natural(raw, _whole(raw, _ENUMERATED)), ()


def _null(raw: bytes) -> Read:
    start, end = tlv.only(raw, _NULL)
    if start != end:
        raise tlv.DerError("a NULL with a value")
    return True, ()


_READERS: dict[str, Reader] = {
    oids.BASIC_CONSTRAINTS: _basic_constraints,
    oids.KEY_USAGE: _key_usage,
    oids.EXTENDED_KEY_USAGE: _extended_key_usage,
    oids.SUBJECT_ALT_NAME: _alternative_names,
    oids.ISSUER_ALT_NAME: _alternative_names,
    oids.CERTIFICATE_ISSUER: _alternative_names,
    oids.NAME_CONSTRAINTS: _name_constraints,
    oids.CERTIFICATE_POLICIES: _policies,
    oids.POLICY_MAPPINGS: _policy_mappings,
    oids.POLICY_CONSTRAINTS: _policy_constraints,
    oids.CRL_NUMBER: _number,
    oids.DELTA_CRL_INDICATOR: _number,
    oids.INHIBIT_ANY_POLICY: _number,
    oids.SUBJECT_KEY_IDENTIFIER: _octets,
    oids.AUTHORITY_KEY_IDENTIFIER: _authority_key_identifier,
    oids.CRL_DISTRIBUTION_POINTS: _distribution_points,
    oids.ISSUING_DISTRIBUTION_POINT: _issuing_distribution_point,
    oids.AUTHORITY_INFORMATION_ACCESS: _access,
    oids.TLS_FEATURES: _tls_features,
    oids.QC_STATEMENTS: _qc_statements,
    oids.REASON_CODE: _reason_code,
    oids.OCSP_NO_CHECK: _null,
}
