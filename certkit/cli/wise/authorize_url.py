"""`certkit wise authorize-url`: where a user grants access."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import opener, store_option
from certkit.cli.wise import WHICH_HINT, environment_options, policy_of
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command("authorize-url")
@environment_options
@click.option("--client-id", metavar="ID", required=True, help="Client id in this environment.")
@click.option("--redirect-uri", metavar="URI", required=True, help="Redirect URI configured at Wise for the client.")
@click.option("--state", metavar="S", help="Your own `state`, returned in the redirect.")
@click.option("--identity", metavar="NAME", help="Store a random state for this identity; `token exchange` checks it.")
@click.option("--open", "opens", is_flag=True, help="Also open the page in a browser.")
@store_option
@inputs.passphrase_option
@reporting
def authorize_url(
    output: Output,
    *,
    client_id: str,
    redirect_uri: str,
    state: str | None,
    identity: str | None,
    opens: bool,
    store_uri: str | None,
    passphrase_file: str | None,
    **where: str | None,
) -> int:
    """Print the URL where a user chooses an account and grants access, on one line.

    Wise then redirects to the redirect URI. Nothing has to run there: paste the URL from the browser into
    `certkit wise token exchange`. A missing identity is created.

    \b
    Example:
      certkit wise authorize-url --environment sandbox --client-id acme \\
          --redirect-uri https://acme.example/wise
    """
    from certkit.wise import addresses

    if state is not None and identity is not None:
        hint = "with --identity, a random state is generated and checked"
        raise InputError("--state and --identity exclude each other", hint=hint)
    addresses.require_client_id(client_id)
    addresses.require_redirect_uri(redirect_uri)
    addresses.optional(addresses.require_state, state)
    policy = policy_of(**where)
    if policy is None:
        raise InputError("missing option '--environment'", hint=WHICH_HINT)
    if identity is not None:
        state = _remembered(output, identity, policy, client_id, redirect_uri, store_uri, passphrase_file)
    url = addresses.authorize_url(inputs.policy(policy), client_id=client_id, redirect_uri=redirect_uri, state=state)
    if output.as_json:
        output.document({"url": url, "environment": where["environment"], "identity": identity, "state": state})
    else:
        output.result(f"{url}\n")
    if opens:
        _open(output, url)
    return 0


def _remembered(
    output: Output,
    name: str,
    policy: str,
    client_id: str,
    redirect_uri: str,
    store_uri: str | None,
    passphrase_file: str | None,
) -> str:
    """A random state that the identity remembers."""
    from certkit.wise import endpoints, oauth_state

    with opener(output.warn).open(store_uri, passphrase=inputs.passphrase(passphrase_file)) as store:
        endpoints.identity(store, name, policy=policy, base_url=None)
        return oauth_state.remember(store, name, client_id=client_id, redirect_uri=redirect_uri, now=inputs.now())


def _open(output: Output, url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        output.warn("could not open a browser. Open the URL yourself")
