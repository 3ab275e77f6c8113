"""`certkit identity discard`: drop a request that the partner rejected."""

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
def discard(output: Output, store: IdentityStore, *, name: str) -> int:
    """Discard the pending request, for example because the partner rejected it.

    \b
    Example:
      certkit identity discard acme
    """
    return print_identity(output, store.discard(name))
