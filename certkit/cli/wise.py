"""`certkit wise`: the Wise Platform."""

from __future__ import annotations

import click

from certkit.cli.commands import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "rehearse": ("certkit.cli.wise_rehearse:rehearse", "Run a stand-in for Wise on this machine."),
    },
)
def wise() -> None:
    """Work with the Wise Platform, or with a stand-in for it on this machine.

    \b
    Example:
      certkit wise rehearse --dir rehearsal --port 0
    """
