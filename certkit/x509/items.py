"""The objects found in files: their kinds, and how much a run may spend on reading them.

The plain certificates that nearly all watched files hold are read here, without what reads everything else.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from certkit.x509 import der as tlv
from certkit.x509 import pem
from certkit.x509.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

    from certkit.x509.spki import PublicKeyInfo


class Kind(StrEnum):
    """The kinds of object that certkit knows."""

    PRIVATE_KEY = "private_key"
    PUBLIC_KEY = "public_key"
    CSR = "csr"
    CERTIFICATE = "certificate"
    CRL = "crl"
    PKCS12 = "pkcs12"

    @property
    def words(self) -> str:
        """The kind as a person calls it, with its article."""
        return _WORDS[self]


_WORDS = {
    Kind.PRIVATE_KEY: "a private key",
    Kind.PUBLIC_KEY: "a public key",
    Kind.CSR: "a CSR",
    Kind.CERTIFICATE: "a certificate",
    Kind.CRL: "a CRL",
    Kind.PKCS12: "a PKCS#12 bundle",
}


KEY_STORE = "a Java key store"


class Item(NamedTuple):
    """An object in a file: its kind, its DER, and its value, which is None if it is locked or was not requested.

    The value is a `Certificate`, `Csr`, `Crl`, `PublicKeyInfo` or `Bundle`, or a private key for `cryptography`. Of a
    key there is its public half as `info`, even of a private one too large to be checked. `trust` are the settings that
    follow a certificate labelled TRUSTED, in DER.
    """

    kind: Kind
    der: bytes
    value: Any
    line: int | None = None
    is_encrypted: bool = False
    info: PublicKeyInfo | None = None
    trust: bytes = b""


class Broken(NamedTuple):
    """An object that begins to be one and cannot be read; with `is_limit`, the rest of a file that was not read."""

    what: str
    reason: str
    hint: str
    line: int | None = None
    is_locked: bool = False
    is_bad_pem: bool = False
    is_limit: bool = False

    @property
    def message(self) -> str:
        """What is wrong; in a PEM file, with the object and the line where it begins."""
        if self.line:
            return f"{self.what} at line {self.line}: {self.reason}"
        return f"{self.what}: {self.reason}" if self.is_limit else self.reason


class Budget:
    """A run's budget for keys: rounds of key derivation, and checks of RSA keys.

    The cost of an RSA key grows with the cube of its size; one unit is a key of 1024 bits. `guard` is asked before a
    PKCS#12 file is opened, because its cost does not show in full (`certkit.processes.Allowance`).
    """

    def __init__(self, guard: Callable[[Callable[[], object]], bool] = lambda _: True) -> None:
        self.guard = guard
        self._rounds = tlv.MAX_KDF_COST
        self._checks: float = _MAX_RSA_CHECKS

    def derive(self, rounds: int) -> bool:
        """Spend rounds of key derivation, if that many are left; return whether they were."""
        if rounds > self._rounds:
            return False
        self._rounds -= rounds
        return True

    def check_rsa(self, bits: int) -> bool:
        """Spend the cost of checking an RSA key of this size, if it is left; return whether it was."""
        cost = (bits / 1024) ** 3
        if cost > self._checks:
            return False
        self._checks -= cost
        return True


# About one second: two keys of 4096 bits, or sixteen of 2048.
_MAX_RSA_CHECKS = 130


@functools.cache
def _certificate_loader() -> tuple[Callable[[bytes], x509.Certificate], tuple[type[Exception], ...]]:
    """Return what loads a certificate, and what it raises."""
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate

    return load_der_x509_certificate, (ValueError, InvalidVersion)


def plain_certificates(data: bytes) -> tuple[list[Certificate], int]:
    """Return the certificates at the beginning of the bytes, as long as all are plain and sound, and where the rest is.

    The rest is for `read`, with its `start`. Silencing the library's warnings is the caller's business, for it takes as
    long as the loading.
    """
    load, refusals = _certificate_loader()
    found: list[Certificate] = []
    end = 0
    for der, after in pem.plain_certificates(data):
        try:
            found.append(Certificate(der, load(der)))
        except refusals:
            break  # `read` reports the error
        end = after
    return found, end
