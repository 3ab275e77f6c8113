"""`certkit identity rollback`: return to the previous generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import deploy_option, in_identities, name_argument, print_identity

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@deploy_option("this activation only")
@in_identities
def rollback(output: Output, store: IdentityStore, *, name: str, deploy_hook: str | None) -> int:
    """Return to the previously active generation, if its certificate is still valid.

    \b
    Example:
      certkit identity rollback acme
    """
    return print_identity(output, store.rollback(name, deploy_hook=deploy_hook))
