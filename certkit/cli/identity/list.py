"""`certkit identity list`: show all identities of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import identities_of, in_store, overview_of
from certkit.errors import CertkitError
from certkit.findings import Status, exit_code, roll_up

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.identity.overview import Overview
    from certkit.stores.base import Store


@click.command(name="list")
@in_store
def list_(output: Output, store: Store) -> int:
    """Show all identities of a store; the exit code is that of the worst.

    A request that has waited for three days is at least a warning.

    \b
    Example:
      certkit identity list --store file:identities
    """
    from certkit.report import json, text
    from certkit.stores.base import expected

    found: list[Overview] = []
    errors: list[tuple[str, CertkitError]] = []
    for name, identity in identities_of(output, store):
        try:
            found.append(overview_of(expected(identity)))
        except CertkitError as error:
            errors.append((name, error))
    statuses = [*(each.status for each in found), *(Status.UNKNOWN for _ in errors)]
    statuses += [Status.WARNING for each in found if each.hangs]
    if output.as_json:
        output.document(
            [json.identity(each, changed=False) for each in found]
            + [json.unread(name, error) for name, error in errors]
        )
    else:
        shown = [each for each in found if not output.quiet or each.status is not Status.OK or each.hangs]
        output.result(text.identities(shown, paint=output.paint))
    for name, failed in errors:
        output.fail(failed, name)
    return exit_code(roll_up(statuses))
