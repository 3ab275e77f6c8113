"""`certkit identity log`: show what happened to an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store, name_argument
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@in_store
def log(output: Output, store: Store, *, name: str) -> int:
    """Show what happened to an identity: when, what and by whom. --json has the fingerprints, too.

    \b
    Example:
      certkit identity log acme
    """
    events = store.log(require_name(name))
    if output.as_json:
        output.document([each.document() for each in events])
    else:
        from certkit.report import text

        output.result(text.log(events))
    return 0
