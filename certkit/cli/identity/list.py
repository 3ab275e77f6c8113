"""`certkit identity list`: show all identities of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import document_of, in_identities
from certkit.findings import Status, exit_code, roll_up

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command(name="list")
@in_identities
def list_(output: Output, store: IdentityStore) -> int:
    """List all identities in a store. The exit code is that of the worst one.

    A request that has been pending for three days is at least a warning.

    \b
    Example:
      certkit identity list --store file:identities
    """
    from certkit.identity.overview import Unread
    from certkit.report import text

    listed = store.list()
    found = [each for each in listed if not isinstance(each, Unread)]
    errors = [each for each in listed if isinstance(each, Unread)]
    statuses = [*(each.status for each in found), *(Status.UNKNOWN for _ in errors)]
    statuses += [Status.WARNING for each in found if each.hangs]
    if output.as_json:
        output.document([*map(document_of, found), *map(document_of, errors)])
    else:
        shown = [each for each in found if not output.quiet or each.status is not Status.OK or each.hangs]
        output.text(text.identities(shown, paint=output.paint, header=not output.quiet))
    for each in errors:
        output.fail(each.error, each.name)
    return exit_code(roll_up(statuses))
