"""`certkit wise token get`: print the access token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.options import calling_wise_unattended, grant_option, identity_option, profile_option
from certkit.cli.wise.token import print_token

if TYPE_CHECKING:
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output


@click.command()
@identity_option
@profile_option
@grant_option
@click.option("--no-refresh", is_flag=True, help="Print the stored token as it is; fail if it has expired.")
@calling_wise_unattended
def get(output: Output, tokens: WiseTokens, *, no_refresh: bool, **which: str | None) -> int:
    """Print the access token and nothing else, for curl and similar programs. A token that is due is refreshed first.

    With --json it prints the output of `show`, without the token.

    \b
    Example:
      certkit wise token get --identity acme --client-secret-file secret.txt
    """
    if output.as_json:
        return print_token(output, tokens.show(refresh=not no_refresh, **which))
    output.result(f"{tokens.get(refresh=not no_refresh, **which)}\n")
    return 0
