"""`certkit wise ca`: create the trust bundle of a server that Wise calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command()
@inputs.file_argument("sources", metavar="CA...", nargs=-1, required=True)
@inputs.new_file_option("--out", metavar="BUNDLE", required=True, help="Trust bundle to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@reporting
def ca(output: Output, *, sources: tuple[str, ...], out: str, force: bool) -> int:
    """Create the trust bundle for the server that receives Wise's webhooks, and print the nginx configuration for it.

    CA is the file downloaded with "Get Wise Certificate" in Developer Hub. Only CA certificates that are valid now are
    accepted.

    \b
    Example:
      certkit wise ca wise-ca.pem --out webhook-ca.pem
    """
    from certkit.api.webhooks import webhook_ca

    if out == "-":
        hint = "nginx reads it by its path: give --out FILE"
        raise InputError("the trust bundle cannot be written to standard output", hint=hint)
    made = webhook_ca(map(inputs.data, sources))
    path = Path(out).absolute()
    changed = made.write(path, force=force)
    snippet = made.nginx(path)
    if output.as_json:
        subjects = [each.subject.text for each in made.certificates]
        output.document({"status": "ok", "changed": changed, "path": str(path), "subjects": subjects, "nginx": snippet})
    elif not output.quiet:
        output.result(snippet)
    return 0
