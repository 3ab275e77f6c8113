"""Certificate signing requests (PKCS#10, RFC 2986): building them, and reading their facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.x509 import names, pem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certkit.x509.names import SubjectOptions


def build(options: SubjectOptions, key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """A CSR as one PEM block and nothing else, signed with the digest that fits the key.

    Raises:
        InputError: a value cannot be encoded, or the key cannot sign.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(names.build_name(options.attributes()))
    if options.san:
        # RFC 5280 section 4.2.1.6: critical where the subject is empty.
        san = x509.SubjectAlternativeName(_unique(map(names.parse_san, options.san)))
        builder = builder.add_extension(san, critical=not options.attributes())
    try:
        request = builder.sign(key, _digest_for(key))
    except (ValueError, TypeError) as error:
        raise InputError(f"the CSR cannot be signed: {error}", hint="use a key of one of the policy's types") from error
    return pem.encode(pem.CERTIFICATE_REQUEST, request.public_bytes(Encoding.DER))


def digest_name(request: x509.CertificateSigningRequest) -> str | None:
    """The name of the digest that a CSR is signed with; None for a signature without one (Ed25519, Ed448).

    Raises:
        cryptography.exceptions.UnsupportedAlgorithm: the library does not know the algorithm.
    """
    algorithm = request.signature_hash_algorithm
    return algorithm.name if algorithm else None


def _digest_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """SHA-256, or the digest that fits the curve (RFC 5480 section 4); EdDSA brings its own."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return None
    return hashes.SHA256()


def _unique(sans: Iterable[x509.GeneralName]) -> list[x509.GeneralName]:
    return list(dict.fromkeys(sans))
