"""Certificates from a real PKI mount."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from certkit.secret import Secret
from certkit.vault import pki as vault_pki
from certkit.vault.errors import Kind, UncertainWrite, VaultError
from tests import pki
from tests.odd_http import odd_server


@pytest.fixture(scope="session")
def mount(openbao):
    """A PKI mount with a root CA and the role `client`, for at most a day."""
    openbao.api("POST", "sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    openbao.api("POST", "pki/root/generate/internal", {"common_name": "Our Root CA", "key_type": "ec", "ttl": "8760h"})
    role = {"allow_any_name": True, "client_flag": True, "server_flag": False, "max_ttl": "24h", "key_type": "any"}
    openbao.api("POST", "pki/roles/client", {**role, "enforce_hostnames": False, "organization": "Acme Ltd"})
    return "pki"


@pytest.fixture
def csr():
    """A CSR for `acme-client`."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(pki.name(O="Acme Ltd", CN="acme-client"))
    return builder.sign(pki.new_key(), hashes.SHA256())


def pem(value):
    """As text."""
    return value.public_bytes(serialization.Encoding.PEM).decode()


def test_a_csr_is_signed(connect, openbao, mount, csr):
    """The certificate is for the CSR's key, and its chain comes along."""
    signed = vault_pki.sign(connect(openbao.settings()), pem(csr), mount=mount, role="client", options={"ttl": "1h"})
    certificate = x509.load_pem_x509_certificate(signed.certificate.encode())
    root = x509.load_pem_x509_certificate(signed.ca_chain[0].encode())
    assert certificate.public_key() == csr.public_key()
    certificate.verify_directly_issued_by(root)
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "acme-client"
    assert signed.warnings == ()


def test_a_shorter_time_is_a_warning(connect, openbao, mount, csr):
    """The mount grants what its role allows, and says so."""
    signed = vault_pki.sign(connect(openbao.settings()), pem(csr), mount=mount, role="client", options={"ttl": "99h"})
    assert len(signed.warnings) == 1
    assert "TTL" in signed.warnings[0]


@pytest.mark.parametrize(
    ("role", "text", "kind"),
    [("nobody", None, Kind.BAD_REQUEST), ("client", "not a CSR", Kind.BAD_REQUEST)],
)
def test_a_refusal_says_why(connect, openbao, mount, csr, role, text, kind):
    """An unknown role, or what is no CSR."""
    with pytest.raises(VaultError) as caught:
        vault_pki.sign(connect(openbao.settings()), text or pem(csr), mount=mount, role=role)
    assert caught.value.kind is kind
    assert caught.value.message.startswith(f"cannot sign vault://{mount}/sign/{role}: ")


def test_a_token_needs_one_rule(connect, openbao, mount, csr):
    """The one that the refusal names."""
    weak = connect(openbao.settings(token=Secret(openbao.token_for("").encode())))
    with pytest.raises(VaultError) as caught:
        vault_pki.sign(weak, pem(csr), mount=mount, role="client")
    rule = 'path "pki/sign/client" { capabilities = ["update"] }'
    assert caught.value.hint == f"an ACL policy of the token must contain: {rule}"
    enough = connect(openbao.settings(token=Secret(openbao.token_for(rule).encode())))
    assert vault_pki.sign(enough, pem(csr), mount=mount, role="client").certificate


def test_a_lost_answer_is_uncertain_and_not_repeated(odd_vault, csr):
    """A second certificate might come of it."""
    with odd_server(lambda connected: connected.close()) as server, pytest.raises(UncertainWrite):
        vault_pki.sign(odd_vault(server), pem(csr), mount="pki", role="client")
    assert len(server.asked) == 1
