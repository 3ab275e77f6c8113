"""`certkit policy show`: show a policy's rules and the source of each."""

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
    from certkit.api.rules import show_policy
    from certkit.policy import catalogue
    from certkit.report import policies

    found = show_policy(reference)
    if output.as_json:
        output.document(found)
    else:
        output.text(policies.shown(catalogue.load(reference), found["remarks"]))
    return 0
