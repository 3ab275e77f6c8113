"""Fixtures of the Python API: an identity in a store, a partner's server that demands its certificate, and renewals."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

import certkit
from tests import pki, tls_servers
from tests.identity import conftest as life

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@dataclass
class Partner:
    """A server that demands a client certificate: the serials it saw with each request, and with each connection."""

    url: str = ""
    serials: list[int] = field(default_factory=list)
    handshakes: list[int | None] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)


@contextlib.contextmanager
def partner(folder, *, client_ca=life.ROOT, demand=ssl.CERT_REQUIRED, crl=None):
    """A server in TLS 1.3 with keep-alive, which answers GET and POST with the serial that it saw."""
    found = Partner()
    pair = life.ROOT.issue(
        pki.name(CN="127.0.0.1"),
        extensions=(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
        ),
    )
    folder.mkdir(exist_ok=True)
    context = tls_servers._context(pair, folder)
    context.verify_mode = demand
    context.load_verify_locations(cadata=client_ca.pem.decode())
    if crl is not None:
        context.load_verify_locations(crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self):
            super().setup()
            peer = self.connection.getpeercert()
            self.serial = int(peer["serialNumber"], 16) if peer else None
            found.handshakes.append(self.serial)

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.serials.append(self.serial)
            token = self.headers.get("Authorization")
            found.tokens.append(token)
            status = 401 if found.valid and token not in found.valid else 200
            body = json.dumps({"serial": self.serial}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def finish_request(self, request, address):
            try:
                with context.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, address)
            except (OSError, ssl.SSLError):
                pass

        def shutdown_request(self, request):
            with contextlib.suppress(OSError):
                request.close()

        def handle_error(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        found.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path):
    """Such a server."""
    with partner(tmp_path / "partner") as found:
        yield found


@dataclass
class Place:
    """A store with the identity `acme` in use, how programs name it, and its environment."""

    store: object
    uri: str
    environment: dict[str, str]

    def identity(self, **options):
        """The identity, opened by the public API."""
        return certkit.identity("acme", store=self.uri, environment=self.environment, **options)

    def renew(self, **options):
        """Put a new generation in use; the serial of its certificate."""
        number = life.request_again(self.store)
        made = life.issue(self.store, number, **options)
        life.install(self.store, life.pasted(made))
        life.activate.activate(self.store, self.store.load("acme"), number, now=pki.NOW)
        return made.certificate.serial_number

    @property
    def serial(self):
        """The serial of the certificate in use."""
        found = self.store.load("acme")
        return life.overview.certificate(life.overview.generation(found, found.record.active)).serial


def in_directory(request):
    """A store in a directory."""
    store = life.file_store(request, "store")
    return Place(store, f"file:{request.getfixturevalue('tmp_path')}/store", ENVIRONMENT)


def in_vault(request):
    """A store on a real OpenBao server."""
    store = life.vault_store(request, "store")
    server = request.getfixturevalue("openbao")
    uri = store.uri
    return Place(store, uri, {**ENVIRONMENT, "VAULT_ADDR": server.address, "VAULT_TOKEN": server.token})


PLACES = {"file": in_directory, "vault": in_vault}


@pytest.fixture(params=PLACES)
def place(request):
    """A store of each kind, with an identity in use."""
    found = PLACES[request.param](request)
    life.use(found.store)
    return found


@pytest.fixture
def directory(request):
    """A directory with an identity in use."""
    found = in_directory(request)
    life.use(found.store)
    return found
