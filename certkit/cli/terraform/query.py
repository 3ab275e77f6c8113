"""`certkit terraform query`: answer a query of Terraform's data source `external`."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certkit.cli.shared.output import Output
    from certkit.expiry.sources.base import Source
    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.terraform.external import ExternalAnswer, Query


_TIMEOUT_SECONDS = 10.0


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
    from certkit.cli.shared.stores import opener
    from certkit.terraform.external import about_identity, about_source

    secret = inputs.passphrase(passphrase_file)
    with contextlib.ExitStack() as stack:
        store = functools.cache(lambda: stack.enter_context(opener(output.warn).open(asked.store, passphrase=secret)))
        if asked.identity is not None:
            return about_identity(asked, store(), name=asked.identity, policy_of=inputs.policy, now=inputs.now())
        sources = _sources(asked.source or "", output, secret, store=store, stack=stack)
        return about_source(asked, sources, policy=inputs.policy(inputs.DEFAULT_POLICY), now=inputs.now())


def _sources(
    reference: str, output: Output, secret: Secret | None, *, store: Callable[[], Store], stack: contextlib.ExitStack
) -> Iterator[Source]:
    """The sources that a reference names, as `certkit expiry` takes it, but for what may have no end: a plan waits.

    Raises:
        InputError: it names a device or a pipe.
    """
    from certkit.cli.shared.stores import opener
    from certkit.expiry.sources.parsing import SourceAccess, parse
    from certkit.files import reading

    if reading.is_special(reference) and not reading.is_directory(reference):
        raise InputError(f"cannot read {reference}: it is a device or a pipe", hint="name a file")
    vault = functools.cache(lambda: stack.enter_context(opener(output.warn).connect()))
    return parse(
        [reference],
        SourceAccess(
            passphrase=secret,
            timeout=_TIMEOUT_SECONDS,
            client=None,
            store=store,
            vault=vault,
            stdin=inputs.chunks,
            now=inputs.now(),
        ),
    )
