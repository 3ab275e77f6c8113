"""`certkit identity remove`: remove an identity with all its keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_identities, name_argument
from certkit.errors import InputError, RefusedError

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output
    from certkit.identity.overview import Overview


@click.command()
@name_argument
@click.option("--force", is_flag=True, help="Do not ask for confirmation; remove even if active.")
@in_identities
def remove(output: Output, store: IdentityStore, *, name: str, force: bool) -> int:
    """Remove an identity with all its keys, in every version. Asks first; an active certificate requires --force.

    \b
    Example:
      certkit identity remove acme --force
    """
    if not force:
        _ask(store.show(name))
    is_there = store.remove(name, force=True)
    what = "removed" if is_there else "does not exist; nothing changed"
    return output.done({"name": name, "changed": is_there, "status": "ok"}, f"{name} {what}\n")


def _ask(found: Overview) -> None:
    """Ask whether to remove an identity; refuse without a terminal, and if it is in use."""
    name, active = found.name, found.active
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError(f"refusing to remove {name} without confirmation (no terminal)", hint="use --force")
    if active is not None:
        hint = "use --force if it is no longer needed"
        raise RefusedError(f"refusing to remove {name}: generation {active.generation} is active", hint=hint)
    from certkit.report.words import counted

    if not click.confirm(f"Remove {name} with {counted(len(found.generations), 'generation')} and all keys?", err=True):
        raise InputError(f"{name} was not removed", hint="answer y to remove it")
