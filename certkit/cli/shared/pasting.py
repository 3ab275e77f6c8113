"""What a person types and pastes on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

_END = "-----END CERTIFICATE-----"
_MAX_LINES = 1000


def line(question: str) -> str | None:
    """A line; None where there is nothing in it."""
    answer: str = click.prompt(question, default="", show_default=False, err=True)
    return answer.strip() or None


def choice(question: str, choices: Sequence[str]) -> str:
    """One of some words, the first unless another is typed."""
    answer: str = click.prompt(question, type=click.Choice(choices), default=choices[0], err=True)
    return answer


def certificate(what: str) -> str | None:
    """Certificates as text, pasted up to the END line of one, or from a file that is named; None for Enter alone."""
    click.echo(f"Paste {what}, or type the name of its file (Enter alone: later):", err=True)
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
