"""`certkit.x509.describe`: the facts of objects, as the contract of `inspect` spells them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certkit.csr import build
from certkit.secret import Secret
from certkit.x509 import describe, keys, objects, pem
from certkit.x509.keys import KeySpec
from certkit.x509.names import SubjectOptions
from tests.conftest import openssl

BEGIN = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def key():
    """A P-256 key."""
    return KeySpec("ec-p256").generate()


def facts(data: bytes, **options) -> dict:
    """The facts of the one object in some bytes; they must be JSON."""
    (item,) = objects.read(data, **options)
    described = describe.describe(item)
    assert json.loads(json.dumps(described)) == described
    return described


def certificate(key, *extensions: x509.ExtensionType, subject: str = "Acme", serial: int = 0xABC) -> bytes:
    """A self-signed certificate, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject)])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), serial, BEGIN, BEGIN + timedelta(days=365), list[x509.Extension]()
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_certificate(key):
    """Names as RFC 4514, times as RFC 3339, serial and fingerprint as lower-case hex, as openssl has them."""
    san = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.RFC822Name("o@a.example")])
    data = certificate(key, san, x509.BasicConstraints(ca=False, path_length=None))
    shown = openssl("x509", "-noout", "-fingerprint", "-sha256", stdin=data).stdout.decode()
    assert facts(data) == {
        "kind": "certificate",
        "subject": "O=Acme",
        "issuer": "O=Acme",
        "serial": "0abc",
        "not_before": "2026-11-22T10:00:00Z",
        "not_after": "2027-11-22T10:00:00Z",
        "key": {"type": "ec-p256", "bits": 256, "spki_sha256": keys.key_facts(key.public_key()).spki_sha256},
        "san": ["DNS:a.example", "email:o@a.example"],
        "fingerprint_sha256": shown.strip().partition("=")[2].replace(":", "").lower(),
        "is_ca": False,
        "key_usage": None,
        "extended_key_usage": None,
        "subject_key_identifier": None,
        "authority_key_identifier": None,
        "signature_algorithm": "ecdsa-with-SHA256",
    }


def test_a_ca_certificate(key):
    """Basic constraints say so; without them it is not a CA."""
    assert facts(certificate(key, x509.BasicConstraints(ca=True, path_length=0)))["is_ca"] is True
    assert facts(certificate(key))["is_ca"] is False


def test_a_certificate_without_alternative_names(key):
    """An empty list."""
    assert facts(certificate(key))["san"] == []


def test_hostile_names_are_escaped(key):
    """Terminal sequences and bidi overrides do not get through."""
    san = x509.SubjectAlternativeName([x509.DNSName("a\x1b[2J.example")])
    described = facts(certificate(key, san, subject="a\x1b]0;b\r\n\u202ec"))
    assert described["subject"] == "O=a\\1B]0\\;b\\0D\\0A\\E2\\80\\AEc"
    assert described["san"] == ["DNS:a\\1B[2J.example"]


@pytest.mark.parametrize(("serial", "text"), [(1, "01"), (0xAB, "ab"), (0xABC, "0abc"), (2**159 - 1, "7f" + "ff" * 19)])
def test_a_serial_is_hex_of_even_length(key, serial, text):
    """Lower case, without colons."""
    assert facts(certificate(key, serial=serial))["serial"] == text


def test_a_negative_serial_keeps_its_sign(key):
    """RFC 5280 forbids it, and some CAs issue it."""
    der = openssl("x509", "-outform", "DER", stdin=certificate(key, serial=0x5B)).stdout
    assert facts(der.replace(b"\x02\x01\x5b", b"\x02\x01\x85", 1))["serial"] == "-7b"


def test_a_request(key):
    """Subject, key, names, and whether its signature is its own."""
    data = build.build(SubjectOptions(organization="Acme", country="EU", san=("a.example",)), key)
    assert facts(data) == {
        "kind": "csr",
        "subject": "O=Acme,C=EU",
        "key": {"type": "ec-p256", "bits": 256, "spki_sha256": keys.key_facts(key.public_key()).spki_sha256},
        "san": ["DNS:a.example"],
        "signature_valid": True,
    }


def test_a_changed_request(key):
    """Its signature is not valid."""
    data = openssl("req", "-outform", "DER", stdin=build.build(SubjectOptions(organization="Acme"), key)).stdout
    assert facts(data.replace(b"Acme", b"Acne"))["signature_valid"] is False


