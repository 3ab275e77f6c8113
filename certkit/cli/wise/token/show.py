"""`certkit wise token show`: show until when a token lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.wise.options import grant_option, identity_option, like_asking, profile_option
from certkit.cli.wise.token import tell
from certkit.findings import exit_code

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@identity_option
@profile_option
@grant_option
@like_asking
@in_store
def show(output: Output, store: Store, *, name: str, profile_id: str | None, grant: str | None, **_: Any) -> int:
    """Show a token's lifetime, never the token. Wise is not contacted.

    Exits 2 if it has expired, 1 if it expires soon and cannot be refreshed, or if a refresh was interrupted.

    \b
    Example:
      certkit wise token show --identity acme
    """
    from certkit.wise import tokens

    found = tokens.find(store, name, profile_id=profile_id, grant=grant).token
    tell(output, name, found)
    return exit_code(found.status(inputs.now()))
