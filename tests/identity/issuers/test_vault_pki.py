"""`certkit.identity.issuers.vault_pki`: a role of a real PKI mount."""

from __future__ import annotations

import pytest
from cryptography import x509

from certkit.csr import build
from certkit.errors import RefusedError
from certkit.identity.issuers.vault_pki import VaultPki
from certkit.vault.client import Vault
from certkit.vault.errors import VaultError
from certkit.x509 import objects
from certkit.x509.names import SubjectOptions
from tests import pki


@pytest.fixture(scope="session")
def mount(openbao):
    """A PKI mount with a root CA and the role `client`, for keys of elliptic curves."""
    openbao.api("POST", "sys/mounts/issuer", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    openbao.api("POST", "issuer/root/generate/internal", {"common_name": "Root", "key_type": "ec", "ttl": "8760h"})
    role = {"allow_any_name": True, "client_flag": True, "server_flag": False, "max_ttl": "24h", "key_type": "ec"}
    openbao.api("POST", "issuer/roles/client", {**role, "enforce_hostnames": False, "organization": "Acme Ltd"})
    return "issuer"


@pytest.fixture
def vault(openbao):
    """A connection."""
    with Vault.connect(openbao.settings()) as connected:
        yield connected


def asked(key=None):
    """A CSR, PEM, and its public key."""
    key = key or pki.new_key()
    made = build.build(SubjectOptions(organization="Acme Ltd", common_name="acme"), key)
    return made, key.public_key()


def test_it_signs(vault, mount):
    """The certificate is for the CSR's key, comes with those above it, and what is at the top may be trusted."""
    text, key = asked()
    found = VaultPki(vault, f"{mount}/client").issue(text)
    leaf, root = objects.certificates(found.certificates, name="the answer")
    assert leaf.public_key() == key
    assert [root] == objects.certificates(found.trust_bundle, name="the bundle")
    leaf.loaded().verify_directly_issued_by(root.loaded())
    assert pki.value(x509.load_pem_x509_certificate(found.certificates)) == leaf


def test_what_the_role_refuses(vault, mount):
    """Is a refusal; a mount that is not there is not."""
    text, _ = asked()
    with pytest.raises(RefusedError):
        VaultPki(vault, f"{mount}/nobody").issue(text)
    with pytest.raises(VaultError):
        VaultPki(vault, "absent/client").issue(text)
