"""Name constraints along a path (RFC 5280 section 4.2.1.10): whether a CA may issue for the names below it.

Everything fails closed. A permitted tree that is malformed permits nothing, an excluded one excludes every name of its
type, and a name that is malformed, or was read leniently, is refused wherever its type is constrained. An empty tree
means every name, for e-mail and URI as for DNS. A leading dot means only what is below.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.x509 import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from certkit.x509.extensions import NameConstraints, Subtree
    from certkit.x509.general_names import GeneralName

# SmtpUTF8Mailbox (RFC 9598): an e-mail address in an otherName, for which e-mail constraints hold.
_SMTP_UTF8 = bytes.fromhex("06082b06010505070809")

# So many comparisons of a name with a tree are made for one verdict; more are an attack.
MAX_COMPARISONS = 1 << 20

_EMAIL = re.compile(r"([!#-'*+\-./0-9=?A-Z^-~]+)@([^@]+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?#\\]*@)?([^@/?#\\:\[\]]+)(?::\d*)?(?:[/?#].*)?", re.DOTALL)


class TooManyError(Exception):
    """There are more names and constraints than anybody needs."""


@dataclass(slots=True)
class Comparisons:
    """How many comparisons of names with trees may still be made."""

    left: int = MAX_COMPARISONS

    def spend(self, count: int) -> None:
        """Count comparisons.

        Raises:
            TooManyError: if too many are needed.
        """
        self.left -= count
        if self.left < 0:
            raise TooManyError


@dataclass(frozen=True, slots=True)
class Parsed:
    """A name in the form in which it is compared; `value` None if it is malformed or was read leniently."""

    kind: str
    value: Any
    shown: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a CA permits and excludes, by the kind of name and parsed; None for a malformed tree."""

    permitted: dict[str, list[Any]] = field(default_factory=dict)
    excluded: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, constraints: NameConstraints) -> Limits:
        """Parse the trees of the extension."""
        limits = cls()
        for found, trees in ((limits.permitted, constraints.permitted), (limits.excluded, constraints.excluded)):
            for each in trees or ():
                found.setdefault(each.base.kind, []).append(_tree(each))
        return limits


def parsed(name: GeneralName) -> Parsed:
    """Return a name as constraints see it."""
    kind = "email" if name.kind == "otherName" and name.raw.startswith(_SMTP_UTF8) else name.kind
    parse = None if name.problem else _PARSERS.get(name.kind)
    if kind != name.kind:
        parse = _smtp_utf8
    return Parsed(kind, parse(name) if parse else None, str(name))


def violation(found: Iterable[Parsed], limits: Limits, budget: Comparisons, *, common_name: str = "") -> str | None:
    """Return the first name that limits do not allow, as people write it; None if they allow all of them.

    `common_name` is the only one of a certificate without alternative names. If it is a host name, excluded trees hold
    for it, and permitted ones do not.

    Raises:
        TooManyError: if the budget is spent.
    """
    for name in found:
        permitted, excluded = limits.permitted.get(name.kind, ()), limits.excluded.get(name.kind, ())
        if name.kind == "unknown" or "unknown" in limits.permitted or "unknown" in limits.excluded:
            return name.shown
        if not permitted and not excluded:
            continue
        if name.value is None:
            return name.shown
        budget.spend(len(permitted) + len(excluded))
        within, touches = _RULES[name.kind]
        if any(tree is None or touches(name.value, tree) for tree in excluded):
            return name.shown
        if permitted and not any(tree is not None and within(name.value, tree) for tree in permitted):
            return name.shown
    excluded = limits.excluded.get("DNS", ()) if "." in common_name else ()
    host = _host(common_name.removesuffix(".")) if excluded else None
    if host is not None:
        budget.spend(len(excluded))
        if any(tree is None or _dns_touches(host, tree) for tree in excluded):
            return f"CN={common_name}"
    return None


def lenient_readings(constraints: NameConstraints) -> list[str]:
    """Return what is read leniently in the extension, in words (section 4.2.1.10)."""
    bases = [each.base for each in (*(constraints.permitted or ()), *(constraints.excluded or ()))]
    dots = [f"a DNS name constraint with a leading dot ({each})" for each in bases if _has_dot(each)]
    return (
        dots[:1]
        + [f"an IP constraint where {each.problem}" for each in bases if each.kind == "IP" and each.problem][:1]
    )


def _has_dot(base: GeneralName) -> bool:
    return base.kind == "DNS" and base.raw.startswith(b".")


