"""HTTP/1.1, for the few small requests that certkit makes: bounded in time and in size, without redirects.

Servers that speak TLS are verified, by certkit's own verifier, before a byte of a request is sent.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Status
from certkit.net import hosts, tls
from certkit.net.address import Address, Proxy
from certkit.net.wire import MAX_ANSWER_BYTES, Answer, AnswerError, Exchange, NoAnswerError, Plain, Request

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.net.wire import Stream

__all__ = [
    "MAX_ANSWER_BYTES",
    "TIMEOUT_SECONDS",
    "Address",
    "Answer",
    "AnswerError",
    "Exchange",
    "HttpError",
    "NoAnswerError",
    "Proxy",
    "Request",
    "exchange",
    "post",
    "reach",
    "send",
]

TIMEOUT_SECONDS = tls.TIMEOUT_SECONDS

_ENDED_HINT = "see what the server thinks of a client certificate: certkit probe"


class HttpError(InputError):
    """A request that was not answered; `is_sent` is False only if surely no byte of it left this machine.

    `alert` is the TLS alert by which the server ended the connection, by OpenSSL's name, or empty.
    """

    def __init__(self, message: str, *, hint: str, is_sent: bool = False, alert: str = "") -> None:
        super().__init__(message, hint=hint)
        self.is_sent = is_sent
        self.alert = alert


def send(
    request: Request,
    *,
    now: datetime,
    credentials: tls.Credentials | None = None,
    anchors: Sequence[x509.Certificate] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    proxy: str | None = None,
) -> Answer:
    """The answer to a request, whatever its status, within `timeout` seconds for all of it, the look-up included.

    `credentials` are shown to a server that asks for them; `anchors` None stands for the system's roots; `now` is the
    moment at which the server's chain is judged; `proxy` is `http://[USER:PASSWORD@]HOST:PORT`.

    Raises:
        HttpError: there is no answer.
    """
    import asyncio

    sending = _Sending(request, now=now, credentials=credentials, anchors=anchors, proxy=proxy)
    try:
        return asyncio.run(sending.run(timeout))
    except InputError as error:
        where = f", {sending.where}" if sending.where else ""
        hint, alert = (_ENDED_HINT, error.alert) if isinstance(error, tls.HandshakeEndedError) else (error.hint, "")
        raise HttpError(
            f"cannot ask{where}: {error.message}", hint=hint, is_sent=sending.is_sent, alert=alert
        ) from error


def post(url: str, body: bytes, *, content_type: str, now: datetime, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """The body of the answer to a POST.

    Raises:
        HttpError: there is no answer, or one with another status than 200.
    """
    request = Request(method="POST", url=url, headers={"Content-Type": content_type}, body=body)
    answer = send(request, now=now, timeout=timeout)
    if answer.status != 200:
        where = Address.parse(url)
        raise HttpError(f"cannot ask, {where}: HTTP {answer.status}", hint="check the address", is_sent=True)
    return answer.body


@dataclass(slots=True)
class _Sending:
    """One request on its way."""

    request: Request
    now: datetime = field(kw_only=True)
    credentials: tls.Credentials | None = field(kw_only=True)
    anchors: Sequence[x509.Certificate] | None = field(kw_only=True)
    proxy: str | None = field(kw_only=True)
    where: str = ""
    exchange: Exchange | None = None

    @property
    def is_sent(self) -> bool:
        return self.exchange is not None and self.exchange.is_sent

    async def run(self, timeout: float) -> Answer:  # noqa: ASYNC109
        deadline = tls.Deadline.after(timeout)
        address = Address.parse(self.request.url)
        self.where = str(address)
        proxy = Proxy.parse(self.proxy) if self.proxy is not None else None
        settings = tls.strict_context(self.credentials) if address.is_secure else None
        with await reach(address, proxy, deadline=deadline) as connection:
            if settings is None:
                return await self._exchange(Plain(connection), address, proxy, deadline)
            channel = tls.Channel(connection, settings, server_name=hosts.server_name(address.host))
            await channel.handshake(deadline=deadline)
            self._require_trust(channel, address.host)
            await channel.settle(deadline=deadline)
            answer = await self._exchange(channel, address, proxy, deadline)
            channel.close()
            return answer

    async def _exchange(self, stream: Stream, address: Address, proxy: Proxy | None, deadline: tls.Deadline) -> Answer:
        self.exchange = exchange(stream, self.request, address, proxy)
        async with tls.step("the answer", deadline):
            return await self.exchange.run()

    def _require_trust(self, channel: tls.Channel, host: str) -> None:
        from certkit.verify import anchors, server

        trusted = self.anchors if self.anchors is not None else anchors.system()
        for finding in server.judge(channel.presented().chain, host=host, anchors=trusted, at=self.now):
            if finding.status is not Status.OK:
                raise InputError(f"the server is not trusted: {finding.message}", hint=finding.hint)


async def reach(address: Address, proxy: Proxy | None, *, deadline: tls.Deadline) -> socket.socket:
    """A connection to where an address leads: to the host, or to the proxy, which for TLS makes a way to the host.

    Raises:
        TlsError: nobody is reached.
        AnswerError: the proxy refuses, or does not speak HTTP.
    """
    if proxy is None:
        return await tls.connect(address.host, address.port, deadline=deadline)
    try:
        connection = await tls.connect(proxy.host, proxy.port, deadline=deadline)
    except tls.TlsError as error:
        where = hosts.with_port(proxy.host, proxy.port)
        raise tls.TlsError(f"the proxy {where}: {error.message}", hint=error.hint, trouble=error.trouble) from error
    if address.is_secure:
        with contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            await _ask_proxy(connection, address, proxy, deadline)
            stack.pop_all()
    return connection


async def _ask_proxy(connection: socket.socket, address: Address, proxy: Proxy, deadline: tls.Deadline) -> None:
    """Have a proxy make a way to the host (RFC 9110 section 9.3.6)."""
    where = hosts.with_port(address.host, address.port)
    request = Request(method="CONNECT", url="", headers=proxy.headers)
    try:
        async with tls.step("asking the proxy", deadline):
            answer = await Exchange(Plain(connection), request, target=where, host=where).run()
    except NoAnswerError as error:
        raise AnswerError("the proxy ends the connection", hint=_PROXY_HINT) from error
    except AnswerError as error:
        raise AnswerError(f"the proxy: {error.message}", hint=_PROXY_HINT) from error
    if not 200 <= answer.status < 300:
        raise AnswerError(f"the proxy refuses: HTTP {answer.status}", hint=_PROXY_HINT)


_PROXY_HINT = "check the proxy, the user that it is given, and that it may reach the host"


def exchange(stream: Stream, request: Request, address: Address, proxy: Proxy | None) -> Exchange:
    """A request that is ready to be sent: to a proxy with the whole address, unless it leads to TLS."""
    if proxy is None or address.is_secure:
        return Exchange(stream, request, target=address.target, host=address.authority)
    asked = Request(
        method=request.method, url=request.url, headers={**request.headers, **proxy.headers}, body=request.body
    )
    target = f"{address.scheme}://{address.authority}{address.target}"
    return Exchange(stream, asked, target=target, host=address.authority)
