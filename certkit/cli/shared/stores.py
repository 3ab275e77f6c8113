"""Stores of identities by the words that name them: `file:DIR`, or `vault://MOUNT/PREFIX`."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.cli.shared.output import Output
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.stores.sealing import Wrapping
    from certkit.vault.client import Vault

FILE, VAULT = "file:", "vault://"
_TRANSIT = "?transit="
_SETTING = re.compile(r"\?\w*=", re.ASCII)

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

    With a passphrase, a file store keeps its keys encrypted; `file:DIR?transit=MOUNT/KEY` has Vault encrypt them.

    Raises:
        InputError: they name none, or it cannot be reached.
    """
    if uri is None:
        uri = os.environ.get("CERTKIT_STORE") or f"{FILE}{_default()}"
    from certkit.stores.audited import AuditedStore

    if uri.startswith(FILE):
        with _wrapping(uri, output, passphrase) as wrapping:
            yield AuditedStore(_file_store(uri, wrapping), _who(), inputs.now)
    elif uri.startswith(VAULT):
        mount, prefix = vault_place(uri)
        with connected(output) as vault:
            from certkit.stores.vault.store import VaultStore

            yield AuditedStore(VaultStore(vault, mount, prefix, clock=inputs.now), _who(), inputs.now)
    else:
        is_path = "/" in uri and "://" not in uri
        hint = f"for a directory give file:{uri}" if is_path else "give file:DIR or vault://MOUNT/PREFIX"
        raise InputError(f"not a store: {uri}", hint=hint)


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


@contextlib.contextmanager
def _wrapping(uri: str, output: Output, passphrase: Secret | None) -> Iterator[Wrapping | None]:
    """What protects keys in a directory: Vault's Transit engine, where the address names it, or a passphrase."""
    _, _, transit = uri.partition(_TRANSIT)
    if transit:
        mount, _, key = transit.rpartition("/")
        if not mount or not key:
            raise InputError(f"not a store: {uri}", hint=f"give file:DIR{_TRANSIT}MOUNT/KEY")
        with connected(output) as vault:
            from certkit.stores.transit import TransitWrapping

            yield TransitWrapping(vault, key, mount)
    elif passphrase is not None:
        from certkit.stores.sealing import PassphraseWrapping

        yield PassphraseWrapping(passphrase)
    else:
        yield None


def _file_store(uri: str, wrapping: Wrapping | None) -> Store:
    from certkit.stores.file.store import FileStore

    directory = uri.removeprefix(FILE).partition(_TRANSIT)[0]
    if not directory:
        raise InputError(f"not a store: {uri}", hint="name its directory: file:DIR")
    if _SETTING.search(directory):  # lest keys are not sealed for a slip of the pen
        raise InputError(f"not a store: {uri}", hint=f"after the directory only {_TRANSIT}MOUNT/KEY may follow")
    return FileStore(Path(directory), wrapping)


def _who() -> str:
    """Who changes what is changed: the user and the host, and whom they were before sudo."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        user = str(os.getuid())
    before = os.environ.get("SUDO_USER")
    return f"{user}@{socket.gethostname()}" + (f" (sudo: {before})" if before else "")


def _default() -> Path:
    import platformdirs

    return platformdirs.user_data_path("certkit") / "identities"
