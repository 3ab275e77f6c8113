"""`certkit identity activate`: put a generation to use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_store, name_argument, tell
from certkit.cli.shared import activating, inputs
from certkit.stores.record import require_name

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@name_argument
@click.argument("generation", metavar="[GENERATION]", required=False)
@activating.deploying
@activating.probing
@in_store
def activate(output: Output, store: Store, *, name: str, generation: str | None, **options: Any) -> int:
    """Put a generation to use: the one that is named, or the one that was installed last.

    An identity with an address to probe is tried there first, and nothing moves if the partner refuses it. Then the
    deploy hooks run; again without a change only those of a run in which one failed.

    \b
    Example:
      certkit identity activate acme
    """
    from certkit.identity import activate as activation

    is_repaired = store.repair(require_name(name))
    if is_repaired:
        output.warn(f"{name}: the pointer was a copy of a generation, and is a link again")
    identity = store.load(name)
    how = activating.how(store, identity, **options)
    done = activation.activate(store, identity, generation, how=how, now=inputs.now())
    return tell(output, replace(done, changed=done.changed or is_repaired))
