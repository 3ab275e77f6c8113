"""`certkit identity export`: write the active pair to a directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import name_argument
from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.cli.shared.stores import identities, store_option
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output

# The formats of certkit.identity.export, repeated here to avoid importing it for help.
FORMS = ("pem", "pkcs12", "curl", "nginx", "kubernetes", "ghostunnel")


@click.command()
@name_argument
@inputs.named_option(
    "--out",
    "directory",
    metavar="DIR",
    required=True,
    help="Directory to write: a new one, or one written by an earlier export.",
)
@click.option("--format", "form", type=click.Choice(FORMS), default="pem", show_default=True, help="Output format.")
@inputs.file_option(
    "--deploy-hook", metavar="PROGRAM|NAME", help="Program to run after a change, with CERTKIT_NAME and others set."
)
@inputs.filled_option("--group", metavar="G", help="Group that may read the files: keys 0640, directories 0750.")
@inputs.file_option(
    "--out-passphrase-file", metavar="FILE", help="File with a passphrase for the PKCS#12 bundle, if not the store's."
)
@store_option
@inputs.passphrase_option
@reporting
def export(output: Output, *, name: str, directory: str, **options: Any) -> int:
    """Write the active key and certificate to a directory, for programs on this host.

    Run it from cron: unchanged files are not touched. Otherwise one rename puts a new directory in place, and then the
    hook runs.

    \b
    Example:
      certkit identity export acme --out tls --format nginx
    """
    if options["form"] != "pkcs12" and options["out_passphrase_file"] is not None:
        problem = f"--out-passphrase-file does not apply to --format {options['form']}: only pkcs12 is encrypted"
        raise InputError(problem, hint="leave it out, or use --format pkcs12")
    secret, of_bundle = inputs.passphrase(options["passphrase_file"]), options["out_passphrase_file"]
    protection = secret if of_bundle is None else inputs.passphrase(of_bundle)
    if options["form"] == "pkcs12" and protection is None:
        output.warn("the bundle is not encrypted. Give --out-passphrase-file to protect its key")
    with identities(options["store_uri"], output, secret) as store:
        done = store.export(
            name,
            Path(directory),
            format=options["form"],
            deploy_hook=options["deploy_hook"],
            group=options["group"],
            passphrase=protection,
        )
    document = {"name": name, "changed": done.changed, "status": done.status.value, "generation": done.generation}
    what = "was written to" if done.changed else "is unchanged in"
    text = f"generation {done.generation} of {name} {what} {directory}\n"
    return output.done(document | {"path": directory}, text)
