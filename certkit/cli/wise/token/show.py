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
    """Show until when a token lives, and never the token. Nobody is asked whether it still works.

    Exit 2 once it has expired, 1 where it ends soon and cannot be refreshed, or a renewal did not end.

    \b
    Example:
      certkit wise token show --identity acme
    """
    from certkit.wise import tokens

    found = tokens.find(store, name, profile_id=profile_id, grant=grant).token
    tell(output, name, found)
    return exit_code(found.status(inputs.now()))
