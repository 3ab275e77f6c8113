"""`certkit wise token`: get, refresh, show and print OAuth tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.wise.tokens import TokenInfo


@click.group(
    cls=LazyGroup,
    lazy={
        "exchange": ("certkit.cli.wise.token.exchange:exchange", "Exchange an authorization code for a user token."),
        "client-credentials": (
            "certkit.cli.wise.token.client_credentials:client_credentials",
            "Get a client-credentials token.",
        ),
        "refresh": (
            "certkit.cli.wise.token.refresh:refresh",
            "Refresh a token that is about to expire.",
        ),
        "show": ("certkit.cli.wise.token.show:show", "Show a token's lifetime, never the token."),
        "get": ("certkit.cli.wise.token.get:get", "Print only the access token."),
        "revoke-local": ("certkit.cli.wise.token.revoke_local:revoke_local", "Remove a token from the store."),
    },
)
def token() -> None:
    """Get, refresh and show OAuth tokens. An identity stores them by grant and profile.

    The client secret comes from --client-secret-file, CERTKIT_CLIENT_SECRET, or a prompt on a terminal. Requests go to
    the mTLS host with the identity's active certificate once it has one, and to the plain host before.

    \b
    Example:
      certkit wise token show --identity acme
    """


def print_token(output: Output, found: TokenInfo) -> int:
    """Print the facts of a token, and return exit code 0."""
    from certkit.report import tokens

    if output.as_json:
        output.document(tokens.document(found))
    elif not output.quiet:
        output.text(tokens.text(found, now=inputs.now(), paint=output.paint))
    return 0
