"""`certkit wise`: the steps of the Wise Platform that are not about keys and certificates."""

from __future__ import annotations

import click

from certkit.cli.commands import LazyGroup

# As in certkit.wise.addresses, which need not be imported for a page of help.
ENVIRONMENTS = ("sandbox", "sandbox-legacy", "production")


@click.group(
    cls=LazyGroup,
    lazy={
        "authorize-url": ("certkit.cli.wise_authorize:authorize_url", "Print the page where a user grants access."),
        "token": ("certkit.cli.wise_token:token", "Get, renew and show OAuth tokens."),
        "ca": ("certkit.cli.wise_webhook:ca", "Prepare the trust bundle of a server that Wise calls."),
        "webhook": ("certkit.cli.wise_webhook:webhook", "Subscribe to webhooks with mTLS, and check the way."),
        "rehearse": ("certkit.cli.wise_rehearse:rehearse", "Run a stand-in for Wise on this machine."),
    },
)
def wise() -> None:
    """Work with the Wise Platform: have a user grant access, and keep the tokens that come of it.

    \b
    Example:
      certkit wise authorize-url --environment sandbox --client-id acme --redirect-uri https://acme.example/wise
    """
