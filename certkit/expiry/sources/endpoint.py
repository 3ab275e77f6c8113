"""Certificates that servers present."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Sighting
from certkit.net import connecting, proxy, tls
from certkit.net.address import Address, host_name, parse_host, server_name, with_port
from certkit.net.http import trusting
from certkit.net.starttls import Starttls

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from datetime import datetime
    from queue import SimpleQueue

    from OpenSSL import SSL

    from certkit.expiry.sources.base import Seen
    from certkit.net.proxy import Proxies
    from certkit.net.tls import Credentials, Verdict
    from certkit.x509.certificate import Certificate

    Ask = Callable[["Endpoint"], Awaitable[list[Seen]]]

_SCHEME, _HTTPS = "tls://", "https://"
_DEFAULT_PORT = 443

_AT_ONCE = 256
# Taking every answer at once would cost a tenth of the time, as the two threads would switch each time. And an
# interrupt that comes just before a wait does not end it, so each wait is short.
_PAUSE_SECONDS = 0.01
# Files that this process may need beside its connections.
_SPARE_FILES = 64

_HINT = "write HOST:PORT, [IPV6]:PORT, or tls://HOST:PORT?servername=NAME&starttls=PROTOCOL"
# RFC 3986 appendix B, without the scheme where there is none.
_PARTS = re.compile(r"(?:([^:/?#]*)://)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.DOTALL)
_USER = re.compile(r"//[^/?#]*@")
_AUTHORITY = re.compile(r"(\[[^\[\]]+\]|[^\[\]:\\@]+)(?::(\d{1,9}))?", re.ASCII)
_ALIASES = {"sni": "servername"}


def is_endpoint(text: str) -> bool:
    """Return whether a text is meant as an endpoint: it begins with tls:// or https://, or is HOST:PORT."""
    if text[: len(_SCHEME)].lower() == _SCHEME or text.startswith(_HTTPS):
        return True
    match = _AUTHORITY.fullmatch(text)
    return match is not None and match[2] is not None and parse_host(match[1]) is not None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, the server name to send, and the protocol before TLS.

    `text` is the user's spelling, which does not count for equality.
    """

    host: str
    port: int
    server_name: str | None = None
    starttls: Starttls | None = None
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Return the endpoint for HOST:PORT, or for a tls:// or https:// address, whose default port is 443.

        The server name to send (RFC 6066 section 3) is the host, unless that is an IP address, and may be chosen with
        `servername` (or `sni`) in a tls:// address; an empty one sends no name. The path of an https:// address does
        not count.

        Raises:
            InputError: if the text is not an endpoint.
        """
        if text.startswith(_HTTPS):
            authority = re.split("[/?#]", text.removeprefix(_HTTPS), maxsplit=1)[0]
            text = f"{_SCHEME}{authority}" + ("" if re.search(r":\d+$", authority) else f":{_DEFAULT_PORT}")
        try:
            return cls(*_parse(text), text=text)
        except ValueError as error:
            shown = _USER.sub("//...@", text)  # with a user name, a password may have been given too
            raise InputError(f"invalid endpoint {shown!r}: {error}", hint=_HINT) from error

    def __str__(self) -> str:
        return self.text or with_port(self.host, self.port)


def _parse(text: str) -> tuple[str, int, str | None, Starttls | None]:
    """Return host, port, server name and protocol; a ValueError says what is wrong."""
    host, port, query = _split(text)
    options = _options(query)
    protocol = None
    if (wanted := options.get("starttls")) is not None:
        if wanted.lower() not in set(Starttls):
            raise ValueError(f"starttls must be one of {', '.join(Starttls)}")
        protocol = Starttls(wanted.lower())
    if port is None:
        port = protocol.port if protocol else _DEFAULT_PORT
    if not 0 < port < 1 << 16:
        raise ValueError("invalid port")
    name = server_name(host)
    if "servername" in options:
        name = host_name(options["servername"])
        if name is None and options["servername"]:
            raise ValueError("servername is not a host name")
        name = name and name.removesuffix(".")
    return host, port, name, protocol


def _split(text: str) -> tuple[str, int | None, str]:
    match = _PARTS.fullmatch(text)
    scheme, authority, path, query, fragment = match.groups() if match else (None, "", "", None, None)
    authority_match = _AUTHORITY.fullmatch(authority)
    host = parse_host(authority_match[1]) if authority_match else None
    if scheme is not None and f"{scheme}://".lower() != _SCHEME:
        raise ValueError(f"{scheme!r} is not supported, only {_SCHEME}")
    if "@" in authority:
        raise ValueError("it contains a user name")
    if path.strip("/") or len(path) > 1 or fragment is not None:
        raise ValueError("unexpected text after the port")
    if scheme is None and (path or query is not None):
        raise ValueError(f"only {_SCHEME} addresses have options")
    if authority_match is None or host is None:
        raise ValueError("invalid host or port")
    if scheme is None and authority_match[2] is None:
        raise ValueError("the port is missing")
    return host, int(authority_match[2]) if authority_match[2] else None, query or ""


