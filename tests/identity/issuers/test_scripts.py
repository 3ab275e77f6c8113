"""`scripts/issuers`: programs for `command:` issuers, against a stand-in for the partner's API."""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests import pki
from tests.conftest import openssl

ISSUERS = Path(__file__).parents[3] / "scripts" / "issuers"


class Partner(http.server.BaseHTTPRequestHandler):
    """Signs the CSR of a request and answers as the partner's documentation says."""

    seen: dict[str, object]
    reply: tuple[int, object]

    def do_POST(self):
        """Remember the request, and reply."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Partner.seen = {"path": self.path, "body": body, "headers": dict(self.headers)}
        status, answer = Partner.reply
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def partner():
    """The stand-in's address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Partner) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def csr(tmp_path):
    """A CSR in PEM."""
    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ACME"),
        *("-keyout", tmp_path / "k", "-out", tmp_path / "c"),
    )
    return (tmp_path / "c").read_bytes()


def run(name, csr, **variables):
    """Run an issuer as certkit does: the CSR on standard input."""
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [sys.executable, ISSUERS / name], input=csr, env=environment, capture_output=True, timeout=60, check=False
    )


def klarna(endpoint, **variables):
    """The settings of Klarna's issuer."""
    request = '{"csr": "%CSR_PEM%"}'
    return {
        "KLARNA_ENDPOINT": endpoint,
        "KLARNA_HEADER": "Authorization: Basic key",
        "KLARNA_REQUEST": request,
        **variables,
    }


def test_adyen_signs_a_csr(partner, csr):
    """At the documented address, in the form that the reference shows, and whatever form the answer has."""
    certificate = pki.root(pki.name(CN="Adyen")).certificate
    Partner.reply = (200, {"certificate": base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()})
    variables = {
        "ADYEN_URL": f"{partner}/v3",
        "ADYEN_COMPANY": "Acme Ltd",
        "ADYEN_HEADER": "Key: secret",
        "ADYEN_REQUEST": '{"credential": "ws_1@Company.Acme", "request": {"der": "%CSR_BASE64%"}}',
    }
    ran = run("adyen", csr, **variables)
    assert ran.returncode == 0, ran.stderr
    assert x509.load_pem_x509_certificate(ran.stdout) == certificate
    assert Partner.seen["path"] == "/v3/companies/Acme%20Ltd/clientCertificates"
    assert Partner.seen["headers"]["Key"] == "secret"
    assert Partner.seen["body"]["credential"] == "ws_1@Company.Acme"
    sent = base64.b64decode(Partner.seen["body"]["request"]["der"])
    assert x509.load_der_x509_csr(sent) == x509.load_pem_x509_csr(csr)


def test_klarna_signs_a_csr(partner, csr):
    """With the address, header and request that Klarna's reference has for the account."""
    certificate = pki.root(pki.name(CN="Klarna")).certificate
    Partner.reply = (201, {"credential": {"pem": certificate.public_bytes(Encoding.PEM).decode()}})
    ran = run("klarna", csr, **klarna(f"{partner}/x"))
    assert ran.returncode == 0, ran.stderr
    assert x509.load_pem_x509_certificate(ran.stdout) == certificate
    assert Partner.seen["headers"]["Authorization"] == "Basic key"
    assert Partner.seen["body"] == {"csr": csr.decode()}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((401, {"title": "Unauthorized"}), b'127.0.0.1 answered with status 401: {"title": "Unauthorized"}'),
        ((200, {"id": "x"}), b"the answer has no certificate"),
        ((302, {}), b"answered with status 302"),
    ],
)
def test_what_is_no_certificate_ends_the_issuer(partner, csr, reply, said):
    """One line on standard error and an exit code; nothing on standard output, and the API key nowhere."""
    Partner.reply = reply
    ran = run("klarna", csr, **klarna(partner, KLARNA_HEADER="Authorization: Basic sesame"))
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert said in ran.stderr
    assert ran.stderr.count(b"\n") == 1
    assert b"sesame" not in ran.stderr


def test_an_issuer_names_what_it_lacks(csr):
    """The variable, and where it is configured; no request is sent to an address without TLS."""
    assert b"ADYEN_URL is not set" in run("adyen", csr).stderr
    plain = run("klarna", csr, **klarna("http://api.test/"))
    assert b"http://api.test/ is not an https:// URL" in plain.stderr


@pytest.mark.parametrize(
    ("csr_text", "variables", "said"),
    [
        (b"x", {}, b"expected a CSR"),
        (None, {"KLARNA_REQUEST": '{"csr": ""}'}, b"the request has no place for the CSR"),
        (None, {"KLARNA_REQUEST": "%CSR_PEM%"}, b"the request is not JSON"),
        (None, {"KLARNA_HEADER": "sesame"}, b"not of the form NAME: VALUE"),
    ],
)
def test_an_issuer_says_what_it_cannot_use(csr, csr_text, variables, said):
    """One line about what was given, without the API key."""
    ran = run("klarna", csr_text or csr, **klarna("http://127.0.0.1:9/", **variables))
    assert said in ran.stderr
    assert b"sesame" not in ran.stderr
    assert ran.stderr.count(b"\n") == 1
