"""`certkit identity activate`: make a generation the active one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import deploy_option, in_identities, name_argument, print_identity, probe_option
from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@inputs.filled_argument("generation", metavar="[GENERATION]", required=False)
@deploy_option("this activation only")
@probe_option
@in_identities
def activate(output: Output, store: IdentityStore, *, name: str, generation: str | None, **options: Any) -> int:
    """Make a generation the active one: GENERATION, or the one installed last.

    If the identity has a probe URL, the pair is probed first, and nothing changes if the server rejects it. Then the
    deploy hooks run. Without a change, only hooks that failed before run again.

    \b
    Example:
      certkit identity activate acme
    """
    return print_identity(output, store.activate(name, generation, **options))
