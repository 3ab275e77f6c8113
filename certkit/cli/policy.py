"""`certkit policy`: partners' rules."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.cli.shared.output import Output, reporting
from certkit.printable import printable


@click.group(
    cls=LazyGroup,
    lazy={
        "list": ("certkit.cli.policy:list_", "Show the policies that certkit brings."),
        "show": ("certkit.cli.policy:show", "Show a policy's rules, and where they were read."),
        "validate": ("certkit.cli.policy:validate", "Check a policy file of your own."),
    },
)
def policy() -> None:
    """Show and check policies: partners' rules for keys, CSRs and certificates.

    \b
    Example:
      certkit policy show wise-sandbox
    """


@click.command("list")
@reporting
def list_(output: Output) -> int:
    """Show the policies that certkit brings.

    \b
    Example:
      certkit policy list
    """
    from certkit.policy import catalogue
    from certkit.report import text

    found = [catalogue.load(name) for name in catalogue.names()]
    if output.as_json:
        output.document([{"name": each.name, "title": each.title, "summary": each.summary} for each in found])
    else:
        output.result(text.policies(found))
    return 0


@click.command()
@click.argument("reference", metavar="POLICY", shell_complete=inputs.complete_policies)
@reporting
def show(output: Output, *, reference: str) -> int:
    """Show a policy's rules, and where and when they were read. POLICY is a name or the path of a TOML file.

    \b
    Example:
      certkit policy show wise-sandbox
    """
    from certkit.policy.format import as_document
    from certkit.report import text

    document = as_document(inputs.policy(reference))
    if output.as_json:
        output.document(document)
    else:
        output.result(text.document(document))
    return 0


@click.command()
@inputs.file_argument("path", metavar="FILE")
@reporting
def validate(output: Output, *, path: str) -> int:
    """Check a policy file of your own: its keys, its types, and what it extends.

    Exits 0 if it can be used, 3 otherwise.

    \b
    Example:
      certkit policy validate ./partner.toml
    """
    from certkit.policy import catalogue

    found = catalogue.load_file(path)
    if output.as_json:
        output.document({"status": "ok", "name": found.name, "title": found.title})
    elif not output.quiet:
        output.result(f"{printable(path)}: ok, {printable(found.title)}\n")
    return 0
