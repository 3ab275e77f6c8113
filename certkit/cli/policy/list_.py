"""`certkit policy list`: list the built-in policies."""

from __future__ import annotations

import click

from certkit.cli.shared.output import Output, reporting


@click.command("list")
@reporting
def list_(output: Output) -> int:
    """List the built-in policies.

    \b
    Example:
      certkit policy list
    """
    from certkit.api.rules import policies
    from certkit.report import text

    found = policies()
    if output.as_json:
        output.document([{"name": each.name, "title": each.title, "summary": each.summary} for each in found])
    else:
        output.text(text.policies([(each.name, each.title) for each in found]))
    return 0
