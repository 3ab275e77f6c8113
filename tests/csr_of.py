"""A key and its CSR, made by certkit."""

from __future__ import annotations

from certkit.csr.build import build
from tests.pki import new_key


def key_and_csr(subject):
    """A new private key (PEM) and a CSR (PEM) for a subject."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = new_key()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), build(subject, key)
