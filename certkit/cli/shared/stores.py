"""The option --store, and stores opened with the environment of the command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from certkit.cli.shared.output import Output
    from certkit.config import HostConfiguration
    from certkit.identity.programs import Programs
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


def configuration(output: Output, *, warns: bool = True) -> HostConfiguration:
    """Load the host configuration; a file that others could have written is a warning."""
    from certkit.stores.opening import Opener

    return Opener(os.environ, inputs.now, output.warn if warns else lambda _: None, _config_file()).host()


def programs_for(store: Store) -> Programs:
    """The programs of this host for a store."""
    from certkit.identity.programs import Programs
    from certkit.stores.opening import Opener

    own = Path(store.uri.removeprefix(FILE).partition("?")[0]) if store.uri.startswith(FILE) else None
    # The store was opened with the same configuration, so its warnings have been printed.
    host = Opener(os.environ, inputs.now, lambda _: None, _config_file()).host()
    return Programs(host=host, environment=os.environ, own=own)


def _opener(output: Output) -> Opener:
    from certkit.stores.opening import Opener

    return Opener(os.environ, inputs.now, output.warn, _config_file())


def _config_file() -> Path | None:
    """The file of --config, which is an option of certkit itself."""
    context = click.get_current_context(silent=True)
    named = context.meta.get("certkit.config_file") if context else None
    return Path(named) if named else None
