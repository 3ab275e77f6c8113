"""Name constraints along a path (RFC 5280 section 4.2.1.10): whether a CA may issue for the names below it.

Everything fails closed. A permitted tree that is malformed permits nothing, an excluded one excludes every name of its
type, and a name that is malformed, or was read leniently, is refused wherever its type is constrained. An empty tree
means every name, for e-mail and URI as for DNS. A leading dot means only what is below.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from certkit.printable import brief
from certkit.x509 import names
from certkit.x509.general_names import GeneralName
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from certkit.x509.certificate import Certificate
    from certkit.x509.extensions import NameConstraints, Subtree

# SmtpUTF8Mailbox (RFC 9598): an e-mail address in an otherName, for which e-mail constraints hold.
_SMTP_UTF8 = bytes.fromhex("06082b06010505070809")

# So many comparisons of a name with a tree are made for one verdict; more are an attack.
MAX_COMPARISONS = 1 << 20

_EMAIL = re.compile(r"([!#-'*+\-./0-9=?A-Z^-~]+)@([^@]+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?#\\]*@)?([^@/?#\\:\[\]]+)(?::\d*)?(?:[/?#].*)?", re.DOTALL)


@dataclass(slots=True)
class Comparisons:
    """A budget of comparisons of names with subtrees."""

    left: int = MAX_COMPARISONS


class Parsed(NamedTuple):
    """A name in the form in which it is compared; `value` None if it is malformed or was read leniently."""

    kind: str
    value: Any
    shown: str


class Names(NamedTuple):
    """Every name of a certificate; and the only common name of a leaf without alternative names, or nothing."""

    found: list[Parsed]
    common_name: str

    @classmethod
    def of(cls, certificate: Certificate, *, is_leaf: bool) -> Names:
        """Parse the names of a certificate."""
        subject, listed = certificate.subject, certificate.subject_alt_name
        found = []
        if not subject.is_empty:
            found.append(Parsed("dirName", None if subject.problems else subject.key, subject.text))
        if isinstance(listed, Unreadable):
            return cls([*found, Parsed("unknown", None, "alternative names that cannot be read")], "")
        found += map(parsed, listed or ())
        # Also beside alternative names, where RFC 5280 does not ask for it: programs read the address from the subject.
        for value in subject.values("emailAddress"):
            problem = "" if value.isascii() else "not ASCII"
            found.append(parsed(GeneralName("email", value, value.encode("utf-8"), problem)))
        common = subject.values("CN") if is_leaf and listed is None else ()
        return cls(found, common[0] if len(common) == 1 else "")


@dataclass(frozen=True, slots=True)
class Limits:
    """The permitted and excluded subtrees of a CA, parsed, by kind of name; None for a malformed one."""

    permitted: dict[str, list[Any]] = field(default_factory=dict)
    excluded: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, constraints: NameConstraints) -> Limits:
        """Parse the trees of the extension."""
        limits = cls()
        for found, trees in ((limits.permitted, constraints.permitted), (limits.excluded, constraints.excluded)):
            for each in trees or ():
                found.setdefault(each.base.kind, []).append(parsed_tree(each))
        return limits

    @property
    def count(self) -> int:
        """The number of trees."""
        return sum(map(len, (*self.permitted.values(), *self.excluded.values())))


def objection(path: Sequence[Certificate], budget: Comparisons) -> tuple[str, str] | None:
    """Return the name that a CA of a path may not issue for, with a hint; None if all are allowed (6.1.3 b and c).

    Intermediates that are self-issued are exempt; the leaf, which comes first, is not.
    """
    names_of: dict[int, Names] = {}
    for number, ca in enumerate(path[1:], 1):
        found = ca.name_constraints
        if found is None:
            continue
        if isinstance(found, Unreadable):
            message = f"the name constraints of {ca.brief_name} cannot be read: {found.reason}"
            return message, "ask the issuer for a certificate that follows RFC 5280"
        limits = Limits.of(found)
        for below, certificate in enumerate(path[:number]):
            if below and certificate.is_self_issued:
                continue
            if below not in names_of:
                names_of[below] = Names.of(certificate, is_leaf=below == 0)
            listed = names_of[below]
            # Trees of other kinds count as well, as OpenSSL has it: what is refused here is refused by servers.
            budget.left -= (len(listed.found) + bool(listed.common_name)) * limits.count
            if budget.left < 0:
                most = f"{MAX_COMPARISONS:,}"
                message = f"the chain has more names and name constraints than can be compared ({most} times)"
                return message, "inspect each certificate with certkit inspect, and ask the issuer"
            refused = violation(listed.found, limits, common_name=listed.common_name)
            if refused is not None:
                message = f"{ca.brief_name} may not issue certificates for {brief(refused)}"
                hint = "ask the CA for a certificate for names that it may issue for"
                return f"{message} because of its name constraints (RFC 5280 section 4.2.1.10)", hint
    return None


def parsed(name: GeneralName) -> Parsed:
    """Return a name as constraints see it."""
    kind = name.kind
    value: Any = None
    if kind == "otherName" and name.raw.startswith(_SMTP_UTF8):
        # A mailbox in UTF-8, whose host is compared in its ASCII form (RFC 9598 section 5).
        kind = "email"
        local, _, host = name.value.partition(";UTF8:")[2].rpartition("@")
        with contextlib.suppress(UnicodeError):
            ascii_host = _host(host if host.isascii() else host.encode("idna").decode("ascii"))
            value = (local, ascii_host) if local and "@" not in local and ascii_host is not None else None
    elif not name.problem:
        match kind:
            case "DNS":
                value = _host(name.value)
            case "IP":
                value = ipaddress.ip_address(name.raw)
            case "email":
                value = _email(name)
            case "URI":
                match = _URI.fullmatch(name.value)
                named = _host(match[1]) if match else None
                value = named if named is not None and "*" not in named and not _is_number(named) else None
            case "dirName":
                value = name.name.key
    return Parsed(kind, value, str(name))


def violation(found: Iterable[Parsed], limits: Limits, *, common_name: str = "") -> str | None:
    """Return the first name that the limits do not allow, as people write it; None if they allow all.

    `common_name` is the only one of a certificate without alternative names. If it is a host name, excluded trees hold
    for it, and permitted ones do not.
    """
    for name in found:
        permitted, excluded = limits.permitted.get(name.kind, ()), limits.excluded.get(name.kind, ())
        if name.kind == "unknown" or "unknown" in limits.permitted or "unknown" in limits.excluded:
            return name.shown
        if not permitted and not excluded:
            continue
        if name.value is None:
            return name.shown
        within, touches = _RULES[name.kind]
        if any(tree is None or touches(name.value, tree) for tree in excluded):
            return name.shown
        if permitted and not any(tree is not None and within(name.value, tree) for tree in permitted):
            return name.shown
    excluded = limits.excluded.get("DNS", ()) if "." in common_name else ()
    host = _host(common_name.removesuffix(".")) if excluded else None
    if host is not None and any(tree is None or _dns_touches(host, tree) for tree in excluded):
        return f"CN={common_name}"
    return None


def lenient_readings(constraints: NameConstraints) -> list[str]:
    """Describe what was read leniently in the extension (section 4.2.1.10)."""
    bases = [each.base for each in (*(constraints.permitted or ()), *(constraints.excluded or ()))]
    dots = [each for each in bases if each.kind == "DNS" and each.raw[:1] == b"."]
    networks = [each for each in bases if each.kind == "IP" and each.problem]
    return [
        *(f"a DNS name constraint with a leading dot ({each})" for each in dots[:1]),
        *(f"an IP constraint where {each.problem}" for each in networks[:1]),
    ]


def parsed_tree(tree: Subtree) -> Any:
    """Parse a tree; None if it is malformed, or has bounds, which RFC 5280 forbids."""
    base = tree.base
    if tree.minimum != 0 or tree.maximum is not None or (base.kind == "IP" and base.value.startswith("#")):
        return None
    if base.kind == "IP":
        half = len(base.raw) // 2
        mask = int.from_bytes(base.raw[half:])
        ones = mask.bit_count()
        if mask != (1 << 8 * half) - (1 << (8 * half - ones)):
            return None
        return ipaddress.ip_network((base.raw[:half], ones), strict=False)
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
    return base.name.key if base.kind == "dirName" else base.raw


def _host(text: str) -> str | None:
    """A host name as it is compared; None if it is malformed, or ends with a dot (RFC 1034 section 3.5)."""
    return text.lower() if names.is_dns_name(text) and not text.endswith(".") else None


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
    """A mailbox: the local part unchanged, and the host without case (RFC 5280 section 7.5)."""
    match = _EMAIL.fullmatch(name.value)
    host = _host(match[2]) if match else None
    return (match[1], host) if match and host is not None and "*" not in host else None


def _email_within(address: tuple[str, str], tree: Any) -> bool:
    """A tree is one mailbox, all of one host (`example.com`), or all of the hosts below one (`.example.com`)."""
    return address == tree if isinstance(tree, tuple) else _host_within(address[1], tree)


def _is_number(host: str) -> bool:
    """Return whether a host may be an IPv4 address in any notation, because its last label is a number."""
    return re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", host.rpartition(".")[2]) is not None


def _host_within(host: str, tree: str) -> bool:
    return not tree or (host.endswith(tree) if tree.startswith(".") else host == tree)


def _ip_within(address: Any, network: Any) -> bool:
    """An IPv4 address that is written as an IPv6 one (RFC 4291 section 2.5.5.2) is an IPv6 address here."""
    return bool(address.version == network.version and address in network)


def _directory_within(name: Sequence[object], tree: Sequence[object]) -> bool:
    return name[: len(tree)] == tree


# By kind of name: whether it is within a permitted tree, and whether an excluded tree touches it. Names of other kinds
# are not compared: their value is None, so that each is refused where its kind is constrained.
_RULES: dict[str, tuple[Any, Any]] = {
    "DNS": (_dns_within, _dns_touches),
    "IP": (_ip_within, _ip_within),
    "email": (_email_within, _email_within),
    "URI": (_host_within, _host_within),
    "dirName": (_directory_within, _directory_within),
}
