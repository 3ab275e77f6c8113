"""The option --store, and stores opened with the environment of the command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from certkit.api.machine import Machine
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output
    from certkit.secret import Secret
    from certkit.stores.opening import Opener


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --store, and --proxy for Vault."""
    option = click.option(
        "--store",
        "store_uri",
        metavar="URI",
        help="file:DIR or vault://MOUNT/PREFIX (or CERTKIT_STORE).  [default: in the user's data directory]",
    )
    decorated: Callable[..., Any] = option(inputs.proxy_option(command))
    return decorated


def complete_identities(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of identities in the shell, from a directory only, because Vault may be slow."""
    from click.shell_completion import CompletionItem

    from certkit.errors import CertkitError

    uri = context.params.get("store_uri") or os.environ.get("CERTKIT_STORE")
    if uri is not None and uri.startswith("vault://"):
        return []
    try:
        with opener(lambda _: None).open(uri) as store:
            return [CompletionItem(name) for name in store.names() if name.startswith(incomplete)]
    except CertkitError:
        return []


def opener(warn: Callable[[str], None]) -> Opener:
    """Return an object that opens stores and Vault, using the environment and the file given by --config."""
    from pathlib import Path

    from certkit.cli.shared.output import explain
    from certkit.stores.opening import Opener

    context = click.get_current_context(silent=True)
    named = context.find_root().params.get("config_file") if context else None
    return Opener(os.environ, inputs.now, warn, Path(named) if named else None, explain)


def machine(warn: Callable[[str], None]) -> Machine:
    """Return the services of this machine that identities need; warn if a policy is retired."""
    from certkit.api.machine import Machine

    return Machine(opener=opener(warn), policy=inputs.policy)


def identities(uri: str | None, output: Output, passphrase: Secret | None) -> IdentityStore:
    """Return the store at a URI, else at CERTKIT_STORE, else the default one."""
    from certkit.api.handle import StoreHandle
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import progress

    here = machine(output.warn)
    return IdentityStore(StoreHandle(uri, passphrase, here.opener), here, progress)
