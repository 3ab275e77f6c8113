"""`certkit terraform`: Terraform integration, without secrets."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, reporting
from certkit.errors import InputError


@click.group(cls=CommandGroup)
def terraform() -> None:
    """Use certkit from Terraform: facts, paths and references. No secret leaves the store.

    \b
    Example:
      certkit terraform query < query.json
    """


@terraform.command(short_help="Answer a query from Terraform's `external` data source.")
@inputs.passphrase_option
@reporting
def query(output: Output, *, passphrase_file: str | None) -> int:
    """Answer a query from Terraform's `external` data source.

    Reads one JSON object of strings from standard input: {"identity": NAME}, with or without "store", or {"source":
    SOURCE} with a source of `certkit expiry`; "warn" and "critical" change the thresholds. Prints one JSON object of
    strings, none of them a secret, and changes nothing. An unknown identity and an expired certificate are results
    (exit 0); a source or store that cannot be read is exit 3.

    \b
    Example:
      certkit terraform query < query.json
    """
    from certkit.api.external import MAX_QUERY_BYTES, answered
    from certkit.cli.shared.stores import opener
    from certkit.files import reading

    hint = """for example: echo '{"identity": "NAME"}' | certkit terraform query"""
    if sys.stdin is not None and sys.stdin.isatty():
        raise InputError("cannot read a query from standard input: it is a terminal", hint=hint)
    asked, secret = reading.standard_input(hint=hint, limit=MAX_QUERY_BYTES), inputs.passphrase(passphrase_file)
    output.document(answered(asked, opener(output.warn), secret, policy_of=inputs.policy, now=inputs.now()))
    return 0


@terraform.command("install-provider", short_help="Install the Terraform provider.")
@inputs.named_option(
    "--mirror", metavar="DIR", help="Filesystem mirror to install into.  [default: ~/.terraform.d/plugins]"
)
@click.option("--dev-override", is_flag=True, help="Print a dev_overrides configuration, which needs no init.")
@reporting
def install_provider(output: Output, *, mirror: str | None, dev_override: bool) -> int:
    """Install the provider certkit.local/certkit/certkit into a filesystem mirror, and print the configuration for it.

    The configuration belongs in ~/.terraformrc, or in the file that TF_CLI_CONFIG_FILE names; the default mirror needs
    none. The provider runs with the Python of this command and needs no network. Repeating the command changes nothing.
    A state written by certkit 0.1.0 needs the printed `terraform state replace-provider` line once.

    \b
    Example:
      certkit terraform install-provider --mirror mirror
    """
    from certkit.__about__ import __version__
    from certkit.terraform.provider import mirror as mirrors

    if importlib.util.find_spec("tf") is None:
        hint = f"install it: {sys.executable} -m pip install 'tf>=1.2'"
        raise InputError("this command needs the Python package tf", hint=hint)
    # Not resolved: in a virtual environment the interpreter is a symbolic link, and its target lacks the packages.
    home = os.path.expanduser("~")
    if mirror is None and home == "~":
        raise InputError("no default mirror: this user has no home directory", hint="give --mirror DIR")
    directory = Path(os.path.abspath(mirror)) if mirror else Path(home) / ".terraform.d" / "plugins"
    found = mirrors.install(directory, python=os.path.abspath(sys.executable), version=__version__)
    configuration = (mirrors.override_block if dev_override else mirrors.mirror_block)(found)
    if output.as_json:
        output.document(
            {
                "status": "ok",
                "changed": found.changed,
                "version": found.version,
                "path": str(found.directory),
                "configuration": configuration,
                "replace_provider": mirrors.REPLACE_PROVIDER,
            }
        )
    else:
        if not output.quiet:
            output.say(f"installed {mirrors.SOURCE} {found.version} in {found.directory}")
        output.result(configuration)
    return 0
