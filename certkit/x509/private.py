"""Facts of a private key's bytes before it is loaded: its type, its public half, its encryption."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.x509 import der as tlv
from certkit.x509.spki import EC, RSA, RSASSA_PSS, Algorithm, PublicKeyInfo
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_SEQUENCE, _INTEGER, _OCTET_STRING = 0x30, 0x02, 0x04
_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")

# RSA takes about so many bits of a PKCS#8 file for each bit of the modulus.
_BITS_PER_BIT = 4.5

_PBES2 = "1.2.840.113549.1.5.13"
# Algorithms by name that not every OpenSSL supports in encrypted PKCS#8 (RFC 8018), PKCS#12 and DEK-Info headers.
CIPHERS = {
    "1.2.840.113549.2.5": "MD5",
    "1.2.840.113549.1.5.14": "PBMAC1 (RFC 9579)",
    "1.2.840.113549.1.5.1": "PBE-MD2-DES",
    "1.2.840.113549.1.5.3": "PBE-MD5-DES",
    "1.2.840.113549.1.5.4": "PBE-MD2-RC2-64",
    "1.2.840.113549.1.5.6": "PBE-MD5-RC2-64",
    "1.2.840.113549.1.5.10": "PBE-SHA1-DES",
    "1.2.840.113549.1.5.11": "PBE-SHA1-RC2-64",
    "1.2.840.113549.1.12.1.1": "PBE-SHA1-RC4-128",
    "1.2.840.113549.1.12.1.2": "PBE-SHA1-RC4-40",
    "1.2.840.113549.1.12.1.5": "PBE-SHA1-RC2-128",
    "1.2.840.113549.1.12.1.6": "PBE-SHA1-RC2-40",
    "1.3.14.3.2.7": "DES-CBC",
    "1.2.840.113549.3.2": "RC2-CBC",
    "1.2.840.113549.3.9": "RC5-CBC",
    "1.2.410.200046.1.1.34": "ARIA-CBC",
    "1.2.392.200011.61.1.1.1.4": "CAMELLIA-256-CBC",
    "1.2.156.10197.1.104.2": "SM4-CBC",
}
_SUPPORTED_HEADERS = {"DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC"}
_DEK_INFO = re.compile(rb"DEK-Info:[ \t]*([A-Za-z0-9-]{1,40})")


@dataclass(frozen=True, slots=True)
class Outline:
    """An unencrypted private key as its bytes have it: the algorithm, and for RSA modulus and exponent in DER."""

    algorithm: Algorithm
    numbers: bytes = b""

    @property
    def rsa_info(self) -> PublicKeyInfo | None:
        """The public half of an RSA key, without loading it; None for others.

        Raises:
            InputError: if it breaks a rule.
        """
        if not self.numbers:
            return None
        return public_info(rsa_spki(tlv.sequence(self.numbers), self.algorithm.der))


def require_usable(info: PublicKeyInfo, *, name: str) -> None:
    """Refuse a private key that a library would change on loading, so that it would no longer be the same key.

    Raises:
        InputError: if the key is for RSASSA-PSS only, or the parameters of its curve are written out.
    """
    if info.is_pss:
        raise InputError(
            f"cannot use {name}: the private key is for RSASSA-PSS only, which is not supported",
            hint="use a P-256 or a plain RSA key: certkit key generate --out KEY",
        )
    if info.has_explicit_curve:
        raise InputError(
            f"cannot use {name}: the key's curve is given by explicit parameters"
            " (RFC 5480 section 2.1.1 requires a named curve)",
            hint="create a new key: certkit key generate --out KEY",
        )


def rsa_spki(der: bytes, algorithm: bytes = _RSA_ALGORITHM) -> bytes:
    """Return a SubjectPublicKeyInfo for an RSA public key of PKCS#1."""
    return tlv.sequence(algorithm, tlv.encode(0x03, b"\0" + der))


