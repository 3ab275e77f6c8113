"""OCSP against openssl's responder, a real one, on this machine."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from certkit.errors import InputError
from certkit.net import http
from tests import pki
from tests.conftest import openssl, require_program

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def port():
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def client(root, tmp_path, port):
    """A client certificate that names a responder on this machine, with its CA, in files."""
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"http://127.0.0.1:{port}/")
            )
        ]
    )
    pair = root.issue(extensions=[pki.CLIENT, access], begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY)
    pair.write(tmp_path, "acme")
    root.write(tmp_path, "root")
    return pair


@contextlib.contextmanager
def responder(folder, port, client, *, revoked="", signer="root"):
    """Openssl's OCSP responder, with one certificate in its index."""
    state = "R" if revoked else "V"
    expires = client.certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
    row = [state, expires, revoked, f"{client.certificate.serial_number:X}".zfill(40), "unknown", "/CN=acme"]
    (folder / "index").write_text("\t".join(row) + "\n")
    command = [
        require_program("openssl"),
        "ocsp",
        "-index",
        "index",
        "-port",
        str(port),
        "-CA",
        "root.pem",
        "-nmin",
        "5",
    ]
    command += ["-rsigner", f"{signer}.pem", "-rkey", f"{signer}.key"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        # A connection that says nothing would keep it waiting, so its log tells when it listens.
        for _ in range(200):
            if b"waiting for OCSP client connections" in (folder / "log").read_bytes():
                break
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def asked(certkit, *options):
    """The revocation findings of acme.pem, by OCSP, and the exit code."""
    ran = certkit("verify", "acme.pem", "--ca", "root.pem", "--json", *(options or ("--ocsp",)))
    return [check for check in ran.json["checks"] if check["id"] == "revocation"], ran.code


def test_good(certkit, client, tmp_path, port):
    """The responder says good: ok, and the finding "not requested" is gone."""
    with responder(tmp_path, port, client):
        [finding], code = asked(certkit)
    assert (finding["status"], code) == ("ok", 0)
    assert finding["message"].startswith("not revoked: CN=acme-client-id,O=Acme Ltd, by OCSP")


def test_revoked(certkit, client, tmp_path, port):
    """Revoked is critical, with its time and reason."""
    with responder(tmp_path, port, client, revoked="261101000000Z,keyCompromise"):
        [finding], code = asked(certkit)
    assert (finding["status"], code) == ("critical", 2)
    assert finding["message"].endswith("has been revoked since 2026-11-01T00:00:00Z (keyCompromise)")


def test_a_responder_that_is_not_there_is_unknown(certkit, client):
    """No response: unknown, exit 3, never ok."""
    [finding], code = asked(certkit)
    assert (finding["status"], code) == ("unknown", 3)
    assert "connection refused" in finding["message"]


def test_a_delegated_responder(certkit, client, root, tmp_path, port):
    """Signed by whom the CA named for it: ok; by anyone else of that CA: it does not count."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    dates = {"begin": NOW - pki.DAY, "end": NOW + pki.DAY}
    root.issue(pki.name(CN="responder"), extensions=[usage, x509.OCSPNoCheck()], **dates).write(tmp_path, "delegate")
    root.issue(pki.name(CN="somebody"), extensions=[pki.CLIENT], **dates).write(tmp_path, "somebody")
    with responder(tmp_path, port, client, signer="delegate"):
        [finding], _ = asked(certkit)
        assert finding["status"] == "ok"
    with responder(tmp_path, port, client, signer="somebody"):
        [finding], code = asked(certkit)
    assert (finding["status"], code) == ("unknown", 3)
    assert "its responder's certificate is not for signing OCSP responses" in finding["message"]


def test_a_response_from_a_file(certkit, client, tmp_path, port):
    """A response at hand is judged at the moment asked about; later it is stale."""
    with responder(tmp_path, port, client):
        url = f"http://127.0.0.1:{port}/"
        files = ("-issuer", tmp_path / "root.pem", "-cert", tmp_path / "acme.pem", "-CAfile", tmp_path / "root.pem")
        openssl("ocsp", "-url", url, *files, "-respout", tmp_path / "response")
    [finding], code = asked(certkit, "--ocsp-response", "response")
    assert (finding["status"], code) == ("ok", 0)
    later = (NOW + 2 * pki.DAY).strftime("%Y-%m-%d")
    [finding], code = asked(certkit, "--ocsp-response", "response", "--at", later)
    assert (finding["status"], code) == ("unknown", 3)
    assert "it has been stale since" in finding["message"]


def test_a_response_about_another_certificate(certkit, client, root, tmp_path, port):
    """It says nothing about this one."""
    with responder(tmp_path, port, client):
        files = ("-issuer", tmp_path / "root.pem", "-cert", tmp_path / "acme.pem", "-CAfile", tmp_path / "root.pem")
        openssl("ocsp", "-url", f"http://127.0.0.1:{port}/", *files, "-respout", tmp_path / "response")
    root.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY).write(tmp_path, "acme")
    [finding], code = asked(certkit, "--ocsp-response", "response")
    assert (finding["status"], code) == ("unknown", 3)


def test_a_certificate_that_names_no_responder(certkit, root, tmp_path):
    """It cannot be asked about."""
    root.issue(begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY).write(tmp_path, "acme")
    root.write(tmp_path, "root")
    [finding], code = asked(certkit)
    assert (finding["status"], code) == ("unknown", 3)
    assert "names no OCSP responder" in finding["message"]


def test_a_ca_that_names_no_responder_is_checked_by_its_crl(certkit, root, tmp_path, port):
    """A root often publishes only a CRL; without it, the hint says what to give."""
    issuing = root.intermediate(pki.name(CN="Issuing CA"))
    access = x509.AccessDescription(
        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"http://127.0.0.1:{port}/")
    )
    extensions = [pki.CLIENT, x509.AuthorityInformationAccess([access])]
    pair = issuing.issue(extensions=extensions, begin=NOW - pki.DAY, end=NOW + 90 * pki.DAY)
    pair.write(tmp_path, "acme")
    issuing.write(tmp_path, "root")  # the responder's CA
    root.write(tmp_path, "top")
    for name, ca in (("top", root), ("issuing", issuing)):
        builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
        builder = builder.last_update(NOW - pki.DAY).next_update(NOW + pki.DAY)
        (tmp_path / f"{name}.crl").write_bytes(builder.sign(ca.key, SHA256()).public_bytes(Encoding.PEM))
    verify = ("verify", "acme.pem", "--ca", "top.pem", "--untrusted", "root.pem", "--ocsp", "--json")
    with responder(tmp_path, port, pair):
        without = certkit(*verify)
        both = certkit(*verify, "--crl", "top.crl", "--crl", "issuing.crl")
    assert without.code == 3
    assert "give the CRLs of all CAs of the chain with --crl; or check only the leaf" in without.out
    assert (both.code, both.checks()["revocation"]) == (0, "ok")


def test_rubbish_instead_of_a_response(certkit, client, tmp_path):
    """Bytes that are no response: unknown."""
    (tmp_path / "rubbish").write_bytes(b"\x30\x03\x0a\x01\x00" * 100)
    [finding], code = asked(certkit, "--ocsp-response", "rubbish")
    assert (finding["status"], code) == ("unknown", 3)


def test_a_server_that_never_answers(port):
    """The time for the whole of it is bounded."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", port))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(InputError, match=r"no response|timed out"):
            http.post(f"http://127.0.0.1:{port}/", b"", content_type="text/plain", now=NOW, timeout=0.5)
    assert time.monotonic() - began < 10


def test_other_addresses_are_not_opened():
    """A certificate cannot make certkit read a file of this machine."""
    with pytest.raises(InputError, match="neither http:// nor https://"):
        http.post("file:///etc/passwd", b"", content_type="text/plain", now=NOW)
