"""Signatures of webhook deliveries.

`X-Signature-SHA256` is base64 of an RSA signature (PKCS#1 v1.5, SHA-256) over the exact bytes of the body, made with
one of two published keys (Wise developer documentation, event handling, read on 2026-11-30).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from certkit.errors import InputError
from certkit.findings import Finding, critical, ok
from certkit.printable import printable

HEADER = "X-Signature-SHA256"
MAX_BODY_BYTES = 1024 * 1024
_CHECK = "signature"


def verify(body: bytes, signature: str, key: bytes, *, name: str = "the key") -> Finding:
    """Check whether the header's value is a signature of the exact bytes of a body; messages call the key `name`.

    Raises:
        InputError: if the key is not an RSA public key.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    from certkit.x509 import objects
    from certkit.x509.items import Kind

    found = objects.items(key, Kind.PUBLIC_KEY, name=name)
    if len(found) > 1:
        raise InputError(f"cannot read {name}: it contains {len(found)} public keys", hint="name a file with one key")
    try:
        loaded = load_der_public_key(found[0].der)
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "give the published key"
        raise InputError(f"cannot read {name}: not a public key that can be used", hint=hint) from error
    if not isinstance(loaded, RSAPublicKey):
        raise InputError(f"cannot use {name}: it is not an RSA key", hint="give the published key")
    if not signature.strip():
        return critical(_CHECK, f"the value of {HEADER} is empty", f"give the value of {HEADER} of this delivery")
    try:
        value = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError):
        message = f"the value of {HEADER} is not base64: {printable(signature[:40])!r}"
        return critical(_CHECK, message, f"give the whole value of {HEADER}, without its name")
    try:
        loaded.verify(value, body, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        hint = "verify the exact bytes received, and check the environment (sandbox or production)"
        return critical(_CHECK, "the body was not signed with this key, or was changed since", hint)
    return ok(_CHECK, f"the signature of these {len(body):,} bytes is valid")


def sign(body: bytes, key: Any) -> str:
    """Return the value of the header for a body, signed with a rehearsal's key."""
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(key.sign(body, padding.PKCS1v15(), SHA256())).decode()
