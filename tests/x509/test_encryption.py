"""Keys at rest: encrypted with 600,000 rounds, and readable by OpenSSL and Java."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from certkit.secret import Secret
from certkit.x509 import containers, der, keys
from tests import pki
from tests.conftest import require_program

PASSPHRASE = Secret(b"correct horse")
BUDGET = 10_000_000


@pytest.fixture(scope="module")
def key():
    """A private key."""
    return keys.KeySpec("ec-p256").generate()


@pytest.fixture(scope="module")
def certificate(key):
    """A certificate for it."""
    name = x509.Name.from_rfc4514_string("CN=acme")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=400))
    return builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def bundle(key, certificate):
    """Both as PKCS#12, encrypted."""
    return containers.to_pkcs12(keys.to_pem(key), pki.value(certificate), [], PASSPHRASE).reveal()


def run(*arguments, **options):
    """Run a program; what it prints."""
    done = subprocess.run(arguments, capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def passphrase_file(tmp_path):
    """The passphrase in a file."""
    path = tmp_path / "passphrase"
    path.write_bytes(PASSPHRASE.reveal())
    return path


def test_openssl_opens_a_key(key, tmp_path, passphrase_file):
    """It is PBES2 with PBKDF2-HMAC-SHA256, 600,000 rounds and AES-256-CBC."""
    openssl = require_program("openssl")
    (tmp_path / "key.pem").write_bytes(keys.to_pem(key, PASSPHRASE).reveal())
    shown = run(openssl, "asn1parse", "-in", tmp_path / "key.pem").decode()
    for word in (":PBES2", ":PBKDF2", f":{600_000:06X}", ":hmacWithSHA256", ":aes-256-cbc"):
        assert word in shown
    opened = run(openssl, "pkey", "-in", tmp_path / "key.pem", "-passin", f"file:{passphrase_file}", "-pubout")
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    assert opened == key.public_key().public_bytes(serialization.Encoding.PEM, public)


def test_certkit_opens_a_key_within_its_budget(key):
    """A key that certkit wrote is never refused as too costly."""
    sealed = keys.to_pem(key, PASSPHRASE).reveal()
    body = keys.load_private_key(sealed, PASSPHRASE)
    assert keys.to_pem(body) == keys.to_pem(key)
    assert der.kdf_cost(_der(sealed)) == 600_000 < BUDGET


def _der(pem):
    import base64

    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


def test_no_two_encryptions_are_alike(key):
    """Salt and initialization vector are new each time."""
    assert keys.to_pem(key, PASSPHRASE) != keys.to_pem(key, PASSPHRASE)


def test_keys_of_0_1_0_still_open(key):
    """They were encrypted as the library does it, with 2,048 rounds."""
    old = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE.reveal()),
    )
    assert keys.to_pem(keys.load_private_key(old, PASSPHRASE)) == keys.to_pem(key)


def test_pkcs12_files_of_0_1_0_still_open(key, certificate):
    """And count as the same bundle, so that an export does not change because of them."""
    old = pkcs12.serialize_key_and_certificates(
        None, key, certificate, [], serialization.BestAvailableEncryption(PASSPHRASE.reveal())
    )
    assert containers.is_pkcs12_of(old, pki.value(certificate), [], PASSPHRASE)


def test_openssl_opens_pkcs12(bundle, tmp_path, passphrase_file):
    """The MAC has as many rounds as the encryption: a passphrase is tried with whatever is quickest."""
    openssl = require_program("openssl")
    (tmp_path / "bundle.p12").write_bytes(bundle)
    shown = run(
        *(openssl, "pkcs12", "-in", tmp_path / "bundle.p12", "-passin", f"file:{passphrase_file}", "-info", "-noout")
    ).decode()
    assert "MAC: sha256, Iteration 600000" in shown
    assert shown.count("PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256") == 2
    assert "2048" not in shown


def test_java_opens_pkcs12(bundle, tmp_path, passphrase_file):
    """With keytool, which says whose certificate it is."""
    keytool = require_program("keytool")
    (tmp_path / "bundle.p12").write_bytes(bundle)
    options = ("-keystore", tmp_path / "bundle.p12", "-storepass:file", passphrase_file)
    shown = run(keytool, "-list", "-v", "-storetype", "PKCS12", *options).decode()
    assert "Owner: CN=acme" in shown
    assert "Entry type: PrivateKeyEntry" in shown


def test_a_wrong_passphrase_opens_nothing(bundle, key, certificate):
    """Neither here nor in the library."""
    assert not containers.is_pkcs12_of(bundle, pki.value(certificate), [], Secret(b"wrong"))
    assert containers.is_pkcs12_of(bundle, pki.value(certificate), [], PASSPHRASE)


def test_other_kinds_of_keys_are_encrypted_too():
    """RSA, as an example of a long one."""
    key = keys.KeySpec("rsa-2048").generate()
    assert keys.to_pem(keys.load_private_key(keys.to_pem(key, PASSPHRASE).reveal(), PASSPHRASE)) == keys.to_pem(key)


def test_curves_do_not_change():
    """The key inside is plain PKCS#8."""
    key = ec.generate_private_key(ec.SECP384R1())
    assert keys.to_pem(keys.load_private_key(keys.to_pem(key, PASSPHRASE).reveal(), PASSPHRASE)) == keys.to_pem(key)
