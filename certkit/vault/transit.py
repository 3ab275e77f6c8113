"""Encryption by a key that never leaves Vault: the secrets engine Transit."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from certkit.secret import Secret
from certkit.vault.errors import Kind, VaultError, asking
from certkit.vault.fields import AclRule, checked_path, joined, pick

if TYPE_CHECKING:
    from certkit.vault.client import Vault


def encrypt(vault: Vault, plaintext: Secret, *, mount: str, key: str) -> str:
    """Return a secret encrypted by the newest version of a Transit key, as `vault:v1:...`.

    A token that may `create` at this path creates a key that does not exist; one that may only `update` does not.

    Raises:
        VaultError: if the server refuses, has no such key, or cannot be reached.
    """
    path = joined(checked_path(mount), "encrypt", checked_path(key))
    where = f"vault://{path}"
    encoded = Secret(base64.b64encode(plaintext.reveal()))
    with asking("encrypt", where, rule=AclRule("update", path)):
        document = vault.transport.again.secrets.transit.encrypt_data(key, plaintext=encoded, mount_point=mount)
    return pick(document, "data", "ciphertext", of=str, where=where)


def decrypt(vault: Vault, ciphertext: str, *, mount: str, key: str) -> Secret:
    """Return the decrypted secret.

    Raises:
        VaultError: if the server refuses, the key is another one, or the server cannot be reached.
    """
    path = joined(checked_path(mount), "decrypt", checked_path(key))
    where = f"vault://{path}"
    with asking("decrypt", where, rule=AclRule("update", path)):
        document = vault.transport.again.secrets.transit.decrypt_data(key, ciphertext=ciphertext, mount_point=mount)
    encoded = pick(document, "data", "plaintext", of=str, where=where)
    try:
        return Secret(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        hint = "check VAULT_ADDR and any gateway in front of the server"
        raise VaultError(
            f"cannot use the response for {where}: it is not base64", hint=hint, kind=Kind.NOT_VAULT
        ) from None
