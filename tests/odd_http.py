"""A small HTTP server that answers as it is told to, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Reply = bytes | Callable[[socket.socket], None]


@dataclass(frozen=True)
class Asked:
    """One request, as it came in; the names of the headers are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class OddServer:
    """A server whose nth reply is the nth of `replies`; the last one serves for all further requests.

    A reply is the bytes to send, or what is to be done with the socket, which is closed afterwards.
    """

    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)
    address: str = ""
    _connections: int = 0

    @property
    def lines(self) -> list[str]:
        """The request lines, without the version of HTTP."""
        return [asked.line.rsplit(" ", 1)[0] for asked in self.asked]

    def serve(self, listener: socket.socket) -> None:
        """Accept connections until the listener is closed."""
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            self._connections += 1
            threading.Thread(target=self._talk, args=(connected, self._connections), daemon=True).start()

    def _talk(self, connected: socket.socket, number: int) -> None:
        with connected, contextlib.suppress(OSError):
            stream = connected.makefile("rb")
            while asked := _request(stream, number):
                reply = self.replies[min(len(self.asked), len(self.replies) - 1)]
                self.asked.append(asked)
                if not isinstance(reply, bytes):
                    reply(connected)
                    return
                connected.sendall(reply)


def _request(stream: Any, number: int) -> Asked | None:
    line = stream.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while header := stream.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Asked(line, headers, stream.read(int(headers.get("content-length", 0))), number)


@contextlib.contextmanager
def odd_server(*replies: Reply) -> Iterator[OddServer]:
    """The server, on a free port of 127.0.0.1, as long as the block runs."""
    server = OddServer(list(replies))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def reply(status: int, document: object = None, /, **headers: str) -> bytes:
    """An answer as Vault gives it; `Retry_After="1"` is a header."""
    body = b"" if document is None else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def secret(version: int = 1, **data: str) -> bytes:
    """The answer to the reading of a secret."""
    metadata = {"version": version, "created_time": "2026-11-23T12:00:00.123456789Z", "custom_metadata": None}
    return reply(200, {"data": {"data": data, "metadata": metadata}})


def errors(status: int, *texts: str, **headers: str) -> bytes:
    """An answer of Vault's that says no."""
    return reply(status, {"errors": list(texts)}, **headers)
