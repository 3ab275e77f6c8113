"""`certkit identity copy`: copy an identity to another store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import name_argument, print_identity
from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import identities, store_option

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@click.option("--to", "target", metavar="STORE", required=True, help="Target store: file:DIR or vault://MOUNT/PREFIX.")
@store_option
@inputs.passphrase_option
@reporting
def copy(output: Output, *, name: str, target: str, store_uri: str | None, passphrase_file: str | None) -> int:
    """Copy an identity with every generation to another store, and verify the copy.

    The original stays; `certkit identity remove` removes it. With a passphrase, the keys in a directory stay
    encrypted in both stores.

    \b
    Example:
      certkit identity copy acme --to file:elsewhere
    """
    secret = inputs.passphrase(passphrase_file)
    with identities(store_uri, output, secret) as store, identities(target, output, secret) as other:
        return print_identity(output._replace(store=target), store.copy(name, other))
