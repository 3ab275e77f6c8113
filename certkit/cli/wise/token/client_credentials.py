"""`certkit wise token client-credentials`: get a token of the application itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.wise.options import asking, identity_option
from certkit.cli.wise.token import tell
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import WiseOptions
    from certkit.stores.base import Store


@click.command("client-credentials")
@identity_option
@click.option("--no-store", is_flag=True, help="Print the token instead of storing it.")
@asking
@in_store
def client_credentials(output: Output, store: Store, *, asked: WiseOptions, name: str, no_store: bool) -> int:
    """Get a client-credentials token, which is valid for 12 hours and is replaced instead of refreshed.

    Wise advises one such token for each worker: --no-store prints it on standard output and stores nothing.

    \b
    Examples:
      certkit wise token client-credentials --identity acme --client-id acme \\
          --client-secret-file secret.txt
      certkit wise token client-credentials --identity acme --client-id acme \\
          --client-secret-file secret.txt --no-store
    """
    from certkit.wise.exchange import apply

    if no_store:
        from certkit.wise import oauth

        if output.as_json:
            hint = "leave --json out: --no-store prints only the token"
            raise InputError("--no-store and --json exclude each other", hint=hint)
        token = oauth.client_credentials(asked.endpoint(store, name, keep=False), asked.client(), now=inputs.now())
        output.raw(token.access.reveal() + b"\n")
        return 0
    client, endpoint = asked.client(), asked.endpoint(store, name)
    return tell(output, name, apply(store, name, endpoint, client, now=inputs.now()))
