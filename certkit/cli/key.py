"""`certkit key`: private keys."""

from __future__ import annotations

import functools
import sys

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, progress, reporting
from certkit.errors import InputError
from certkit.printable import printable

# Repeated here, so that help and completion need not import the code behind them; a test compares the two.
KEY_TYPES = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")


key_type_option = functools.partial(
    click.option, "--type", "key_type", type=click.Choice(KEY_TYPES, case_sensitive=False)
)
if_absent_option = click.option(
    "--if-absent", is_flag=True, help="Keep existing files if they match; create missing ones."
)
force_option = click.option("--force", is_flag=True, help="Replace existing files; an old key is kept as KEY.old-TIME.")


@click.group(cls=CommandGroup)
def key() -> None:
    """Create private keys.

    \b
    Example:
      certkit key generate --out acme.key
    """


@key.command(short_help="Create a private key.")
@key_type_option(help="Key type.  [default: ec-p256]")
@inputs.new_file_option("--out", required=True, metavar="KEY", help="File to create; - is standard output.")
@if_absent_option
@force_option
@inputs.passphrase_option
@reporting
def generate(
    output: Output, *, key_type: str | None, out: str, if_absent: bool, force: bool, passphrase_file: str | None
) -> int:
    """Create a private key.

    The file is PKCS#8 PEM with mode 0600 from its first byte, and is never overwritten. A passphrase encrypts the key.

    \b
    Example:
      certkit key generate --type ec-p384 --out acme.key
    """
    from certkit.api.csrs import generate_key, write_key

    secret = inputs.passphrase(passphrase_file)
    if out == inputs.STDIN:
        if output.as_json:
            raise InputError("--json never prints a private key", hint="give --out a file")
        if sys.stdout is not None and sys.stdout.isatty():
            hint = "give --out a file, or redirect the output"
            raise InputError("refusing to print a private key on a terminal", hint=hint)
        output.result(generate_key(key_type or KEY_TYPES[3], passphrase=secret, progress=progress))
        return 0
    made = write_key(out, key_type=key_type, if_absent=if_absent, force=force, passphrase=secret, progress=progress)
    output.warn_of(made.checks)
    if made.kept:
        output.say(f"the old key was kept as {made.kept}")
    if output.as_json:
        from certkit.report import json

        output.document(json.made_key(made))
    elif not output.quiet:
        what = "created" if made.changed else "already exists; nothing changed"
        output.text(f"{printable(out)}: {made.facts.type}, {what}\n")
    return 0
