"""`certkit terraform install-provider`: the provider certkit/certkit, without a registry."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command()
@inputs.file_option("--mirror", metavar="DIR", help="The filesystem mirror.  [default: ~/.terraform.d/plugins]")
@click.option("--dev-override", is_flag=True, help="Print what makes Terraform use the provider without init.")
@reporting
def install_provider(output: Output, *, mirror: str | None, dev_override: bool) -> int:
    """Put the provider certkit/certkit into a filesystem mirror, and print the configuration for it.

    The configuration belongs in ~/.terraformrc, or the file that TF_CLI_CONFIG_FILE names; the default mirror is found
    without. The provider runs with the Python that this command runs with, and needs no network. Done again, it changes
    nothing.

    \b
    Example:
      certkit terraform install-provider --mirror mirror
    """
    from certkit.__about__ import __version__
    from certkit.terraform.provider import mirror as mirrors

    if importlib.util.find_spec("tf") is None:
        raise InputError("cannot run the provider: tf is not installed", hint="pip install 'certkit[terraform]'")
    # Not resolved: the interpreter of a virtual environment is a link.
    directory = Path(os.path.abspath(mirror)) if mirror else Path.home() / ".terraform.d" / "plugins"
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
            }
        )
    else:
        if not output.quiet:
            output.say(f"certkit/certkit {found.version} is in {found.directory}")
        output.result(configuration)
    return 0
