"""`certkit.identity.issuers`: a role of a real PKI mount."""

from __future__ import annotations

import pytest
from cryptography import x509

from certkit.csr import build
from certkit.errors import RefusedError
from certkit.identity.issuers import VaultPki
from certkit.secret import Secret
from certkit.vault.client import Vault
from certkit.vault.errors import UncertainWrite, VaultError
from certkit.vault.settings import VaultSettings
from certkit.x509 import objects
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.odd_http import odd_server


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


def test_a_shorter_time_is_a_warning(vault, openbao, mount):
    """The role grants less time than the mount would by default, and Vault says so."""
    role = {"allow_any_name": True, "enforce_hostnames": False, "ttl": "24h", "key_type": "ec"}
    openbao.api("POST", f"{mount}/roles/brief", role)
    assert VaultPki(vault, f"{mount}/brief").issue(asked()[0]).warnings == ()
    [warning] = VaultPki(vault, f"{mount}/client").issue(asked()[0]).warnings
    assert "TTL" in warning


def test_what_the_role_refuses(vault, mount):
    """Is a refusal that says why; a mount that is not there, or of another engine, is not, and is named."""
    text, _ = asked()
    for role, csr in (("nobody", text), ("client", b"not a CSR")):
        with pytest.raises(RefusedError) as caught:
            VaultPki(vault, f"{mount}/{role}").issue(csr)
        assert caught.value.message.startswith(f"cannot sign vault://{mount}/sign/{role}: ")
    for other in ("absent", "secret"):
        with pytest.raises(VaultError) as failed:
            VaultPki(vault, f"{other}/client", "acme").issue(text)
        why = f"no PKI secrets engine is mounted at {other}"
        assert failed.value.message == f"cannot sign vault://{other}/sign/client: {why}"
        assert failed.value.hint.endswith("certkit identity update acme --issuer vault-pki:MOUNT/ROLE")


def test_a_token_needs_one_rule(openbao, mount):
    """The one that the refusal names."""
    text, _ = asked()
    rule = f'path "{mount}/sign/client" {{ capabilities = ["update"] }}'
    weak, enough = (Secret(openbao.token_for(acl).encode()) for acl in ("", rule))
    with Vault.connect(openbao.settings(token=weak)) as vault, pytest.raises(VaultError) as caught:
        VaultPki(vault, f"{mount}/client").issue(text)
    assert caught.value.hint == f"an ACL policy of the token must contain: {rule}"
    with Vault.connect(openbao.settings(token=enough)) as vault:
        assert VaultPki(vault, f"{mount}/client").issue(text).certificates


def test_a_lost_answer_is_uncertain_and_not_repeated():
    """A second certificate might come of it."""
    with odd_server(lambda connected: connected.close()) as server:
        settings = VaultSettings(address=server.address, token=Secret(b"s.the-token-of-this-test"), pause=0.01)
        with Vault.connect(settings) as vault, pytest.raises(UncertainWrite):
            VaultPki(vault, "pki/client").issue(asked()[0])
    assert len(server.asked) == 1
