"""`certkit wise token`: get, renew, show and hand out OAuth tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.errors import RefusedError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import Asked
    from certkit.stores.base import Store
    from certkit.wise.oauth import Client
    from certkit.wise.tokens import Kept, Token


@click.group(
    cls=LazyGroup,
    lazy={
        "exchange": ("certkit.cli.wise.token.exchange:exchange", "Get a user's token for the code of a redirect."),
        "client-credentials": (
            "certkit.cli.wise.token.client_credentials:client_credentials",
            "Get a token of the application itself.",
        ),
        "refresh": ("certkit.cli.wise.token.refresh:refresh", "Renew a token that is due, for all who share it."),
        "show": ("certkit.cli.wise.token.show:show", "Show until when a token lives, and never the token."),
        "get": ("certkit.cli.wise.token.get:get", "Print the access token, and nothing else."),
        "revoke-local": ("certkit.cli.wise.token.revoke_local:revoke_local", "Remove a token from the store."),
    },
)
def token() -> None:
    """Get, renew and show OAuth tokens. They are kept with an identity, by grant and profile.

    The client secret comes from --client-secret-file, CERTKIT_CLIENT_SECRET, or a prompt on a terminal. Requests go to
    the mTLS host with the active pair of the identity once there is one, before to the plain host.

    \b
    Example:
      certkit wise token show --identity acme
    """


def fresh(output: Output, store: Store, name: str, first: Kept, asked: Asked) -> Token:
    """The token, renewed if it is due and nobody need be asked; while it lives, not to renew it is no error."""
    now, token = inputs.now(), first.token
    if not token.is_due(now) and not token.is_leased(now):
        return token
    secret = inputs.client_secret(asked.client_secret_file)
    if secret is None or (token.refresh is None and token.grant != "client_credentials"):
        return token
    from certkit.net.http import HttpError

    try:
        return renewed(store, name, first, asked, asked.client(token.client_id, secret=secret), force=False)
    except (HttpError, RefusedError) as error:
        if token.is_expired(now):
            raise
        output.warn_about(error)
        return token


def renewed(store: Store, name: str, first: Kept, asked: Asked, client: Client, *, force: bool) -> Token:
    """The token after that one, in the store, whoever makes it."""
    from certkit.wise import oauth, token_lease

    endpoint = asked.endpoint(store, name)
    return token_lease.renewed(
        store,
        name,
        first,
        ask=lambda token: oauth.renew(endpoint, client, token, now=inputs.now()),
        clock=inputs.now,
        force=force,
        longest_seconds=endpoint.longest_seconds,
    )


def tell(output: Output, name: str, found: Token) -> int:
    """Show what is known of a token, and end well."""
    from certkit.report import tokens

    now = inputs.now()
    if output.as_json:
        output.document(tokens.document(name, found, now=now))
    elif not output.quiet:
        output.result(tokens.text(name, found, now=now, paint=output.paint))
    return 0
