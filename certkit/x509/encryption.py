"""Encryption of private keys at rest: PKCS#8 by PBES2, and PKCS#12 with a MAC that is as slow as its encryption.

`cryptography` writes PKCS#8 with 2,048 rounds of PBKDF2, which a graphics card can compute millions of times per
second, and it has no option for it; neither has the MAC of its PKCS#12 files, against which a passphrase can be guessed
too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

from certkit.x509 import der, pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

# OWASP's Password Storage Cheat Sheet (2023) for PBKDF2-HMAC-SHA256; OpenSSL opens such a key in 0.3 seconds.
ROUNDS = 600_000

_SALT_BYTES = 16
_OCTET_STRING, _OID = 0x04, 0x06
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")
_AES_256_CBC = bytes.fromhex("60864801650304012a")
_SHA256 = bytes.fromhex("608648016503040201")
# The block size of SHA-256, and the purpose of a MAC key (RFC 7292 appendix B.2 and B.3).
_BLOCK, _MAC_KEY = 64, 3


def encrypt_pkcs8(key: bytes, passphrase: bytes) -> bytes:
    """Encrypt a PKCS#8 key (DER): EncryptedPrivateKeyInfo (RFC 5958) by PBES2 (RFC 8018), as PEM."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, start = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(16)
    derived = hashlib.pbkdf2_hmac("sha256", passphrase, salt, ROUNDS, 32)
    padder = PKCS7(algorithms.AES.block_size).padder()
    encryptor = Cipher(algorithms.AES(derived), modes.CBC(start)).encryptor()
    encrypted = encryptor.update(padder.update(key) + padder.finalize()) + encryptor.finalize()
    derivation = _algorithm(
        _PBKDF2, der.sequence(_octets(salt), der.integer_of(ROUNDS), _algorithm(_HMAC_SHA256, der.NULL))
    )
    scheme = _algorithm(_PBES2, der.sequence(derivation, _algorithm(_AES_256_CBC, _octets(start))))
    return pem.encode("ENCRYPTED PRIVATE KEY", der.sequence(scheme, _octets(encrypted)))


SEALED = "pbkdf2-sha256:"
"""How a sealed text begins; its rounds follow, and base64 of salt, nonce and AES-256-GCM's output."""
_MOST_ROUNDS = 10 * ROUNDS
_NONCE_BYTES = 12


def seal(data: bytes, passphrase: bytes) -> str:
    """Encrypt and authenticate any bytes by a passphrase."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    derived = hashlib.pbkdf2_hmac("sha256", passphrase, salt, ROUNDS, 32)
    sealed = base64.b64encode(salt + nonce + AESGCM(derived).encrypt(nonce, data, None)).decode("ascii")
    return f"{SEALED}{ROUNDS}:{sealed}"


def unseal(text: str, passphrase: bytes) -> bytes:
    """Decrypt what `seal` made.

    Raises:
        ValueError: if the text is damaged or asks for too many rounds, or the passphrase is wrong.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    rounds, _, encoded = text.removeprefix(SEALED).partition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,7}", rounds, re.ASCII) or int(rounds) > _MOST_ROUNDS:
        raise ValueError("not a number of rounds")
    data = base64.b64decode(encoded, validate=True)
    salt, nonce, rest = data[:_SALT_BYTES], data[_SALT_BYTES:][:_NONCE_BYTES], data[_SALT_BYTES + _NONCE_BYTES :]
    derived = hashlib.pbkdf2_hmac("sha256", passphrase, salt, int(rounds), 32)
    try:
        return AESGCM(derived).decrypt(nonce, rest, None)
    except InvalidTag as error:
        raise ValueError("wrong passphrase") from error


def pkcs12_protection(passphrase: bytes) -> KeySerializationEncryption:
    """Return how the library is to encrypt a PKCS#12 file; `slow_mac` does the rest."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    return builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).hmac_hash(SHA256()).build(passphrase)


def slow_mac(pfx: bytes, passphrase: bytes) -> bytes:
    """Compute the MAC of a PKCS#12 file (RFC 7292 section 4) again, with many rounds.

    Raises:
        ValueError: if the bytes are no such file, or the passphrase is not UTF-8.
    """
    version, safe, *_ = der.parts(pfx, der.SEQUENCE)
    explicit = der.children(pfx, safe[2], safe[3])[1]
    [content] = der.children(pfx, explicit[2], explicit[3])
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hmac.digest(_mac_key(passphrase, salt), pfx[content[2] : content[3]], "sha256")
    info = der.sequence(_algorithm(_SHA256, der.NULL), _octets(digest))
    mac = der.sequence(info, _octets(salt), der.integer_of(ROUNDS))
    return der.sequence(pfx[version[1] : version[3]], pfx[safe[1] : safe[3]], mac)


def _mac_key(passphrase: bytes, salt: bytes) -> bytes:
    """Derive the key of the MAC (RFC 7292 appendix B.2); one block of SHA-256 is all that it takes."""
    text = passphrase.decode("utf-8").encode("utf-16-be") + b"\0\0"
    key = bytes([_MAC_KEY]) * _BLOCK + _filled(salt) + _filled(text)
    for _ in range(ROUNDS):
        key = hashlib.sha256(key).digest()
    return key


def _filled(data: bytes) -> bytes:
    """Repeat data until it fills whole blocks."""
    size = -(-len(data) // _BLOCK) * _BLOCK
    return (data * (size // len(data) + 1))[:size]


def _algorithm(identifier: bytes, parameters: bytes) -> bytes:
    return der.sequence(der.encode(_OID, identifier), parameters)


def _octets(value: bytes) -> bytes:
    return der.encode(_OCTET_STRING, value)
