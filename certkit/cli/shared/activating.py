"""Options of commands that activate a generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from collections.abc import Callable


def deploying(when: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --deploy-hook; `when` says which activations run the program."""
    text = f"Program to run after {when}: a path, or a hook in the host configuration."
    option: Callable[[Callable[..., Any]], Callable[..., Any]] = inputs.file_option(
        "--deploy-hook", metavar="PROGRAM|NAME", help=text
    )
    return option


def probing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --no-probe."""
    return click.option("--no-probe", is_flag=True, help="Skip the probe this once.")(command)
