"""A network between certkit and a real server that loses what it is told to lose."""

from __future__ import annotations

import contextlib
import http.client
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Fate(Enum):
    """The fate of a request."""

    ARRIVES = auto()
    REQUEST_IS_LOST = auto()
    ANSWER_IS_LOST = auto()
    ANSWER_IS_500 = auto()


@dataclass
class Network:
    """Where certkit finds the server, what it asked for so far, and what becomes of each request.

    `fate` gets the number of the request, from 1 on, and its line such as `POST /v1/secret/data/x`. `on_loss` is
    called where something is lost, before who asked can notice.
    """

    address: str = ""
    fate: Callable[[int, str], Fate] = lambda *_: Fate.ARRIVES
    on_loss: Callable[[], None] = lambda: None
    lines: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def decide(self, line: str) -> Fate:
        """Count a request, and say what becomes of it."""
        with self.lock:
            self.lines.append(line)
            number = len(self.lines)
        return self.fate(number, line)


class _Relay(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: who gives up what was begun breaks a connection."""


@contextlib.contextmanager
def network(server: str) -> Iterator[Network]:
    """The network in front of the server at an address, as long as the block runs."""
    made = Network()
    with _Relay(("127.0.0.1", 0), _handler(made, urlsplit(server).netloc)) as relay:
        made.address = f"http://127.0.0.1:{relay.server_address[1]}"
        thread = threading.Thread(target=relay.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            relay.shutdown()
            thread.join(10)


def _handler(made: Network, server: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fate = made.decide(f"{self.command} {self.path}")
            if fate is Fate.REQUEST_IS_LOST:
                self.close_connection = True
                made.on_loss()
                return
            status, headers, answer = _asked(server, self.command, self.path, body, dict(self.headers))
            if fate is Fate.ANSWER_IS_LOST:
                self.close_connection = True
                made.on_loss()
                return
            if fate is Fate.ANSWER_IS_500:
                status, answer = 500, b'{"errors": ["no quorum"]}'
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = relay  # noqa: N815  the names that http.server wants

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _asked(
    server: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(server, timeout=30)
    connection.set_debuglevel(0)  # a test may have all others print what they send
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()
