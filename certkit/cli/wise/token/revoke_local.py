"""`certkit wise token revoke-local`: remove a token from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.options import grant_option, identity_option, like_calling_wise, profile_option
from certkit.cli.wise.token import print_token

if TYPE_CHECKING:
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output


@click.command("revoke-local")
@identity_option
@profile_option
@grant_option
@like_calling_wise
def revoke_local(output: Output, tokens: WiseTokens, **which: str | None) -> int:
    """Remove a token from the store, with every version of it. Wise is not notified and accepts it until it expires.

    \b
    Example:
      certkit wise token revoke-local --identity acme
    """
    name, found = click.get_current_context().params["name"], tokens.revoke_local(**which)
    if found is None:
        if output.as_json:
            output.document({"identity": name, "changed": False, "status": "ok"})
        elif not output.quiet:
            output.text(f"{name}: no token is stored; nothing changed\n")
        return 0
    output.warn(f"{name}: Wise was not notified and accepts the token until it expires")
    return print_token(output, found)
