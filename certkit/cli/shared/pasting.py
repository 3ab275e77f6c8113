"""Questions to a person at a terminal, and what the person types or pastes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.errors import InputError
from certkit.printable import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_END = "-----END CERTIFICATE-----"
_MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class Terminal:
    """A person at a terminal who is asked for missing values; `show` prints the progress so far."""

    show: Callable[[Any], None]

    def line(self, question: str, *, check: Callable[[str], object] | None = None) -> str | None:
        """Ask for a line, and again if `check` raises InputError for it. Return None if it is empty."""
        while True:
            answer: str = click.prompt(question, default="", show_default=False, err=True).strip()
            if not answer or check is None:
                return answer or None
            try:
                check(answer)
            except InputError as error:
                click.echo(sentences(error.message, error.hint), err=True)
            else:
                return answer

    def choice(self, question: str, choices: Sequence[str]) -> str:
        """Ask for one of some words; the first is the default."""
        answer: str = click.prompt(question, type=click.Choice(choices), default=choices[0], err=True)
        return answer

    def visit(self, url: str) -> None:
        """Ask the person to open a page."""
        click.echo(f"Open this page, choose an account and grant access: {url}", err=True)

    def certificate(self, what: str, found: Any) -> str | None:
        """Show the situation, and read certificates up to the first END line or from a file. Return None for Enter."""
        self.show(found)
        click.echo(f"Paste {what}, or type the name of its file (press Enter to do this later):", err=True)
        lines: list[str] = []
        while len(lines) < _MAX_LINES and (read := sys.stdin.readline()):
            text = read.strip()
            if not lines and text and not text.startswith("-----"):
                return inputs.read(text).decode("ascii", "replace")
            if not text and not lines:
                return None
            lines.append(text)
            if text == _END:
                break
        return "\n".join([*lines, ""]) or None
