"""HTTP/1.1, for the few small requests that certkit makes: bounded in time and in size, without redirects.

Servers that use TLS are verified by certkit's own verifier within the handshake: before the client certificate is
shown, and so before a byte of a request is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Status
from certkit.net import connecting, hosts, tls
from certkit.net.address import Address
from certkit.net.proxy import Proxy, choose, reach
from certkit.net.wire import MAX_ANSWER_BYTES, AnswerError, Exchange, HttpAnswer, HttpRequest, NoAnswerError, Plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.net.wire import Stream
    from certkit.x509.certificate import Certificate

__all__ = [
    "MAX_ANSWER_BYTES",
    "TIMEOUT_SECONDS",
    "Address",
    "AnswerError",
    "Exchange",
    "HttpAnswer",
    "HttpError",
    "HttpRequest",
    "NoAnswerError",
    "exchange",
    "post",
    "send",
]

TIMEOUT_SECONDS = connecting.TIMEOUT_SECONDS

_ENDED_HINT = "check whether the server accepts the client certificate: certkit probe"


class HttpError(InputError):
    """A request without a response; `is_sent` is False only if no byte of it left this machine.

    `alert` is the TLS alert by which the server ended the connection, by OpenSSL's name, or empty.
    """

    def __init__(self, message: str, *, hint: str, is_sent: bool = False, alert: str = "") -> None:
        super().__init__(message, hint=hint)
        self.is_sent = is_sent
        self.alert = alert


def send(
    request: HttpRequest,
    *,
    now: datetime,
    credentials: tls.Credentials | None = None,
    anchors: Sequence[Certificate] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    proxy: str | None = None,
) -> HttpAnswer:
    """Return the response to a request, whatever its status, within `timeout` seconds including DNS.

    `credentials` are shown to a server that asks for them; `anchors` None stands for the system's roots; `now` is the
    time at which the server's chain is judged; `proxy` is `http://[USER:PASSWORD@]HOST:PORT`, empty for none, and None
    for the one that the environment names.

    Raises:
        HttpError: if there is no response.
    """
    sending = _Sending(request, now=now, credentials=credentials, anchors=anchors, proxy=proxy)
    try:
        return connecting.run(sending.run(timeout))
    except InputError as error:
        where = f" {sending.where}" if sending.where else " the server"
        hint, alert = (_ENDED_HINT, error.alert) if isinstance(error, tls.HandshakeEndedError) else (error.hint, "")
        raise HttpError(
            f"cannot query{where}: {error.message}", hint=hint, is_sent=sending.is_sent, alert=alert
        ) from error


def post(url: str, body: bytes, *, content_type: str, now: datetime, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """Return the body of the response to a POST.

    Raises:
        HttpError: if there is no response, or its status is not 200.
    """
    request = HttpRequest(method="POST", url=url, headers={"Content-Type": content_type}, body=body)
    answer = send(request, now=now, timeout=timeout)
    if answer.status != 200:
        where = Address.parse(url)
        message = f"cannot query {where}: HTTP {answer.status}{answer.details}"
        raise HttpError(message, hint="check the address", is_sent=True)
    return answer.body


@dataclass(slots=True)
class _Sending:
    """One request on its way."""

    request: HttpRequest
    now: datetime = field(kw_only=True)
    credentials: tls.Credentials | None = field(kw_only=True)
    anchors: Sequence[Certificate] | None = field(kw_only=True)
    proxy: str | None = field(kw_only=True)
    where: str = ""
    exchange: Exchange | None = None

    @property
    def is_sent(self) -> bool:
        return self.exchange is not None and self.exchange.is_sent

    async def run(self, timeout: float) -> HttpAnswer:  # noqa: ASYNC109
        deadline = connecting.Deadline.after(timeout)
        address = Address.parse(self.request.url)
        self.where = str(address)
        proxy = choose(address, self.proxy)
        settings = tls.strict_context(self.credentials) if address.is_secure else None
        with await reach(address, proxy, deadline=deadline) as connection:
            if settings is None:
                answer = await self._exchange(Plain(connection), address, proxy, deadline)
                if proxy is not None and answer.status == 407:
                    raise proxy.refusal(answer.status)
                return answer
            verdict = trusting(address.host, self.anchors, at=self.now)
            channel = tls.Channel(connection, settings, server_name=hosts.server_name(address.host), verdict=verdict)
            await channel.handshake(deadline=deadline)
            await channel.settle(deadline=deadline)
            answer = await self._exchange(channel, address, proxy, deadline)
            channel.close()
            return answer

    async def _exchange(
        self, stream: Stream, address: Address, proxy: Proxy | None, deadline: connecting.Deadline
    ) -> HttpAnswer:
        self.exchange = exchange(stream, self.request, address, proxy)
        async with connecting.step("the answer", deadline):
            return await self.exchange.run()


def trusting(host: str, anchors: Sequence[Certificate] | None, *, at: datetime) -> tls.Verdict:
    """Return the function that accepts a host's server if it chains to these anchors, or None for the system's.

    Raises:
        InputError: if this machine has no trusted CAs.
    """
    from certkit.verify import anchors as known
    from certkit.verify import server

    trusted = known.system() if anchors is None else anchors

    def verdict(presented: tls.Presented) -> None:
        for finding in server.judge(presented.chain, host=host, anchors=trusted, at=at):
            if finding.status is not Status.OK:
                raise tls.UntrustedError(f"the server is not trusted: {finding.message}", hint=finding.hint)

    return verdict


def exchange(stream: Stream, request: HttpRequest, address: Address, proxy: Proxy | None) -> Exchange:
    """Return a request ready to send: with the absolute URL if an HTTP proxy receives it in the clear."""
    if proxy is None or address.is_secure:
        return Exchange(stream, request, target=address.target, host=address.authority)
    asked = HttpRequest(
        method=request.method, url=request.url, headers={**request.headers, **proxy.headers}, body=request.body
    )
    return Exchange(stream, asked, target=f"{address.origin}{address.target}", host=address.authority)
