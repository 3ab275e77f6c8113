"""The test vectors of the library `cryptography`: thousands of files, good, odd and broken.

Whatever they hold, they are read and described without an exception, and the facts are JSON.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import cryptography_vectors
import pytest

from certkit.x509 import describe, objects
from certkit.x509.items import Broken, Item, Kind
from tests.conftest import openssl_verifies

FOLDER = Path(cryptography_vectors.__file__).parent
FILES = sorted(
    path.relative_to(FOLDER).as_posix()
    for folder in ("asymmetric", "pkcs12", "pkcs7", "x509")
    for path in (FOLDER / folder).rglob("*")
    if path.is_file()
)


@functools.cache
def found(name: str) -> list[Item | Broken]:
    """Return the objects in a file; no passphrase is given."""
    return list(objects.read((FOLDER / name).read_bytes()))


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_and_described(name):
    """Each object has its kind and JSON facts, each broken one a reason and a hint."""
    for item in found(name):
        if isinstance(item, Broken):
            assert item.reason
            assert item.hint
        else:
            described = json.loads(json.dumps(describe.describe(item)))
            assert described["kind"] == item.kind


def test_the_files_hold_objects_of_every_kind():
    """So that the test above means something: all kinds, and most of the files that promise to hold one."""
    items = [item for name in FILES for item in found(name)]
    assert {item.kind for item in items if isinstance(item, Item)} == set(Kind)
    assert len([item for item in items if isinstance(item, Item)]) > 1000
    promising = [name for name in FILES if name.endswith((".crt", ".crl", ".p12", ".csr"))]
    assert [name for name in promising if not found(name)] == []


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(("no-pwd.p12", "no-password.p12"))])
def test_a_pkcs12_file_without_a_passphrase_is_open(name):
    """Its contents are described."""
    (item,) = found(name)
    assert describe.describe(item)["contents"]


def test_facts_agree_with_the_bytes():
    """A fingerprint is the SHA-256 of a certificate's DER, which is what stands in the file."""
    for name in FILES:
        for item in found(name):
            if isinstance(item, Item) and item.kind is Kind.CERTIFICATE and not name.startswith("pkcs7"):
                fingerprint = describe.describe(item)["fingerprint_sha256"]
                assert fingerprint == hashlib.sha256(item.der).hexdigest(), name


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("x509/requests/")])
def test_openssl_agrees_about_the_signature_of_every_request(name):
    """Valid or not; if it cannot be determined, openssl does not call it valid either."""
    (item,) = found(name)
    form = "DER" if name.endswith(".der") else "PEM"
    valid = None if isinstance(item, Broken) else describe.describe(item)["signature_valid"]
    assert bool(valid) is openssl_verifies((FOLDER / name).read_bytes(), form)
