"""`certkit identity retire`: take a generation out of use for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_identities, name_argument, print_identity
from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@inputs.filled_argument("generation", metavar="GENERATION")
@in_identities
def retire(output: Output, store: IdentityStore, *, name: str, generation: str) -> int:
    """Take a generation out of use for good. The active one cannot be retired.

    \b
    Example:
      certkit identity retire acme 0001
    """
    return print_identity(output, store.retire(name, generation))
