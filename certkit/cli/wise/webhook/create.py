"""`certkit wise webhook create`: subscribe the application to an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.wise.webhook import asking

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.wise.webhooks import Api


@click.command()
@click.option("--name", metavar="NAME", required=True, help="What the subscription is called.")
@click.option("--trigger-on", metavar="EVENT", required=True, help="The event, as Wise's documentation names it.")
@click.option("--schema-version", metavar="V", required=True, help="The version of the event's schema.")
@click.option("--url", metavar="URL", required=True, help="The https address that Wise calls.")
@click.option("--no-mtls", is_flag=True, help="Have Wise call without its client certificate.")
@asking
def create(output: Output, *, api: Api, no_mtls: bool, schema_version: str, **asked: Any) -> int:
    """Subscribe the application to an event, with mtls_enabled: Wise shows its client certificate to your server.

    The application token comes from --token-file or CERTKIT_TOKEN.

    \b
    Example:
      certkit wise webhook create --environment sandbox --client-id acme-client-id --name transfers \\
          --trigger-on EVENT --schema-version VERSION --url https://hooks.example.com/wise
    """
    from certkit.wise import webhooks

    wanted = webhooks.Subscription(**asked, version=schema_version, mtls_enabled=not no_mtls)
    if api.is_wise and schema_version not in api.schema_versions:
        known = ", ".join(api.schema_versions)
        output.warn(f"schema version {schema_version} is not among those of Wise's documentation ({known})")
    made = webhooks.create(api, wanted, now=inputs.now())
    if output.as_json:
        output.document({"status": "ok", "changed": True, "id": made, **wanted.document()})
    else:
        output.result(f"{made}\n")
    return 0
