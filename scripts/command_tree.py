"""Every command of certkit, for the scripts that write pages about them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from certkit.cli.shared.commands import certkit

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(command: click.Command = certkit, context: click.Context | None = None) -> Iterator[click.Context]:
    """Yield the context of each command, a group before the commands below it."""
    context = context or click.Context(command, info_name="certkit")
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, info_name=name, parent=context))


def synopsis(context: click.Context) -> str:
    """Return the arguments of a command as its usage line shows them."""
    return " ".join(context.command.collect_usage_pieces(context))


def paragraphs(command: click.Command) -> Iterator[tuple[str, bool]]:
    """Yield the paragraphs of a command's help, and whether each is preformatted (click's mark for that)."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield paragraph.removeprefix("\b\n"), True
        else:
            yield " ".join(paragraph.split()), False


def options(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the options of a command, as its help page shows them, and what they mean."""
    for each in context.command.get_params(context):
        if record := each.get_help_record(context):
            yield record
