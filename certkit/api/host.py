"""The configuration of this host: `certkit config` for programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from certkit.api.handle import opener
from certkit.api.signatures import public
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.api.checks import Report
    from certkit.config import HostConfiguration
    from certkit.stores.opening import Opener


@public
def host_configuration(
    file: str | Path | None = None, *, environment: Mapping[str, str] | None = None
) -> HostConfiguration:
    """Return which programs, addresses and directories this host trusts, as `certkit config show` does.

    Args:
        file: takes the place of the user's configuration; by default CERTKIT_CONFIG, else the user's file.
        environment: variables to use in place of `os.environ`.

    Raises:
        certkit.InputError: if a file cannot be understood.
    """
    return _opener(file, environment).host


@public
def check_host_configuration(file: str | Path | None = None, *, environment: Mapping[str, str] | None = None) -> Report:
    """Check that the files are valid, that other users cannot change them, and that their programs exist.

    The arguments are those of `host_configuration`.

    Raises:
        certkit.InputError: if a file cannot be understood.
    """
    return checked(_opener(file, environment))


def _opener(file: str | Path | None, environment: Mapping[str, str] | None) -> Opener:
    return replace(opener(environment), config_file=None if file is None else Path(file))


def checked(opener: Opener) -> Report:
    """Check the host configuration; what is wrong with it is reported once, as findings.

    Raises:
        InputError: if a file cannot be understood.
    """
    from certkit.api.checks import Report
    from certkit.findings import critical, ok
    from certkit.identity.programs import require_unchangeable

    found = replace(opener, warn=lambda _: None).host
    findings = [critical("config", fault.message, fault.hint) for fault in found.faults]
    for entry in (*found.issuers.values(), *found.hooks.values()):
        try:
            require_unchangeable(Path(entry.command[0]), found.trust)
        except InputError as error:
            findings.append(critical("program", error.message, error.hint))
    if not findings:
        files = ", ".join(map(str, found.files))
        findings.append(ok("config", f"{files}: valid and safe" if files else "no file; the defaults apply"))
    return Report.of("config", findings)
