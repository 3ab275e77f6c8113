"""`certkit wise webhook` and `certkit wise ca`: Wise calls the partner, with mTLS."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise import ENVIRONMENTS
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.net.tls import Credentials
    from certkit.secret import Secret
    from certkit.wise.webhooks import Api

_API_OPTIONS = ("client_id", "environment", "base_url", "token_file", "cert", "key", "ca", "timeout", "passphrase_file")


ca_option = inputs.file_option(
    "--ca", metavar="FILE|DIR|system", help="CAs to trust for the server.  [default: system]"
)


timeout_option = inputs.timeout_option()


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


def asking(command: Callable[..., int]) -> Any:
    """Give a command the options of those that ask Wise's API, as its argument `api`."""

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
        return command(output, api=_api(output, asked), **options)

    return wrapped


def _api(output: Output, asked: dict[str, Any]) -> Api:
    from certkit.wise import addresses
    from certkit.wise.webhooks import Api

    credentials = _credentials(output, asked)
    if (asked["environment"] is None) == (asked["base_url"] is None):
        raise InputError("give either --environment or --base-url", hint="see --help")
    policy = inputs.policy(addresses.ENVIRONMENTS[asked["environment"] or "sandbox"])
    host = policy.hosts.api if credentials is None else policy.hosts.api_mtls
    return Api(
        base=host if asked["base_url"] is None else addresses.require_base_url(asked["base_url"]),
        subscriptions_path=policy.hosts.subscriptions_path,
        schema_versions=policy.webhooks.schema_versions,
        is_wise=asked["base_url"] is None,
        client_id=addresses.require_client_id(asked["client_id"]),
        token=_token(asked["token_file"]),
        credentials=credentials,
        anchors=inputs.anchors([] if asked["ca"] is None else [asked["ca"]]),
        timeout=asked["timeout"],
    )


def _credentials(output: Output, asked: dict[str, Any]) -> Credentials | None:
    if asked["cert"] is None and asked["key"] is None:
        return None
    if asked["cert"] is None or asked["key"] is None:
        raise InputError("--cert and --key must be given together", hint="add the other one")
    found, key_file = inputs.credentials(asked["cert"], asked["key"], inputs.passphrase(asked["passphrase_file"]))
    output.warn_of([key_file])
    return found


def _token(file: str | None) -> Secret:
    """The application token, from the first line of a file or from CERTKIT_TOKEN."""
    token = inputs.token(file)
    if token is None:
        hint = "give --token-file FILE, or set CERTKIT_TOKEN"
        raise InputError("no application token given", hint=hint)
    return token
