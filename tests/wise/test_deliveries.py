"""`certkit.wise.deliveries`: Wise's published delivery, and what is no signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from certkit.errors import InputError
from certkit.findings import Status
from certkit.policy import catalogue
from certkit.wise import deliveries
from certkit.x509.keys import KeySpec
from tests import pki

BODY = (Path(__file__).parent / "published_delivery.json").read_bytes()
SIGNATURE = (
    "wKcKCYXAzxNgiu7xmoDm943NUni7Rz33QN8JkEA9dWSGebgndonabgSj18Y4C08OrwVmueGsED2s00M7DtJVcYKOS1i3G4TMVx+m"
    "gM3aL9djMBkQtiYNBFUd6wrPI7ZUNHv/TrlKSjTMc+6JFvUvJ7owY3z85e3I4jLRLJowMFvO8kvCJ60+1pY9wDwZvtZ//WS93Lrw"
    "Gjk9Dvwzpmu0w+P4J75tETT5qC3Uv0y5G2yO8SEoO3yNP/tg/BOli02niHb53vEOUWUb9bly6thnfMoXoiV/osoGxgF20R58Rlvk"
    "Amezyyl1Sv542TfS2DpiwVnmjjjkCyXeSUcKookYLQ=="
)
SANDBOX, PRODUCTION = (
    catalogue.load(name).webhooks.signing_key.encode() for name in ("wise-sandbox", "wise-production")
)


def test_the_published_delivery_was_signed_with_the_sandbox_key():
    """Wise's example on its page on event handling."""
    found = deliveries.verify(BODY, SIGNATURE, SANDBOX)
    assert (found.status, found.message) == (Status.OK, "the signature of these 354 bytes is valid")
    assert catalogue.load("wise-sandbox-legacy").webhooks.signing_key.encode() == SANDBOX


@pytest.mark.parametrize(
    ("body", "signature", "key", "said"),
    [
        (BODY + b"\n", SIGNATURE, SANDBOX, "the body was not signed with this key, or was changed since"),
        (BODY.replace(b"transfer", b"Transfer", 1), SIGNATURE, SANDBOX, "the body was not signed with this key"),
        (BODY, SIGNATURE, PRODUCTION, "the body was not signed with this key"),
        (BODY, SIGNATURE[4:], SANDBOX, "the body was not signed with this key"),
        (BODY, " ", SANDBOX, "the value of X-Signature-SHA256 is empty"),
        (BODY, "X-Signature-SHA256: x", SANDBOX, "the value of X-Signature-SHA256 is not base64"),
    ],
    ids=["line-end", "changed", "environment", "cut", "empty", "header"],
)
def test_anything_else_is_critical(body, signature, key, said):
    """One more line end, another key, a part of the signature."""
    found = deliveries.verify(body, signature, key)
    assert found.status is Status.CRITICAL
    assert found.message.startswith(said)
    assert found.hint


@pytest.mark.parametrize("key", [b"", b"x", b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"])
def test_a_key_is_an_rsa_public_key(key):
    """Anything else is bad input."""
    with pytest.raises(InputError, match="cannot read the key"):
        deliveries.verify(BODY, SIGNATURE, key)


def test_a_key_is_read_by_its_content():
    """DER, and PEM with text around it, as every other input; a file of another kind is named, and what it holds."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    der = load_pem_public_key(SANDBOX).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for key in (der, b"Sandbox:\r\n" + SANDBOX.replace(b"\n", b"\r\n")):
        assert deliveries.verify(BODY, SIGNATURE, key).status is Status.OK
    pair = pki.root()
    for data, kind in ((pair.key_pem, "a private key"), (pair.pem, "a certificate")):
        with pytest.raises(InputError, match=f"cannot read wise.pem as a public key: it is {kind}"):
            deliveries.verify(BODY, SIGNATURE, data, name="wise.pem")


def test_what_a_rehearsal_signs_verifies():
    """With the public half of its key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = KeySpec("rsa-2048").generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert deliveries.verify(b"x", deliveries.sign(b"x", key), pem).status is Status.OK
