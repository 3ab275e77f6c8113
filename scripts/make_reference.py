"""Write docs/reference/commands.md from the commands' own help.

python -m scripts.make_reference
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.command_tree import commands, options, paragraphs, synopsis

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
BEGIN = """\
# Commands

Every command and option, as `certkit COMMAND --help` and the manual pages have them. This page is written by
`python -m scripts.make_reference`.

Every command takes `--help`, and [exits](exit-codes.md) with 0, 1, 2 or 3. Most take `--json` ([documents](json.md)),
`-q` (print only problems) and `-v` (explain more).
"""
EVERYWHERE = ("--help", "--json", "-q, --quiet", "-v, --verbose")


def page() -> str:
    """Return the whole page."""
    return BEGIN + "".join(line for context in commands() for line in _section(context))


def _section(context: click.Context) -> Iterator[str]:
    command = context.command
    if isinstance(command, click.Group) and context.parent is not None:
        return  # its commands say it
    yield f"\n## {context.command_path}\n\n```\n{context.command_path} {synopsis(context)}\n```\n"
    for text, stands in paragraphs(command):
        if stands:
            label, _, rest = text.partition("\n")
            yield f"\n{label.strip()}\n\n```sh\n{textwrap.dedent(rest).strip()}\n```\n"
        else:
            yield f"\n{_escaped(text)}\n"
    own = [(names, text) for names, text in options(context) if not names.endswith(EVERYWHERE)]
    if own:
        yield "\n| option | |\n|---|---|\n"
        yield from (f"| `{names.replace('|', chr(92) + '|')}` | {_escaped(text)} |\n" for names, text in own)
    if isinstance(command, click.Group):
        yield "\n| command | |\n|---|---|\n"
        for below in commands(command, context):
            if below is not context and not isinstance(below.command, click.Group):
                anchor = below.command_path.replace(" ", "-")
                text = below.command.get_short_help_str(limit=200)
                yield f"| [`{below.command_path}`](#{anchor}) | {_escaped(text)} |\n"


def _escaped(text: str) -> str:
    for mark in "*_<|":
        text = text.replace(mark, f"\\{mark}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
