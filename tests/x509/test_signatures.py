"""Signatures: every lawful encoding of an algorithm verifies, and each refusal has its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certkit.x509 import signatures
from certkit.x509.signatures import UnsupportedError
from certkit.x509.spki import Algorithm, PublicKeyInfo
from certkit.x509.unreadable import Unreadable
from tests.verify.shapes import rsa_key, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE = b"what is signed"
NULL = b"\x05\x00"
SHA1, SHA256, SHA384 = "2b0e03021a", "608648016503040201", "608648016503040202"
RSA_KEY, PSS, MGF1 = "2a864886f70d010101", "2a864886f70d01010a", "2a864886f70d010108"


def algorithm(oid: str, parameters: bytes = b"") -> bytes:
    """An AlgorithmIdentifier; the identifier is given in hexadecimal."""
    return wrap(0x30, wrap(0x06, bytes.fromhex(oid)) + parameters)


def pss(digest: str, salt: int, *, mgf: str = "", null: bytes = NULL) -> bytes:
    """Parameters of RSASSA-PSS."""
    mask = algorithm(MGF1, algorithm(mgf or digest, null))
    length = wrap(0x02, salt.to_bytes(salt.bit_length() // 8 + 1))
    return wrap(0x30, wrap(0xA0, algorithm(digest, null)) + wrap(0xA1, mask) + wrap(0xA2, length))


def info(key: Any) -> PublicKeyInfo:
    """The facts of a private key's public half."""
    found = PublicKeyInfo.parse(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    assert not isinstance(found, Unreadable)
    return found


def pss_info(key: Any, parameters: bytes = b"") -> PublicKeyInfo:
    """The same as a key for RSASSA-PSS only, with restrictions."""
    bits = key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    found = PublicKeyInfo.parse(wrap(0x30, algorithm(PSS, parameters) + wrap(0x03, b"\0" + bits)))
    assert not isinstance(found, Unreadable)
    return found


def pkcs1(digest: hashes.HashAlgorithm) -> bytes:
    return rsa_key(2048).sign(MESSAGE, padding.PKCS1v15(), digest)


def pss_signed(salt: int, digest: hashes.HashAlgorithm, mgf: hashes.HashAlgorithm | None = None) -> bytes:
    return rsa_key(2048).sign(MESSAGE, padding.PSS(padding.MGF1(mgf or digest), salt), digest)


def ecdsa() -> bytes:
    return EC.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))


EC, ED25519, ED448 = (
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
    (ed448.Ed448PrivateKey.generate()),
)
H = hashes.SHA256()

LAWFUL: dict[str, tuple[bytes, Callable[[], PublicKeyInfo], Callable[[], bytes]]] = {
    "RSA with NULL": (algorithm("2a864886f70d01010b", NULL), lambda: info(rsa_key(2048)), lambda: pkcs1(H)),
    "RSA without parameters": (algorithm("2a864886f70d01010b"), lambda: info(rsa_key(2048)), lambda: pkcs1(H)),
    "ECDSA": (algorithm("2a8648ce3d040302"), lambda: info(EC), ecdsa),
    "ECDSA with NULL": (algorithm("2a8648ce3d040302", NULL), lambda: info(EC), ecdsa),
    "PSS, salt 32": (algorithm(PSS, pss(SHA256, 32)), lambda: info(rsa_key(2048)), lambda: pss_signed(32, H)),
    "PSS, salt 0": (algorithm(PSS, pss(SHA256, 0)), lambda: info(rsa_key(2048)), lambda: pss_signed(0, H)),
    "PSS, salt 222": (algorithm(PSS, pss(SHA256, 222)), lambda: info(rsa_key(2048)), lambda: pss_signed(222, H)),
    "PSS, digests without NULL": (
        algorithm(PSS, pss(SHA256, 32, null=b"")), lambda: info(rsa_key(2048)), lambda: pss_signed(32, H)
    ),
    "PSS, another digest for the mask": (
        algorithm(PSS, pss(SHA256, 32, mgf=SHA384)),
        lambda: info(rsa_key(2048)),
        lambda: pss_signed(32, H, hashes.SHA384()),
    ),
    "PSS key": (algorithm(PSS, pss(SHA256, 32)), lambda: pss_info(rsa_key(2048)), lambda: pss_signed(32, H)),
    "PSS key that asks for a shorter salt": (
        algorithm(PSS, pss(SHA256, 40)), lambda: pss_info(rsa_key(2048), pss(SHA256, 32)), lambda: pss_signed(40, H)
    ),
    "Ed25519": (algorithm("2b6570"), lambda: info(ED25519), lambda: ED25519.sign(MESSAGE)),
    "Ed448": (algorithm("2b6571"), lambda: info(ED448), lambda: ED448.sign(MESSAGE)),
}  # fmt: skip


