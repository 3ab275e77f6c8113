"""`certkit identity show`: show an identity and its generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_identities, name_argument, print_identity

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@in_identities
def show(output: Output, store: IdentityStore, *, name: str) -> int:
    """Show an identity, its generations and the next step; never a key.

    \b
    Example:
      certkit identity show acme
    """
    return print_identity(output, store.show(name))
