"""What the commands of `certkit wise token` are asked with: whose token it is, which one, and how to reach Wise."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import explain
from certkit.cli.wise import ENVIRONMENTS, policy_of
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.wise.oauth import Client, TokenEndpoint

_GRANTS = ("authorization_code", "client_credentials")
_CA_HELP = "CAs to trust for the server.  [default: the identity's, or the system's]"
_TIME_HELP = "Total time allowed per request."


@dataclass(frozen=True, slots=True, kw_only=True)
class WiseOptions:
    """The options of the commands that ask Wise."""

    client_id: str | None
    client_secret_file: str | None
    environment: str | None
    policy: str | None
    base_url: str | None
    plain: bool
    ca: str | None
    timeout: float

    def endpoint(self, store: Store, name: str, *, keep: bool = True) -> TokenEndpoint:
        """Return where to ask; an identity that is absent is created, unless `keep` is False."""
        from certkit.wise import addresses, endpoints

        base_url = addresses.optional(addresses.require_base_url, self.base_url)
        anchors = inputs.anchors([] if self.ca is None else [self.ca])
        policy = policy_of(environment=self.environment, policy_name=self.policy)
        found = endpoints.identity(store, name, policy=policy, base_url=base_url, keep=keep)
        endpoint = endpoints.endpoint(
            store,
            found,
            inputs.policy(found.record.settings.policy),
            base_url=base_url,
            plain=self.plain,
            anchors=anchors,
            timeout=self.timeout,
        )
        explain(f"token endpoint {endpoint.url}, {'with' if endpoint.credentials else 'without'} a client certificate")
        return endpoint

    def client(self, known: str | None = None, *, secret: Secret | None = None) -> Client:
        """The client credentials; `known` is the client id of a token, and a secret that is not given is asked for."""
        from certkit.wise import addresses
        from certkit.wise.oauth import Client

        client_id = self.client_id or known
        if client_id is None:
            raise InputError("the client id is missing", hint="give --client-id")
        addresses.require_client_id(client_id)
        return Client(id=client_id, secret=secret or inputs.required_client_secret(self.client_secret_file))


identity_option = click.option(
    "--identity", "name", metavar="NAME", required=True, help="Identity that keeps the token."
)
profile_option = click.option("--profile", "profile_id", metavar="ID", help="Profile id, if the identity has several.")
grant_option = click.option("--grant", type=click.Choice(_GRANTS), help="Grant type, if the identity has several.")


def asking(command: Callable[..., int], *, hidden: bool = False) -> Any:
    """Give a command the options of those that ask Wise, as its argument `asked`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> int:
        asked = WiseOptions(**{each: options.pop(each) for each in WiseOptions.__dataclass_fields__})
        return command(*args, asked=asked, **options)

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
    wrapped = inputs.timeout_option(_TIME_HELP, hidden=hidden)(wrapped)
    for name, attributes in reversed(options.items()):
        wrapped = click.option(name, hidden=hidden, **attributes)(wrapped)
    return wrapped


# Commands that do not call Wise take the same options, so that scripts can use one set for all of them.
like_asking = functools.partial(asking, hidden=True)
