"""What a CSR (PKCS#10, RFC 2986) holds: its key, the extensions that it asks for, and its signature."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from certkit.x509 import keys, objects

if TYPE_CHECKING:
    from cryptography import x509

    from certkit.x509.keys import KeyFacts


def public_key_facts(request: x509.CertificateSigningRequest) -> KeyFacts | str:
    """The facts of a CSR's public key, or why it cannot be used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keys.key_facts(request.public_key())
    except Exception as error:  # noqa: BLE001  a foreign key meets a parser
        return objects.short_reason(error)


def requested_extensions(request: x509.CertificateSigningRequest) -> x509.Extensions | str:
    """The extensions that a CSR asks for, or why they cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return request.extensions
    except Exception as error:  # noqa: BLE001  as above
        return objects.short_reason(error)


def is_signature_valid(request: x509.CertificateSigningRequest) -> bool | None:
    """Whether the CSR is signed with its own key, however weak the digest; None where the library cannot tell."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return keys.is_signature(
            request.public_key(),
            request.signature,
            request.tbs_certrequest_bytes,
            request.signature_algorithm_parameters,
            request.signature_hash_algorithm,
        )
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return None
