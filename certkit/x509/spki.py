"""The facts of a public key as its SubjectPublicKeyInfo has them (RFC 5280 section 4.1.2.7), unnormalised."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from certkit.errors import InputError
from certkit.x509 import der as tlv
from certkit.x509 import foreign
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

RSA = "1.2.840.113549.1.1.1"
RSASSA_PSS = "1.2.840.113549.1.1.10"
EC = "1.2.840.10045.2.1"
DSA = "1.2.840.10040.4.1"

# Verifying with a larger modulus or exponent keeps a processor busy; OpenSSL draws the same lines.
MAX_RSA_BITS = 16384
MAX_EXPONENT_BITS = 64

_SEQUENCE, _INTEGER, _BIT_STRING, _OID = 0x30, 0x02, 0x03, 0x06
_CURVES = {
    "1.2.840.10045.3.1.1": ("p192", 192),
    "1.3.132.0.33": ("p224", 224),
    "1.2.840.10045.3.1.7": ("p256", 256),
    "1.3.132.0.34": ("p384", 384),
    "1.3.132.0.35": ("p521", 521),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolp256r1", 256),
    "1.3.36.3.3.2.8.1.1.11": ("brainpoolp384r1", 384),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolp512r1", 512),
    "1.2.156.10197.1.301": ("sm2", 256),
}
_FIXED = {
    "1.3.101.110": ("x25519", 256),
    "1.3.101.111": ("x448", 448),
    "1.3.101.112": ("ed25519", 256),
    "1.3.101.113": ("ed448", 456),
    "2.16.840.1.101.3.4.3.17": ("ml-dsa-44", 0),
    "2.16.840.1.101.3.4.3.18": ("ml-dsa-65", 0),
    "2.16.840.1.101.3.4.3.19": ("ml-dsa-87", 0),
}
DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_MGF1 = "1.2.840.113549.1.1.8"
_FERMAT_ROUNDS = 100
_SQUARES_MODULO_64 = frozenset(number * number % 64 for number in range(64))


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The public facts about a key: its type, its size in bits, and the SHA-256 of its public half (SPKI, DER)."""

    type: str
    bits: int
    spki_sha256: str


class Algorithm(NamedTuple):
    """An AlgorithmIdentifier: its identifier, and its parameters as DER, None where there are none."""

    oid: str
    parameters: bytes | None
    der: bytes

    @classmethod
    def parse(cls, der: bytes) -> Algorithm:
        """Read an AlgorithmIdentifier.

        Raises:
            DerError: if the bytes are anything else.
        """
        return _algorithm(der)

    @property
    def has_null_or_no_parameters(self) -> bool:
        """Whether the parameters are absent or NULL."""
        return self.parameters in {None, tlv.NULL}


@functools.lru_cache(maxsize=256)
def _algorithm(der: bytes) -> Algorithm:
    parts = tlv.parts(der, _SEQUENCE)
    if not 1 <= len(parts) <= 2 or parts[0][0] != _OID:
        raise tlv.DerError("an algorithm that is not an identifier and its parameters")
    parameters = der[parts[1][1] : parts[1][3]] if len(parts) == 2 else None
    return Algorithm(tlv.oid(der, parts[0]), parameters, der)


class PssParameters(NamedTuple):
    """Parameters of RSASSA-PSS (RFC 4055 section 3.1); of a key, what its signatures are restricted to."""

    digest: str
    mgf_digest: str
    salt_length: int

    @classmethod
    def parse(cls, parameters: bytes) -> PssParameters:
        """Read the parameters, absent parts being their defaults.

        Raises:
            DerError: if they cannot be read, or name what RFC 4055 does not know.
        """
        digest, mgf_digest, salt, trailer = "sha1", "sha1", 20, 1
        last = 0
        for tag, _, start, end in tlv.parts(parameters, _SEQUENCE):
            if not 0xA0 <= tag <= 0xA3 or tag <= last:
                raise tlv.DerError("PSS parameters with an unknown part")
            last = tag
            inner = parameters[start:end]
            if tag == 0xA0:
                digest = _digest(Algorithm.parse(inner))
            elif tag == 0xA1:
                generator = Algorithm.parse(inner)
                if generator.oid != _MGF1 or generator.parameters is None:
                    raise tlv.DerError("PSS parameters with an unknown mask generation function")
                mgf_digest = _digest(Algorithm.parse(generator.parameters))
            else:
                number = tlv.integer(inner, (_INTEGER, 0, *tlv.only(inner, _INTEGER)))
                salt, trailer = (number, trailer) if tag == 0xA2 else (salt, number)
        if trailer != 1 or not 0 <= salt <= MAX_RSA_BITS // 8:
            raise tlv.DerError("PSS parameters with an impossible salt length or trailer")
        return cls(digest, mgf_digest, salt)