def _options(query: str) -> dict[str, str]:
    from urllib.parse import parse_qsl

    options: dict[str, str] = {}
    if not query:
        return options
    for written, value in parse_qsl(query, keep_blank_values=True, strict_parsing=True):
        name = _ALIASES.get(written, written)
        if name not in {"servername", "starttls"}:
            raise ValueError(f"unknown option {written!r}")
        if name in options:
            raise ValueError(f"{name} appears twice")
        options[name] = value
    return options


@dataclass(frozen=True, slots=True)
class EndpointSource:
    """Servers, all queried at once, each within `timeout` seconds.

    A client certificate is sent only to servers that this machine's CAs vouch for, as of `now`.
    """

    endpoints: tuple[Endpoint, ...]
    timeout: float = connecting.TIMEOUT_SECONDS
    client: Credentials | None = None
    now: datetime | None = None
    weight = 0

    def look(self) -> Iterator[Seen]:
        """Yield what the servers present, in the order in which they answer; each is queried once.

        Raises:
            InputError: if TLS does not support the type of the client's key.
        """
        texts: dict[Endpoint, list[str]] = {}
        for endpoint in self.endpoints:
            texts.setdefault(endpoint, []).append(str(endpoint))
        settings, proxies = tls.context(self.client), proxy.of_environment()
        anchors: list[Certificate] = []
        if self.client is not None:
            with contextlib.suppress(InputError):  # a machine without trusted CAs trusts no server
                from certkit.verify.anchors import system

                anchors = [*system()]

        async def ask(endpoint: Endpoint) -> list[Seen]:
            verdict = None
            if self.client is not None and self.now is not None:
                verdict = trusting(endpoint.server_name or endpoint.host, anchors, at=self.now)
            return await _ask(endpoint, list(dict.fromkeys(texts[endpoint])), settings, verdict, proxies, self.timeout)

        for found in _ask_all(list(texts), ask):
            yield from found


async def _ask(
    endpoint: Endpoint,
    texts: Sequence[str],
    settings: SSL.Context,
    verdict: Verdict | None,
    proxies: Proxies,
    timeout: float,  # noqa: ASYNC109  for all steps
) -> list[Seen]:
    """Return what a server presents, for each spelling of its address."""
    try:
        answer = await tls.look(
            endpoint.host,
            endpoint.port,
            settings=settings,
            deadline=connecting.Deadline.after(timeout),
            server_name=endpoint.server_name,
            protocol=endpoint.starttls,
            verdict=verdict,
            through=proxies.towards(Address("https", endpoint.host, endpoint.port, "/")),
        )
    except connecting.NetError as error:
        return [Failure(text, error.message, error.hint, Reason(error.trouble.value)) for text in texts]
    except InputError as error:  # the proxy's address
        message = f"cannot connect to {endpoint}: {error.message}"
        return [Failure(text, message, error.hint, Reason.CONNECTION_FAILED) for text in texts]
    hint = "examine the server with openssl s_client"
    found: list[Seen] = [Sighting(text, answer.chain) for text in texts if answer.chain]
    for problem in answer.unreadable:
        found += [Failure(text, f"cannot read {text}: {problem}", hint, Reason.DECODE_FAILED) for text in texts]
    return found


def _ask_all(endpoints: Sequence[Endpoint], ask: Ask) -> Iterator[list[Seen]]:
    """Yield the results of the endpoints as they arrive.

    They are queried in a separate thread, so that the caller may take its time, or stop.
    """
    import asyncio
    import queue
    import threading
    import time

    answers: SimpleQueue[list[Seen] | BaseException] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    asking = loop.create_task(_ask_in_turn(endpoints, ask, answers))
    thread = threading.Thread(target=_run, args=(loop, asking, answers), daemon=True)
    thread.start()
    try:
        for _ in endpoints:
            while answers.empty():
                time.sleep(_PAUSE_SECONDS)
            answer = answers.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        loop.call_soon_threadsafe(asking.cancel)
        thread.join()
        loop.close()


def _run(loop: asyncio.AbstractEventLoop, asking: asyncio.Task[None], answers: SimpleQueue[Any]) -> None:
    import asyncio

    try:
        loop.run_until_complete(asking)
    except asyncio.CancelledError:
        pass
    except BaseException as error:  # noqa: BLE001  it is raised where the answers are taken
        answers.put(error)


async def _ask_in_turn(endpoints: Sequence[Endpoint], ask: Ask, answers: SimpleQueue[Any]) -> None:
    import asyncio

    waiting = iter(endpoints)

    async def work() -> None:
        for endpoint in waiting:
            answers.put(await ask(endpoint))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_at_once(), len(endpoints))):
            group.create_task(work())


def _at_once() -> int:
    """Return the number of connections that this process may have at a time."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit
        return _AT_ONCE
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _AT_ONCE if soft == resource.RLIM_INFINITY else max(1, min(_AT_ONCE, soft - _SPARE_FILES))
