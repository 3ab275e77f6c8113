"""`certkit probe`, as it is run."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.identity import activate, enroll, install
from certkit.policy import catalogue
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.x509.names import SubjectOptions
from tests import pki, tls_servers

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
    """All of the contract's document, exit 0; without --ca a warning."""
    root.issue(begin=NOW - pki.DAY, end=NOW + 2 * pki.DAY).write(tmp_path, "acme")
    pair = ["--cert", "acme.pem", "--key", "acme.key"]
    ran = certkit("probe", f"localhost:{port}", *pair, "--ca", "root.pem", "--json")
    assert (ran.code, ran.json["status"], ran.json["subject"]) == (0, "ok", "CN=acme-client-id,O=Acme Ltd")
    assert (ran.json["tls_version"], ran.json["acceptable_cas"]) == ("TLSv1.3", [])
    assert ran.json["client_not_after"] == f"{NOW + 2 * pki.DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert set(ran.checks().values()) == {"ok"}
    assert certkit("probe", f"https://localhost:{port}/", *pair).code == 1


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


def test_nobody_is_reached(certkit, root, tmp_path):
    """Exit 3."""
    root.issue(begin=NOW - pki.DAY, end=NOW + pki.DAY).write(tmp_path, "acme")
    ran = certkit("probe", f"127.0.0.1:{tls_servers.free_port()}", "--cert", "acme.pem", "--key", "acme.key", "--json")
    assert (ran.code, ran.json["error"]["message"].split(": ")[0]) == (3, "connect")


@pytest.mark.parametrize("options", [[], ["--cert", "a.pem"], ["--identity", "a", "--cert", "b", "--key", "c"]])
def test_one_client_certificate_is_wanted(certkit, options):
    """Neither none nor two."""
    ran = certkit("probe", "localhost:1", *options)
    assert (ran.code, "one client certificate is wanted" in ran.err) == (3, True)
