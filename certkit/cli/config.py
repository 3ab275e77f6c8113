"""`certkit config`: the configuration of this host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, reporting
from certkit.cli.shared.stores import opener

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.config import ConfiguredProgram, HostConfiguration


@click.group(cls=CommandGroup)
def config() -> None:
    """Show and check which programs, addresses and directories this host trusts.

    The files are /etc/certkit/certkit.toml, which wins, and certkit/certkit.toml in the user's configuration directory
    (or --config, CERTKIT_CONFIG).

    \b
    Example:
      certkit config check
    """


@config.command()
@reporting
def show(output: Output) -> int:
    """Show the effective configuration, and the files it comes from.

    \b
    Example:
      certkit config show --json
    """
    from certkit.printable import printable

    found = opener(output.warn).host
    if output.as_json:
        output.document(_document(found))
        return 0
    lines = [f"files             {', '.join(map(str, found.files)) or 'none'}"]
    for kind, entries in (("issuer", found.issuers), ("hook", found.hooks)):
        for name, entry in sorted(entries.items()):
            who = "all identities" if entry.allow is None else ", ".join(entry.allow) or "no identity"
            lines.append(f"{kind:<17} {name}: {' '.join(entry.command)} ({who})")
    lines += [f"host              {each}" for each in found.hosts]
    lines += [f"default store     {found.store}"] if found.store else []
    lines += [f"safe directory    {each}" for each in found.safe_directories]
    output.text("".join(f"{printable(line)}\n" for line in lines))
    return 0


@config.command(short_help="Check that the files are valid and safe, and that their programs exist.")
@reporting
def check(output: Output) -> int:
    """Check that the files are valid, that other users cannot change them, and that their programs exist.

    \b
    Example:
      certkit config check
    """
    from certkit.api.host import checked

    return output.report(checked(opener(output.warn)), "host configuration")


def _document(found: HostConfiguration) -> dict[str, Any]:
    return {
        "files": [str(each) for each in found.files],
        "issuers": _entries(found.issuers),
        "hooks": _entries(found.hooks),
        "hosts": {"allow": list(found.hosts)},
        "store": {"default": found.store, "safe_directories": list(found.safe_directories)},
        "faults": [{"message": each.message, "hint": each.hint} for each in found.faults],
    }


def _entries(entries: Mapping[str, ConfiguredProgram]) -> dict[str, Any]:
    return {
        name: {
            "command": list(entry.command),
            "allow": None if entry.allow is None else list(entry.allow),
            "environment": list(entry.environment),
            "source": str(entry.source),
        }
        for name, entry in sorted(entries.items())
    }
