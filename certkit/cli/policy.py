"""`certkit policy`: partners' rules."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, reporting
from certkit.findings import Status
from certkit.printable import printable


@click.group(cls=CommandGroup)
def policy() -> None:
    """Show and check policies: partners' rules for keys, CSRs and certificates.

    \b
    Example:
      certkit policy show wise-sandbox
    """


@policy.command("list", short_help="List the built-in policies.")
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
        output.text(text.table([(each.name, each.title) for each in found]))
    return 0


@policy.command(short_help="Show a policy's rules and their sources.")
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


@policy.command(short_help="Validate a policy file of your own.")
@click.argument("path", metavar="FILE", type=inputs.FileName(allow_dash=False))
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
    for note in () if output.as_json else found.remarks:
        output.say(f"{printable(path)}: note: {printable(note)}")
    document = {"status": "ok", "name": found.name, "title": found.title, "remarks": list(found.remarks)}
    return output.done(document, f"{printable(path)}: ok, {printable(found.title)}\n")


@policy.command(short_help="Write a commented policy file to start from.")
@click.argument("name", metavar="NAME")
@inputs.new_file_option("--out", metavar="FILE", help="File to create; - is standard output.  [default: NAME.toml]")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@reporting
def new(output: Output, *, name: str, out: str | None, force: bool) -> int:
    """Write a policy file with every key of the format, commented out and explained.

    \b
    Example:
      certkit policy new acme
    """
    import shlex
    from pathlib import Path

    from certkit.api.rules import new_policy
    from certkit.files import writing

    text = new_policy(name)
    path = out or f"{name}.toml"
    if path == inputs.STDIN:
        inputs.require_no_json(output)
        output.result(text)
        return 0
    writing.publish_public(Path(path), text.encode(), force=force)
    next_step = f"{printable(path)}: fill it in, then: certkit policy validate {printable(shlex.quote(path))}\n"
    return output.done({"status": "ok", "changed": True, "path": path}, next_step)


@policy.command(short_help="List the partners that would accept a CSR or certificate.")
@inputs.file_argument("source", metavar="CSR|CERT")
@reporting
def which(output: Output, *, source: str) -> int:
    """Check a CSR or certificate against every shipped policy, and list which partners would accept it.

    Exits 0 if at least one would, 2 if none would.

    \b
    Example:
      certkit policy which acme.csr
    """
    from certkit.api.rules import which_policy
    from certkit.report import policies

    found = which_policy(inputs.data(source))
    if output.as_json:
        output.document(
            [
                {"policy": each.policy, "status": each.status.value, "reasons": [bad.message for bad in each.reasons]}
                for each in found
            ]
        )
    else:
        output.text(policies.compared(found, only_good=output.quiet))
    return 0 if any(each.status in {Status.OK, Status.WARNING} for each in found) else 2
