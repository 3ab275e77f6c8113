"""A web service with an identity: it calls Wise for its users, and receives Wise's webhooks.

    python service.py acme --certificate server.pem [--base-url URL] [--policy POLICY] [--port 8443]

`server.pem` is the service's own certificate with its key, for its users and for Wise. The client certificate is the
identity's, presented from memory; when the identity is renewed, the next connection presents the new one.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

import certkit

MAX_BODY_BYTES = 1024 * 1024


class Service(ThreadingHTTPServer):
    """What the requests share: one client for Wise, the webhook's policy, and the deliveries that arrived."""

    daemon_threads = True
    client: httpx.Client
    policy: str
    deliveries: list[dict[str, object]]
    context: ssl.SSLContext

    def finish_request(self, request: object, client_address: object) -> None:
        """Shake hands in the thread of the connection, so that a slow client does not block others."""
        with self.context.wrap_socket(request, server_side=True) as secure:  # type: ignore[arg-type]
            super().finish_request(secure, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """`GET /call` calls Wise; `GET /deliveries` lists the deliveries; `POST /webhook` accepts one."""

    server: Service

    def do_GET(self) -> None:
        """Answer a user."""
        if self.path == "/deliveries":
            self._send(200, self.server.deliveries)
        elif self.path == "/call":
            try:
                answer = self.server.client.get("/v1/authenticated/playground")
                self._send(200, {"wise": answer.status_code})
            except (httpx.HTTPError, certkit.Error) as error:
                self._send(502, {"error": type(error).__name__})
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        """Accept a delivery if Wise signed exactly these bytes; verify before parsing anything."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/webhook" or length > MAX_BODY_BYTES:
            self._send(404, {})
            return
        body, signature = self.rfile.read(length), self.headers.get("X-Signature-SHA256", "")
        if not certkit.verify_webhook(body, signature, policy=self.server.policy).is_ok:
            self._send(403, {})
            return
        self.server.deliveries.append(json.loads(body))
        self._send(200, {})

    def _send(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent; a real service logs here."""


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A service with an identity.")
    parser.add_argument("name")
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--base-url", default="https://api-mtls.wise-sandbox.com")
    parser.add_argument("--policy", default="wise-sandbox")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--interval", type=float, default=60)
    asked = parser.parse_args()
    try:
        acme = certkit.identity(asked.name, interval=asked.interval)
    except certkit.Error as error:
        print(f"{error.message}. {error.hint}", file=sys.stderr)
        return 1
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(asked.certificate)
    # No connection is kept for long, so that a renewal is seen soon.
    limits = httpx.Limits(keepalive_expiry=asked.interval)
    with (
        httpx.Client(verify=acme.ssl_context(), auth=acme.auth(), base_url=asked.base_url, limits=limits) as client,
        Service(("127.0.0.1", asked.port), Handler) as service,
    ):
        service.client, service.policy, service.deliveries, service.context = client, asked.policy, [], context
        print(f"https://127.0.0.1:{service.server_port}", flush=True)
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
