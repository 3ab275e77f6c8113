"""A server that behaves as Wise's documentation says of its token endpoint, and can be told to misbehave."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tests import tls_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.pki import Pair

CLIENT_ID, CLIENT_SECRET = "acme-client", "the-client-secret-of-the-tests"
REDIRECT_URI = "https://acme.example/wise"

Answer = tuple[int, str, bytes]


@dataclass
class Wise:
    """What it knows: codes with their redirect URIs, and refresh tokens with the one access token that is valid.

    A refresh makes the access token before it invalid. `meanwhile` runs before a request is judged, `instead`, if it
    has an answer, is the answer, and `afterwards` runs before it is sent. Status 0 is an answer that gets lost.
    """

    address: str = ""
    client_id: str = CLIENT_ID
    life: int = 43199
    rotates: bool = False
    codes: dict[str, str] = field(default_factory=dict)
    valid: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    instead: Callable[[dict[str, str]], Answer | None] = lambda _: None
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 0
    meanwhile: Callable[[dict[str, str]], None] = lambda _: None
    afterwards: Callable[[dict[str, str]], None] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def code(self, redirect_uri: str = REDIRECT_URI) -> str:
        """A fresh authorization code."""
        made = uuid.uuid4().hex
        self.codes[made] = redirect_uri
        return made

    @property
    def secrets(self) -> list[str]:
        """All secrets: tokens that were issued, codes that were sent, and the client secret."""
        sent = [form[name] for form in self.requests for name in ("code", "refresh_token") if name in form]
        basic = base64.b64encode(f"{self.client_id}:{CLIENT_SECRET}".encode()).decode()
        return [CLIENT_SECRET, basic, *self.made, *sent]

    def answer(self, authorization: str, form: dict[str, str]) -> Answer:
        """Return Wise's response to a token request."""
        instead = self.instead(form)
        if instead is not None:
            return instead
        expected = base64.b64encode(f"{self.client_id}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {expected}":
            return _error(401, "invalid_client", "Client authentication failed.")
        with self.lock:
            return getattr(self, f"_{form.get('grant_type')}", self._none)(form)

    def _none(self, _: dict[str, str]) -> Answer:
        return _error(400, "invalid_request", "Missing grant type")

    def _authorization_code(self, form: dict[str, str]) -> Answer:
        redirect_uri = self.codes.pop(form.get("code", ""), None)
        if redirect_uri is None or (form.get("redirect_uri"), form.get("client_id")) != (redirect_uri, self.client_id):
            return _error(400, "invalid_grant", "Invalid user credentials.")
        return self._token(self._new("refresh"))

    def _refresh_token(self, form: dict[str, str]) -> Answer:
        refresh = form.get("refresh_token", "")
        if refresh not in self.valid:
            return _error(401, "invalid_grant", "Invalid user credentials.")
        if self.rotates:
            del self.valid[refresh]
            refresh = self._new("refresh")
        return self._token(refresh)

    def _client_credentials(self, _: dict[str, str]) -> Answer:
        return self._token(None)

    def _token(self, refresh: str | None) -> Answer:
        now = datetime.now(UTC)
        access = self._new("access")
        document: dict[str, Any] = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": self.life,
            "expires_at": _text(now + timedelta(seconds=self.life)),
            "scope": "transfers",
            "created_at": _text(now, digits=9),
        }
        if refresh is not None:
            self.valid[refresh] = access
            end = now + timedelta(seconds=628639555)
            document |= {"refresh_token": refresh, "refresh_token_expires_in": 628639555}
            document |= {"refresh_token_expires_at": _text(end)}
        return 200, "application/json", json.dumps(document).encode()

    def _new(self, kind: str) -> str:
        self.made.append(f"{kind}-{uuid.uuid4()}")
        return self.made[-1]


def _text(moment: datetime, *, digits: int = 0) -> str:
    fraction = f".{moment.microsecond:06}000"[: digits + 1] if digits else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _error(status: int, error: str, description: str) -> Answer:
    return status, "application/json", json.dumps({"error": error, "error_description": description}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    wise: Wise

    def get_request(self) -> Any:
        """Count who comes."""
        self.wise.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        """Say nothing: who gives up what was begun breaks a connection."""


@contextlib.contextmanager
def serving(
    wise: Wise | None = None, *, pair: Pair | None = None, folder: Path | None = None, client_ca: Pair | None = None
) -> Iterator[Wise]:
    """The server on 127.0.0.1 as long as the block runs: plain, or with TLS, and then with client certificates."""
    wise = wise or Wise()
    with _Server(("127.0.0.1", 0), _handler(wise)) as server:
        server.wise = wise
        if pair is not None and folder is not None:
            tls_servers.write(pair, folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "chain.pem", folder / "server.key")
            if client_ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(cadata=client_ca.pem.decode())
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if pair is None else "https"
        wise.address = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield wise
        finally:
            server.shutdown()
            thread.join(10)


def _handler(wise: Wise) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            form = dict(parse_qsl(body.decode())) | {"path": self.path}
            if isinstance(self.connection, ssl.SSLSocket):
                certificate = self.connection.getpeercert() or {}
                wise.clients += [
                    value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"
                ]
            wise.requests.append(form)
            wise.meanwhile(form)
            assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            status, kind, answer = wise.answer(self.headers.get("Authorization", ""), form)
            wise.afterwards(form)
            if status == 0:  # the answer is lost
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            for name, value in wise.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
