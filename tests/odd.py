"""Certificates that no library makes: each field can be given as DER, and all of them are signed."""

from __future__ import annotations

import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certkit.x509 import der as tlv
from certkit.x509 import general_names
from certkit.x509.der import encode

ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
UTF8, PRINTABLE, T61, BMP = 0x0C, 0x13, 0x14, 0x1E
CN, O, C = "550403", "55040a", "550406"  # noqa: E741


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return encode(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """An INTEGER in its shortest form."""
    return encode(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def oid(hexadecimal: str) -> bytes:
    """An OBJECT IDENTIFIER from the hex of its value."""
    return encode(0x06, bytes.fromhex(hexadecimal))


def attribute(kind: str, value: bytes, tag: int = UTF8) -> bytes:
    """One attribute of a name."""
    return sequence(oid(kind), encode(tag, value))


def name(*attributes: bytes) -> bytes:
    """A name with one attribute in each part."""
    return sequence(*(encode(0x31, each) for each in attributes))


def common_name(text: str) -> bytes:
    """A name that is one CN."""
    return name(attribute(CN, text.encode()))


def utc(text: str) -> bytes:
    """A UTCTime."""
    return encode(0x17, text.encode())


def generalized(text: str) -> bytes:
    """A GeneralizedTime."""
    return encode(0x18, text.encode())


def extension(kind: str, value: bytes, *, critical: bytes = b"") -> bytes:
    """An extension; `critical` is the flag in DER."""
    return sequence(oid(kind), critical, encode(0x04, value))


CRITICAL = bytes.fromhex("0101ff")
IS_CA = extension("551d13", bytes.fromhex("30030101ff"), critical=CRITICAL)


@functools.cache
def key() -> ec.EllipticCurvePrivateKey:
    """The key of all these certificates."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(private_key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """The public half of a key."""
    public = (private_key or key()).public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate(
    *,
    version: bytes = bytes.fromhex("a003020102"),
    serial: bytes = b"\x02\x01\x2a",
    algorithm: bytes = ECDSA_SHA256,
    issuer: bytes | None = None,
    validity: bytes | None = None,
    subject: bytes | None = None,
    public_key: bytes | None = None,
    unique_ids: bytes = b"",
    extensions: tuple[bytes, ...] = (),
    signer: ec.EllipticCurvePrivateKey | None = None,
    outer_algorithm: bytes | None = None,
) -> bytes:
    """A certificate in DER, valid from 2026 to 2036."""
    signed = sequence(
        version,
        serial,
        algorithm,
        issuer or common_name("Odd CA"),
        validity or sequence(utc("260101000000Z"), utc("360101000000Z")),
        subject or common_name("odd"),
        public_key or spki(),
        unique_ids,
        encode(0xA3, sequence(*extensions)) if extensions else b"",
    )
    return sign(signed, outer_algorithm or algorithm, signer)


def sign(signed: bytes, algorithm: bytes = ECDSA_SHA256, signer: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """A signed structure, by ECDSA with SHA-256."""
    signature = (signer or key()).sign(signed, ec.ECDSA(hashes.SHA256()))
    return sequence(signed, algorithm, encode(0x03, b"\0" + signature))


def san_text(name: x509.GeneralName) -> str:
    """An alternative name as certkit shows it, read from its encoding."""
    encoded = x509.SubjectAlternativeName([name]).public_bytes()
    [found] = general_names.read_all(encoded, *tlv.only(encoded, tlv.SEQUENCE))
    return str(found)
