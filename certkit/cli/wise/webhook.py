"""`certkit wise webhook`: calls from Wise to the partner, with mTLS."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise import ENVIRONMENTS
from certkit.errors import InputError
from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.api.webhooks import WiseWebhooks

_ca_option = inputs.file_option(
    "--ca", metavar="FILE|DIR|system", help="CAs to trust for the server.  [default: system]"
)
_timeout_option = inputs.timeout_option("Total time allowed.")


@click.group(cls=CommandGroup)
def webhook() -> None:
    """Manage webhooks with mTLS: subscribe, send a test, check the server, verify signatures.

    \b
    Example:
      certkit wise webhook check https://hooks.example.com/wise \\
          --ca server-ca.pem
    """


def _calling_wise(command: Callable[..., int]) -> Any:
    """Give a command the options of those that call Wise's API, and pass it the API as `found`."""

    @click.option("--client-id", metavar="ID", required=True, help="Client id in this environment.")
    @click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Wise environment.")
    @click.option("--base-url", metavar="URL", help="Use this URL instead of Wise's API, such as a rehearsal.")
    @inputs.file_option("--token-file", metavar="FILE", help="File with an application token (or CERTKIT_TOKEN).")
    @inputs.file_option("--cert", metavar="CERT", help="Client certificate with its chain, for the mTLS host.")
    @inputs.file_option("--key", metavar="KEY", help="Private key of the client certificate.")
    @_ca_option
    @_timeout_option
    @inputs.proxy_option
    @inputs.passphrase_option
    @reporting
    @functools.wraps(command)
    def wrapped(
        output: Output,
        *,
        environment: str | None,
        token_file: str | None,
        cert: str | None,
        key: str | None,
        ca: str | None,
        passphrase_file: str | None,
        **options: Any,
    ) -> int:
        from certkit.api.webhooks import webhooks
        from certkit.wise import addresses

        same = {each: options.pop(each) for each in ("client_id", "base_url", "timeout")}
        token, certificate, held = inputs.token(token_file), None, None
        if (cert is None) != (key is None):
            raise InputError("--cert and --key must be given together", hint="add the other one")
        if environment is not None:
            inputs.policy(addresses.policy_of(environment))  # warns if it is retired
        if token is None:
            raise InputError("no application token given", hint="give --token-file FILE, or set CERTKIT_TOKEN")
        if cert is not None:
            certificate, held = inputs.pair(cert, key, inputs.passphrase(passphrase_file))
            output.warn_of([held.file])
        found = webhooks(
            environment=environment, token=token, certificate=certificate, key=held, ca=_trusted(ca), **same
        )
        return command(output, found=replace(found, _warn=output.warn), **options)

    return wrapped


def _trusted(ca: str | None) -> list[Any] | None:
    """Return the value of --ca as the API takes it."""
    return None if ca is None else [inputs.trusted(ca)]


@webhook.command(short_help="Subscribe the application to an event.")
@click.option("--name", metavar="NAME", required=True, help="Name of the subscription.")
@click.option("--trigger-on", metavar="EVENT", required=True, help="Event, as in Wise's documentation.")
@click.option("--schema-version", metavar="V", required=True, help="Schema version of the event.")
@click.option("--url", metavar="URL", required=True, help="The https:// URL that Wise calls.")
@click.option("--no-mtls", is_flag=True, help="Have Wise call without its client certificate.")
@_calling_wise
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
    about = {"name": name, "trigger_on": trigger_on, "schema_version": schema_version}
    made = found.create(url, **about, no_mtls=no_mtls)
    if output.as_json:
        from certkit.wise.webhooks import subscription

        wanted = subscription(**about, url=url, mtls_enabled=not no_mtls)
        output.document({"status": "ok", "changed": True, "id": made, **wanted})
    else:
        output.result(f"{made}\n")
    return 0


@webhook.command(short_help="Ask Wise to send a test notification.")
@click.argument("subscription_id", metavar="ID")
@_calling_wise
def test(output: Output, *, found: WiseWebhooks, subscription_id: str) -> int:
    """Ask Wise to send a test notification to a subscription's URL.

    \b
    Example:
      certkit wise webhook test ID --environment sandbox \\
          --client-id acme-client-id
    """
    status = found.send_test(subscription_id)
    made = {"status": "ok", "id": subscription_id, "http_status": status}
    return output.done(made, f"{printable(subscription_id)}: test notification requested; check that it arrives\n")


@webhook.command(short_help="Verify the signature of a delivery.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Use Wise's published key of this environment.")
@click.option("--policy", "policy_name", metavar="POLICY", help="Use the key of this policy, such as a rehearsal's.")
@inputs.file_option("--key", metavar="FILE", help="Use this public key (PEM).")
@click.option("--header", metavar="VALUE", required=True, help="Value of the X-Signature-SHA256 header.")
@inputs.file_argument("body", metavar="BODY")
@reporting
def verify(
    output: Output,
    *,
    environment: str | None,
    policy_name: str | None,
    key: str | None,
    header: str,
    body: str,
) -> int:
    """Verify the signature of a delivery: that Wise sent exactly these bytes. BODY is a file, or - for standard input.

    Exits 0 if it was signed with the key, 2 if not.

    \b
    Example:
      certkit wise webhook verify --policy wise-sandbox --header "$SIGNATURE" \\
          body.json
    """
    from certkit.api.webhooks import verify_webhook

    if policy_name is not None:
        inputs.policy(policy_name)  # warns if it is retired
    report = verify_webhook(
        inputs.read(body), header, environment=environment, policy=policy_name, key=inputs.data(key)
    )
    return output.report(replace(report, subject=body), body)


@webhook.command(short_help="Check that a server requires a client certificate.")
@click.argument("url", metavar="URL")
@_ca_option
@_timeout_option
@inputs.proxy_option
@reporting
def check(output: Output, *, url: str, ca: str | None, timeout: float) -> int:
    """Check that a webhook's server requires a client certificate that it trusts.

    Connects twice, without a certificate and with an untrusted one. Exits 0 if both are rejected, 2 if one is
    accepted. `certkit wise webhook test` shows whether Wise's certificate is accepted.

    \b
    Example:
      certkit wise webhook check https://hooks.example.com/wise \\
          --ca server-ca.pem
    """
    from certkit.api.webhooks import check_webhook

    return output.report(check_webhook(url, ca=_trusted(ca), timeout=timeout), printable(url))
