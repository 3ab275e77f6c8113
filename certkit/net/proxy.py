"""HTTP proxies: which one a request uses, and the tunnel to the host."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from certkit.errors import InputError
from certkit.net import connecting, wire
from certkit.net.address import Address, ip, split, with_port
from certkit.secret import Secret

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_HINT = "write it as http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT"
_REFUSED_HINT = "check the proxy's address, and that it may connect to the host"


class ProxyError(connecting.NetError):
    """A proxy could not be reached, or opens no tunnel to the host; the message names the proxy."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and the user and password for it."""

    host: str
    port: int
    user: Secret | None = None

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Return the proxy that `[http://][USER:PASSWORD@]HOST[:PORT]` names.

        Raises:
            InputError: if the address is malformed, or the scheme is not http; the message does not quote it.
        """
        try:
            scheme, user, host, port, path, query = split(url if "://" in url else f"http://{url}")
        except InputError as error:
            raise InputError(f"cannot use the proxy: {error.message}", hint=_HINT) from error
        if scheme != "http" or path not in {"", "/"} or query:
            raise InputError("cannot use the proxy: only http://HOST:PORT is supported", hint=_HINT)
        return cls(host, port, None if user is None else Secret(unquote_to_bytes(user)))

    @property
    def headers(self) -> dict[str, str]:
        """The header with the proxy's credentials (RFC 7617)."""
        if self.user is None:
            return {}
        return {"Proxy-Authorization": "Basic " + base64.b64encode(self.user.reveal()).decode("ascii")}

    def __str__(self) -> str:
        return f"http://{with_port(self.host, self.port)}"

    def refusal(self, status: int) -> ProxyError:
        """Return the error for an unsuccessful response to CONNECT."""
        if status == 407:
            needs = "rejects the user name and password" if self.user else "requires a user name and password"
            hint = "give the proxy as http://USER:PASSWORD@HOST:PORT"
            return ProxyError(f"the proxy {self} {needs} (HTTP 407)", hint=hint)
        return ProxyError(f"the proxy {self} refuses to connect: HTTP {status}", hint=_REFUSED_HINT)


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy for each server.

    `always` wins and has no exceptions; None leaves the choice to the others, an empty text means no proxy at all.
    `https` and `http` are for servers of that scheme that `exempt` (NO_PROXY) does not name. Where programs in Go
    differ from curl, `as_go` follows them: loopback addresses are exempt, `.example` does not mean `example` itself.
    """

    always: str | None = None
    https: str = ""
    http: str = ""
    exempt: str = ""
    as_go: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Proxies:
        """Return the proxies of the environment, read as curl reads them, with CERTKIT_PROXY before everything else.

        HTTP_PROXY in capitals is ignored: a web server sets it from a header of the request (CVE-2016-5386).
        """
        return cls(
            always=environ.get("CERTKIT_PROXY"),
            https=environ.get("https_proxy") or environ.get("HTTPS_PROXY") or "",
            http=environ.get("http_proxy") or "",
            exempt=environ.get("no_proxy") or environ.get("NO_PROXY") or "",
        )

    def towards(self, address: Address) -> Proxy | None:
        """Return the proxy for a server, if any.

        Raises:
            InputError: if the proxy's address is unusable.
        """
        url = self.always
        if url is None:
            url = "" if self.exempts(address) else self.https if address.is_secure else self.http
        return Proxy.parse(url) if url else None

    def exempts(self, address: Address) -> bool:
        """Return whether NO_PROXY names the server, by `*`, an address, a network, or a domain; a port may follow."""
        host, server = address.host.removesuffix("."), ip(address.host)
        if self.as_go and (server.is_loopback if server else host == "localhost"):
            return True
        for entry in re.split(r"[,\s]+", self.exempt.lower()):
            found = None if ip(entry) else re.fullmatch(r"(.+):(\d+)", entry)
            name, port = found.groups() if found else (entry, "")
            name = name.strip("[]").removesuffix(".")
            if entry == "*":
                return True
            if not name or (port and port != str(address.port)):
                continue
            if server is not None:
                with contextlib.suppress(ValueError):
                    if server in ipaddress.ip_network(name, strict=False):
                        return True
                continue
            domain = name.removeprefix("*") if self.as_go else name.removeprefix("*").removeprefix(".")
            if host.endswith(domain) if domain.startswith(".") else f".{host}".endswith(f".{domain}"):
                return True
        return False


def choose(address: Address, given: str | None) -> Proxy | None:
    """Return the proxy for a server: the one given, none if that is empty, or the one that the environment names.

    Raises:
        InputError: if the proxy's address is unusable.
    """
    return (of_environment() if given is None else Proxies(always=given)).towards(address)


def of_environment() -> Proxies:
    """Return the proxies of the environment; like the resolver's settings, they belong to the machine's network."""
    return Proxies.of(os.environ)


async def reach(address: Address, proxy: Proxy | None, *, deadline: connecting.Deadline) -> socket.socket:
    """Return a connection to the host of an address, or to the proxy, which for https opens a tunnel to the host.

    Raises:
        NetError: if the host cannot be reached; a ProxyError if the proxy is the cause.
    """
    if proxy is None:
        return await connecting.connect(address.host, address.port, deadline=deadline)
    try:
        connected = await connecting.connect(proxy.host, proxy.port, deadline=deadline)
        try:
            if address.is_secure:
                await _open_tunnel(connected, address, proxy, deadline)
        except BaseException:
            connected.close()
            raise
    except ProxyError:
        raise
    except connecting.NetError as error:
        raise ProxyError(f"the proxy {proxy}: {error.message}", hint=error.hint, trouble=error.trouble) from error
    return connected


async def _open_tunnel(connected: socket.socket, address: Address, proxy: Proxy, deadline: connecting.Deadline) -> None:
    """Have a proxy open a tunnel to the host (RFC 9110 section 9.3.6)."""
    where = with_port(address.host, address.port)
    request = wire.HttpRequest(method="CONNECT", url="", headers=proxy.headers)
    try:
        async with connecting.step("asking the proxy", deadline):
            answer = await wire.Exchange(request, target=where, host=where).run(wire.Plain(connected))
    except wire.NoAnswerError as error:
        raise ProxyError(f"the proxy {proxy} closed the connection", hint=_REFUSED_HINT) from error
    except wire.AnswerError as error:
        raise ProxyError(f"the proxy {proxy}: {error.message}", hint=_REFUSED_HINT) from error
    if not 200 <= answer.status < 300:
        raise proxy.refusal(answer.status)
