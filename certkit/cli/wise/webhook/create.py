"""`certkit wise webhook create`: subscribe the application to an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.webhook import calling_wise

if TYPE_CHECKING:
    from certkit.api.webhooks import WiseWebhooks
    from certkit.cli.shared.output import Output


@click.command()
@click.option("--name", metavar="NAME", required=True, help="Name of the subscription.")
@click.option("--trigger-on", metavar="EVENT", required=True, help="Event, as in Wise's documentation.")
@click.option("--schema-version", metavar="V", required=True, help="Schema version of the event.")
@click.option("--url", metavar="URL", required=True, help="The https:// URL that Wise calls.")
@click.option("--no-mtls", is_flag=True, help="Have Wise call without its client certificate.")
@calling_wise
def create(
    output: Output,
    *,
    found: WiseWebhooks,
    name: str,
    trigger_on: str,
    schema_version: str,
    url: str,
    no_mtls: bool,
) -> int:
    """Subscribe the application to an event, with mtls_enabled: Wise presents its client certificate to your server.

    The application token comes from --token-file or CERTKIT_TOKEN.

    \b
    Example:
      certkit wise webhook create --environment sandbox \\
          --client-id acme-client-id --name transfers --trigger-on EVENT \\
          --schema-version VERSION --url https://hooks.example.com/wise
    """
    made = found.create(url, name=name, trigger_on=trigger_on, schema_version=schema_version, no_mtls=no_mtls)
    if output.as_json:
        from certkit.wise.webhooks import Subscription

        wanted = Subscription(
            name=name, trigger_on=trigger_on, version=schema_version, url=url, mtls_enabled=not no_mtls
        )
        output.document({"status": "ok", "changed": True, "id": made, **wanted.document()})
    else:
        output.result(f"{made}\n")
    return 0
