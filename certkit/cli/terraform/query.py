"""`certkit terraform query`: answer a query of Terraform's data source `external`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.errors import InputError

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command()
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
