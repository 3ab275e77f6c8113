"""The three listeners of a rehearsal, on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import CertkitError, InputError
from certkit.printable import printable, sentences
from certkit.wise.rehearsal import api, mutual_tls, rehearsal, web
from certkit.wise.rehearsal.messages import Reply, WebRequest, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

    Answer = Callable[[WiseRehearsal, WebRequest], Reply]
    Log = Callable[[str], None]

HOST = "127.0.0.1"
MAX_BODY_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 2.0
_MAX_DRAINED = 4 * 1024 * 1024
_CHUNK = 64 * 1024


class _Handler(http.server.BaseHTTPRequestHandler):
    """A handler that serves one request on each connection."""

    server: _Server
    server_version = "certkit-rehearsal-not-Wise"
    sys_version = ""
    timeout = TIMEOUT_SECONDS
    error_message_format = "A rehearsal, not Wise: %(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
        """Log nothing: request lines may contain codes and tokens."""

    def _serve(self, method: str) -> None:
        body = self._body() if method == "POST" else b""
        reply = self._reply(method, body) if isinstance(body, bytes) else body
        path = self.path.partition("?")[0]
        self.server.log(f"{self.command} {path[:200]} {reply.status}")
        self._send(reply)

    def _reply(self, method: str, body: bytes) -> Reply:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = WebRequest(method=method, path=path, query=query, headers=headers, body=body)
        try:
            return self.server.answer(self.server.rehearsal, request)
        except CertkitError as error:
            self.server.log(sentences(error.message, error.hint))
            return failure(500, "server_error", error.message)
        except Exception as error:  # noqa: BLE001  whatever a request does, the next one is answered
            self.server.log(f"internal error: {type(error).__name__}")
            return failure(500, "server_error", "Internal error of the rehearsal")

    def _body(self) -> bytes | Reply:
        """Return the body, or the response that rejects one of unknown or excessive length."""
        length = self.headers.get("Content-Length") or ("" if self.headers.get("Transfer-Encoding") else "0")
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            return failure(411, "invalid_request", "The Content-Length of the body is missing")
        if int(length) > MAX_BODY_BYTES:
            return failure(413, "invalid_request", "The body is too long")
        return self.rfile.read(int(length))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        headers = {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(reply.body)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Rehearsal": "not Wise",
        }
        for name, value in (headers | dict(reply.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A listener that serves each connection in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    rehearsal: WiseRehearsal
    log: Log

    def __init__(self, port: int, answer: Answer) -> None:
        super().__init__((HOST, port), _Handler)
        self.answer = answer

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def shutdown_request(self, request: Any) -> None:
        """Close the connection only after reading what is left: a reset would discard the response or alert."""
        with contextlib.suppress(OSError):
            request.settimeout(_DRAIN_SECONDS)
            request.shutdown(socket.SHUT_WR)
            left = _MAX_DRAINED
            while left > 0 and (chunk := request.recv(_CHUNK)):
                left -= len(chunk)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the library's signature
        """Report unexpected errors, but not broken connections."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.log(f"internal error: {type(error).__name__}")


class _MutualServer(_Server):
    """A listener that serves only clients with a valid client certificate."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, if its client certificate is valid."""
        try:
            with mutual_tls.accepted(self.rehearsal, request, timeout=TIMEOUT_SECONDS) as stream:
                _Handler(stream, client_address, self)  # type: ignore[arg-type]
        except ConnectionError as error:
            self.log(f"mTLS refused: {error}")


@dataclass(frozen=True, slots=True)
class Listeners:
    """Three listeners, which accept connections at once, and answer them while `serving`."""

    web: _Server
    api: _Server
    api_mtls: _MutualServer

    @property
    def addresses(self) -> tuple[str, str, str]:
        """The URLs of the pages, of the API, and of the API with mTLS."""
        return (
            f"http://{HOST}:{self.web.port}",
            f"http://{HOST}:{self.api.port}",
            f"https://{HOST}:{self.api_mtls.port}",
        )

    @contextlib.contextmanager
    def serving(self, rehearsal: WiseRehearsal, *, log: Log) -> Iterator[None]:
        """Serve requests until the context ends; `log` gets a line for each, without secrets."""
        with contextlib.ExitStack() as running:
            for server in (self.web, self.api, self.api_mtls):
                server.rehearsal = rehearsal
                server.log = lambda line: log(printable(line))
                threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
                running.callback(server.shutdown)
            yield


@contextlib.contextmanager
def listening(port: int) -> Iterator[Listeners]:
    """Listen on three ports from `port` on; with 0, on three free ones.

    Raises:
        InputError: if a port is in use.
    """
    with contextlib.ExitStack() as held:
        ports = (0, 0, 0) if port == 0 else (port, port + 1, port + 2)
        try:
            pages = held.enter_context(_Server(ports[0], web.answer))
            plain = held.enter_context(_Server(ports[1], api.plain))
            mutual = held.enter_context(_MutualServer(ports[2], api.mutual))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(
                f"cannot listen on {HOST}, ports {port} to {port + 2}: {reason}",
                hint="give another --port, or 0 for any free ports",
            ) from error
        yield Listeners(pages, plain, mutual)


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    port: int,
    client_id: str | None = None,
    redirect_uris: Sequence[str] = (),
    clock: Callable[[], datetime],
    log: Log,
) -> Iterator[WiseRehearsal]:
    """Run a new or resumed rehearsal on three ports from `port` on (0: free ones) until the context ends.

    Raises:
        InputError: if a port is in use, or the directory is in use, damaged or not a rehearsal's.
    """
    with (
        listening(port) as listeners,
        rehearsal.opened(
            directory, listeners.addresses, client_id=client_id, redirect_uris=redirect_uris, clock=clock
        ) as found,
        listeners.serving(found, log=log),
    ):
        yield found