def problem(named: bytes, key: PublicKeyInfo, signature: bytes, message: bytes = MESSAGE) -> str | None:
    """Return what is wrong with a signature."""
    return signatures.problem(Algorithm.parse(named), key, signature, message)


@pytest.mark.parametrize("name", LAWFUL)
def test_every_lawful_encoding_verifies(name: str) -> None:
    """A signature verifies, and does not over another message."""
    named, key, sign = LAWFUL[name]
    assert problem(named, key(), sign()) is None
    assert problem(named, key(), sign(), b"another message") == "the signature does not verify"


MISMATCHES = {
    "a PSS key and a plain signature": (
        algorithm("2a864886f70d01010b", NULL), lambda: pss_info(rsa_key(2048)), lambda: pkcs1(H),
        "the signature is made with RSA, which does not fit the key",
    ),
    "a PSS key and a shorter salt": (
        algorithm(PSS, pss(SHA256, 20)), lambda: pss_info(rsa_key(2048), pss(SHA256, 32)), lambda: pss_signed(20, H),
        "the RSASSA-PSS key does not allow the signature's parameters (RFC 4055 section 3.3)",
    ),
    "a PSS key and another digest": (
        algorithm(PSS, pss(SHA384, 32)), lambda: pss_info(rsa_key(2048), pss(SHA256, 32)),
        lambda: pss_signed(32, hashes.SHA384()),
        "the RSASSA-PSS key does not allow the signature's parameters (RFC 4055 section 3.3)",
    ),
    "an elliptic curve key and RSA": (
        algorithm("2a864886f70d01010b", NULL), lambda: info(EC), ecdsa,
        "the signature is made with RSA, which does not fit the key",
    ),
    "Ed25519 named, Ed448 used": (
        algorithm("2b6570"), lambda: info(ED448), lambda: ED448.sign(MESSAGE),
        "the signature is made with Ed25519, which does not fit the key",
    ),
    "another salt than is named": (
        algorithm(PSS, pss(SHA256, 20)), lambda: info(rsa_key(2048)), lambda: pss_signed(32, H),
        "the signature does not verify",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_mismatch_has_its_reason(name: str) -> None:
    """An inconsistent algorithm is refused, with the reason."""
    named, key, sign, said = MISMATCHES[name]
    assert problem(named, key(), sign()) == said


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (algorithm("2b6570", NULL), "its signature algorithm 1.3.101.112 has wrong parameters"),
        (
            algorithm("2a8648ce3d040302", b"\x30\x00"),
            "its signature algorithm 1.2.840.10045.4.3.2 has wrong parameters",
        ),
        (algorithm("2a0304"), "its signature algorithm 1.2.3.4 is not supported"),
        (algorithm(PSS), "its RSASSA-PSS parameters cannot be used: an element is missing or cut off"),
        (
            algorithm(PSS, wrap(0x30, wrap(0xA4, b""))),
            "its RSASSA-PSS parameters cannot be used: PSS parameters with an unknown part",
        ),
    ],
)
def test_an_unlawful_algorithm_is_named(named: bytes, said: str) -> None:
    """An algorithm that is unknown or wrongly encoded raises, with its identifier."""
    with pytest.raises(UnsupportedError) as caught:
        signatures.scheme(Algorithm.parse(named))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("named", "shown", "is_weak"),
    [
        (algorithm("2a864886f70d010105", NULL), "SHA1", True),
        (algorithm("2a864886f70d010104", NULL), "MD5", True),
        (algorithm("2a8648ce3d0401"), "SHA1", True),
        (algorithm(PSS, b"\x30\x00"), "SHA1", True),
        (algorithm("2a864886f70d01010b", NULL), "SHA256", False),
        (algorithm("2b6570"), "Ed25519", False),
    ],
)
def test_weak_digests_are_named(named: bytes, shown: str, is_weak: bool) -> None:  # noqa: FBT001  by the table
    """SHA-1 and MD5 are weak wherever they are named, also as the default of RSASSA-PSS."""
    found = signatures.scheme(Algorithm.parse(named))
    assert (found.shown, found.is_weak) == (shown, is_weak)
