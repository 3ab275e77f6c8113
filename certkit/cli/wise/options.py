"""Options of the commands of `certkit wise token`: the identity, the token, and how to reach Wise."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_identities
from certkit.cli.shared import inputs
from certkit.cli.shared.stores import complete_identities
from certkit.cli.wise import ENVIRONMENTS, policy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output

_GRANTS = ("authorization_code", "client_credentials")
_OPTIONS = ("client_id", "client_secret_file", "environment", "policy", "base_url", "plain", "ca", "timeout")
_CA_HELP = "CAs to trust for the server.  [default: the identity's, or the system's]"
_TIME_HELP = "Total time allowed per request."


identity_option = click.option(
    "--identity",
    "name",
    metavar="NAME",
    required=True,
    shell_complete=complete_identities,
    help="Identity that keeps the token.",
)
profile_option = click.option("--profile", "profile_id", metavar="ID", help="Profile id, if the identity has several.")
grant_option = click.option("--grant", type=click.Choice(_GRANTS), help="Grant type, if the identity has several.")


def _arguments(asked: dict[str, Any], prompts: bool) -> dict[str, Any]:
    """Return the options as arguments for `IdentityStore.tokens`."""
    secret = inputs.required_client_secret if prompts else inputs.client_secret
    policy = policy_of(environment=asked.pop("environment"), policy_name=asked.pop("policy"))
    given = {"client_secret": functools.partial(secret, asked.pop("client_secret_file")), "policy": policy}
    return asked | given | {"ca": None if asked["ca"] is None else [inputs.trusted(asked["ca"])]}


def calling_wise(command: Callable[..., int], *, hidden: bool = False, prompts: bool = True) -> Any:
    """Give a command the options of those that call Wise, and pass it the identity's tokens.

    With `prompts` False, the command never prompts for a client secret.
    """

    @in_identities
    @functools.wraps(command)
    def wrapped(output: Output, store: IdentityStore, *, name: str, **options: Any) -> int:
        asked = {each: options.pop(each) for each in _OPTIONS}
        return command(output, store.tokens(name, **({} if hidden else _arguments(asked, prompts))), **options)

    file = inputs.FileName()
    options: dict[str, dict[str, Any]] = {
        "--client-id": {"metavar": "ID", "help": "Client id in this environment."},
        "--client-secret-file": {
            "metavar": "FILE",
            "type": file,
            "help": "Read the client secret from this file's first line.",
        },
        "--environment": {"type": click.Choice(ENVIRONMENTS), "help": "Wise environment, for a new identity."},
        "--policy": {
            "type": file,
            "metavar": "POLICY",
            "help": "Policy to use instead of --environment, such as a rehearsal's.",
        },
        "--base-url": {"metavar": "URL", "help": "Use this URL instead of Wise's API, such as a proxy."},
        "--plain": {"is_flag": True, "help": "Use the plain host, without the client certificate."},
        "--ca": {"metavar": "FILE|DIR|system", "type": file, "help": _CA_HELP},
    }
    decorated = inputs.timeout_option(_TIME_HELP, hidden=hidden)(wrapped)
    for name, attributes in reversed(options.items()):
        decorated = click.option(name, hidden=hidden, **attributes)(decorated)
    return decorated


# Commands that do not call Wise take the same options, so that scripts can use one set for all of them.
like_calling_wise = functools.partial(calling_wise, hidden=True)
# A program that asks for a token must never wait for a prompt.
calling_wise_unattended = functools.partial(calling_wise, prompts=False)
