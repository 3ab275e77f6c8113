"""`certkit wise token refresh`: refresh a token that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.options import calling_wise, grant_option, identity_option, profile_option
from certkit.cli.wise.token import print_token

if TYPE_CHECKING:
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output


@click.command()
@identity_option
@profile_option
@grant_option
@click.option("--force", is_flag=True, help="Refresh even if the token is not due.")
@calling_wise
def refresh(output: Output, tokens: WiseTokens, *, force: bool, **which: str | None) -> int:
    """Refresh a token that is due. Wise invalidates the old one at once, so all hosts share the one in the store.

    Several hosts may do this at once: one refreshes, the others wait and use the new token.

    \b
    Example:
      certkit wise token refresh --identity acme --client-secret-file secret.txt
    """
    found = tokens.refresh(force=force, **which)
    if not (found.changed or output.quiet or output.as_json):
        output.say(f"{found.identity}: the token is not due, so it was not refreshed; --force refreshes it anyway")
    return print_token(output, found)
