"""Keys and secret documents at rest: how a store encrypts them.

The first bytes show how a key is to be opened, so a store may hold keys of several forms.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from certkit.errors import PassphraseError, StoreError
from certkit.secret import Secret
from certkit.stores.base import SealedError
from certkit.x509 import encryption, keys, objects, pem

if TYPE_CHECKING:
    from certkit.errors import InputError
    from certkit.vault.client import Vault

ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
TRANSIT = b"vault:v"
OPENING = "give --passphrase-file, or name the store with its Transit key: file:DIR?transit=MOUNT/KEY"
"""The hint for a secret that the store was not opened to read."""

_CIPHERTEXT = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/]+={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PassphraseWrapping:
    """Keys are encrypted PKCS#8 PEM (RFC 5958), under a passphrase."""

    passphrase: Secret
    prefix = ENCRYPTED  # RFC 7468 section 11

    def seal(self, key_pem: Secret) -> bytes:
        """Return the encrypted private key.

        Raises:
            InputError: if it is not a private key.
        """
        key = objects.private_key(key_pem.reveal(), name="the private key").value
        return keys.to_pem(key, self.passphrase).reveal()

    def open(self, data: bytes, *, name: str) -> Secret:
        """Return the decrypted private key; `name` is its source for messages.

        Raises:
            PassphraseError: if the passphrase is wrong.
            InputError: if the file has another format.
        """
        return keys.to_pem(objects.private_key(data, name=name, passphrase=self.passphrase).value)

    def seal_text(self, data: Secret) -> str:
        """Return the encrypted document."""
        return encryption.seal(data.reveal(), self.passphrase.reveal())

    def open_text(self, sealed: str, *, name: str) -> Secret:
        """Return the decrypted document.

        Raises:
            PassphraseError: if the passphrase is wrong, or the document damaged.
            SealedError: if Vault has sealed it.
        """
        if not sealed.startswith(encryption.SEALED):
            raise _elsewhere(name)
        try:
            return Secret(encryption.unseal(sealed, self.passphrase.reveal()))
        except ValueError:
            hint = "check the first line of the passphrase file"
            message = f"cannot read {name}: the passphrase is wrong or the file is damaged"
            raise PassphraseError(message, hint=hint) from None


@dataclass(frozen=True, slots=True)
class TransitWrapping:
    """Keys are encrypted by Vault's secrets engine Transit; a file holds its ciphertext, `vault:v1:...`.

    `key` is the name of Transit's key, which must exist: to a token that may create one, a misspelt name is a new key.
    """

    vault: Vault
    key: str
    mount: str = "transit"
    prefix = TRANSIT  # whatever the version of the key

    def seal(self, key_pem: Secret) -> bytes:
        """Return the encrypted private key.

        Raises:
            StoreError: if Vault refuses, or cannot be reached.
        """
        from certkit.vault.fields import pick

        fields = {"plaintext": Secret(base64.b64encode(key_pem.reveal()))}
        document, where = self.vault.call(self.mount, "encrypt", self.key, fields)
        ciphertext = pick(document, "data", "ciphertext", of=str, where=where).encode("utf-8", "replace")
        if not _CIPHERTEXT.fullmatch(ciphertext):
            hint = "use a key of Transit that encrypts, such as aes256-gcm96"
            raise StoreError(f"cannot use vault://{self.mount}/keys/{self.key}: it returned no ciphertext", hint=hint)
        return ciphertext

    def open(self, data: bytes, *, name: str) -> Secret:
        """Return the decrypted private key; `name` is its source for messages.

        Raises:
            StoreError: if it is damaged or was sealed with another key, or Vault refuses or cannot be reached.
        """
        from certkit.vault.fields import pick, unusable

        ciphertext = data.strip()
        if not _CIPHERTEXT.fullmatch(ciphertext):
            message = f"cannot read {name}: it looks like a key wrapped by Vault, but cannot be parsed"
            raise StoreError(message, hint="restore it from a backup")
        document, where = self.vault.call(self.mount, "decrypt", self.key, {"ciphertext": ciphertext.decode("ascii")})
        try:
            return Secret(base64.b64decode(pick(document, "data", "plaintext", of=str, where=where), validate=True))
        except ValueError:
            raise unusable(where, "it is not base64") from None

    def seal_text(self, data: Secret) -> str:
        """Return the encrypted document."""
        return self.seal(data).decode("ascii")

    def open_text(self, sealed: str, *, name: str) -> Secret:
        """Return the decrypted document.

        Raises:
            SealedError: if a passphrase has sealed it.
            StoreError: as for `open`.
        """
        if not sealed.startswith(TRANSIT.decode("ascii")):
            raise _elsewhere(name)
        return self.open(sealed.encode("ascii", "replace"), name=name)


Wrapping: TypeAlias = PassphraseWrapping | TransitWrapping
"""A way to seal private keys and secret documents; a sealed key begins with its `prefix`."""


def _elsewhere(name: str) -> SealedError:
    return SealedError(f"cannot read {name}: it is sealed in another way than the store was opened with", hint=OPENING)


def unseal(data: bytes, wrapping: Wrapping | None, *, name: str) -> Secret:
    """Return the private key (PEM) from stored data, sealed or not; `name` is its source for messages.

    Raises:
        PassphraseError: if it is encrypted, and the passphrase is missing or wrong.
        StoreError: if it is not a key, or was sealed in another way.
    """
    if wrapping is not None and data.startswith(wrapping.prefix):
        return wrapping.open(data, name=name)
    problem = trouble(data, name=name)
    if problem is not None:
        raise problem
    return Secret(data)


def key(data: bytes, wrapping: Wrapping | None, *, name: str) -> Any:
    """Return the loaded private key from stored data; raises as `unseal` does.

    Raises:
        InputError: if it is not a private key.
    """
    return objects.private_key(unseal(data, wrapping, name=name).reveal(), name=name).value


def is_sealed(data: bytes) -> bool:
    """Return whether stored data begins like a key that was sealed in any way."""
    return data.startswith((ENCRYPTED, TRANSIT))


def trouble(data: bytes, *, name: str) -> InputError | None:
    """Return why stored data is not a usable private key; None if it is one."""
    if data.startswith(TRANSIT):
        hint = "name the store with the Transit key that it was wrapped with: file:DIR?transit=MOUNT/KEY"
        return SealedError(f"cannot read {name}: the private key is wrapped by Vault", hint=hint)
    block = next(iter(pem.blocks(data)), None)
    if block is None or block.der is None or not block.is_private_key:
        reason = objects.explain_nothing(data)[0] if block is None else block.problem or "it holds something else"
        hint = "restore it from a backup"
        return StoreError(f"cannot read {name}: expected a private key: {reason}", hint=hint)
    if keys.is_encrypted(block.der, has_headers=block.has_headers):
        hint = "give its passphrase with --passphrase-file"
        return PassphraseError(f"cannot read {name}: the private key is encrypted", hint=hint)
    return None
