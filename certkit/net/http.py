"""HTTP/1.1, for the few small requests that certkit makes: bounded in time and in size, without redirects.

Servers that use TLS are verified by certkit's own verifier within the handshake: before the client certificate is
shown, and so before a byte of a request is sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Status
from certkit.net import connecting, tls
from certkit.net.address import Address, server_name
from certkit.net.proxy import Proxy, choose, reach
from certkit.net.wire import Exchange, HttpAnswer, HttpRequest, Plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.x509.certificate import Certificate

TIMEOUT_SECONDS = connecting.TIMEOUT_SECONDS

_ENDED_HINT = "check whether the server accepts the client certificate: certkit probe"


class HttpError(InputError):
    """A request without a response; `is_sent` is False only if no byte of it left this machine.

    `alert` is the TLS alert by which the server ended the connection, by OpenSSL's name, or empty.
    """

    def __init__(self, message: str, *, hint: str, is_sent: bool, alert: str = "") -> None:
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
    where, sending = "the server", None
    deadline = connecting.Deadline.after(timeout)
    try:
        address = Address.parse(request.url)
        where = str(address)
        through = choose(address, proxy)
        sending = exchange(request, address, through)
        settings = tls.strict_context(credentials) if address.is_secure else None

        async def run() -> HttpAnswer:
            with await reach(address, through, deadline=deadline) as connection:
                if settings is None:
                    async with connecting.step("the answer", deadline):
                        answer = await sending.run(Plain(connection))
                    if through is not None and answer.status == 407:
                        raise through.refusal(answer.status)
                    return answer
                verdict = trusting(address.host, anchors, at=now)
                name = server_name(address.host)
                channel = tls.Channel(connection, settings, server_name=name, verdict=verdict)
                await channel.handshake(deadline=deadline)
                await channel.settle(deadline=deadline)
                async with connecting.step("the answer", deadline):
                    answer = await sending.run(channel)
                channel.close()
                return answer

        return connecting.run(run())
    except InputError as error:
        is_sent = sending is not None and sending.is_sent
        hint, alert = (_ENDED_HINT, error.alert) if isinstance(error, tls.HandshakeEndedError) else (error.hint, "")
        raise HttpError(f"cannot query {where}: {error.message}", hint=hint, is_sent=is_sent, alert=alert) from error


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


def trusting(host: str, anchors: Sequence[Certificate] | None, *, at: datetime) -> tls.Verdict:
    """Return the function that accepts a host's server if it chains to these anchors, or None for the system's.

    Raises:
        InputError: if this machine has no trusted CAs.
    """
    from certkit.verify import server
    from certkit.verify.anchors import system

    trusted = system() if anchors is None else anchors

    def verdict(presented: tls.Presented) -> None:
        for finding in server.judge(presented.chain, host=host, anchors=trusted, at=at):
            if finding.status is not Status.OK:
                raise tls.UntrustedError(f"the server is not trusted: {finding.message}", hint=finding.hint)

    return verdict


def exchange(request: HttpRequest, address: Address, proxy: Proxy | None) -> Exchange:
    """Return a request ready to send: with the absolute URL if an HTTP proxy receives it in the clear."""
    if proxy is None or address.is_secure:
        return Exchange(request, target=address.target, host=address.authority)
    asked = replace(request, headers={**request.headers, **proxy.headers})
    return Exchange(asked, target=f"{address.origin}{address.target}", host=address.authority)
