"""Names: distinguished names (RFC 4514, X.520), alternative names, and how they are printed."""

from __future__ import annotations

import functools
import ipaddress
import re
import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.printable import printable
from certkit.x509 import attributes as types
from certkit.x509 import der, qualified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cryptography import x509

    from certkit.x509.directory_name import Name

SAN_TYPES = ("DNS", "IP", "email", "URI", "RID", "dirName", "otherName")

_DNS_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_SAN_FORM = re.compile(r"(DNS|IP|email|URI|RID|dirName|otherName|UPN):(.*)", re.IGNORECASE | re.DOTALL)
_UPN_OID = "1.3.6.1.4.1.311.20.2.3"
_UTF8_STRING = 0x0C


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOptions:
    """The requested contents of a CSR; absent parts are empty.

    The subject is either the named parts, written in the partner's order or the usual one (C, ST, L, O, OU, CN,
    emailAddress), or `subject`: `NAME=VALUE` for every attribute, in the order given. The rest is extensions.
    """

    organization: str = ""
    country: str = ""
    state: str = ""
    locality: str = ""
    units: tuple[str, ...] = ()
    common_name: str = ""
    email: str = ""
    san: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    key_usage: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    qc_type: tuple[str, ...] = ()
    psd2_role: tuple[str, ...] = ()
    psd2_authority: str = ""
    psd2_authority_id: str = ""

    def __post_init__(self) -> None:
        if self.subject and len(self.attributes()) != len(self.subject):
            hint = "give the whole subject with --subject NAME=VALUE, in the order wanted"
            raise InputError("--subject and options such as --organization exclude each other", hint=hint)
        for attribute in self.attributes():
            _require_text(attribute.value, f"{attribute.name} of the subject")
            if attribute.name in types.ASCII_ONLY and not attribute.value.isascii():
                hint = "write an international domain in its xn-- form"
                message = f"{attribute.name} of the subject: not ASCII (RFC 5280 appendix A.1, IA5String)"
                raise InputError(message, hint=hint)
        for what, given, known in (
            ("qualified type", self.qc_type, qualified.QC_TYPES),
            ("PSD2 role", self.psd2_role, qualified.PSD2_ROLES),
            ("key usage", self.key_usage, types.KEY_USAGES),
            ("extended key usage", self.extended_key_usage, types.EXTENDED_KEY_USAGES),
        ):
            for each in given:
                if each not in known and not (what == "extended key usage" and types.OID.fullmatch(each)):
                    raise InputError(f"unknown {what} {printable(each)!r}", hint=f"known: {', '.join(known)}")
        if not bool(self.psd2_role) == bool(self.psd2_authority) == bool(self.psd2_authority_id):
            hint = "give --psd2-role, --psd2-authority and --psd2-authority-id together"
            raise InputError("a PSD2 statement needs roles, the authority and its id", hint=hint)
        for text in (self.psd2_authority, self.psd2_authority_id):
            _require_text(text, "the PSD2 authority")

    def attributes(self, order: Sequence[str] = ()) -> tuple[Attribute, ...]:
        """The subject's attributes in the order in which they are written; `order` is the partner's, by short names."""
        pairs = [
            ("C", self.country),
            ("ST", self.state),
            ("L", self.locality),
            ("O", self.organization),
            *(("OU", unit) for unit in self.units),
            ("CN", self.common_name),
            ("emailAddress", self.email),
            *map(attribute_text, self.subject),
        ]
        if order and not self.subject:
            pairs.sort(key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))
        return tuple(Attribute(name, value) for name, value in pairs if value)


LISTS = frozenset(each.name for each in fields(SubjectOptions) if each.default == ())
"""The options that hold several values."""


