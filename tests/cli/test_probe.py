"""`certkit probe`, as it is run."""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.identity import activate, enroll, install
from certkit.policy import catalogue
from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.wise import tokens
from certkit.wise.tokens import Token
from certkit.x509.names import SubjectOptions
from tests import pki, tls_servers
from tests.conftest import command, environment

NOW = datetime.now(UTC).replace(microsecond=0)
SAN = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


@pytest.fixture
def port(root, tmp_path):
    """A server that takes the root's clients."""
    pair = root.issue(extensions=[pki.SERVER, SAN], begin=NOW - pki.DAY, end=NOW + pki.DAY)
    root.write(tmp_path, "root")
    (tmp_path / "server").mkdir()
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with tls_servers.web(pair, tmp_path / "server", body, client_ca=root) as seen:
        yield int(seen[0])


def test_a_pair_from_files(certkit, root, tmp_path, port):
    """All of the contract's document, exit 0; without --ca the server of a private CA is not trusted."""
    root.issue(begin=NOW - pki.DAY, end=NOW + 2 * pki.DAY).write(tmp_path, "acme")
    pair = ["--cert", "acme.pem", "--key", "acme.key"]
    ran = certkit("probe", f"localhost:{port}", *pair, "--ca", "root.pem", "--json")
    assert (ran.code, ran.json["status"], ran.json["subject"]) == (0, "ok", "CN=acme-client-id,O=Acme Ltd")
    assert (ran.json["tls_version"], ran.json["acceptable_cas"]) == ("TLSv1.3", [])
    assert ran.json["client_not_after"] == f"{NOW + 2 * pki.DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert set(ran.checks().values()) == {"ok"}
    refused = certkit("probe", f"https://localhost:{port}/", *pair)
    assert (refused.code, "give the CA of the server with --ca FILE" in refused.out) == (2, True)


def test_a_file_with_certificate_and_key(certkit, root, tmp_path, port):
    """--key may be left out then; otherwise its absence is explained."""
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 2 * pki.DAY)
    both = tmp_path / "both.pem"
    both.write_bytes(pair.pem + pair.key_pem)
    both.chmod(0o600)
    assert certkit("probe", f"localhost:{port}", "--cert", "both.pem", "--ca", "root.pem").code == 0
    piped = subprocess.run(
        ["bash", "-c", '"$0" probe "$1" --cert <(cat both.pem) --ca root.pem', *command(), f"localhost:{port}"],
        capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False,
    )  # fmt: skip
    assert (piped.returncode, piped.stderr) == (0, "")
    (tmp_path / "alone.pem").write_bytes(pair.pem)
    refused = certkit("probe", f"localhost:{port}", "--cert", "alone.pem", "--ca", "root.pem")
    assert (refused.code, "alone.pem" in refused.err, "--key" in refused.err) == (3, True, True)


def test_a_proxy_of_the_environment(certkit, root, tmp_path, port):
    """https_proxy is used unless no_proxy names the host, or --proxy is empty."""
    root.issue(begin=NOW - pki.DAY, end=NOW + 2 * pki.DAY).write(tmp_path, "acme")
    asked = ["probe", f"localhost:{port}", "--cert", "acme.pem", "--key", "acme.key", "--ca", "root.pem"]
    for name in ("https_proxy", "HTTPS_PROXY"):
        tried = certkit(*asked, env={name: "http://127.0.0.1:1"})
        assert (tried.code, "the proxy http://127.0.0.1:1: connection refused" in " ".join(tried.out.split())) == (
            3,
            True,
        )
    assert certkit(*asked, env={"https_proxy": "http://127.0.0.1:1", "NO_PROXY": "localhost"}).code == 0
    assert certkit(*asked, "--proxy", "", env={"https_proxy": "http://127.0.0.1:1"}).code == 0


def test_certificates_in_any_order(certkit, root, tmp_path, port):
    """The one that belongs to the key is shown, wherever it stands in its file."""
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 2 * pki.DAY)
    pair.write(tmp_path, "acme")
    (tmp_path / "chain.pem").write_bytes(root.pem + pair.pem)
    ran = certkit(
        "probe", f"localhost:{port}", "--cert", "chain.pem", "--key", "acme.key", "--ca", "root.pem", "--json"
    )
    assert (ran.code, ran.json["subject"]) == (0, "CN=acme-client-id,O=Acme Ltd")