def _digest(algorithm: Algorithm) -> str:
    name = DIGESTS.get(algorithm.oid)
    if name is None or not algorithm.has_null_or_no_parameters:
        raise tlv.DerError(f"an unknown digest ({algorithm.oid})")
    return name


class PublicKeyInfo(NamedTuple):
    """A public key as its bytes have it: `type` is spelt as `--type` does, `bits` is 0 where the size is unknown.

    `has_explicit_curve` is whether the curve's parameters are written out instead, which RFC 5480 section 2.1.1
    forbids. `pss` are the restrictions of an RSASSA-PSS key that has any.
    """

    der: bytes
    algorithm: Algorithm
    type: str
    bits: int
    has_explicit_curve: bool = False
    pss: PssParameters | None = None
    modulus: int = 0
    exponent: int = 0

    @classmethod
    def parse(cls, der: bytes) -> PublicKeyInfo | Unreadable:
        """Read a SubjectPublicKeyInfo."""
        try:
            return _key(der)
        except tlv.DerError as error:
            return Unreadable(str(error))

    @property
    def spki_sha256(self) -> str:
        """The SHA-256 of the exact bytes."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def facts(self) -> KeyFacts:
        """The facts as `key` objects in JSON have them."""
        return KeyFacts(self.type, self.bits, self.spki_sha256)

    @property
    def is_affordable(self) -> bool:
        """Whether checking a signature with the key takes no more time than OpenSSL allows."""
        return self.bits <= MAX_RSA_BITS and self.exponent.bit_length() <= MAX_EXPONENT_BITS

    @property
    def excess(self) -> str:
        """What makes the key too costly to use; empty if nothing does."""
        if self.is_affordable:
            return ""
        return (
            f"an RSA key of {self.bits} bits with an exponent of {self.exponent.bit_length()} bits is too costly to use"
        )

    @property
    def weakness(self) -> str:
        """What makes the private half of an RSA key easy to compute, whatever its size; empty if nothing does."""
        if not self.modulus:
            return ""
        if self.exponent == 1:
            return "the RSA exponent is 1, so the key protects nothing"
        if not self.modulus & 1:
            return "the RSA modulus is even, so the key can be factored at once"
        if self.modulus.bit_length() <= MAX_RSA_BITS and _is_fermat_factorable(self.modulus):
            return "the primes of the RSA key lie so close together that it can be factored at once (Fermat's method)"
        return ""

    @property
    def concern(self) -> str:
        """What is unusual about an RSA key and refused by some standards; empty if nothing is."""
        if 1 < self.exponent < 65537:
            return f"the RSA exponent is {self.exponent}; FIPS 186-5 requires more than 65536"
        return ""

    @property
    def curve_problem(self) -> str:
        """What is wrong with how the curve is given; empty if nothing is."""
        if self.has_explicit_curve:
            return "the key's curve is given by explicit parameters instead of a name (RFC 5480 section 2.1.1)"
        return ""

    @property
    def is_pss(self) -> bool:
        """Whether the key is for RSASSA-PSS only."""
        return self.algorithm.oid == RSASSA_PSS

    def load(self) -> PublicKeyTypes:
        """Return the key as `cryptography` loads it.

        Raises:
            InputError: if the key is too costly or unsupported, so that no signature can be verified with it.
        """
        if self.has_explicit_curve:
            raise InputError(self.curve_problem, hint="create the key again with a named curve")
        if not self.is_affordable:
            raise InputError(self.excess, hint=f"use a key of at most {MAX_RSA_BITS} bits with the exponent 65537")
        loaded, error = _loaded(self.der)
        if loaded is not None:
            return loaded
        from cryptography.exceptions import UnsupportedAlgorithm

        if isinstance(error, UnsupportedAlgorithm):
            raise InputError(f"keys of type {self.type} are not supported", hint="use an RSA or P-256 key") from error
        raise InputError(f"the {self.type} key is not valid", hint="create the key again") from error


# The keys of CAs recur in a run, so they are cached.
@functools.lru_cache(maxsize=256)
def _key(der: bytes) -> PublicKeyInfo:
    parts = tlv.parts(der, _SEQUENCE)
    if len(parts) != 2 or parts[0][0] != _SEQUENCE or parts[1][0] != _BIT_STRING:
        raise tlv.DerError("a public key that is not an algorithm and a BIT STRING")
    algorithm = Algorithm.parse(der[parts[0][1] : parts[0][3]])
    value, unused = tlv.bits(der, parts[1])
    if unused:
        raise tlv.DerError("a public key whose last byte is not whole")
    if algorithm.oid in {RSA, RSASSA_PSS}:
        return _rsa(der, algorithm, value)
    if algorithm.oid == EC:
        return PublicKeyInfo(der, algorithm, *_curve(algorithm.parameters or b""))
    if algorithm.oid == DSA:
        prime = 0
        if algorithm.parameters is not None:
            numbers = tlv.parts(algorithm.parameters, _SEQUENCE)
            prime = tlv.integer(algorithm.parameters, numbers[0]) if numbers else 0
        return PublicKeyInfo(der, algorithm, f"dsa-{prime.bit_length()}", prime.bit_length())
    name, bits = _FIXED.get(algorithm.oid, (f"unknown ({algorithm.oid})", 0))
    return PublicKeyInfo(der, algorithm, name, bits)


def _rsa(der: bytes, algorithm: Algorithm, value: bytes) -> PublicKeyInfo:
    if algorithm.oid == RSA and not algorithm.has_null_or_no_parameters:
        raise tlv.DerError("an RSA key with parameters (RFC 3279 section 2.3.1)")
    numbers = tlv.parts(value, _SEQUENCE)
    if len(numbers) != 2 or {numbers[0][0], numbers[1][0]} != {_INTEGER}:
        raise tlv.DerError("an RSA key that is not a modulus and an exponent")
    modulus, exponent = (tlv.integer(value, node) for node in numbers)
    if modulus <= 0 or exponent <= 0:
        raise tlv.DerError("an RSA key with a negative number")
    pss = None
    if algorithm.oid == RSASSA_PSS and algorithm.parameters is not None:
        pss = PssParameters.parse(algorithm.parameters)
    bits = modulus.bit_length()
    return PublicKeyInfo(der, algorithm, f"rsa-{bits}", bits, pss=pss, modulus=modulus, exponent=exponent)


@functools.lru_cache(maxsize=64)
def _curve(parameters: bytes) -> tuple[str, int, bool]:
    """Return the name of an elliptic curve key's type, its bits, and whether the curve is written out."""
    if parameters[:1] == b"\x06":
        curve = tlv.oid(parameters, (_OID, 0, *tlv.only(parameters, _OID)))
        name, bits = _CURVES.get(curve, (curve, 0))
        return f"ec-{name}", bits, False
    if parameters[:1] == b"\x30":
        return "ec-explicit", _field_bits(parameters), True
    raise tlv.DerError("an elliptic curve key without a curve")


def _field_bits(parameters: bytes) -> int:
    """Return the size of a written-out prime field (X9.62: version, field, curve, …), or 0."""
    try:
        field = tlv.parts(parameters, _SEQUENCE)[1]
        prime = tlv.children(parameters, field[2], field[3])[1]
        return tlv.integer(parameters, prime).bit_length() if prime[0] == _INTEGER else 0
    except (tlv.DerError, IndexError):
        return 0


@functools.lru_cache(maxsize=256)
def _is_fermat_factorable(modulus: int) -> bool:
    """Return whether the primes lie so close together that Fermat's method finds them at once."""
    root = math.isqrt(modulus - 1) + 1
    rest = root * root - modulus
    for _ in range(_FERMAT_ROUNDS):
        # Only some remainders are those of squares; the root of a large number takes much longer.
        if rest & 63 in _SQUARES_MODULO_64 and math.isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * root + 1
        root += 1
    return False


@functools.lru_cache(maxsize=256)
def _loaded(der: bytes) -> tuple[PublicKeyTypes | None, Exception | None]:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    return foreign.try_or_error(load_der_public_key, der)
