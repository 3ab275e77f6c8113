"""The option --store, and stores opened with the environment of the command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from certkit.cli.shared.output import Output
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.stores.opening import Opener
    from certkit.vault.client import Vault

FILE = "file:"

store_option = click.option(
    "--store",
    "store_uri",
    metavar="URI",
    help="file:DIR or vault://MOUNT/PREFIX (or CERTKIT_STORE).  [default: a directory of the user's]",
)


def opened(uri: str | None, output: Output, *, passphrase: Secret | None = None) -> AbstractContextManager[Store]:
    """Open the store at a URI, else of CERTKIT_STORE, else the default one (`certkit.stores.opening`)."""
    return _opener(output).open(uri, passphrase=passphrase)


def connected(output: Output) -> AbstractContextManager[Vault]:
    """Connect to Vault with the variables that the `vault` command reads."""
    return _opener(output).connect()


def _opener(output: Output) -> Opener:
    from certkit.stores.opening import Opener

    return Opener(os.environ, inputs.now, output.warn)