def test_no_password_is_an_argument(certkit, root, tmp_path, port):
    """Of a proxy; it is not repeated, and the variable takes it."""
    root.issue(begin=NOW - pki.DAY, end=NOW + 2 * pki.DAY).write(tmp_path, "acme")
    asked = ["probe", f"localhost:{port}", "--cert", "acme.pem", "--key", "acme.key", "--ca", "root.pem"]
    refused = certkit(*asked, "--proxy", "http://user:hunter2@127.0.0.1:1")
    assert (refused.code, "CERTKIT_PROXY" in refused.err, "hunter2" in refused.err) == (3, True, False)
    tried = certkit(*asked, env={"CERTKIT_PROXY": "http://user:hunter2@127.0.0.1:1"})
    assert (tried.code, "hunter2" in tried.out + tried.err) == (3, False)


def test_an_identity(certkit, root, tmp_path, port):
    """Its key, chain, bundle and URL come from the store."""
    policy = catalogue.load("wise-sandbox")
    store = FileStore(tmp_path / "ids")
    settings = Settings(
        policy="wise-sandbox",
        subject=SubjectOptions(organization="Acme Ltd"),
        probe=f"https://localhost:{port}/v1",
    )
    request = enroll.enroll(store, "acme", settings, policy, now=NOW).identity.generations[-1].csr
    key = x509.load_pem_x509_csr(request).public_key()
    issued = root.issue(public_key=key, begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    number = install.install(store, store.load("acme"), issued.pem, policy, trust_bundle=root.pem, now=NOW)[1]
    activate.activate(store, store.load("acme"), number, now=NOW)
    ran = certkit("probe", "--identity", "acme", "--store", "file:ids", "--json")
    assert (ran.code, ran.json["target"]) == (0, f"https://localhost:{port}/v1")
    for profile in ("1", "2"):
        token = Token(
            grant="authorization_code",
            profile_id=profile,
            client_id="acme",
            access=Secret(b"token"),
            received_at=NOW,
            expires_at=NOW + pki.DAY,
        )
        tokens.write(store, "acme", token, over=None)
    ran = certkit("probe", "--identity", "acme", "--store", "file:ids", "-q")
    assert ran.err == (
        "certkit: warning: no token is sent: acme has several tokens: authorization_code.1, authorization_code.2."
        " Give one with --token-file FILE\n"
    )


def test_verbose_reports_each_check_at_once(root, tmp_path):
    """While the server still keeps the probe waiting."""
    root.issue(begin=NOW - pki.DAY, end=NOW + pki.DAY).write(tmp_path, "acme")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = ["probe", f"127.0.0.1:{silent.getsockname()[1]}", "--cert", "acme.pem", "--key", "acme.key", "-v"]
        with subprocess.Popen(
            [*command(), *words], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "connect after" in line)
            assert re.fullmatch(r"certkit: connect after \d\.\d{3} s: connected to 127\.0\.0\.1:\d+\n", line)
            assert process.poll() is None
            process.terminate()


def test_an_unreachable_server(certkit, root, tmp_path):
    """Exit 3."""
    root.issue(begin=NOW - pki.DAY, end=NOW + pki.DAY).write(tmp_path, "acme")
    ran = certkit("probe", f"127.0.0.1:{tls_servers.free_port()}", "--cert", "acme.pem", "--key", "acme.key", "--json")
    assert (ran.code, ran.json["error"]["message"].split(": ")[0]) == (3, "connect")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no client certificate given"),
        (["--key", "a.key"], "no client certificate given"),
        (["--identity", "a", "--cert", "b", "--key", "c"], "--identity and --cert exclude each other"),
    ],
)
def test_one_client_certificate_is_needed(certkit, options, message):
    """Neither none nor two."""
    ran = certkit("probe", "localhost:1", *options)
    assert (ran.code, message in ran.err) == (3, True)
