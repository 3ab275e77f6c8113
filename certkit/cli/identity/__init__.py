"""`certkit identity`: named client credentials, from the first request to removal."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, reporting
from certkit.cli.shared.stores import complete_identities, identities, opener, store_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from certkit.identity.overview import Overview, Unread


@click.group(
    cls=CommandGroup,
    lazy={
        "enroll": ("certkit.cli.identity.enroll:enroll", "Create an identity and its first request."),
        "import": ("certkit.cli.identity.import_:import_", "Import a key and certificate that are already in use."),
        "update": ("certkit.cli.identity.update:update", "Change the settings of an identity."),
        "install": ("certkit.cli.identity.install:install", "Install the certificate issued for a request."),
        "renew": ("certkit.cli.identity.renew:renew", "Request a new certificate when renewal is due."),
        "activate": ("certkit.cli.identity.activate:activate", "Make a generation the active one."),
        "rollback": ("certkit.cli.identity.rollback:rollback", "Return to the previous generation."),
        "discard": ("certkit.cli.identity.discard:discard", "Discard a request that the partner rejected."),
        "retire": ("certkit.cli.identity.retire:retire", "Take a generation out of use for good."),
        "prune": ("certkit.cli.identity.prune:prune", "Delete the keys and certificates of past generations."),
        "list": ("certkit.cli.identity.list:list_", "List identities and when they expire."),
        "show": ("certkit.cli.identity.show:show", "Show an identity and its generations."),
        "log": ("certkit.cli.identity.log:log", "Show what happened to an identity, when and by whom."),
        "export": ("certkit.cli.identity.export:export", "Write the active key and certificate to a directory."),
        "copy": ("certkit.cli.identity.copy:copy", "Copy an identity to another store."),
        "remove": ("certkit.cli.identity.remove:remove", "Remove an identity and all its keys."),
    },
)
def identity() -> None:
    """Keep client credentials for partners: key, CSR, certificate and chain under one name.

    An identity has generations, each of which is written once, and a pointer to the one in use. It lives in a store: a
    directory, or HashiCorp Vault or OpenBao (--store, CERTKIT_STORE).

    \b
    Example:
      certkit identity list --store file:identities
    """


name_argument = click.argument("name", metavar="NAME", shell_complete=complete_identities)
group_option = inputs.filled_option(
    "--group", metavar="G", help="Group that may read the keys: keys 0640, directories 0750."
)
untrusted_option = inputs.file_option(
    "--untrusted", metavar="FILE", multiple=True, help="Intermediate certificates that complete the chain, PEM."
)
ca_option = inputs.file_option("--ca", metavar="FILE", help="CA certificates to trust, PEM.")
probe_option = click.option("--no-probe", is_flag=True, help="Skip the probe this once.")


def deploy_option(when: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --deploy-hook; `when` says which activations run the program."""
    text = f"Program to run after {when}: a path, or a hook in the host configuration."
    return inputs.file_option("--deploy-hook", metavar="PROGRAM|NAME", help=text)


def given_policy(name: str) -> str | None:
    """Return the policy that was named on the command line; None if it is the option's default."""
    source = click.get_current_context().get_parameter_source("policy_name")
    return None if source is ParameterSource.DEFAULT else name


def in_identities(
    command: Callable[..., int], opened: Callable[..., AbstractContextManager[Any]] = identities
) -> Callable[..., Any]:
    """Give a command --store and --passphrase-file, and pass it the store's identities (`certkit.store`)."""

    @store_option
    @inputs.passphrase_option
    @reporting
    @functools.wraps(command)
    def wrapped(output: Output, *args: Any, store_uri: str | None, passphrase_file: str | None, **kwargs: Any) -> int:
        with opened(store_uri, output, inputs.passphrase(passphrase_file)) as store:
            return command(output, store, *args, **kwargs)

    return wrapped


def in_store(command: Callable[..., int]) -> Callable[..., Any]:
    """Give a command --store and --passphrase-file, and pass it the store that they open."""
    return in_identities(command, lambda uri, output, secret: opener(output.warn).open(uri, passphrase=secret))


def print_identity(output: Output, found: Overview) -> int:
    """Show an identity after a command, and return exit code 0."""
    from certkit.report import json, text

    output.warn_of(found.findings)
    return output.done(json.identity(found), text.identity(found, paint=output.paint))


def document_of(found: Overview | Unread) -> dict[str, Any]:
    """Return the JSON of an identity in a list."""
    from certkit.identity.overview import Unread
    from certkit.report import json

    return json.unread(found) if isinstance(found, Unread) else json.identity(found)
