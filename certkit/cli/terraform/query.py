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
    from certkit.terraform.external import ExternalAnswer, Query


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
    from certkit.terraform.external import Query

    asked = Query.parse(_standard_input())
    output.document(_answer(asked, output, passphrase_file).document())
    return 0


def _standard_input() -> bytes:
    """What Terraform writes; at a terminal, an error says what is missing.

    Raises:
        InputError: there is nothing to read, or far too much.
    """
    from certkit.files import reading
    from certkit.terraform.external import MAX_QUERY_BYTES

    hint = """for example: echo '{"identity": "NAME"}' | certkit terraform query"""
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", hint=hint)
    if sys.stdin.isatty():
        raise InputError("cannot read a query from standard input: it is a terminal", hint=hint)
    try:
        return reading.read_stream(sys.stdin.buffer, name="standard input", limit=MAX_QUERY_BYTES)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read standard input: {reason}", hint=hint) from error


def _answer(asked: Query, output: Output, passphrase_file: str | None) -> ExternalAnswer:
    """The answer; a source is one of `certkit expiry`, but for what may have no end: a plan waits.

    Raises:
        InputError: the source is a device or a pipe, or something cannot be read.
    """
    from certkit.cli.shared.stores import opener
    from certkit.expiry.sources.parsing import access, parse
    from certkit.files import reading
    from certkit.terraform.external import about_identity, about_source

    secret, now, source = inputs.passphrase(passphrase_file), inputs.now(), asked.source or ""
    with access(
        lambda: opener(output.warn), store=asked.store, passphrase=secret, now=now, stdin=inputs.chunks
    ) as access_to:
        if asked.identity is not None:
            return about_identity(asked, access_to.store(), name=asked.identity, policy_of=inputs.policy, now=now)
        if reading.is_special(source) and not reading.is_directory(source):
            raise InputError(f"cannot read {source}: it is a device or a pipe", hint="name a file")
        policy = inputs.policy(inputs.DEFAULT_POLICY)
        return about_source(asked, parse([source], access_to), policy=policy, now=now)