def attribute_text(text: str) -> tuple[str, str]:
    """Return the short name and the value of an attribute written as `NAME=VALUE`.

    Raises:
        InputError: if the name is not known, or the value is empty.
    """
    name, _, value = text.partition("=")
    short = types.short_name(name.strip())
    if short is None:
        import difflib

        near = difflib.get_close_matches(name.strip(), types.NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else "give a name such as CN, or an object identifier"
        raise InputError(f"unknown subject attribute: {printable(text)!r}", hint=hint)
    if not value:
        raise InputError(
            f"the subject attribute {short} has no value", hint=f"give --subject {short}=VALUE, or leave it out"
        )
    return short, value


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a distinguished name: its short name (or dotted identifier) and its value."""

    name: str
    value: str


def distinguished_name(name: x509.Name) -> str:
    """Return a name as RFC 4514 text, most specific part first, safe to show."""
    from certkit.x509.directory_name import Name

    return Name(name.public_bytes()).text


def attributes(name: Name | x509.Name) -> tuple[Attribute, ...]:
    """Return the attributes of a name in encoding order; a value that is not text is `#` and its DER in hex."""
    from certkit.x509 import directory_name

    own = name if isinstance(name, directory_name.Name) else directory_name.Name(name.public_bytes())
    return tuple(
        Attribute(each.name, f"#{each.raw.hex()}" if each.text is None else each.text) for each in own.attributes
    )


def values(found: Iterable[Attribute], short_name: str) -> tuple[str, ...]:
    """All values of one attribute, by its short name."""
    return tuple(item.value for item in found if item.name == short_name)


def build_name(wanted: Iterable[Attribute]) -> x509.Name:
    """A distinguished name with one attribute in each part (RDN), in the given order.

    The country is a PrintableString, an e-mail address an IA5String, the rest UTF8String (RFC 5280 section 4.1.2.4).

    Raises:
        InputError: if a value cannot be encoded.
    """
    from cryptography import x509

    parts = []
    for attribute in wanted:
        oid = x509.ObjectIdentifier(types.oid(attribute.name))
        try:
            # The library warns of more than 64 bytes; X.520 counts characters, and the policy has judged them.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts.append(x509.NameAttribute(oid, attribute.value, _validate=False))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{attribute.name} cannot be encoded: {error}", hint="correct the value of that option"
            ) from error
    return x509.Name(parts)


def parse_san(text: str) -> x509.GeneralName:
    """An alternative name from its text form, `TYPE:value`, or a bare value whose type shows.

    The forms are `DNS:x`, `IP:x`, `email:x`, `URI:x`, `RID:1.2.3`, `dirName:CN=x,O=y`, `UPN:user@realm` and
    `otherName:1.2.3;UTF8:text`.

    Raises:
        InputError: if the value does not fit its type (RFC 5280 section 4.2.1.6).
    """
    _require_text(text, f"alternative name {text!r}")
    match = _SAN_FORM.fullmatch(text)
    kind, value = (match[1].lower(), match[2]) if match else (_guess_kind(text), text)
    try:
        return _SAN_PARSERS[kind](value)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"not an alternative name: {printable(text)!r}: {error}",
            hint="give, for example, DNS:client.example.com, IP:192.0.2.1, email:ops@example.com or URI:spiffe://x/y",
        ) from error


def serial_hex(serial: int) -> str:
    """A serial number as lower-case hex of even length; a negative one, which RFC 5280 forbids, with its sign."""
    digits = f"{abs(serial):x}"
    return ("-" if serial < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def is_dns_name(text: str) -> bool:
    """Return whether a text is a host name in ASCII; a wildcard may be the whole first label."""
    labels = text.removesuffix(".").split(".")
    if labels[0] == "*" and len(labels) > 1:
        labels = labels[1:]
    return len(text) <= 253 and all(_DNS_LABEL.fullmatch(label) for label in labels)


def has_control(value: str) -> bool:
    """Return whether a text contains control characters (C0, DEL or C1)."""
    return any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in value)


def _require_text(value: str, what: str) -> None:
    """Reject text that no certificate should contain: invalid UTF-8 and control characters."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{printable(what)}: not valid UTF-8", hint="check the terminal's encoding") from None
    if has_control(value):
        raise InputError(
            f"{printable(what)} holds a control character",
            hint="remove line ends, tabs and other control characters from the value",
        )


def _guess_kind(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        return "ip"
    if "://" in text:
        return "uri"
    return "email" if "@" in text else "dns"


def _dns(value: str) -> x509.GeneralName:
    from cryptography import x509

    if _guess_kind(value) == "ip":
        raise ValueError("an address: give IP:ADDRESS")
    if not is_dns_name(value):
        hint = "" if value.isascii() else " (write an international name in its xn-- form)"
        raise ValueError(f"not a host name{hint}")
    return x509.DNSName(value)


def _ip(value: str) -> x509.GeneralName:
    from cryptography import x509

    address = ipaddress.ip_address(value)
    if getattr(address, "scope_id", None):
        raise ValueError("an address with a zone is valid on one host only")
    return x509.IPAddress(address)


def _email(value: str) -> x509.GeneralName:
    from cryptography import x509

    local, _, host = value.rpartition("@")
    if not re.fullmatch(r"[!-?A-~]+", local) or not is_dns_name(host) or "*" in host:
        raise ValueError("not an e-mail address of the form user@host in ASCII")
    return x509.RFC822Name(value)


def _uri(value: str) -> x509.GeneralName:
    from cryptography import x509

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", value):
        raise ValueError("not an absolute URI in ASCII")
    return x509.UniformResourceIdentifier(value)


def _registered_id(value: str) -> x509.GeneralName:
    from cryptography import x509

    return x509.RegisteredID(_oid(value))


def _directory_name(value: str) -> x509.GeneralName:
    from cryptography import x509

    if not value.strip():
        raise ValueError("the name is empty")
    names = {"emailAddress": x509.ObjectIdentifier(types.OIDS["emailAddress"])}
    return x509.DirectoryName(x509.Name.from_rfc4514_string(value, names))


def _other_name(value: str) -> x509.GeneralName:
    oid, _, rest = value.partition(";")
    kind, _, text = rest.partition(":")
    if kind.upper() not in {"UTF8", "UTF8STRING"} or not text:
        raise ValueError("give otherName:OID;UTF8:text")
    return _utf8_other_name(oid, text)


def _utf8_other_name(oid: str, text: str) -> x509.GeneralName:
    from cryptography import x509

    if not text:
        raise ValueError("the value is empty")
    return x509.OtherName(_oid(oid), der.encode(_UTF8_STRING, text.encode("utf-8")))


def _oid(text: str) -> x509.ObjectIdentifier:
    from cryptography import x509

    if not types.OID.fullmatch(text):
        raise ValueError("not an object identifier")
    return x509.ObjectIdentifier(text)


_SAN_PARSERS: dict[str, Callable[[str], x509.GeneralName]] = {
    "dns": _dns,
    "ip": _ip,
    "email": _email,
    "uri": _uri,
    "rid": _registered_id,
    "dirname": _directory_name,
    "othername": _other_name,
    "upn": functools.partial(_utf8_other_name, _UPN_OID),
}
