"""`certkit.x509.der`: looking at bytes before a library works on them."""

from __future__ import annotations

import pytest

from certkit.x509 import der
from tests.conftest import openssl


@pytest.fixture
def key(tmp_path):
    """A P-256 key that openssl made."""
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def certificate(key):
    """A certificate that openssl made."""
    path = key.with_name("certificate")
    openssl("req", "-x509", "-new", "-key", key, "-subj", "/O=Acme", "-out", path)
    return path


def test_elements_are_found_side_by_side():
    """Tag, and where header and value lie."""
    data = bytes.fromhex("02010504820001613000")
    assert list(der.elements(data)) == [(0x02, 0, 2, 3), (0x04, 3, 7, 8), (0x30, 8, 10, 10)]


@pytest.mark.parametrize(
    "data", ["30", "3080", "1f8101", "0401", "0485000000000161", "0484ffffffff61", "0482"], ids=lambda data: data
)
def test_what_is_not_definite_length_is_refused(data):
    """Indefinite and oversized lengths, tags of several bytes and values that are cut off."""
    with pytest.raises(ValueError, match=r"element|length|cut off"):
        list(der.elements(bytes.fromhex(data)))


def test_the_first_element_ends_where_it_says():
    """The bytes after it are left out; half an element is an error."""
    assert der.first_element(b"\x02\x01\x05rest") == b"\x02\x01\x05"
    assert der.first_element(b"\x02\x02\x05") is None
    assert der.first_element(b"") is None


def test_every_key_derivation_of_a_pkcs12_counts():
    """Each part is in an OCTET STRING, and a library ignores the bytes that follow the part there."""
    derivation = der.encode(0x30, der.encode(0x04, b"salt") + der.encode(0x02, b"\x01\x00"))
    part = der.encode(0x04, der.encode(0x30, derivation + derivation) + b"\xff")
    assert der.kdf_cost(der.encode(0x30, part + derivation)) == 3 * 256


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        (("-v2", "aes-256-cbc", "-iter", "12345"), 12345),
        (("-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "98765"), 98765),
        (("-v1", "PBE-SHA1-3DES", "-iter", "4321"), 4321),
        (("-scrypt",), 8 * 16384 * 8 * 1),
        (("-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "3"), 8 * 1024 * 4 * 3),
    ],
    ids=["pbkdf2", "pbkdf2-sha512", "pkcs12-kdf", "scrypt", "scrypt-parameters"],
)
def test_the_cost_of_an_encrypted_key_shows(key, options, cost):
    """The iterations of PBKDF2 and PBES1, and scrypt's N, r and p, as openssl writes them."""
    data = openssl("pkcs8", "-topk8", "-in", key, "-outform", "DER", "-passout", "pass:x", *options).stdout
    assert der.kdf_cost(data) == cost


@pytest.mark.parametrize("data", [b"", b"\x30", b"\0" * 100, b"\xff" * 100, b"\x30\x03\x02\x01", b"\x30\x00" * 100])
def test_bytes_without_a_derivation_cost_nothing(data):
    """Junk is cheap, and never an error."""
    assert der.kdf_cost(data) == 0


def test_deep_nesting_ends():
    """Ten thousand sequences within each other are not followed to the end."""
    data = b""
    for _ in range(10_000):
        data = b"\x30\x84" + len(data).to_bytes(4) + data
    assert der.kdf_cost(data) == 0


@pytest.mark.parametrize(
    "command",
    [
        ("pkey", "-outform", "DER"),
        ("pkey", "-traditional", "-outform", "DER"),
        ("pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:x"),
        ("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-outform", "DER", "-passout", "pass:x"),
        ("pkcs8", "-topk8", "-scrypt", "-outform", "DER", "-passout", "pass:x"),
    ],
    ids=["pkcs8", "sec1", "pbes2", "pbes1", "scrypt"],
)
def test_a_private_key_shows_by_its_first_bytes(key, command):
    """PKCS#8, SEC1, and every way to encrypt them."""
    assert der.looks_like_private_key(openssl(command[0], "-in", key, *command[1:]).stdout)


def test_a_pkcs12_file_shows_by_its_first_bytes(key, certificate):
    """As PKCS#12, and as something that may hold a private key."""
    bundle = openssl("pkcs12", "-export", "-inkey", key, "-in", certificate, "-passout", "pass:x").stdout
    assert der.is_pkcs12(bundle)
    assert der.looks_like_private_key(bundle)


def test_a_pkcs7_bundle_is_not_taken_for_a_key(certificate):
    """As openssl crl2pkcs7 writes it."""
    bundle = openssl("crl2pkcs7", "-nocrl", "-certfile", certificate, "-outform", "DER").stdout
    assert not der.looks_like_private_key(bundle)


def test_a_certificate_is_not_taken_for_a_key(certificate):
    """It looks signed, and like nothing else."""
    data = openssl("x509", "-in", certificate, "-outform", "DER").stdout
    assert der.looks_like_signed(data)
    assert not der.looks_like_private_key(data)
    assert not der.is_pkcs12(data)


def test_a_request_is_not_taken_for_a_key(key):
    """It looks signed, and like nothing else."""
    data = openssl("req", "-new", "-key", key, "-subj", "/O=Acme Holdings Limited", "-outform", "DER").stdout
    assert der.looks_like_signed(data)
    assert not der.looks_like_private_key(data)
