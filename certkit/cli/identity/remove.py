"""`certkit identity remove`: remove an identity with all its keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store, name_argument
from certkit.errors import InputError, RefusedError
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Identity, Store


@click.command()
@name_argument
@click.option("--force", is_flag=True, help="Do not ask for confirmation; remove even if active.")
@in_store
def remove(output: Output, store: Store, *, name: str, force: bool) -> int:
    """Remove an identity with all its keys and every version of them. It asks first; what is in use needs --force.

    \b
    Example:
      certkit identity remove acme --force
    """
    from certkit.stores.base import AbsentError

    is_there = True
    try:
        identity = store.load(require_name(name))
    except AbsentError:
        if not force:
            raise
        is_there = False
    if not force:
        _ask(identity)
    store.remove(name)  # what a run that was killed has left, too
    if output.as_json:
        output.document({"name": name, "changed": is_there, "status": "ok"})
    elif not output.quiet:
        output.result(f"{name} removed\n" if is_there else f"{name} does not exist; nothing changed\n")
    return 0


def _ask(identity: Identity) -> None:
    """Ask whether to remove an identity.

    Raises:
        InputError: nobody can be asked, or the answer is no.
        RefusedError: it is in use.
    """
    name, active = identity.name, identity.record.active
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError(f"{name}: nobody can be asked whether to remove it", hint="use --force")
    if active is not None:
        raise RefusedError(
            f"refusing to remove {name}: generation {active} is active", hint="use --force if it is no longer needed"
        )
    if not click.confirm(f"Remove {name} with {len(identity.generations)} generations and keys?", err=True):
        raise InputError(f"{name} was not removed", hint="answer y to remove it")
