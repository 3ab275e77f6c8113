"""`certkit wise token`: get, refresh, show and print OAuth tokens."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_identities
from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.stores import complete_identities
from certkit.cli.wise import ENVIRONMENTS, policy_of
from certkit.errors import InputError
from certkit.findings import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.api.store import IdentityStore
    from certkit.api.tokens import WiseTokens
    from certkit.cli.shared.output import Output
    from certkit.wise.tokens import TokenInfo

# The grants of certkit.wise.tokens, repeated here to avoid importing it for help.
_GRANTS = ("authorization_code", "client_credentials")


@click.group(cls=CommandGroup)
def token() -> None:
    """Get, refresh and show OAuth tokens. An identity stores them by grant and profile.

    The client secret comes from --client-secret-file, CERTKIT_CLIENT_SECRET, or a prompt on a terminal. Requests go to
    the mTLS host with the identity's active certificate once it has one, and to the plain host before.

    \b
    Example:
      certkit wise token show --identity acme
    """


_identity_option = click.option(
    "--identity",
    "name",
    metavar="NAME",
    required=True,
    shell_complete=complete_identities,
    help="Identity that keeps the token.",
)
_FILE = inputs.FileName()
_timeout_option = functools.cache(functools.partial(inputs.timeout_option, "Total time allowed per request."))
_profile_option = click.option("--profile", "profile_id", metavar="ID", help="Profile id, if the identity has several.")


def _choosing_token(command: Callable[..., Any]) -> Any:
    """Give a command the options that select a stored token."""
    grant = click.option("--grant", type=click.Choice(_GRANTS), help="Grant type, if the identity has several.")
    return _identity_option(_profile_option(grant(command)))


def _calling_wise(command: Callable[..., int], *, hidden: bool = False, prompts: bool = True) -> Any:
    """Give a command the options of those that call Wise, and pass it the identity's tokens.

    With `prompts` False, the command never prompts for a client secret. A command that does not call Wise takes the
    same options `hidden`, so that scripts can use one set for all of them.
    """
    option = functools.partial(click.option, hidden=hidden)
    file_option = functools.partial(option, type=_FILE)

    @option("--client-id", metavar="ID", help="Client id in this environment.")
    @file_option("--client-secret-file", metavar="FILE", help="Read the client secret from this file's first line.")
    @option("--environment", type=click.Choice(ENVIRONMENTS), help="Wise environment, for a new identity.")
    @file_option("--policy", metavar="POLICY", help="Policy to use instead of --environment, such as a rehearsal's.")
    @option("--base-url", metavar="URL", help="Use this URL instead of Wise's API, such as a proxy.")
    @option("--plain", is_flag=True, help="Use the plain host, without the client certificate.")
    @file_option(
        "--ca",
        metavar="FILE|DIR|system",
        help="CAs to trust for the server.  [default: the identity's, or the system's]",
    )
    @_timeout_option(hidden=hidden)
    @in_identities
    @functools.wraps(command)
    def wrapped(
        output: Output,
        store: IdentityStore,
        *,
        name: str,
        client_secret_file: str | None,
        environment: str | None,
        policy: str | None,
        ca: str | None,
        **options: Any,
    ) -> int:
        same = {each: options.pop(each) for each in ("client_id", "base_url", "plain", "timeout")}
        if hidden:
            return command(output, store.tokens(name), **options)
        secret = inputs.required_client_secret if prompts else inputs.client_secret
        tokens = store.tokens(
            name,
            client_secret=functools.partial(secret, client_secret_file),
            policy=policy_of(environment=environment, policy_name=policy),
            ca=None if ca is None else [inputs.trusted(ca)],
            **same,
        )
        return command(output, tokens, **options)

    return wrapped


def _print_token(output: Output, found: TokenInfo) -> int:
    """Print the facts of a token, and return exit code 0."""
    from certkit.report import tokens

    return output.done(tokens.document(found), tokens.text(found, now=inputs.now(), paint=output.paint))


@token.command(short_help="Exchange an authorization code for a user token.")
@_identity_option
@click.option("--redirect-uri", metavar="URI", required=True, help="Redirect URI used in the authorization URL.")
@click.option("--redirect-url", metavar="URL", help="URL that Wise redirected to; - reads stdin.")
@click.option("--code", metavar="CODE", help="Authorization code from that URL; - reads stdin.")
@click.option("--state", metavar="S", help="State given to authorize-url.")
@_profile_option
@_calling_wise
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
    return _print_token(output, tokens.exchange(pasted, code=copied, **options))


@token.command("client-credentials", short_help="Get a client-credentials token.")
@_identity_option
@click.option("--no-store", is_flag=True, help="Print the token instead of storing it.")
@_calling_wise
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
    return _print_token(output, tokens.client_credentials())


@token.command(short_help="Refresh a token that is about to expire.")
@_choosing_token
@click.option("--force", is_flag=True, help="Refresh even if the token is not due.")
@_calling_wise
def refresh(output: Output, tokens: WiseTokens, *, force: bool, **which: str | None) -> int:
    """Refresh a token that is due. Wise invalidates the old one at once, so all hosts share the one in the store.

    Several hosts may do this at once: one refreshes, the others wait and use the new token.

    \b
    Example:
      certkit wise token refresh --identity acme --client-secret-file secret.txt
    """
    found = tokens.refresh(force=force, **which)
    if not (found.changed or output.quiet or output.as_json):
        output.say(f"{found.identity}: the token is not due, so it was not refreshed; --force refreshes it anyway")
    return _print_token(output, found)


@token.command(short_help="Show a token's lifetime, never the token.")
@_choosing_token
@functools.partial(_calling_wise, hidden=True)
def show(output: Output, tokens: WiseTokens, **which: str | None) -> int:
    """Show a token's lifetime, never the token. Wise is not contacted.

    Exits 2 if it has expired, 1 if it expires soon and cannot be refreshed, or if a refresh was interrupted.

    \b
    Example:
      certkit wise token show --identity acme
    """
    found = tokens.show(refresh=None, **which)
    _print_token(output, found)
    return exit_code(found.status)


@token.command(short_help="Print only the access token.")
@_choosing_token
@click.option("--no-refresh", is_flag=True, help="Print the stored token as it is; fail if it has expired.")
@functools.partial(_calling_wise, prompts=False)
def get(output: Output, tokens: WiseTokens, *, no_refresh: bool, **which: str | None) -> int:
    """Print the access token and nothing else, for curl and similar programs. A token that is due is refreshed first.

    With --json it prints the output of `show`, without the token.

    \b
    Example:
      certkit wise token get --identity acme --client-secret-file secret.txt
    """
    if output.as_json:
        return _print_token(output, tokens.show(refresh=not no_refresh, **which))
    output.result(f"{tokens.get(refresh=not no_refresh, **which)}\n")
    return 0


@token.command("revoke-local", short_help="Remove a token from the store.")
@_choosing_token
@functools.partial(_calling_wise, hidden=True)
def revoke_local(output: Output, tokens: WiseTokens, **which: str | None) -> int:
    """Remove a token from the store, with every version of it. Wise is not notified and accepts it until it expires.

    \b
    Example:
      certkit wise token revoke-local --identity acme
    """
    name, found = click.get_current_context().params["name"], tokens.revoke_local(**which)
    if found is None:
        unchanged = {"identity": name, "changed": False, "status": "ok"}
        return output.done(unchanged, f"{name}: no token is stored; nothing changed\n")
    output.warn(f"{name}: Wise was not notified and accepts the token until it expires")
    return _print_token(output, found)
