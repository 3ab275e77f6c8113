"""`certkit policy validate`: validate a policy file of your own."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.printable import printable


@click.command()
@inputs.file_argument("path", metavar="FILE")
@reporting
def validate(output: Output, *, path: str) -> int:
    """Validate a policy file of your own: its keys, their values, what it extends, and its sources.

    A mistake is reported with its line and a suggestion. Exits 0 if the policy can be used, 3 otherwise.

    \b
    Example:
      certkit policy validate ./partner.toml
    """
    from certkit.api.rules import validate_policy

    found = validate_policy(path)
    if output.as_json:
        output.document({"status": "ok", "name": found.name, "title": found.title, "remarks": list(found.remarks)})
        return 0
    for note in found.remarks:
        output.say(f"{printable(path)}: note: {printable(note)}")
    if not output.quiet:
        output.text(f"{printable(path)}: ok, {printable(found.title)}\n")
    return 0
