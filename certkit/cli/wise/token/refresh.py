"""`certkit wise token refresh`: renew a token that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.wise.options import asking, grant_option, identity_option, profile_option
from certkit.cli.wise.token import tell

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import WiseOptions
    from certkit.stores.base import Store


@click.command()
@identity_option
@profile_option
@grant_option
@click.option("--force", is_flag=True, help="Refresh even if the token is not due.")
@asking
@in_store
def refresh(
    output: Output,
    store: Store,
    *,
    asked: WiseOptions,
    name: str,
    profile_id: str | None,
    grant: str | None,
    force: bool,
) -> int:
    """Refresh a token that is due. Wise invalidates the old one at once, so all hosts share the one in the store.

    Several hosts may do this at once: one refreshes, the others wait and use the new token.

    \b
    Example:
      certkit wise token refresh --identity acme --client-secret-file secret.txt
    """
    from certkit.wise import exchange, tokens

    first = tokens.find(store, name, profile_id=profile_id, grant=grant)
    if not force and not first.token.is_due(inputs.now()):
        if not (output.quiet or output.as_json):
            output.say(f"{name}: the token is not due, so it was not refreshed; --force refreshes it anyway")
        return tell(output, name, first.token)
    client, endpoint = asked.client(first.token.client_id), asked.endpoint(store, name)
    return tell(output, name, exchange.renew(store, name, first, endpoint, client, clock=inputs.now, force=force))
