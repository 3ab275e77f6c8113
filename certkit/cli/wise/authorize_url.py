"""`certkit wise authorize-url`: print the URL where a user grants access."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import identities, store_option
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
    from certkit.api.tokens import authorize_url as url_of

    if state is not None and identity is not None:
        hint = "with --identity, a random state is generated and checked"
        raise InputError("--state and --identity exclude each other", hint=hint)
    policy = policy_of(**where)
    if policy is None:
        raise InputError("missing option '--environment'", hint=WHICH_HINT)
    inputs.policy(policy)  # warns if it is retired
    asked = {"client_id": client_id, "redirect_uri": redirect_uri}
    url = url_of(**asked, policy=policy, state=state)
    if identity is not None:
        with identities(store_uri, output, inputs.passphrase(passphrase_file)) as store:
            url = store.tokens(identity, client_id=client_id, policy=policy).authorize_url(redirect_uri=redirect_uri)
        state = dict(parse_qsl(urlsplit(url).query))["state"]
    if output.as_json:
        output.document({"url": url, "environment": where["environment"], "identity": identity, "state": state})
    else:
        output.result(f"{url}\n")
    if opens:
        import webbrowser

        if not webbrowser.open(url):
            output.warn("could not open a browser. Open the URL yourself")
    return 0
