"""`certkit identity rollback`: return to the previous generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.shared import activating, inputs
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@activating.deploying
@in_store
def rollback(output: Output, store: Store, *, name: str, deploy_hook: str | None) -> int:
    """Go back to the generation that was in use before, if its certificate is still valid.

    \b
    Example:
      certkit identity rollback acme
    """
    from certkit.identity import activate as activation

    identity = store.load(require_name(name))
    how = activating.how(store, identity, deploy_hook=deploy_hook, no_probe=True)
    return tell(output, activation.rollback(store, identity, how=how, now=inputs.now()))
