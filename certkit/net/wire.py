"""HTTP/1.1 over a connection: one request and its response, bounded in size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from certkit.__about__ import __version__
from certkit.errors import InputError
from certkit.net.connecting import NetError, NetTrouble
from certkit.printable import printable

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    import h11

MAX_ANSWER_BYTES = 256 * 1024

_CHUNK = 64 * 1024
_HINT = "check the address, and ask the server's operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request. Headers and body may hold secrets, and are not shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def details(self) -> str:
        """When to try again (RFC 9110 section 10.2.3) and Wise's trace id, to be added to a message; or nothing."""
        when, trace_id = self.headers.get("retry-after", "")[:40], self.headers.get("x-trace-id", "")[:100]
        if when.isascii() and when.isdigit():
            when = f"in {when} seconds"
        return (f"; try again {when}" if when else "") + (f" (trace id {trace_id})" if trace_id else "")


class NoAnswerError(NetError):
    """The server ended the connection before it sent anything."""


class AnswerError(InputError):
    """An answer that cannot be used."""


class Stream(Protocol):
    """A connection that a request is sent over."""

    async def send(self, data: bytes) -> None:
        """Send data; if the other end has gone, do nothing."""

    async def receive(self) -> bytes:
        """Return what comes next; empty at the end."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A connected, non-blocking socket, without TLS."""

    connection: socket.socket

    async def send(self, data: bytes) -> None:
        """Send all data; if the other end has gone, what it sent before can still be received."""
        import asyncio
        import contextlib

        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def receive(self) -> bytes:
        """Return what comes next; empty at the end."""
        import asyncio

        # Otherwise a server that never stops sending would keep the deadline from taking effect.
        await asyncio.sleep(0)
        return await asyncio.get_running_loop().sock_recv(self.connection, _CHUNK)


@dataclass(slots=True)
class Exchange:
    """One request and its response, and how far they got if they fail.

    `is_sent` says whether a byte of the request may have gone out, `is_heard` whether anything came back, and `status`
    what the answer began with.
    """

    request: HttpRequest
    target: str
    host: str
    is_sent: bool = False
    is_heard: bool = False
    status: int | None = None

    async def run(self, stream: Stream) -> HttpAnswer:
        """Send the request over a connection and return the answer.

        Raises:
            NoAnswerError: if the server ends the connection before it answers.
            AnswerError: if the answer is not HTTP, is cut short, or too long.
            InputError: if the request is malformed.
            NetError: if the connection fails, or the server sends an alert.
        """
        import h11

        talk = h11.Connection(h11.CLIENT)
        data = self._words(talk)
        self.is_sent = True
        await stream.send(data)
        try:
            while not isinstance(response := await self._event(talk, stream), h11.Response):
                if isinstance(response, h11.ConnectionClosed):
                    raise _ended("closed")
            self.status = response.status_code
            body = await self._body(talk, stream, self.status)
        except h11.RemoteProtocolError as error:
            begun = "the response is truncated or malformed"
            complaint = "the response is not HTTP/1.1" if self.status is None else begun
            raise AnswerError(complaint, hint=_HINT) from error
        return HttpAnswer(status=self.status, headers=_headers(response), body=body)

    def _words(self, talk: h11.Connection) -> bytes:
        import h11

        request = self.request
        given = {name.lower() for name in request.headers}
        ours = {"Host": self.host, "User-Agent": f"certkit/{__version__}", "Connection": "close"}
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            ours["Content-Length"] = str(len(request.body))
        headers = [*((name, value) for name, value in ours.items() if name.lower() not in given)]
        headers += request.headers.items()
        try:
            head = talk.send(h11.Request(method=request.method, target=self.target, headers=headers))
            body = talk.send(h11.Data(data=request.body)) if request.body else b""
            end = talk.send(h11.EndOfMessage())
        except (h11.LocalProtocolError, UnicodeError):
            # h11 would quote the value, which may be a secret.
            raise InputError("the request's method or one of its headers is malformed", hint=_HINT) from None
        return b"".join(part for part in (head, body, end) if part)

    async def _body(self, talk: h11.Connection, stream: Stream, status: int) -> bytes:
        import h11

        body = bytearray()
        if self.request.method == "CONNECT" and 200 <= status < 300:
            return b""
        while not isinstance(event := await self._event(talk, stream), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                body += event.data
            if len(body) > MAX_ANSWER_BYTES:
                raise AnswerError(f"the response is longer than {MAX_ANSWER_BYTES:,} bytes", hint=_HINT)
        return bytes(body)

    async def _event(self, talk: h11.Connection, stream: Stream) -> object:
        import h11

        while (event := talk.next_event()) is h11.NEED_DATA:
            try:
                data = await stream.receive()
            except (BrokenPipeError, ConnectionResetError) as error:
                if self.is_heard:
                    raise
                raise _ended("reset") from error
            if not data and not self.is_heard:
                raise _ended("closed")
            self.is_heard = True
            talk.receive_data(data)
        return event


def _ended(how: str) -> NoAnswerError:
    message = f"the server {how} the connection without a response"
    return NoAnswerError(message, hint=_HINT, trouble=NetTrouble.CONNECTION_FAILED)


def _headers(response: h11.Response) -> dict[str, str]:
    """Return headers by name; repeated ones are joined by commas (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1"), printable(value.decode("latin-1"))
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
