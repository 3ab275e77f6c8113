"""`certkit policy show`: show a policy's rules, and where each was read."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting


@click.command()
@click.argument("reference", metavar="POLICY", shell_complete=inputs.complete_policies)
@reporting
def show(output: Output, *, reference: str) -> int:
    """Show a policy's rules, with the source and date of each. POLICY is a name or the path of a TOML file.

    \b
    Example:
      certkit policy show wise-sandbox
    """
    from certkit.policy import catalogue
    from certkit.policy import format as files
    from certkit.report import policies

    found = catalogue.load(reference)
    notes = files.notes(found, inputs.now().date())
    if output.as_json:
        output.document({**files.as_document(found), "remarks": notes})
    else:
        output.text(policies.shown(found, notes))
    return 0
