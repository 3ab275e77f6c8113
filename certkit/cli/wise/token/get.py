"""`certkit wise token get`: print the access token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.wise.options import asking, grant_option, identity_option, profile_option
from certkit.cli.wise.token import tell
from certkit.errors import RefusedError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import WiseOptions
    from certkit.stores.base import Store


@click.command()
@identity_option
@profile_option
@grant_option
@click.option("--no-refresh", is_flag=True, help="Print the stored token as it is; fail if it has expired.")
@asking
@in_store
def get(
    output: Output,
    store: Store,
    *,
    asked: WiseOptions,
    name: str,
    profile_id: str | None,
    grant: str | None,
    no_refresh: bool,
) -> int:
    """Print the access token and nothing else, for curl and similar programs. A token that is due is refreshed first.

    With --json it prints the output of `show`, without the token.

    \b
    Example:
      certkit wise token get --identity acme --client-secret-file secret.txt
    """
    from certkit.wise import exchange, tokens

    first = tokens.find(store, name, profile_id=profile_id, grant=grant)
    found = first.token
    if not no_refresh:
        found = exchange.fresh(
            store,
            name,
            first,
            endpoint=lambda: asked.endpoint(store, name),
            secret=lambda: inputs.client_secret(asked.client_secret_file),
            client_id=asked.client_id,
            clock=inputs.now,
            warn=output.warn_about,
        )
    if found.is_expired(inputs.now()):
        hint = "renew it: certkit wise token refresh, or without --no-refresh and with --client-secret-file"
        raise RefusedError(f"{name}: the access token has expired", hint=hint)
    if found.is_in_doubt(inputs.now()):
        output.warn(f"{name}: a refresh was interrupted, so the token may not work")
    if output.as_json:
        return tell(output, name, found)
    output.raw(found.access.reveal() + b"\n")
    return 0
