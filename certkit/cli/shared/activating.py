"""Options of commands that activate a generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from collections.abc import Callable


def deploying(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --deploy-hook."""
    option = inputs.file_option(
        "--deploy-hook",
        metavar="PROGRAM|NAME",
        help="Program to run after each activation: a path, or a hook in the host configuration.",
    )
    decorated: Callable[..., Any] = option(command)
    return decorated


def probing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --no-probe."""
    return click.option("--no-probe", is_flag=True, help="Skip the probe this once.")(command)
