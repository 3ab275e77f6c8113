"""`certkit identity prune`: delete keys and certificates of past generations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import identities_of, in_store
from certkit.errors import CertkitError, InputError
from certkit.findings import Status, exit_code, roll_up
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Identity, Store


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--all", "all_", is_flag=True, help="Prune every identity in the store; continue after failures.")
@click.option(
    "--keep", type=click.IntRange(min=0), default=3, show_default=True, help="Number of past generations to keep."
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted without changing anything.")
@in_store
def prune(output: Output, store: Store, *, name: str | None, all_: bool, keep: int, dry_run: bool) -> int:
    """Delete the keys and certificates of past generations; what the log says about them stays.

    The active generation, the one that `rollback` would choose, pending and issued ones are never deleted.

    \b
    Example:
      certkit identity prune acme --keep 2
    """
    if (name is None) != all_:
        raise InputError("give either NAME or --all", hint="give one identity's name, or use --all")
    from certkit.stores.base import expected

    results: list[dict[str, Any]] = []
    for each, found in identities_of(output, store) if name is None else [(name, store.load(require_name(name)))]:
        try:
            results.append(_prune(store, expected(found), keep=keep, dry_run=dry_run))
        except CertkitError as error:
            if name is not None:
                raise
            output.fail(error, each)
            results.append({"name": each, "changed": False, "status": "unknown", "pruned": []})
    if output.as_json:
        output.document(results if all_ else results[0])
    elif not output.quiet:
        verb = "would be deleted" if dry_run else "were deleted"
        lines = (f"{each['name']}: {', '.join(each['pruned']) or 'no generations'} {verb}\n" for each in results)
        output.result("".join(lines))
    return exit_code(roll_up(Status(each["status"]) for each in results))


def _prune(store: Store, identity: Identity, *, keep: int, dry_run: bool) -> dict[str, Any]:
    from certkit.identity import prune as pruning

    numbers = pruning.prunable(identity, keep=keep)
    if not dry_run:
        pruning.prune(store, identity, keep=keep)
    return {"name": identity.name, "changed": bool(numbers) and not dry_run, "status": "ok", "pruned": numbers}
