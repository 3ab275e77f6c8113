"""Keys and secret documents at rest: how a store keeps them, if not as they are.

What is kept tells by its first bytes how it is to be opened, so a store may hold keys of several forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from certkit.errors import PassphraseError, StoreError
from certkit.secret import Secret
from certkit.stores.base import SealedError
from certkit.x509 import encryption, keys, objects, pem

if TYPE_CHECKING:
    from certkit.errors import InputError
    from certkit.vault.client import Vault

ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
TRANSIT = b"vault:v"

_CIPHERTEXT = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/]+={0,2}", re.ASCII)


class Wrapping(Protocol):
    """A way to keep private keys; what it makes of them begins with its `prefix`."""

    @property
    def prefix(self) -> bytes:
        """The first bytes of what it makes."""
        ...

    def seal(self, key_pem: Secret) -> bytes:
        """A private key (PEM) as it is to be kept.

        Raises:
            InputError: if it cannot be sealed.
        """
        ...

    def open(self, data: bytes, *, name: str) -> Secret:
        """The private key (PEM) again, from what begins with the prefix; `name` is where it comes from.

        Raises:
            InputError: if it cannot be opened.
        """
        ...

    def seal_text(self, data: Secret) -> str:
        """Return a secret document as it is to be kept.

        Raises:
            InputError: if it cannot be sealed.
        """
        ...

    def open_text(self, sealed: str, *, name: str) -> Secret:
        """Return a secret document again; `name` is where it comes from.

        Raises:
            InputError: if it cannot be opened, or was sealed in another way.
        """
        ...


@dataclass(frozen=True, slots=True)
class PassphraseWrapping:
    """Keys are encrypted PKCS#8 PEM (RFC 5958), under a passphrase."""

    passphrase: Secret

    @property
    def prefix(self) -> bytes:
        """The line that such files begin with (RFC 7468 section 11)."""
        return ENCRYPTED

    def seal(self, key_pem: Secret) -> bytes:
        """A private key, encrypted.

        Raises:
            InputError: if it is not a private key.
        """
        key = objects.private_key(key_pem.reveal(), name="the private key").value
        return keys.to_pem(key, self.passphrase).reveal()

    def open(self, data: bytes, *, name: str) -> Secret:
        """The private key, decrypted.

        Raises:
            PassphraseError: if the passphrase is wrong.
            InputError: if the file has another format.
        """
        return keys.to_pem(objects.private_key(data, name=name, passphrase=self.passphrase).value)

    def seal_text(self, data: Secret) -> str:
        """Return a document, encrypted."""
        return encryption.seal(data.reveal(), self.passphrase.reveal())

    def open_text(self, sealed: str, *, name: str) -> Secret:
        """Return a document, decrypted.

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
            raise PassphraseError(
                f"cannot read {name}: the passphrase is wrong or the file is damaged", hint=hint
            ) from None


@dataclass(frozen=True, slots=True)
class TransitWrapping:
    """Keys are encrypted by Vault's secrets engine Transit, and a file is what it answers: `vault:v1:...`.

    `key` is the name of Transit's key, which must exist: to a token that may create one, a misspelt name is a new key.
    """

    vault: Vault
    key: str
    mount: str = "transit"

    @property
    def prefix(self) -> bytes:
        """How such files begin, whatever the version of the key."""
        return TRANSIT

    def seal(self, key_pem: Secret) -> bytes:
        """A private key, encrypted.

        Raises:
            StoreError: if Vault refuses, or cannot be reached.
        """
        from certkit.vault import transit

        ciphertext = transit.encrypt(self.vault, key_pem, mount=self.mount, key=self.key).encode("utf-8", "replace")
        if not _CIPHERTEXT.fullmatch(ciphertext):
            hint = "use a key of Transit that encrypts, such as aes256-gcm96"
            raise StoreError(f"cannot use vault://{self.mount}/keys/{self.key}: it returned no ciphertext", hint=hint)
        return ciphertext

    def open(self, data: bytes, *, name: str) -> Secret:
        """The private key, decrypted.

        Raises:
            StoreError: if it is damaged or was wrapped with another key, Vault refuses, or cannot be reached.
        """
        ciphertext = data.strip()
        if not _CIPHERTEXT.fullmatch(ciphertext):
            hint = "restore it from a backup"
            raise StoreError(
                f"cannot read {name}: it looks like a key wrapped by Vault, but cannot be parsed", hint=hint
            )
        from certkit.vault import transit

        return transit.decrypt(self.vault, ciphertext.decode("ascii"), mount=self.mount, key=self.key)

    def seal_text(self, data: Secret) -> str:
        """Return a document, encrypted."""
        return self.seal(data).decode("ascii")

    def open_text(self, sealed: str, *, name: str) -> Secret:
        """Return a document, decrypted.

        Raises:
            SealedError: if a passphrase has sealed it.
            StoreError: as for `open`.
        """
        if not sealed.startswith(TRANSIT.decode("ascii")):
            raise _elsewhere(name)
        return self.open(sealed.encode("ascii", "replace"), name=name)


def _elsewhere(name: str) -> SealedError:
    hint = "give --passphrase-file, or name the store with its Transit key: file:DIR?transit=MOUNT/KEY"
    return SealedError(f"cannot read {name}: it is sealed in another way than the store was opened with", hint=hint)


def seal(key_pem: Secret, wrapping: Wrapping | None) -> Secret:
    """A private key (PEM) as a store keeps it."""
    return key_pem if wrapping is None else Secret(wrapping.seal(key_pem))


def unseal(data: bytes, wrapping: Wrapping | None, *, name: str) -> Secret:
    """The private key (PEM) from what a store keeps, sealed or not; `name` is where it comes from.

    Raises:
        PassphraseError: if it is encrypted, and the passphrase is missing or wrong.
        StoreError: if it is not a key, or is wrapped in another way.
    """
    if wrapping is not None and data.startswith(wrapping.prefix):
        return wrapping.open(data, name=name)
    problem = trouble(data, name=name)
    if problem is not None:
        raise problem
    return Secret(data)


def key(data: bytes, wrapping: Wrapping | None, *, name: str) -> Any:
    """The private key, loaded, from what a store keeps; raises as `unseal` does.

    Raises:
        InputError: if it is not a private key.
    """
    return objects.private_key(unseal(data, wrapping, name=name).reveal(), name=name).value


def is_sealed(data: bytes) -> bool:
    """Whether what a store keeps begins like a key that was sealed, in whatever way."""
    return data.startswith((ENCRYPTED, TRANSIT))


def trouble(data: bytes, *, name: str) -> InputError | None:
    """Why what a store keeps is no private key that can be used as it is; None if it is one."""
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