def test_a_sound_request_with_a_weak_digest(tmp_path, key):
    """SHA-1 is weak, not invalid."""
    (tmp_path / "key").write_bytes(keys.to_pem(key).reveal())
    data = openssl("req", "-new", "-sha1", "-key", tmp_path / "key", "-subj", "/O=Acme").stdout
    assert facts(data)["signature_valid"] is True


def test_a_private_key(key):
    """Its facts, never itself."""
    secret = keys.to_pem(key).reveal()
    assert facts(secret) == {
        "kind": "private_key",
        "key": {"type": "ec-p256", "bits": 256, "spki_sha256": keys.key_facts(key.public_key()).spki_sha256},
        "encrypted": False,
    }


def test_a_locked_private_key(key):
    """Its facts are null without the passphrase."""
    locked = keys.to_pem(key, Secret(b"x")).reveal()
    assert facts(locked) == {"kind": "private_key", "key": None, "encrypted": True}
    opened = facts(locked, passphrase=Secret(b"x"))
    assert (opened["key"]["type"], opened["encrypted"]) == ("ec-p256", True)


def test_a_public_key(key):
    """The same fingerprint as that of its private key."""
    data = openssl("pkey", "-pubout", stdin=keys.to_pem(key).reveal()).stdout
    assert facts(data) == {
        "kind": "public_key",
        "key": {"type": "ec-p256", "bits": 256, "spki_sha256": keys.key_facts(key.public_key()).spki_sha256},
    }


@pytest.mark.parametrize("count", [0, 2])
def test_a_crl(key, count):
    """Issuer, dates, and how many are revoked."""
    builder = x509.CertificateRevocationListBuilder(
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme")]), BEGIN, BEGIN + timedelta(days=30)
    )
    for serial in range(1, count + 1):
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, BEGIN).build())
    assert facts(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)) == {
        "kind": "crl",
        "issuer": "O=Acme",
        "this_update": "2026-11-22T10:00:00Z",
        "next_update": "2026-12-22T10:00:00Z",
        "revoked_count": count,
    }


def test_a_pkcs12_file(key):
    """Its contents, with the facts of each; locked, they are null."""
    data = openssl("pkcs12", "-export", "-passout", "pass:x", stdin=keys.to_pem(key).reveal() + certificate(key)).stdout
    assert facts(data) == {"kind": "pkcs12", "contents": None, "encrypted": True}
    opened = facts(data, passphrase=Secret(b"x"))
    assert opened["encrypted"] is True
    assert [(entry["kind"], entry["key"]["type"]) for entry in opened["contents"]] == [
        ("private_key", "ec-p256"),
        ("certificate", "ec-p256"),
    ]


def test_a_field_that_cannot_be_read_does_not_hide_the_others():
    """A damaged key is null and named; names and dates are there."""
    data = certificate(ec.generate_private_key(ec.SECP256R1()))
    der = openssl("x509", "-outform", "DER", stdin=data).stdout
    broken = der.replace(bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("04082a8648ce3d030107"))
    described = facts(pem.encode("CERTIFICATE", broken))
    assert (described["subject"], described["not_after"], described["key"]) == ("O=Acme", "2027-11-22T10:00:00Z", None)
    assert described["problems"] == ["key: an elliptic curve key without a curve"]


def test_a_key_of_an_unknown_type_is_named_by_its_identifier():
    """With the fingerprint of its bytes, and without a size."""
    data = certificate(ec.generate_private_key(ec.SECP256R1()))
    der = openssl("x509", "-outform", "DER", stdin=data).stdout
    unknown = der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f"))
    found = facts(pem.encode("CERTIFICATE", unknown))["key"]
    assert (found["type"], found["bits"], len(found["spki_sha256"])) == ("unknown (1.2.840.10045.2.127)", None, 64)


def test_a_duplicate_extension_is_a_problem_of_its_fields(key):
    """Whether it is a CA is unknown; the rest is described."""
    data = openssl("x509", "-outform", "DER", stdin=_with_two_extensions(key)).stdout
    oid_of_san, oid_of_constraints = bytes.fromhex("0603551d11"), bytes.fromhex("0603551d13")
    described = facts(data.replace(oid_of_san, oid_of_constraints))
    assert (described["subject"], described["san"], described["is_ca"]) == ("O=Acme", [], None)
    assert [problem.split(":")[0] for problem in described["problems"]] == ["is_ca"]
    assert "an extension appears more than once: 2.5.29.19 (RFC 5280 section 4.2)" in described["deviations"]


def _with_two_extensions(key) -> bytes:
    san = x509.SubjectAlternativeName([x509.DNSName("a.example")])
    return certificate(key, san, x509.BasicConstraints(ca=False, path_length=None))
