"""`certkit wise token`: get, renew, show and hand out OAuth tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.cli.wise.options import asking, grant_option, identity_option, like_asking, profile_option
from certkit.errors import InputError, RefusedError
from certkit.findings import exit_code

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.cli.wise.options import Asked
    from certkit.stores.base import Store
    from certkit.wise.oauth import Client
    from certkit.wise.redirect import Redirect
    from certkit.wise.tokens import Kept, Token


@click.group(
    cls=LazyGroup,
    lazy={
        "exchange": ("certkit.cli.wise.token:exchange", "Get a user's token for the code of a redirect."),
        "client-credentials": ("certkit.cli.wise.token:client_credentials", "Get a token of the application itself."),
        "refresh": ("certkit.cli.wise.token:refresh", "Renew a token that is due, for all who share it."),
        "show": ("certkit.cli.wise.token:show", "Show until when a token lives, and never the token."),
        "get": ("certkit.cli.wise.token:get", "Print the access token, and nothing else."),
        "revoke-local": ("certkit.cli.wise.token:revoke_local", "Remove a token from the store."),
    },
)
def token() -> None:
    """Get, renew and show OAuth tokens. They are kept with an identity, by grant and profile.

    The client secret comes from --client-secret-file, CERTKIT_CLIENT_SECRET, or a prompt on a terminal. Requests go to
    the mTLS host with the active pair of the identity once there is one, before to the plain host.

    \b
    Example:
      certkit wise token show --identity acme
    """


@click.command()
@identity_option
@click.option("--redirect-uri", metavar="URI", required=True, help="The one that the user was sent with.")
@click.option("--redirect-url", metavar="URL", help="The address that Wise redirected to, as pasted; - reads it.")
@click.option("--code", metavar="CODE", help="Just the code of that address; - reads it.")
@click.option("--state", metavar="S", help="The state that was given to authorize-url.")
@profile_option
@asking
@in_store
def exchange(output: Output, store: Store, *, asked: Asked, name: str, state: str | None, **options: Any) -> int:
    """Get a user's token for the code of a redirect. A code lives for 30 minutes, and works once.

    \b
    Example:
      certkit wise token exchange --identity acme --client-id acme --client-secret-file secret.txt \\
          --redirect-uri https://acme.example/wise --redirect-url "https://acme.example/wise/?code=abc&profileId=123"
    """
    from certkit.wise.exchange import exchange as run

    redirect = _redirect(**options)
    client, endpoint = asked.client(), asked.endpoint(store, name)
    return _tell(
        output, name, run(store, name, endpoint, client, redirect=redirect, expected_state=state, now=inputs.now())
    )


@click.command("client-credentials")
@identity_option
@asking
@in_store
def client_credentials(output: Output, store: Store, *, asked: Asked, name: str) -> int:
    """Get a token of the application itself, which lives for 12 hours and is not refreshed but got anew.

    \b
    Example:
      certkit wise token client-credentials --identity acme --client-id acme --client-secret-file secret.txt
    """
    from certkit.wise.exchange import apply

    client, endpoint = asked.client(), asked.endpoint(store, name)
    return _tell(output, name, apply(store, name, endpoint, client, now=inputs.now()))


@click.command()
@identity_option
@profile_option
@grant_option
@click.option("--force", is_flag=True, help="Also if it is not due.")
@asking
@in_store
def refresh(
    output: Output, store: Store, *, asked: Asked, name: str, profile_id: str | None, grant: str | None, force: bool
) -> int:
    """Renew a token that is due. The one before it stops working at once, so all hosts share the one in the store.

    Several hosts may do this at once: one asks Wise, and all others wait and use what it got.

    \b
    Example:
      certkit wise token refresh --identity acme --client-secret-file secret.txt
    """
    from certkit.wise import tokens

    first = tokens.find(store, name, profile_id=profile_id, grant=grant)
    if not force and not first.token.is_due(inputs.now()):
        if not (output.quiet or output.as_json):
            output.say(f"{name}: the token is not due, and was not renewed; --force renews it all the same")
        return _tell(output, name, first.token)
    return _tell(output, name, _renewed(store, name, first, asked, asked.client(first.token.client_id), force=force))


@click.command()
@identity_option
@profile_option
@grant_option
@like_asking
@in_store
def show(output: Output, store: Store, *, name: str, profile_id: str | None, grant: str | None, **_: Any) -> int:
    """Show until when a token lives, and never the token. Nobody is asked whether it still works.

    Exit 2 once it has expired, 1 where it ends soon and cannot be refreshed, or a renewal did not end.

    \b
    Example:
      certkit wise token show --identity acme
    """
    from certkit.wise import tokens

    found = tokens.find(store, name, profile_id=profile_id, grant=grant).token
    _tell(output, name, found)
    return exit_code(found.status(inputs.now()))


@click.command()
@identity_option
@profile_option
@grant_option
@click.option("--no-refresh", is_flag=True, help="Print what is there, as long as it has not expired.")
@asking
@in_store
def get(
    output: Output,
    store: Store,
    *,
    asked: Asked,
    name: str,
    profile_id: str | None,
    grant: str | None,
    no_refresh: bool,
) -> int:
    """Print the access token, and nothing else, for curl and the like. One that is due is renewed before.

    With --json it prints what `show` does, and not the token.

    \b
    Example:
      certkit wise token get --identity acme --client-secret-file secret.txt
    """
    from certkit.wise import tokens

    first = tokens.find(store, name, profile_id=profile_id, grant=grant)
    found = first.token if no_refresh else fresh(output, store, name, first, asked)
    if found.is_expired(inputs.now()):
        hint = "renew it: certkit wise token refresh, or without --no-refresh and with --client-secret-file"
        raise RefusedError(f"{name}: the access token has expired", hint=hint)
    if found.is_in_doubt(inputs.now()):
        output.warn(f"{name}: a renewal did not end, so the token may not work")
    if output.as_json:
        return _tell(output, name, found)
    output.raw(found.access.reveal() + b"\n")
    return 0


@click.command("revoke-local")
@identity_option
@profile_option
@grant_option
@like_asking
@in_store
def revoke_local(
    output: Output, store: Store, *, name: str, profile_id: str | None, grant: str | None, **_: Any
) -> int:
    """Remove a token from the store, with every version of it. Wise is not told, and still takes it until it expires.

    \b
    Example:
      certkit wise token revoke-local --identity acme
    """
    from certkit.wise import tokens

    kept = tokens.look(store, name, profile_id=profile_id, grant=grant)
    if kept is None:
        if output.as_json:
            output.document({"identity": name, "changed": False, "status": "ok"})
        elif not output.quiet:
            output.result(f"{name}: there is no such token, nothing changed\n")
        return 0
    found = kept.token
    store.delete_document(name, found.document)
    output.warn(f"{name}: Wise was not told, and takes the token until it expires")
    return _tell(output, name, found)


def _redirect(*, redirect_uri: str, redirect_url: str | None, code: str | None, profile_id: str | None) -> Redirect:
    """What came back, be it a whole address or just its code."""
    from certkit.wise import addresses, redirect

    addresses.require_redirect_uri(redirect_uri)
    addresses.optional(redirect.require_profile, profile_id)
    if (redirect_url is None) == (code is None):
        hint = "paste the address with --redirect-url, or its code with --code"
        raise InputError("usage, certkit wise token exchange: give one of --redirect-url and --code", hint=hint)
    if redirect_url is None:
        copied = redirect.require_code(inputs.typed(code or ""))
        return redirect.Redirect(redirect_uri=redirect_uri, code=copied, profile_id=profile_id, is_whole=False)
    found = redirect.parse(inputs.typed(redirect_url), redirect_uri=redirect_uri)
    if profile_id not in {None, found.profile_id}:
        hint = "leave --profile out, or have the user pick that profile"
        raise InputError(f"the redirect is for profile {found.profile_id}, not {profile_id}", hint=hint)
    return found


def fresh(output: Output, store: Store, name: str, first: Kept, asked: Asked) -> Token:
    """The token, renewed if it is due and nobody need be asked; while it lives, not to renew it is no error."""
    now, token = inputs.now(), first.token
    if not token.is_due(now) and not token.is_leased(now):
        return token
    secret = inputs.client_secret(asked.client_secret_file)
    if secret is None or (token.refresh is None and token.grant != "client_credentials"):
        return token
    from certkit.net.http import HttpError

    try:
        return _renewed(store, name, first, asked, asked.client(token.client_id, secret=secret), force=False)
    except (HttpError, RefusedError) as error:
        if token.is_expired(now):
            raise
        output.warn_about(error)
        return token


def _renewed(store: Store, name: str, first: Kept, asked: Asked, client: Client, *, force: bool) -> Token:
    """The token after that one, in the store, whoever makes it."""
    from certkit.wise import oauth
    from certkit.wise.token_lease import renewed

    endpoint = asked.endpoint(store, name)
    return renewed(
        store,
        name,
        first,
        ask=lambda token: oauth.renew(endpoint, client, token, now=inputs.now()),
        clock=inputs.now,
        force=force,
        longest_seconds=endpoint.longest_seconds,
    )


def _tell(output: Output, name: str, found: Token) -> int:
    """Show what is known of a token, and end well."""
    from certkit.report import tokens

    now = inputs.now()
    if output.as_json:
        output.document(tokens.document(name, found, now=now))
    elif not output.quiet:
        output.result(tokens.text(name, found, now=now, paint=output.paint))
    return 0
