"""Looking for secrets wherever Terraform may have left them: in every form in which a private key is written."""

from __future__ import annotations

import base64
import io
import zipfile
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SHORTEST = 24


def forms_of_key(pem: bytes) -> set[bytes]:
    """The forms of a private key that must not leak: its PEM, its DER and its number, plain, in base64 and in hex."""
    key = serialization.load_pem_private_key(pem, None)
    numbers = key.private_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        number = numbers.p.to_bytes(key.key_size // 16)
    else:
        number = numbers.private_value.to_bytes(key.key_size // 8)
    traditional = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    modern = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    lines = {line for line in pem.splitlines() if len(line) >= _SHORTEST and not line.startswith(b"-----")}
    return lines.union(*map(forms, (number, traditional, modern)))


def forms(secret: bytes) -> set[bytes]:
    """A secret as it is, in hex, and in base64 wherever it may begin in what is encoded."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret)
        middle = encoded[4 if shift else 0 : len(encoded) - 4]
        found |= {middle, middle.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def places_with(secrets: Iterable[bytes], folder: Path, *, but: Path | None = None) -> set[str]:
    """The files of a folder that hold one of the secrets; what is packed in a zip file, as plans are, is looked at."""
    needles = tuple(secrets)
    assert needles
    assert all(len(needle) >= _SHORTEST // 2 for needle in needles)
    files = [path for path in folder.rglob("*") if path.is_file() and not (but and path.is_relative_to(but))]
    assert files
    return {
        str(path.relative_to(folder))
        for path in files
        for content in contents(path.read_bytes())
        if any(needle in content for needle in needles)
    }


def contents(data: bytes) -> Iterator[bytes]:
    """The bytes of a file, and of the files that are packed in it."""
    yield data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for name in packed.namelist():
                yield from contents(packed.read(name))
