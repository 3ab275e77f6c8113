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
@click.option("--name", metavar="NAME", required=True, help="Name of the subscription.")
@click.option("--trigger-on", metavar="EVENT", required=True, help="Event, as in Wise's documentation.")
@click.option("--schema-version", metavar="V", required=True, help="Schema version of the event.")
@click.option("--url", metavar="URL", required=True, help="The https:// URL that Wise calls.")
@click.option("--no-mtls", is_flag=True, help="Have Wise call without its client certificate.")
@asking
def create(output: Output, *, api: Api, no_mtls: bool, schema_version: str, **asked: Any) -> int:
    """Subscribe the application to an event, with mtls_enabled: Wise presents its client certificate to your server.

    The application token comes from --token-file or CERTKIT_TOKEN.

    \b
    Example:
      certkit wise webhook create --environment sandbox \\
          --client-id acme-client-id --name transfers --trigger-on EVENT \\
          --schema-version VERSION --url https://hooks.example.com/wise
    """
    from certkit.wise import webhooks

    wanted = webhooks.Subscription(**asked, version=schema_version, mtls_enabled=not no_mtls)
    if api.is_wise and schema_version not in api.schema_versions:
        known = ", ".join(api.schema_versions)
        output.warn(f"schema version {schema_version} is not in Wise's documentation ({known})")
    made = webhooks.create(api, wanted, now=inputs.now())
    if output.as_json:
        output.document({"status": "ok", "changed": True, "id": made, **wanted.document()})
    else:
        output.result(f"{made}\n")
    return 0
