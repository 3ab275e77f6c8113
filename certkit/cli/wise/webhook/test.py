"""`certkit wise webhook test`: have Wise send a test notification to a subscription's URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.webhook import calling_wise
from certkit.printable import printable

if TYPE_CHECKING:
    from certkit.api.webhooks import WiseWebhooks
    from certkit.cli.shared.output import Output


@click.command()
@click.argument("subscription_id", metavar="ID")
@calling_wise
def test(output: Output, *, found: WiseWebhooks, subscription_id: str) -> int:
    """Ask Wise to send a test notification to a subscription's URL.

    \b
    Example:
      certkit wise webhook test ID --environment sandbox \\
          --client-id acme-client-id
    """
    status = found.send_test(subscription_id)
    if output.as_json:
        output.document({"status": "ok", "id": subscription_id, "http_status": status})
    elif not output.quiet:
        output.text(f"{printable(subscription_id)}: test notification requested; check that it arrives\n")
    return 0
