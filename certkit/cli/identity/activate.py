"""`certkit identity activate`: put a generation to use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import in_identities, name_argument, tell
from certkit.cli.shared import activating

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@click.argument("generation", metavar="[GENERATION]", required=False)
@activating.deploying
@activating.probing
@in_identities
def activate(output: Output, store: IdentityStore, *, name: str, generation: str | None, **options: Any) -> int:
    """Put a generation to use: the one that is named, or the one that was installed last.

    An identity with an address to probe is tried there first, and nothing moves if the partner refuses it. Then the
    deploy hooks run; again without a change only those of a run in which one failed.

    \b
    Example:
      certkit identity activate acme
    """
    return tell(output, store.activate(name, generation, **options))
