"""`certkit identity discard`: drop a request that the partner refused."""

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
@in_store
def discard(output: Output, store: Store, *, name: str) -> int:
    """Drop the request that waits for an answer, as when the partner refused it.

    \b
    Example:
      certkit identity discard acme
    """
    from certkit.identity import pointer

    return tell(output, pointer.discard(store, store.load(require_name(name))))
