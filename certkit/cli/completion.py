"""`certkit completion`: shell completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from certkit.cli.boundary import write_result
from certkit.errors import InputError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a shell completion script.

    \b
    Example:
      certkit completion bash > ~/.local/share/bash-completion/completions/certkit
    """
    from certkit.cli.shared.commands import certkit

    kind = get_completion_class(shell)
    if kind is None:
        raise InputError(f"no completion for {shell}", hint="update click")
    script = kind(certkit, {}, "certkit", "_CERTKIT_COMPLETE")
    write_result(script.source_template % script.source_vars() + "\n")
    return 0
