"""`certkit wise token client-credentials`: get a token for the application itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.wise.options import calling_wise, identity_option
from certkit.cli.wise.token import print_token
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output


@click.command("client-credentials")
@identity_option
@click.option("--no-store", is_flag=True, help="Print the token instead of storing it.")
@calling_wise
def client_credentials(output: Output, tokens: WiseTokens, *, no_store: bool) -> int:
    """Get a client-credentials token, which is valid for 12 hours and is replaced instead of refreshed.

    Wise advises one such token for each worker: --no-store prints it on standard output and stores nothing.

    \b
    Examples:
      certkit wise token client-credentials --identity acme --client-id acme \\
          --client-secret-file secret.txt
      certkit wise token client-credentials --identity acme --client-id acme \\
          --client-secret-file secret.txt --no-store
    """
    if no_store:
        if output.as_json:
            hint = "leave --json out: --no-store prints only the token"
            raise InputError("--no-store and --json exclude each other", hint=hint)
        output.result(f"{tokens.worker_token()}\n")
        return 0
    return print_token(output, tokens.client_credentials())
