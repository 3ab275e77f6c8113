"""`certkit wise token exchange`: get a user's token for the code of a redirect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.wise.options import asking, identity_option, profile_option
from certkit.cli.wise.token import tell
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import WiseOptions
    from certkit.stores.base import Store
    from certkit.wise.redirect import Redirect


@click.command()
@identity_option
@click.option("--redirect-uri", metavar="URI", required=True, help="Redirect URI used in the authorization URL.")
@click.option("--redirect-url", metavar="URL", help="URL that Wise redirected to; - reads stdin.")
@click.option("--code", metavar="CODE", help="Authorization code from that URL; - reads stdin.")
@click.option("--state", metavar="S", help="State given to authorize-url.")
@profile_option
@asking
@in_store
def exchange(output: Output, store: Store, *, asked: WiseOptions, name: str, state: str | None, **options: Any) -> int:
    """Exchange the code of a redirect for a user's token. A code is valid for 30 minutes and works once.

    \b
    Example:
      certkit wise token exchange --identity acme --client-id acme \\
          --client-secret-file secret.txt \\
          --redirect-uri https://acme.example/wise \\
          --redirect-url "https://acme.example/wise/?code=abc&profileId=123"
    """
    from certkit.wise.exchange import exchange as run

    redirect = _redirect(**options)
    client, endpoint = asked.client(), asked.endpoint(store, name)
    return tell(
        output, name, run(store, name, endpoint, client, redirect=redirect, expected_state=state, now=inputs.now())
    )


def _redirect(*, redirect_uri: str, redirect_url: str | None, code: str | None, profile_id: str | None) -> Redirect:
    """What came back: the whole URL, or just its code."""
    from certkit.wise import addresses, redirect

    addresses.require_redirect_uri(redirect_uri)
    addresses.optional(redirect.require_profile, profile_id)
    if (redirect_url is None) == (code is None):
        hint = "give the pasted URL with --redirect-url, or its code with --code"
        raise InputError("give either --redirect-url or --code", hint=hint)
    if redirect_url is None:
        copied = redirect.require_code(inputs.typed(code or ""))
        return redirect.Redirect(redirect_uri=redirect_uri, code=copied, profile_id=profile_id, is_whole=False)
    found = redirect.parse(inputs.typed(redirect_url), redirect_uri=redirect_uri)
    if profile_id not in {None, found.profile_id}:
        hint = "leave --profile out, or ask the user to pick that profile"
        raise InputError(f"the redirect is for profile {found.profile_id}, not {profile_id}", hint=hint)
    return found
