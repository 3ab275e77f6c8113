"""`certkit policy new`: write a commented policy file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.printable import printable


@click.command()
@click.argument("name", metavar="NAME")
@inputs.file_option("--out", metavar="FILE", help="File to create; - is standard output.  [default: NAME.toml]")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@reporting
def new(output: Output, *, name: str, out: str | None, force: bool) -> int:
    """Write a policy file with every key of the format, commented out and explained.

    \b
    Example:
      certkit policy new acme
    """
    import shlex

    from certkit.api.rules import new_policy
    from certkit.files import writing

    text = new_policy(name)
    path = out or f"{name}.toml"
    if path == inputs.STDIN:
        output.result(text)
        return 0
    if not force:
        writing.require_absent(Path(path))
    writing.publish(Path(path), text.encode(), replace=force)
    if output.as_json:
        output.document({"status": "ok", "changed": True, "path": path})
    elif not output.quiet:
        output.text(f"{printable(path)}: fill it in, then: certkit policy validate {printable(shlex.quote(path))}\n")
    return 0