def outline(der: bytes) -> Outline | None:
    """Read an unencrypted private key (PKCS#8, PKCS#1, SEC1) without loading it; None for other bytes."""
    with contextlib.suppress(tlv.DerError, IndexError):
        nodes = tlv.parts(der, _SEQUENCE)
        tags = [node[0] for node in nodes]
        if tags[:3] == [_INTEGER, _SEQUENCE, _OCTET_STRING]:
            algorithm = Algorithm.parse(der[nodes[1][1] : nodes[1][3]])
            if algorithm.oid not in {RSA, RSASSA_PSS}:
                return Outline(algorithm)
            inner = der[nodes[2][2] : nodes[2][3]]
            return Outline(algorithm, _rsa(inner, tlv.parts(inner, _SEQUENCE)))
        if tags[:3] == [_INTEGER, _INTEGER, _INTEGER] and len(tags) >= 9:
            return Outline(Algorithm.parse(_RSA_ALGORITHM), _rsa(der, nodes))
        if tags[:2] == [_INTEGER, _OCTET_STRING] and len(tags) > 2 and tags[2] == 0xA0:
            parameters = der[nodes[2][2] : nodes[2][3]]
            oid = tlv.encode(0x06, bytes.fromhex("2a8648ce3d0201"))
            return Outline(Algorithm.parse(tlv.sequence(oid, parameters)))
    return None


def _rsa(data: bytes, nodes: list[tlv.Node]) -> bytes:
    """Return modulus and exponent, which follow the version, or raise DerError if they are no integers."""
    for node in nodes[1:3]:
        tlv.integer(data, node)
    return data[nodes[1][1] : nodes[2][3]]


def public_info(spki: bytes) -> PublicKeyInfo:
    """Return the public half of a private key from its SubjectPublicKeyInfo.

    Raises:
        InputError: if it breaks a rule.
    """
    found = PublicKeyInfo.parse(spki)
    if isinstance(found, Unreadable):
        raise InputError(f"the private key breaks a rule: {found.reason}", hint="create a new key")
    return found


def info_of(key: PrivateKeyTypes, named: Outline | None) -> PublicKeyInfo:
    """Return the public half of a loaded private key, with the algorithm that its bytes name.

    Raises:
        InputError: if that algorithm breaks a rule.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if named is not None and named.algorithm.oid in {RSA, RSASSA_PSS, EC}:
        value = tlv.parts(spki, _SEQUENCE)[1]
        spki = tlv.sequence(named.algorithm.der, spki[value[1] : value[3]])
    return public_info(spki)


def estimated_bits(der: bytes) -> int:
    """Estimate the size of an RSA key from its length in bytes: an encrypted key shows nothing else."""
    return int(len(der) * 8 / _BITS_PER_BIT)


def unsupported_cipher(data: bytes) -> str:
    """Return the name of the cipher of an encrypted key if no key in it can be opened; empty for all others.

    `data` is the PEM text of a key with encryption headers (RFC 1421), or encrypted PKCS#8 in DER.
    """
    header = _DEK_INFO.search(data, 0, 4096)
    if header is not None:
        name = header[1].decode("ascii").upper()
        return "" if name in _SUPPORTED_HEADERS else name
    try:
        return CIPHERS.get(cipher(data), "")
    except (tlv.DerError, IndexError):
        return ""


def cipher(der: bytes) -> str:
    """Return the identifier of the cipher of encrypted PKCS#8 (RFC 5958 section 3).

    Raises:
        DerError: if the bytes are anything else.
        IndexError: if they have too few elements.
    """
    outer = tlv.parts(der, _SEQUENCE)
    algorithm = Algorithm.parse(der[outer[0][1] : outer[0][3]])
    if algorithm.oid != _PBES2 or algorithm.parameters is None:
        return algorithm.oid
    parameters = algorithm.parameters
    scheme = tlv.parts(parameters, _SEQUENCE)[1]
    return Algorithm.parse(parameters[scheme[1] : scheme[3]]).oid
