"""`certkit wise webhook` and `certkit wise ca`: Wise calls the partner, with mTLS."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.key import force_option
from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise import ENVIRONMENTS
from certkit.errors import InputError
from certkit.findings import exit_code, roll_up
from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.net.tls import Credentials
    from certkit.secret import Secret
    from certkit.wise.webhooks import Api

_API_OPTIONS = ("client_id", "environment", "base_url", "token_file", "cert", "key", "ca", "timeout", "passphrase_file")

_ca_option = inputs.file_option("--ca", metavar="FILE|DIR|system", help="The CAs of the server.  [default: system]")
_timeout_option = inputs.timeout_option()


@click.group(
    cls=LazyGroup,
    lazy={
        "create": ("certkit.cli.wise.webhook:create", "Subscribe the application to an event."),
        "test": ("certkit.cli.wise.webhook:test", "Have Wise send a test notification."),
        "check": ("certkit.cli.wise.webhook:check", "See whether a server really demands a certificate."),
    },
)
def webhook() -> None:
    """Webhooks with mTLS: subscribe the application, test the way, check the server that is called.

    \b
    Example:
      certkit wise webhook check https://hooks.example.com/wise --ca server-ca.pem
    """


def _asking(command: Callable[..., int]) -> Any:
    """Give a command the options of those that ask Wise's API, as its argument `api`."""

    @click.option("--client-id", metavar="ID", required=True, help="The client id of this environment.")
    @click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Which of Wise's environments.")
    @click.option("--base-url", metavar="URL", help="In place of Wise's API: a rehearsal, a proxy.")
    @inputs.file_option("--token-file", metavar="FILE", help="Its first line is an application token (CERTKIT_TOKEN).")
    @inputs.file_option("--cert", metavar="CERT", help="A client certificate with its chain, for the mTLS host.")
    @inputs.file_option("--key", metavar="KEY", help="Its private key.")
    @_ca_option
    @_timeout_option
    @inputs.passphrase_option
    @reporting
    @functools.wraps(command)
    def wrapped(output: Output, **options: Any) -> int:
        asked = {each: options.pop(each) for each in _API_OPTIONS}
        return command(output, api=_api(output, asked), **options)

    return wrapped


@click.command()
@click.option("--name", metavar="NAME", required=True, help="What the subscription is called.")
@click.option("--trigger-on", metavar="EVENT", required=True, help="The event, as Wise's documentation names it.")
@click.option("--schema-version", metavar="V", required=True, help="The version of the event's schema.")
@click.option("--url", metavar="URL", required=True, help="The https address that Wise calls.")
@click.option("--no-mtls", is_flag=True, help="Have Wise call without its client certificate.")
@_asking
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
    made = webhooks.create(api, wanted, now=inputs.now())
    if output.as_json:
        output.document({"status": "ok", "changed": True, "id": made, **wanted.document()})
    else:
        output.result(f"{made}\n")
    return 0


@click.command()
@click.argument("subscription_id", metavar="ID")
@_asking
def test(output: Output, *, api: Api, subscription_id: str) -> int:
    """Have Wise send a test notification of a subscription to its address.

    \b
    Example:
      certkit wise webhook test ID --environment sandbox --client-id acme-client-id
    """
    from certkit.wise import webhooks

    status = webhooks.send_test(api, subscription_id, now=inputs.now())
    if output.as_json:
        output.document({"status": "ok", "id": subscription_id, "http_status": status})
    elif not output.quiet:
        output.result(f"{printable(subscription_id)}: asked for a test notification; see that it arrives\n")
    return 0


@click.command()
@click.argument("url", metavar="URL")
@_ca_option
@_timeout_option
@reporting
def check(output: Output, *, url: str, ca: str | None, timeout: float) -> int:
    """See whether the server of a webhook really demands a client certificate that it trusts.

    It is asked twice, with no certificate and with one that nobody issued. Exits 0 if both are refused, 2 if one is let
    in. That the right one is let in shows `certkit wise webhook test`.

    \b
    Example:
      certkit wise webhook check https://hooks.example.com/wise --ca server-ca.pem
    """
    from certkit.wise import webhooks

    anchors = inputs.anchors([] if ca is None else [ca])
    findings = webhooks.check(url, now=inputs.now(), anchors=anchors, timeout=timeout)
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        from certkit.report import json

        output.document(json.judged(status, url, findings))
    else:
        output.judged(printable(url), status, findings)
    return exit_code(status)


@click.command()
@inputs.file_argument("sources", metavar="CA...", nargs=-1, required=True)
@inputs.file_option("--out", metavar="BUNDLE", required=True, help="The trust bundle that is written.")
@force_option
@reporting
def ca(output: Output, *, sources: tuple[str, ...], out: str, force: bool) -> int:
    """Prepare the trust bundle of the server that receives Wise's webhooks, and show what nginx is told.

    CA is a file that "Get Wise Certificate" in Developer Hub downloads. Only certificates of CAs that are valid now are
    taken.

    \b
    Example:
      certkit wise ca wise-ca.pem --out webhook-ca.pem
    """
    from certkit.wise import ca_bundle

    if out == "-":
        hint = "nginx reads it by its path: give --out FILE"
        raise InputError("usage, certkit wise ca: the bundle cannot go to standard output", hint=hint)
    made = ca_bundle.bundle([(source, inputs.read(source)) for source in sources], now=inputs.now())
    path = Path(out).absolute()
    changed = ca_bundle.write(made, path, force=force)
    snippet = made.nginx(path)
    if output.as_json:
        from certkit.x509 import names

        subjects = [names.subject_or_none(each) for each in made.certificates]
        output.document({"status": "ok", "changed": changed, "path": str(path), "subjects": subjects, "nginx": snippet})
    elif not output.quiet:
        output.result(snippet)
    return 0


def _api(output: Output, asked: dict[str, Any]) -> Api:
    from certkit.wise import addresses
    from certkit.wise.webhooks import Api

    credentials = _credentials(output, asked)
    return Api(
        base=_base(asked, is_mutual=credentials is not None),
        client_id=addresses.require_client_id(asked["client_id"]),
        token=_token(asked["token_file"]),
        credentials=credentials,
        anchors=inputs.anchors([] if asked["ca"] is None else [asked["ca"]]),
        timeout=asked["timeout"],
    )


def _base(asked: dict[str, Any], *, is_mutual: bool) -> str:
    from certkit.wise import addresses

    if (asked["environment"] is None) == (asked["base_url"] is None):
        raise InputError("usage: give --environment or --base-url, and not both", hint="see --help")
    if asked["base_url"] is not None:
        return addresses.require_base_url(asked["base_url"])
    hosts = inputs.policy(addresses.ENVIRONMENTS[asked["environment"]]).hosts
    return hosts.api_mtls if is_mutual else hosts.api


def _credentials(output: Output, asked: dict[str, Any]) -> Credentials | None:
    if asked["cert"] is None and asked["key"] is None:
        return None
    if asked["cert"] is None or asked["key"] is None:
        raise InputError("usage: --cert and --key belong together", hint="give both")
    found, key_file = inputs.credentials(asked["cert"], asked["key"], inputs.passphrase(asked["passphrase_file"]))
    output.warn_of([key_file])
    return found


def _token(file: str | None) -> Secret:
    """The application token, from the first line of a file or from CERTKIT_TOKEN."""
    token = inputs.token(file)
    if token is None:
        hint = "give --token-file FILE, or set CERTKIT_TOKEN"
        raise InputError("there is no application token", hint=hint)
    return token
