"""`certkit identity prune`: delete keys and certificates of past generations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_identities
from certkit.cli.shared.stores import complete_identities
from certkit.errors import InputError
from certkit.findings import Status, exit_code, roll_up

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_identities)
@click.option("--all", "all_", is_flag=True, help="Prune every identity in the store; continue after failures.")
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Number of past generations to keep.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted without changing anything.")
@in_identities
def prune(output: Output, store: IdentityStore, *, name: str | None, all_: bool, keep: int, dry_run: bool) -> int:
    """Delete the keys and certificates of past generations. Their log entries stay.

    Never deletes the active generation, the one that `rollback` would choose, or any that is pending or issued.

    \b
    Example:
      certkit identity prune acme --keep 2
    """
    from certkit.identity.overview import Unread
    from certkit.report import json

    if (name is None) != all_:
        raise InputError("give either NAME or --all", hint="see `certkit identity prune --help`")

    def work(each: str) -> dict[str, Any]:
        numbers = list(store.prune(each, keep=keep, dry_run=dry_run))
        return {"name": each, "changed": bool(numbers) and not dry_run, "status": "ok", "pruned": numbers}

    results = list(store.every(work)) if name is None else [work(name)]
    for each in results:
        if isinstance(each, Unread):
            output.fail(each.error, each.name)
    failed: dict[str, Any] = {"changed": False, "pruned": []}
    documents = [
        {"name": each.name, **failed, **json.error(each.error)} if isinstance(each, Unread) else each
        for each in results
    ]
    verb = "would be deleted" if dry_run else "were deleted"
    lines = (
        f"{each['name']}: {', '.join(each['pruned']) or 'no generations'} {verb}\n"
        for each in documents
        if "error" not in each
    )
    output.done(documents if all_ else documents[0], "".join(lines))
    return exit_code(roll_up(Status(each["status"]) for each in documents))
