"""Addresses: what a URL says about where to go and what to ask for, and the same of a proxy's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.net import hosts
from certkit.secret import Secret

if TYPE_CHECKING:
    from re import Match

PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\[\]]+\]|[^\[\]:\\@]+)(?::(\d{1,5}))?", re.ASCII | re.DOTALL)
_TARGET = re.compile(r"[!-~]*", re.ASCII)

_URL_HINT = "write it as https://HOST/PATH, in ASCII"
_PROXY_HINT = "write it as http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT"


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https URL: the scheme, host and port, and the path with its query, which is kept out of messages."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address that a URL names.

        Raises:
            InputError: it is not http or https, names a user, or is malformed; the message does not quote it.
        """
        match = _URL.fullmatch(url)
        if match is None or match[1].lower() not in PORTS:
            raise InputError("neither http nor https", hint=_URL_HINT)
        scheme = match[1].lower()
        user, host, port = _authority(match, PORTS[scheme], _URL_HINT)
        if user is not None:
            raise InputError("the URL names a user", hint="leave the user out of it")
        target = (match[3] or "/") + (match[4] or "")
        if not _TARGET.fullmatch(target):
            raise InputError("the URL has a blank or another character that must be escaped", hint=_URL_HINT)
        return cls(scheme, host, port, target)

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port, without a port that goes without saying."""
        if self.port != PORTS[self.scheme]:
            return hosts.with_port(self.host, self.port)
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        path = self.target.partition("?")[0]
        return f"{self.scheme}://{self.authority}{path}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and what it wants to know about who asks."""

    host: str
    port: int
    user: Secret | None

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """The proxy that a URL names, as `http://USER:PASSWORD@HOST:PORT`.

        Raises:
            InputError: it is malformed; the message does not quote it.
        """
        match = _URL.fullmatch(url)
        if match is None or match[1].lower() != "http" or match[3] not in {"", "/"} or match[4] or match[5]:
            raise InputError("cannot use the proxy: its address is not that of an HTTP proxy", hint=_PROXY_HINT)
        user, host, port = _authority(match, PORTS["http"], _PROXY_HINT)
        return cls(host, port, None if user is None else Secret(_unquoted(user)))

    @property
    def headers(self) -> dict[str, str]:
        """What is said to it about who asks (RFC 7617)."""
        import base64

        if self.user is None:
            return {}
        return {"Proxy-Authorization": "Basic " + base64.b64encode(self.user.reveal()).decode("ascii")}


def _authority(match: Match[str], default: int, hint: str) -> tuple[str | None, str, int]:
    found = _AUTHORITY.fullmatch(match[2])
    host = hosts.parse(found[2]) if found else None
    port = int(found[3]) if found and found[3] else default
    if found is None or host is None or not 0 < port < 1 << 16:
        raise InputError("the host is neither a name nor an IP address, or there is no such port", hint=hint)
    return found[1], host, port


def _unquoted(user: str) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(user)
