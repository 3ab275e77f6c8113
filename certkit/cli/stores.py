"""Stores of identities by the words that name them: `file:DIR`, or `vault://MOUNT/PREFIX`."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.cli.output import Output
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.vault.client import Vault

FILE, VAULT = "file:", "vault://"

_VAULT_FORM = re.compile(r"vault://([^/?#]+)(?:/([^?#]*))?")

store_option = click.option(
    "--store",
    "store_uri",
    metavar="URI",
    help="file:DIR or vault://MOUNT/PREFIX (or CERTKIT_STORE).  [default: a directory of the user's]",
)


@contextlib.contextmanager
def opened(uri: str | None, output: Output, *, passphrase: Secret | None = None) -> Iterator[Store]:
    """The store that the words name, or the environment, or the default one.

    With a passphrase, a file store keeps its keys encrypted.

    Raises:
        InputError: they name none, or it cannot be reached.
    """
    uri = uri or os.environ.get("CERTKIT_STORE") or f"{FILE}{_default()}"
    if uri.startswith(FILE):
        yield _file_store(uri, passphrase)
    elif uri.startswith(VAULT):
        mount, prefix = vault_place(uri)
        with connected(output) as vault:
            from certkit.stores.vault import VaultStore

            yield VaultStore(vault, mount, prefix)
    else:
        raise InputError(f"not a store: {uri}", hint="give file:DIR or vault://MOUNT/PREFIX")


def vault_place(uri: str) -> tuple[str, str]:
    """The mount and the prefix that `vault://MOUNT/PREFIX` names.

    Raises:
        InputError: it names none.
    """
    match = _VAULT_FORM.fullmatch(uri)
    if match is None:
        raise InputError(
            f"not a place in Vault: {uri}", hint="give vault://MOUNT/PREFIX, such as vault://secret/certkit"
        )
    return match[1], (match[2] or "").strip("/")


@contextlib.contextmanager
def connected(output: Output) -> Iterator[Vault]:
    """A connection to Vault by the variables that the `vault` command reads.

    Raises:
        InputError: a variable is bad, or Vault cannot be reached.
    """
    from certkit.vault.client import Vault
    from certkit.vault.settings import Settings

    settings = Settings.from_environment(os.environ, Path.home())
    for warning in settings.warnings:
        output.warn(warning)
    with Vault.connect(settings) as vault:
        yield vault


def _file_store(uri: str, passphrase: Secret | None) -> Store:
    from certkit.stores.file import FileStore
    from certkit.stores.wrapping import PassphraseWrapping

    directory = uri.removeprefix(FILE)
    if not directory:
        raise InputError(f"not a store: {uri}", hint="name its directory: file:DIR")
    return FileStore(Path(directory), PassphraseWrapping(passphrase) if passphrase else None)


def _default() -> Path:
    import platformdirs

    return platformdirs.user_data_path("certkit") / "identities"
