"""`certkit identity retire`: take a generation out of use for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@click.argument("generation", metavar="GENERATION")
@in_store
def retire(output: Output, store: Store, *, name: str, generation: str) -> int:
    """Put a generation out of use for good; not the one that is active.

    \b
    Example:
      certkit identity retire acme 0001
    """
    from certkit.identity import pointer

    return tell(output, pointer.retire(store, store.load(require_name(name)), generation))
