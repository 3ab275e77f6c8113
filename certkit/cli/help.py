"""`certkit help`: the help of a command."""

from __future__ import annotations

import click

from certkit.cli.boundary import write_result
from certkit.cli.shared.commands import certkit


@click.command("help")
@click.argument("command", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_(ctx: click.Context, *, command: tuple[str, ...]) -> int:
    """Show the help of a command, as `certkit COMMAND --help` does.

    \b
    Example:
      certkit help csr create
    """
    found: click.Command = certkit
    context = ctx.find_root()
    for word in command:
        if not isinstance(found, click.Group):
            context.fail(f"{context.command_path} has no subcommands: {word!r}")
        _, below, _ = found.resolve_command(context, [word])
        assert below is not None  # noqa: S101  resolve_command fails for what does not exist
        context = click.Context(below, info_name=below.name, parent=context)
        found = below
    write_result(found.get_help(context) + "\n")
    return 0
