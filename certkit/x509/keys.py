"""Private and public keys: the supported types; creating, reading and describing keys."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, PassphraseError
from certkit.secret import Secret
from certkit.x509 import der as tlv
from certkit.x509 import foreign, pem, private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
        PrivateKeyTypes,
        PublicKeyTypes,
    )

    from certkit.x509.spki import KeyFacts


# The types that certkit makes, the default first.
KEY_TYPES = ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096")

# PKCS#8 of an RSA-8192 key takes 4.7 kB; loading it takes seconds, and the time grows with the cube.
MAX_PRIVATE_KEY_BYTES = 6 * 1024


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A type of key that certkit makes, such as `ec-p256` or `rsa-3072`."""

    name: str

    @classmethod
    def parse(cls, text: str) -> KeySpec:
        """The spec of that name.

        Raises:
            InputError: if certkit does not make such keys.
        """
        if text not in KEY_TYPES:
            raise InputError(f"unknown key type {text!r}", hint=f"choose one of {', '.join(KEY_TYPES)}")
        return cls(text)

    @property
    def bits(self) -> int:
        """The size of such keys."""
        return int(self.name.partition("-")[2].lstrip("p"))

    @property
    def is_slow(self) -> bool:
        """Whether making such a key takes long enough to tell a person that work is under way."""
        return self.name in {"rsa-3072", "rsa-4096"}

    def generate(self) -> CertificateIssuerPrivateKeyTypes:
        """A new private key; RSA keys have the public exponent 65537 (FIPS 186-5 A.1.1)."""
        family, _, size = self.name.partition("-")
        if family == "rsa":
            from cryptography.hazmat.primitives.asymmetric import rsa

            return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
        from cryptography.hazmat.primitives.asymmetric import ec

        return ec.generate_private_key(ec.SECP256R1() if size == "p256" else ec.SECP384R1())


def key_facts(key: PublicKeyTypes) -> KeyFacts:
    """Return the facts of a public key, as the library encodes it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return private.public_info(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).facts


def is_weak_digest(name: str) -> bool:
    """Return whether a digest is too weak for new signatures (RFC 6194, RFC 6151)."""
    return name in {"md2", "md4", "md5", "sha1"}


def to_pem(key: PrivateKeyTypes, passphrase: Secret | None = None) -> Secret:
    """Return a private key as one PKCS#8 PEM block (RFC 5958), encrypted if there is a passphrase."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if passphrase is None:
        return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    from certkit.x509 import encryption

    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Secret(encryption.encrypt_pkcs8(plain, passphrase.reveal()))


def load_private_key(data: bytes, passphrase: Secret | None = None) -> PrivateKeyTypes:
    """A private key from one PEM block or DER: PKCS#8, PKCS#1, SEC1, encrypted or not.

    A passphrase that is not needed is not used. RSA keys are checked for consistency.

    Raises:
        PassphraseError: if the key is encrypted, and the passphrase is missing or wrong.
        InputError: if it is not a key that certkit can use, or loading it would take too long.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    is_pem = data.lstrip().startswith(b"-----BEGIN")

    def load(data: bytes, password: bytes | None) -> PrivateKeyTypes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_pem:
                return serialization.load_pem_private_key(data, password)
            return serialization.load_der_private_key(data, password)

    try:
        return load(data, None)
    except TypeError:
        pass  # it is encrypted
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("it is damaged, or of a type that is not supported", hint=_CONVERT_HINT) from error
    if passphrase is None:
        raise PassphraseError("the private key is encrypted", hint="give its passphrase with --passphrase-file")
    try:
        return load(data, passphrase.reveal())
    except UnsupportedAlgorithm as error:
        raise InputError("the key's type or encryption is not supported", hint=_CONVERT_HINT) from error
    except ValueError as error:
        raise PassphraseError(
            "the passphrase is wrong or the file is damaged",
            hint="check the first line of the passphrase file; openssl pkey -in KEY converts unusual ciphers",
        ) from error


def decrypted(data: bytes, passphrase: Secret) -> bytes | None:
    """Return an encrypted key, PEM or PKCS#8 in DER, in plain DER with the algorithm that it names, as OpenSSL has it.

    `cryptography` forgets whether a key is for RSASSA-PSS only, and whether its curve is written out. None: OpenSSL
    cannot open it.
    """
    text = data if data.lstrip().startswith(b"-----BEGIN") else pem.encode("ENCRYPTED PRIVATE KEY", data)

    def load(text: bytes) -> bytes:
        from OpenSSL import crypto

        key = crypto.load_privatekey(crypto.FILETYPE_PEM, text, passphrase.reveal())
        return crypto.dump_privatekey(crypto.FILETYPE_ASN1, key)

    return foreign.attempt(load, text)


_CONVERT_HINT = "convert it with: openssl pkey -in KEY -out NEWKEY"


def unchecked(der: bytes) -> PrivateKeyTypes | None:
    """Return an RSA key without checking that its parts fit, for its facts only; None if it cannot be loaded."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return foreign.attempt(lambda data: load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True), der)


def require_affordable(key_der: bytes) -> None:
    """Refuse a private key whose loading would take minutes: too big, or a giant key derivation count.

    Raises:
        InputError: if loading it would take too long.
    """
    if len(key_der) > MAX_PRIVATE_KEY_BYTES:
        raise InputError(
            f"the private key has {len(key_der):,} bytes, more than an RSA key of 8192 bits",
            hint="partners accept RSA keys of 2048 to 4096 bits and P-256 keys; create one of those",
        )
    if is_encrypted(key_der) and tlv.kdf_cost(key_der) > tlv.MAX_KDF_COST:
        raise InputError(
            f"the private key requires more than {tlv.MAX_KDF_COST:,} key derivation rounds",
            hint="re-encrypt it with fewer: openssl pkcs8 -topk8 -iter 600000",
        )


def is_encrypted(key_der: bytes, *, has_headers: bool = False) -> bool:
    """Return whether DER that claims to be a private key is encrypted PKCS#8, or PEM with encryption headers."""
    if has_headers:
        return True
    try:
        _, _, start, end = tlv.read(key_der, 0, len(key_der), is_ber=True)
        # EncryptedPrivateKeyInfo begins with an AlgorithmIdentifier, every other form with a version.
        return tlv.read(key_der, start, end, is_ber=True)[0] == tlv.SEQUENCE
    except tlv.DerError:
        return False


def is_pair(key: Any, certificate: Any) -> bool:
    """Return whether a certificate or CSR belongs to a private key; False if its public key cannot be read."""
    public = foreign.attempt(lambda _: certificate.public_key(), b"")
    return public is not None and bool(public == key.public_key())
