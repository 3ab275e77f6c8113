"""Keys at rest under a key that never leaves Vault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import StoreError
from certkit.stores.sealing import TRANSIT
from certkit.stores.vault.writes import as_store_error
from certkit.vault import transit

if TYPE_CHECKING:
    from certkit.secret import Secret
    from certkit.vault.client import Vault

_CIPHERTEXT = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/]+={0,2}", re.ASCII)


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

    @as_store_error
    def seal(self, key_pem: Secret) -> bytes:
        """A private key, encrypted.

        Raises:
            StoreError: Vault refuses, or cannot be reached.
        """
        ciphertext = transit.encrypt(self.vault, key_pem, mount=self.mount, key=self.key).encode("utf-8", "replace")
        if not _CIPHERTEXT.fullmatch(ciphertext):
            hint = "use a key of Transit that encrypts, such as aes256-gcm96"
            raise StoreError(
                f"cannot use, vault://{self.mount}/keys/{self.key}: its answer is no ciphertext", hint=hint
            )
        return ciphertext

    @as_store_error
    def open(self, data: bytes, *, name: str) -> Secret:
        """The private key, decrypted.

        Raises:
            StoreError: it is damaged or was wrapped with another key, Vault refuses, or cannot be reached.
        """
        ciphertext = data.strip()
        if not _CIPHERTEXT.fullmatch(ciphertext):
            hint = "restore it from a backup"
            raise StoreError(f"cannot read, {name}: it begins like a key wrapped by Vault, and is none", hint=hint)
        return transit.decrypt(self.vault, ciphertext.decode("ascii"), mount=self.mount, key=self.key)
