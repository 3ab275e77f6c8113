"""OpenSSL's path validation, for what cryptography's does not know: some kinds of constraints and keys.

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """OpenSSL's error, in its words."""

    words: str


def validate(
    leaf: x509.Certificate,
    *,
    anchors: Sequence[x509.Certificate],
    untrusted: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...] | Refusal:
    """The path from the leaf to an anchor at a moment, or OpenSSL's refusal."""
    from OpenSSL import crypto

    store = crypto.X509Store()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for anchor in anchors:
            store.add_cert(crypto.X509.from_cryptography(anchor))
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        store.set_time(at)
        chain = [crypto.X509.from_cryptography(each) for each in untrusted]
        context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), chain)
        try:
            return tuple(each.to_cryptography() for each in context.get_verified_chain())
        except (crypto.X509StoreContextError, crypto.Error) as error:
            return Refusal(str(error))
