"""Addresses: hosts, as resolved and as sent to servers, and the parts of http and https URLs."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from certkit.errors import InputError

PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\[\]]+\]|[^\[\]:\\@]+)(?::(\d{0,5}))?", re.ASCII | re.DOTALL)
_TARGET = re.compile(r"[!-~]*", re.ASCII)

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_MAX_NAME = 253

_HINT = "write it as https://HOST/PATH, in ASCII"


def split(url: str) -> tuple[str, str | None, str, int, str, str]:
    """Return scheme, user (perhaps with a password), host, port, path and query of a URL.

    Raises:
        InputError: if the scheme is neither http nor https, or the URL is malformed; the message does not quote it.
    """
    match = _URL.fullmatch(url)
    if match is None or (scheme := match[1].lower()) not in PORTS:
        raise InputError("the URL begins with neither http:// nor https://", hint=_HINT)
    found = _AUTHORITY.fullmatch(match[2])
    host = parse_host(found[2]) if found else None
    port = int(found[3]) if found and found[3] else PORTS[scheme]
    if found is None or host is None or not 0 < port < 1 << 16:
        raise InputError("invalid host or port", hint=_HINT)
    return scheme, found[1], host, port, match[3], match[4] or ""


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https URL: the scheme, host and port, and the path with its query, which is kept out of messages."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return the address that a URL names.

        Raises:
            InputError: if it is not http or https, names a user, or is malformed; the message does not quote it.
        """
        scheme, user, host, port, path, query = split(url)
        if user is not None:
            raise InputError("the URL contains a user name", hint="remove the user name from it")
        target = (path or "/") + query
        if not _TARGET.fullmatch(target):
            raise InputError("the URL contains a space or another character that must be escaped", hint=_HINT)
        return cls(scheme, host, port, target)

    @property
    def is_secure(self) -> bool:
        """Whether TLS is used."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port, without the scheme's default port and without the dot that may end a host name."""
        host = self.host.removesuffix(".")
        if self.port != PORTS[self.scheme]:
            return with_port(host, self.port)
        return f"[{host}]" if ":" in host else host

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return self.origin + self.target.partition("?")[0]


def parse_host(text: str) -> str | None:
    """Return a host in the form to resolve: an IP address, or a name in ASCII; None if the text is neither."""
    if text.startswith("["):
        return text[1:-1] if isinstance(ip(text[1:-1]), ipaddress.IPv6Address) else None
    return text if isinstance(ip(text), ipaddress.IPv4Address) else host_name(text)


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a text as an IP address; None if it is something else."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def host_name(text: str) -> str | None:
    """Return a host name in lower case and ASCII (RFC 3490); None if it is no host name or ends in a number."""
    if len(text) > _MAX_NAME:
        return None
    try:
        made = text.lower() if text.isascii() else text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = made.removesuffix(".").split(".")
    is_name = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit() and len(made) <= _MAX_NAME
    return made if is_name else None


def server_name(host: str) -> str | None:
    """Return the server name for a host (RFC 6066 section 3): without a final dot; None for an IP address."""
    return None if ip(host) else host.removesuffix(".")


def with_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
