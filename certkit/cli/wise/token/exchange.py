"""`certkit wise token exchange`: exchange the code of a redirect for a user's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.wise.options import calling_wise, identity_option, profile_option
from certkit.cli.wise.token import print_token

if TYPE_CHECKING:
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output


@click.command()
@identity_option
@click.option("--redirect-uri", metavar="URI", required=True, help="Redirect URI used in the authorization URL.")
@click.option("--redirect-url", metavar="URL", help="URL that Wise redirected to; - reads stdin.")
@click.option("--code", metavar="CODE", help="Authorization code from that URL; - reads stdin.")
@click.option("--state", metavar="S", help="State given to authorize-url.")
@profile_option
@calling_wise
def exchange(output: Output, tokens: WiseTokens, *, redirect_url: str | None, code: str | None, **options: Any) -> int:
    """Exchange the code of a redirect for a user's token. A code is valid for 30 minutes and works once.

    \b
    Example:
      certkit wise token exchange --identity acme --client-id acme \\
          --client-secret-file secret.txt \\
          --redirect-uri https://acme.example/wise \\
          --redirect-url "https://acme.example/wise/?code=abc&profileId=123"
    """
    pasted, copied = (None if each is None else inputs.typed(each) for each in (redirect_url, code))
    return print_token(output, tokens.exchange(pasted, code=copied, **options))
