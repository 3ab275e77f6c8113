"""Verification of signatures: every valid encoding of an algorithm, and a reason for each rejection."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from certkit.errors import InputError
from certkit.x509 import der as tlv
from certkit.x509 import spki
from certkit.x509.spki import PssParameters

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    from certkit.x509.spki import Algorithm, PublicKeyInfo

# Which digest an algorithm names: RSASSA-PKCS1-v1_5 (RFC 8017 appendix A.2.4; NIST CSOR), ECDSA (RFC 5758), DSA.
_RSA = {
    "1.2.840.113549.1.1.2": "md2",
    "1.2.840.113549.1.1.3": "md4",
    "1.2.840.113549.1.1.4": "md5",
    "1.2.840.113549.1.1.5": "sha1",
    "1.3.14.3.2.29": "sha1",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.113549.1.1.15": "sha512_224",
    "1.2.840.113549.1.1.16": "sha512_256",
    "2.16.840.1.101.3.4.3.13": "sha3_224",
    "2.16.840.1.101.3.4.3.14": "sha3_256",
    "2.16.840.1.101.3.4.3.15": "sha3_384",
    "2.16.840.1.101.3.4.3.16": "sha3_512",
}
_ECDSA = {
    "1.2.840.10045.4.1": "sha1",
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "2.16.840.1.101.3.4.3.9": "sha3_224",
    "2.16.840.1.101.3.4.3.10": "sha3_256",
    "2.16.840.1.101.3.4.3.11": "sha3_384",
    "2.16.840.1.101.3.4.3.12": "sha3_512",
}
_DSA = {
    "1.2.840.10040.4.3": "sha1",
    "2.16.840.1.101.3.4.3.1": "sha224",
    "2.16.840.1.101.3.4.3.2": "sha256",
    "2.16.840.1.101.3.4.3.3": "sha384",
    "2.16.840.1.101.3.4.3.4": "sha512",
}
# Algorithms without a digest or parameters, whose keys have the same identifier (RFC 8410, RFC 9881).
_PLAIN = {
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}
_FAMILIES = {
    spki.RSA: ("RSA", "RSASSA-PSS"),
    spki.RSASSA_PSS: ("RSASSA-PSS",),
    spki.EC: ("ECDSA",),
    spki.DSA: ("DSA",),
}
_WEAK = frozenset({"md2", "md4", "md5", "sha1"})


class UnsupportedError(ValueError):
    """An algorithm or a key that cannot verify anything; the message says which."""


class Scheme(NamedTuple):
    """A signature scheme: the family of the algorithm, the digest (if it needs one), and PSS's parameters.

    `is_weak` is whether such signatures can be forged because of the digest (RFC 6151, RFC 6194). `shown` is the digest
    as people write it; the algorithm where it needs none.
    """

    family: str
    digest: str
    pss: PssParameters | None
    is_weak: bool
    shown: str

    @classmethod
    def of(cls, family: str, digest: str = "", pss: PssParameters | None = None) -> Scheme:
        """Return the scheme of a family, completed by the properties of its digest."""
        return cls(family, digest, pss, digest in _WEAK, digest.upper().replace("_", "-") or family)


@functools.lru_cache(maxsize=256)
def scheme(algorithm: Algorithm) -> Scheme:
    """Read the algorithm of a signature (RFC 5280 section 4.1.1.2).

    Raises:
        UnsupportedError: if the algorithm is unknown, or its parameters break the standard.
    """
    oid, parameters = algorithm.oid, algorithm.parameters
    if oid == spki.RSASSA_PSS:
        try:
            pss = PssParameters.parse(parameters or b"")
        except tlv.DerError as error:
            raise UnsupportedError(f"its RSASSA-PSS parameters cannot be used: {error}") from error
        return Scheme.of("RSASSA-PSS", pss.digest, pss)
    if oid in _RSA and algorithm.has_null_or_no_parameters:  # RFC 4055 section 5
        return Scheme.of("RSA", _RSA[oid])
    if oid in _ECDSA and algorithm.has_null_or_no_parameters:
        return Scheme.of("ECDSA", _ECDSA[oid])  # NULL is a deviation (RFC 5758 section 3.2)
    if oid in _DSA:
        return Scheme.of("DSA", _DSA[oid])
    if oid in _PLAIN and parameters is None:
        return Scheme.of(_PLAIN[oid])
    known = oid in _RSA or oid in _ECDSA or oid in _PLAIN
    raise UnsupportedError(
        f"its signature algorithm {oid} " + ("has wrong parameters" if known else "is not supported")
    )


def fits(algorithm: Algorithm, key: PublicKeyInfo) -> bool:
    """Return whether a key is of the kind that makes such signatures.

    Raises:
        UnsupportedError: if the algorithm is unknown, or its parameters break the standard.
    """
    family = scheme(algorithm).family
    if family in _PLAIN.values():
        return key.algorithm.oid == algorithm.oid
    return family in _FAMILIES.get(key.algorithm.oid, ())


def problem(algorithm: Algorithm, key: PublicKeyInfo, signature: bytes, message: bytes) -> str | None:
    """Return why a signature over a message was not made with a key; None if it was.

    Raises:
        UnsupportedError: if the algorithm or the key is not supported.
    """
    try:
        loaded: Any = key.load()
    except InputError as error:
        raise UnsupportedError(error.message) from error
    found = scheme(algorithm)
    if not fits(algorithm, key):
        return f"the signature is made with {found.family}, which does not fit the key"
    if found.pss is not None and key.pss is not None:
        allowed, used = key.pss, found.pss
        same = (allowed.digest, allowed.mgf_digest) == (used.digest, used.mgf_digest)
        if not same or used.salt_length < allowed.salt_length:
            return "the RSASSA-PSS key does not allow the signature's parameters (RFC 4055 section 3.3)"
    try:
        loaded.verify(signature, message, *_arguments(found))
    except InvalidSignature:
        return "the signature does not verify"
    except (UnsupportedAlgorithm, ValueError, TypeError, AttributeError) as error:
        raise UnsupportedError(f"signatures with {found.family} and {found.shown} are not supported") from error
    return None


@functools.lru_cache(maxsize=64)
def _arguments(found: Scheme) -> tuple[Any, ...]:
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    match found.family:
        case "RSA":
            return padding.PKCS1v15(), _hash(found.digest)
        case "RSASSA-PSS" if found.pss:
            mask = padding.MGF1(_hash(found.pss.mgf_digest))
            return padding.PSS(mgf=mask, salt_length=found.pss.salt_length), _hash(found.digest)
        case "ECDSA":
            return (ec.ECDSA(_hash(found.digest)),)
        case "DSA":
            return (_hash(found.digest),)
    return ()


def _hash(name: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    made = getattr(hashes, name.upper(), None)
    if made is None:
        raise UnsupportedError(f"the digest {name.upper()} is not supported")
    digest: HashAlgorithm = made()
    return digest
