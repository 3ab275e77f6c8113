"""Name constraints along a path (RFC 5280 section 4.2.1.10): whether a CA may issue for the names below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from certkit.printable import printable
from certkit.verify.pool import canonical
from certkit.x509 import describe, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cryptography import x509

    Name = tuple[str, Any]


def violation(path: Sequence[x509.Certificate]) -> str | None:
    """The first name that a CA of a path may not issue for, in words; None if there is none.

    Intermediates that are self-issued are exempt (section 6.1.3 b); the leaf is not.

    Raises:
        ValueError: an extension cannot be read.
    """
    for number, ca in enumerate(path[1:], 1):
        constraints = describe.extension(ca, "NameConstraints")
        if constraints is None:
            continue
        for certificate in path[:number]:
            if certificate is not path[0] and certificate.subject == certificate.issuer:
                continue
            for name in _names(certificate):
                if not _is_allowed(name, constraints):
                    shown = printable(f"{name[0]}:{_shown(name)}")
                    return f"{names.distinguished_name(ca.subject)} may not issue for {shown} by its name constraints"
    return None


def _names(certificate: x509.Certificate) -> Iterator[Name]:
    """Every name of a certificate: its subject, its alternative names, and e-mail addresses in the subject."""
    if list(certificate.subject):
        yield "dirName", certificate.subject
    san = [_typed(name) for name in describe.extension(certificate, "SubjectAlternativeName") or ()]
    yield from san
    if all(kind != "email" for kind, _ in san):
        for address in names.values(names.attributes(certificate.subject), "emailAddress"):
            yield "email", address


def _typed(name: x509.GeneralName) -> Name:
    return names.san_parts(name)[0], name.value


def _is_allowed(name: Name, constraints: x509.NameConstraints) -> bool:
    permitted = [value for kind, value in map(_typed, constraints.permitted_subtrees or ()) if kind == name[0]]
    excluded = [value for kind, value in map(_typed, constraints.excluded_subtrees or ()) if kind == name[0]]
    if not permitted and not excluded:
        return True
    is_within, may_touch = _RULES.get(name[0], (_never, _always))
    if any(may_touch(name[1], tree) for tree in excluded):
        return False
    return not permitted or any(is_within(name[1], tree) for tree in permitted)


def _dns_within(name: str, tree: str) -> bool:
    """A host is within a name and all below it; a wildcard, if everything that it covers is."""
    host, base = _host(name).removeprefix("*."), _host(tree).removeprefix(".")
    return base in {"", host} or host.endswith("." + base)


def _dns_touches(name: str, tree: str) -> bool:
    """A wildcard touches a tree if it may stand for the name at the top of it."""
    host, base = _host(name), _host(tree).removeprefix(".")
    return _dns_within(name, tree) or (host.startswith("*.") and base.partition(".")[2] == host[2:])


def _ip_within(address: Any, network: Any) -> bool:
    return bool(address.version == network.version and address in network)


def _email_within(address: str, tree: str) -> bool:
    """A tree is one mailbox, all of one host (`example.com`), or all of the hosts below one (`.example.com`)."""
    local, _, host = address.rpartition("@")
    if "@" in tree:
        base_local, _, base_host = tree.rpartition("@")
        return (local, _host(host)) == (base_local, _host(base_host))
    return _host_within(host, tree)


def _uri_within(uri: str, tree: str) -> bool:
    host = _uri_host(uri)
    return host is not None and _host_within(host, tree)


def _uri_touches(uri: str, tree: str) -> bool:
    """A URI without a host name cannot be judged, so it is refused wherever there are constraints."""
    host = _uri_host(uri)
    return host is None or _host_within(host, tree)


def _directory_within(name: x509.Name, tree: x509.Name) -> bool:
    base = canonical(tree)
    return canonical(name)[: len(base)] == base


def _host_within(host: str, tree: str) -> bool:
    base = _host(tree)
    return _host(host).endswith(base) if base.startswith(".") else _host(host) == base


def _host(text: str) -> str:
    return text.lower().removesuffix(".")


def _uri_host(uri: str) -> str | None:
    try:
        host = urlsplit(uri).hostname
    except ValueError:
        return None
    is_name = host and names.is_dns_name(host) and not host.removesuffix(".").rpartition(".")[2].isdigit()
    return host if is_name else None


def _never(_: object, __: object) -> bool:
    return False


def _always(_: object, __: object) -> bool:
    return True


def _shown(name: Name) -> str:
    return names.distinguished_name(name[1]) if name[0] == "dirName" else str(name[1])


# By kind of name: whether it is within a permitted tree, and whether an excluded tree touches it.
_RULES: dict[str, tuple[Callable[[Any, Any], bool], Callable[[Any, Any], bool]]] = {
    "DNS": (_dns_within, _dns_touches),
    "IP": (_ip_within, _ip_within),
    "email": (_email_within, _email_within),
    "URI": (_uri_within, _uri_touches),
    "dirName": (_directory_within, _directory_within),
}