def _tree(tree: Subtree) -> Any:
    """Parse a tree; None if it is malformed, or has bounds, which RFC 5280 forbids."""
    base = tree.base
    if tree.minimum != 0 or tree.maximum is not None:
        return None
    if base.kind == "IP":
        return _network(base.raw) if not base.value.startswith("#") else None
    if base.problem:
        return None
    if base.kind == "email" and "@" in base.value:
        return _email(base)
    if base.kind in {"email", "DNS", "URI"}:
        text = base.value.lower()
        host = _host(text.removeprefix("."))
        if text == "":
            return ""
        if host is None or "*" in host or (base.kind == "URI" and _is_number(host)):
            return None
        return f".{host}" if text.startswith(".") else host
    return base.name.rdn_keys if base.kind == "dirName" else base.raw


def _host(text: str) -> str | None:
    """A host name as it is compared; None if it is malformed, or ends with a dot (RFC 1034 section 3.5)."""
    return text.lower() if names.is_dns_name(text) and not text.endswith(".") else None


def _dns(name: GeneralName) -> str | None:
    return _host(name.value)


def _dns_within(name: str, tree: str) -> bool:
    """A host is within a name and all below it; a wildcard, if everything that it stands for is."""
    if tree.startswith("."):
        return name.endswith(tree)
    host = name.removeprefix("*.")
    return not tree or host == tree or host.endswith("." + tree)


def _dns_touches(name: str, tree: str) -> bool:
    """A wildcard touches a tree as well if it may stand for the name at the top of it."""
    return _dns_within(name, tree) or (name.startswith("*.") and tree.partition(".")[2] == name[2:])


def _email(name: GeneralName) -> tuple[str, str] | None:
    """A mailbox: the local part as it stands, and the host without case (RFC 5280 section 7.5)."""
    match = _EMAIL.fullmatch(name.value)
    host = _host(match[2]) if match else None
    return (match[1], host) if match and host is not None and "*" not in host else None


def _smtp_utf8(name: GeneralName) -> tuple[str, str] | None:
    """A mailbox in UTF-8, whose host is compared in its ASCII form (RFC 9598 section 5)."""
    local, _, host = name.value.partition(";UTF8:")[2].rpartition("@")
    try:
        ascii_host = _host(host if host.isascii() else host.encode("idna").decode("ascii"))
    except UnicodeError:
        return None
    return (local, ascii_host) if local and "@" not in local and ascii_host is not None else None


def _email_within(address: tuple[str, str], tree: Any) -> bool:
    """A tree is one mailbox, all of one host (`example.com`), or all of the hosts below one (`.example.com`)."""
    return address == tree if isinstance(tree, tuple) else _host_within(address[1], tree)


def _uri(name: GeneralName) -> str | None:
    """The host of a URI, which must be a name."""
    match = _URI.fullmatch(name.value)
    host = _host(match[1]) if match else None
    return host if host is not None and "*" not in host and not _is_number(host) else None


def _is_number(host: str) -> bool:
    """Whether a host may be an address in one of its notations, for its last label is a number."""
    return re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", host.rpartition(".")[2]) is not None


def _host_within(host: str, tree: str) -> bool:
    return not tree or (host.endswith(tree) if tree.startswith(".") else host == tree)


def _address(name: GeneralName) -> Any:
    return ipaddress.ip_address(name.raw)


def _network(raw: bytes) -> Any:
    half = len(raw) // 2
    mask = int.from_bytes(raw[half:])
    ones = mask.bit_count()
    if mask != (1 << 8 * half) - (1 << (8 * half - ones)):
        return None
    return ipaddress.ip_network((raw[:half], ones), strict=False)


def _ip_within(address: Any, network: Any) -> bool:
    """An IPv4 address that is written as an IPv6 one (RFC 4291 section 2.5.5.2) is an IPv6 address here."""
    return bool(address.version == network.version and address in network)


def _directory(name: GeneralName) -> Any:
    return name.name.rdn_keys


def _directory_within(name: Sequence[object], tree: Sequence[object]) -> bool:
    return name[: len(tree)] == tree


_PARSERS = {"DNS": _dns, "IP": _address, "email": _email, "URI": _uri, "dirName": _directory}
# By kind of name: whether it is within a permitted tree, and whether an excluded tree touches it. Names of other kinds
# are not compared: their value is None, so that each is refused where its kind is constrained.
_RULES: dict[str, tuple[Any, Any]] = {
    "DNS": (_dns_within, _dns_touches),
    "IP": (_ip_within, _ip_within),
    "email": (_email_within, _email_within),
    "URI": (_host_within, _host_within),
    "dirName": (_directory_within, _directory_within),
}
