"""OpenSSL's path validation, for what cryptography's does not know: some constraints and policies, and CRLs.

pyOpenSSL has no purpose, host name or depth; checks of our own over the path that comes back see to those in
every case (`checks`, `purpose`, `path`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

# X509_V_FLAG_EXTENDED_CRL_SUPPORT and X509_V_FLAG_USE_DELTAS (x509_vfy.h), which pyOpenSSL does not name.
_EXTENDED_CRL = 0x1000
_USE_DELTAS = 0x2000


@dataclass(frozen=True, slots=True)
class Refusal:
    """OpenSSL's error: its number (X509_V_ERR, x509_vfy.h) and its words."""

    code: int
    words: str


def validate(
    leaf: x509.Certificate,
    *,
    anchors: Sequence[x509.Certificate],
    untrusted: Sequence[x509.Certificate],
    at: datetime,
    crls: Sequence[x509.CertificateRevocationList] = (),
    whole_chain: bool = True,
) -> tuple[x509.Certificate, ...] | Refusal:
    """The path from the leaf to an anchor at a moment, or OpenSSL's refusal.

    With CRLs, a current one is wanted for every certificate below the anchor, or for the leaf only.
    """
    from OpenSSL import crypto

    store = crypto.X509Store()
    flags = crypto.X509StoreFlags.PARTIAL_CHAIN
    if crls:
        flags |= crypto.X509StoreFlags.CRL_CHECK | _EXTENDED_CRL | _USE_DELTAS
        if whole_chain:
            flags |= crypto.X509StoreFlags.CRL_CHECK_ALL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for anchor in anchors:
            store.add_cert(crypto.X509.from_cryptography(anchor))
        for crl in crls:
            store.add_crl(crl)
        store.set_flags(flags)
        store.set_time(at)
        chain = [crypto.X509.from_cryptography(each) for each in untrusted]
        context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), chain)
        try:
            return tuple(each.to_cryptography() for each in context.get_verified_chain())
        except crypto.X509StoreContextError as error:
            return Refusal(int(error.errors[0]) if error.errors else 0, str(error))
        except crypto.Error as error:
            return Refusal(0, str(error))
