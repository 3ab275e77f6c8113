"""`certkit completion`: shell completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from certkit.cli.boundary import write_result
from certkit.cli.shared.commands import certkit

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice([*_SHELLS]))
def completion(shell: str) -> int:
    """Print a shell completion script.

    \b
    Example:
      certkit completion bash > ~/.local/share/bash-completion/completions/certkit
    """
    script = _SHELLS[shell](certkit, {}, "certkit", "_CERTKIT_COMPLETE")
    write_result(script.source_template % script.source_vars() + "\n")
    return 0
