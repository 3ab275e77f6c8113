"""`certkit identity log`: show what happened to an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_identities, name_argument

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@in_identities
def log(output: Output, store: IdentityStore, *, name: str) -> int:
    """Show what happened to an identity: when, what and by whom. --json includes the fingerprints.

    \b
    Example:
      certkit identity log acme
    """
    events = store.log(name)
    if output.as_json:
        output.document([each.document() for each in events])
    else:
        from certkit.report import text

        output.text(text.log(events))
    return 0
