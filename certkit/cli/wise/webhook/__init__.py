"""`certkit wise webhook` and `certkit wise ca`: calls from Wise to the partner, with mTLS."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise import ENVIRONMENTS
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.api.webhooks import WiseWebhooks

_API_OPTIONS = ("client_id", "environment", "base_url", "token_file", "cert", "key", "ca", "timeout", "passphrase_file")


ca_option = inputs.file_option(
    "--ca", metavar="FILE|DIR|system", help="CAs to trust for the server.  [default: system]"
)


timeout_option = inputs.timeout_option("Total time allowed.")


@click.group(
    cls=LazyGroup,
    lazy={
        "create": ("certkit.cli.wise.webhook.create:create", "Subscribe the application to an event."),
        "test": ("certkit.cli.wise.webhook.test:test", "Ask Wise to send a test notification."),
        "verify": ("certkit.cli.wise.webhook.verify:verify", "Verify the signature of a delivery."),
        "check": ("certkit.cli.wise.webhook.check:check", "Check that a server requires a client certificate."),
    },
)
def webhook() -> None:
    """Manage webhooks with mTLS: subscribe, send a test, check the server, verify signatures.

    \b
    Example:
      certkit wise webhook check https://hooks.example.com/wise \\
          --ca server-ca.pem
    """


def calling_wise(command: Callable[..., int]) -> Any:
    """Give a command the options of those that call Wise's API, and pass it the API as `found`."""

    @click.option("--client-id", metavar="ID", required=True, help="Client id in this environment.")
    @click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Wise environment.")
    @click.option("--base-url", metavar="URL", help="Use this URL instead of Wise's API, such as a rehearsal.")
    @inputs.file_option("--token-file", metavar="FILE", help="File with an application token (or CERTKIT_TOKEN).")
    @inputs.file_option("--cert", metavar="CERT", help="Client certificate with its chain, for the mTLS host.")
    @inputs.file_option("--key", metavar="KEY", help="Private key of the client certificate.")
    @ca_option
    @timeout_option
    @inputs.proxy_option
    @inputs.passphrase_option
    @reporting
    @functools.wraps(command)
    def wrapped(output: Output, **options: Any) -> int:
        asked = {each: options.pop(each) for each in _API_OPTIONS}
        return command(output, found=_webhooks(output, asked), **options)

    return wrapped


def _webhooks(output: Output, options: dict[str, Any]) -> WiseWebhooks:
    from certkit.api.webhooks import webhooks
    from certkit.wise import addresses

    cert, key, token = options["cert"], options["key"], inputs.token(options["token_file"])
    asked = {each: options[each] for each in ("client_id", "environment", "base_url", "timeout")}
    if (cert is None) != (key is None):
        raise InputError("--cert and --key must be given together", hint="add the other one")
    if options["environment"] is not None:
        inputs.policy(addresses.policy_of(options["environment"]))  # warns if it is retired
    if token is None:
        raise InputError("no application token given", hint="give --token-file FILE, or set CERTKIT_TOKEN")
    if cert is not None:
        asked["certificate"], asked["key"] = inputs.pair(cert, key, inputs.passphrase(options["passphrase_file"]))
        output.warn_of([asked["key"].file])
    return replace(webhooks(token=token, ca=trusted(options["ca"]), **asked), _warn=output.warn)


def trusted(ca: str | None) -> list[Any] | None:
    """Return the value of --ca as the API takes it."""
    return None if ca is None else [inputs.trusted(ca)]
