"""`certkit identity show`: show an identity and its generations."""

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
def show(output: Output, store: Store, *, name: str) -> int:
    """Show an identity, its generations, and what is to be done next; never a key.

    \b
    Example:
      certkit identity show acme
    """
    from certkit.identity.enroll import Done

    return tell(output, Done(store.load(require_name(name)), changed=False), only_reads=True)
