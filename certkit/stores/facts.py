"""The facts of a certificate that a store tells without showing the certificate."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from certkit.times import rfc3339
from certkit.x509 import names

if TYPE_CHECKING:
    from cryptography import x509


def certificate_facts(certificate: x509.Certificate, *, policy: str) -> dict[str, str]:
    """The facts by the names of `certkit.stores.base.Facts`, spelt as in JSON.

    Raises:
        Exception: of whatever kind; a field of a hostile certificate may raise when it is read.
    """
    from cryptography.hazmat.primitives.hashes import SHA256

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "not_before": rfc3339(certificate.not_valid_before_utc),
            "not_after": rfc3339(certificate.not_valid_after_utc),
            "fingerprint_sha256": certificate.fingerprint(SHA256()).hex(),
            "serial": names.serial_hex(certificate.serial_number),
            "subject": names.distinguished_name(certificate.subject),
            "issuer": names.distinguished_name(certificate.issuer),
            "policy": policy,
        }
