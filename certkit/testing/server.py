"""An mTLS server for tests: it demands a client certificate, and remembers every request."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.testing.ca import CA

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Request:
    """A request that arrived: `serial` is that of the client certificate, in lower-case hex of even length."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    subject: str
    serial: str


@dataclass
class Server:
    """A running server: its base URL, and the requests that arrived, oldest first.

    It answers each request with JSON, `{"subject": …, "serial": …}` of the client certificate, or with what `answers`
    holds for the path: a status and a body.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)


@contextlib.contextmanager
def serving(ca: CA, *, client_ca: bytes | None = None) -> Iterator[Server]:
    """Run a server on 127.0.0.1 with a certificate of a CA; clients need one of `client_ca` or of the same CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=(client_ca or ca.pem).decode("ascii"))
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "server.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(b"".join(ca.server()))
        context.load_cert_chain(pair)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.context = context
    server.found = Server(f"https://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield server.found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext
    found: Server

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the thread of the connection; a client that is refused has learnt so from TLS."""
        with (
            contextlib.suppress(OSError),  # ssl.SSLError is one
            self.context.wrap_socket(request, server_side=True) as secure,
        ):
            super().finish_request(secure, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30.0

    def _answer(self) -> None:
        peer = self.connection.getpeercert() or {}
        subject = ",".join(f"{name}={value}" for part in peer.get("subject", ()) for name, value in part)
        serial = str(peer.get("serialNumber", "")).lower()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.server.found
        found.requests.append(Request(self.command, self.path, dict(self.headers), body, subject, serial))
        own = json.dumps({"subject": subject, "serial": serial}).encode()
        status, data = found.answers.get(self.path, (200, own))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815  the library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent: the requests are in `Server.requests`."""
