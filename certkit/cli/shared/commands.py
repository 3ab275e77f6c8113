"""The tree of commands. A command's module is imported only when it is used, because start-up time is a feature."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import click

from certkit.__about__ import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class _Formatter(click.HelpFormatter):
    """A help formatter that does not break lines at hyphens, so that `vault-pki:MOUNT/ROLE` stays in one piece."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a table whose second column wraps between words; in a narrow terminal it begins on a new line."""
        table = [(first, second.replace("-", _HYPHEN)) for first, second in rows]
        if self.width >= _NARROW:
            super().write_dl(table, col_max, col_spacing)
            return
        room = f".{{1,{self.width - self.current_indent}}}"
        for first, second in table:
            # A long list of choices is continued after a |.
            lines = re.findall(rf"{room}(?:(?<=\|)|$)|{room}", first)
            self.write("".join(f"{'':{self.current_indent}}{line}\n" for line in lines))
            margin = " " * (self.current_indent + self.indent_increment)
            self.write(click.wrap_text(second, self.width, margin, margin) + "\n")

    def getvalue(self) -> str:
        """Return the text with ordinary hyphens; in a narrow terminal, long examples are continued with a backslash."""
        text = super().getvalue().replace(_HYPHEN, "-")
        if self.width >= _NARROW:
            return text
        from certkit.report.wrapping import wrapped

        lines = re.sub(r" *\\\n +", " ", text).splitlines(keepends=True)
        return "".join(
            # An example without an option stays on one line: broken elsewhere, it would be another command.
            line if line.startswith("    certkit ") and " --" not in line else wrapped(line, self.width)
            for line in lines
        )


_NARROW = 70
_ANY_LENGTH = 1000
_HYPHEN = "\N{HYPHEN}"
click.Context.formatter_class = _Formatter  # for every command; click has no parameter for it


class CommandGroup(click.Group):
    """A group that lists its commands in the order in which they are usually needed, and suggests a name for a slip.

    `lazy` maps the name of each command in a module of its own to `module:attribute` and its one-line help, so that
    such a command is imported only to run it.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were given."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported if it is in a module of its own."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101  the table above is ours
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; for an unknown name, suggest what may have been meant."""
        names = self.list_commands(ctx)
        if args and args[0] not in names:
            import difflib

            root = ctx.find_root().command
            elsewhere = [] if not isinstance(root, CommandGroup) else list(root.paths_to(args[0], ctx))
            if ctx.parent is not None:
                elsewhere = [f"{ctx.find_root().info_name} {each}" for each in elsewhere]
            near = elsewhere or difflib.get_close_matches(args[0], names, n=1)
            suggestion = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            ctx.fail(f"no such command {args[0]!r}.{suggestion}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named; an error about its arguments names the command, even where click forgets."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if error.ctx is None and command is not None:
                error.ctx = click.Context(command, info_name=ctx.invoked_subcommand, parent=ctx)
            raise

    def paths_to(self, name: str, ctx: click.Context) -> Iterator[str]:
        """Yield the commands of this name below the group, such as `identity export`; imports all of them."""
        for each in self.list_commands(ctx):
            command = self.get_command(ctx, each)
            if each == name:
                yield each
            if isinstance(command, CommandGroup):
                yield from (f"{each} {path}" for path in command.paths_to(name, ctx))

    def takes_below(self, option: str, ctx: click.Context) -> bool:
        """Return whether a command below the group has an option of this name; imports all of them."""
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if isinstance(command, CommandGroup):
                if command.takes_below(option, ctx):
                    return True
            elif command is not None and any(option in each.opts for each in command.params):
                return True
        return False

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands from their one-line help texts, without importing them."""
        rows = [(name, text) for name, (_, text) in self.lazy.items()]
        rows += [(name, command.get_short_help_str(_ANY_LENGTH)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=CommandGroup,
    lazy={
        "key": ("certkit.cli.key:key", "Create private keys."),
        "csr": ("certkit.cli.csr:csr", "Create and check certificate signing requests."),
        "inspect": (
            "certkit.cli.inspect:inspect",
            "Show the contents of keys, CSRs, certificates, CRLs and PKCS#12 files.",
        ),
        "verify": ("certkit.cli.verify:verify", "Verify a certificate: chain, dates, purpose, revocation."),
        "expiry": ("certkit.cli.expiry:expiry", "Check when certificates expire."),
        "probe": ("certkit.cli.probe:probe", "Test a client certificate against a server."),
        "identity": ("certkit.cli.identity:identity", "Manage named client credentials: enroll, install, renew."),
        "store": ("certkit.cli.store:store", "Check or migrate a store of identities."),
        "policy": ("certkit.cli.policy:policy", "Show, write and validate partners' rules."),
        "wise": ("certkit.cli.wise:wise", "Wise Platform: tokens, guided setup, webhooks, rehearsal."),
        "terraform": ("certkit.cli.terraform:terraform", "Terraform integration; no secret leaves the store."),
        "config": ("certkit.cli.config:config", "Show or check this host's configuration."),
        "completion": ("certkit.cli.completion:completion", "Print a shell completion script."),
        "help": ("certkit.cli.help:help_", "Show the help of a command."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 OK, 1 warning, 2 critical or refused, 3 unknown.",
)
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help="Host configuration to use instead of the user's (or CERTKIT_CONFIG).",
)
@click.version_option(__version__, message="certkit %(version)s", help="Show the version.")
def certkit(**_: str | None) -> None:
    """Keys, CSRs and client certificates for mutual TLS with a partner.

    \b
    Example:
      certkit csr create --policy wise-sandbox --organization "Acme Ltd" \\
          --country GB --key-out acme.key --out acme.csr
    """
