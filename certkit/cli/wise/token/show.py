"""`certkit wise token show`: show the lifetime of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.options import grant_option, identity_option, like_calling_wise, profile_option
from certkit.cli.wise.token import print_token
from certkit.findings import exit_code

if TYPE_CHECKING:
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output


@click.command()
@identity_option
@profile_option
@grant_option
@like_calling_wise
def show(output: Output, tokens: WiseTokens, **which: str | None) -> int:
    """Show a token's lifetime, never the token. Wise is not contacted.

    Exits 2 if it has expired, 1 if it expires soon and cannot be refreshed, or if a refresh was interrupted.

    \b
    Example:
      certkit wise token show --identity acme
    """
    found = tokens.show(refresh=None, **which)
    print_token(output, found)
    return exit_code(found.status)
