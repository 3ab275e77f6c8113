"""Which way requests go: the server's address, and the proxy before it, if any."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from certkit.errors import InputError
from certkit.secret import Secret

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a server; an IPv6 address is without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """The origin of an http or https URL; what follows it in the URL is not looked at.

        Raises:
            ValueError: it is none, or holds a user name or a password.
        """
        parts = _split(url)
        if parts.username is not None:
            raise ValueError("it holds a user name")
        return _origin(parts)

    @property
    def netloc(self) -> str:
        """Host and port as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def _split(url: str) -> SplitResult:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it holds characters that no URL has")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("it has an impossible host or port") from None
    return parts


def _origin(parts: SplitResult) -> Origin:
    if parts.scheme not in _PORTS:
        raise ValueError("it begins neither with https:// nor with http://")
    if not parts.hostname:
        raise ValueError("it names no host")
    port = parts.port if parts.port is not None else _PORTS[parts.scheme]
    return Origin(parts.scheme, parts.hostname, port)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value of the header Proxy-Authorization."""

    origin: Origin
    authorization: Secret | None = None

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """The proxy that a URL names, `http://[USER:PASSWORD@]HOST:PORT`; the scheme may be left out.

        Raises:
            ValueError: it names none, or one that is not spoken to in plain HTTP.
        """
        parts = _split(url if "://" in url else f"http://{url}")
        if parts.scheme != "http":
            raise ValueError("only proxies with http:// are supported")
        if parts.username is None:
            return cls(_origin(parts))
        user, password = (unquote_to_bytes(part or "") for part in (parts.username, parts.password))
        return cls(_origin(parts), Secret(b"Basic " + base64.b64encode(user + b":" + password)))


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy is used for which server, as Go's programs do it.

    `always` (VAULT_HTTP_PROXY) wins and has no exceptions; `https` and `http` (HTTPS_PROXY, HTTP_PROXY) leave out
    loopback addresses and what `exempt` (NO_PROXY) names. An empty text is none.
    """

    always: str = ""
    https: str = ""
    http: str = ""
    exempt: str = ""

    def towards(self, origin: Origin) -> Proxy | None:
        """The proxy before a server, if any.

        Raises:
            InputError: the proxy's address is unusable.
        """
        url = self.always
        if not url and not self._is_exempt(origin):
            url = self.https if origin.scheme == "https" else self.http
        try:
            return Proxy.parse(url) if url else None
        except ValueError as error:
            # The address is not shown: it may hold a password.
            raise InputError(
                f"cannot use, the proxy for {origin}: {error}",
                hint="set VAULT_HTTP_PROXY, or HTTPS_PROXY, to http://HOST:PORT",
            ) from None

    def _is_exempt(self, origin: Origin) -> bool:
        if _is_loopback(origin.host):
            return True
        return any(_matches(entry.strip().lower(), origin) for entry in self.exempt.split(","))


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matches(entry: str, origin: Origin) -> bool:
    """Whether one entry of NO_PROXY names the server: `*`, an address, a network, a domain; a port may follow."""
    if entry == "*":
        return True
    address = _address(origin.host)
    if "/" in entry:
        return address is not None and _is_in(entry, address)
    name, port = _without_port(entry)
    if not name or (port and port != str(origin.port)):
        return False
    if address is not None:
        return address == _address(name)
    name = name.removeprefix("*")
    return origin.host.endswith(name) if name.startswith(".") else f".{origin.host}".endswith(f".{name}")


def _is_in(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _without_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") > 1:
        return entry, ""
    name, _, port = entry.partition(":")
    return name, port
