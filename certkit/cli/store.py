"""`certkit store`: the place where identities live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_identities
from certkit.cli.shared.commands import CommandGroup

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.group(cls=CommandGroup)
def store() -> None:
    """Check and migrate the store of identities: a directory, HashiCorp Vault or OpenBao.

    \b
    Example:
      certkit store check --store file:identities
    """


@store.command(short_help="Check whether a store works, and what is missing.")
@in_identities
def check(output: Output, store: IdentityStore) -> int:
    """Check a store: what works, what is missing, and how to fix it.

    \b
    Example:
      certkit store check --store file:identities
    """
    return output.report(store.check())


@store.command(short_help="Convert identities created by certkit 0.1.0.")
@click.argument("name", metavar="[NAME]", required=False)
@in_identities
def migrate(output: Output, store: IdentityStore, *, name: str | None) -> int:
    """Convert identities created by certkit 0.1.0: settings, state and log become separate documents.

    In Vault this needs the operator's token. First review what the old record trusts and runs: it was writable by
    everyone who can move the pointer.

    \b
    Example:
      certkit store migrate --store file:identities
    """
    changed = store.migrate(name)
    document = {"changed": bool(changed), "migrated": list(changed), "status": "ok"}
    return output.done(document, "".join(f"{each} migrated\n" for each in changed) or "nothing to migrate\n")
