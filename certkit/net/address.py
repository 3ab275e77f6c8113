"""Addresses: the parts of http and https URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from certkit.errors import InputError
from certkit.net import hosts

PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\[\]]+\]|[^\[\]:\\@]+)(?::(\d{1,5}))?", re.ASCII | re.DOTALL)
_TARGET = re.compile(r"[!-~]*", re.ASCII)

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
    host = hosts.parse(found[2]) if found else None
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
            return hosts.with_port(host, self.port)
        return f"[{host}]" if ":" in host else host

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return self.origin + self.target.partition("?")[0]
