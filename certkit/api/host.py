"""The configuration of this host, and the answers to Terraform: `certkit config` and `terraform query` for programs."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from certkit.api import arguments
from certkit.api.handle import opener
from certkit.api.signatures import public
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from certkit.api.arguments import Passphrase
    from certkit.api.checks import Report
    from certkit.config import HostConfiguration
    from certkit.policy.rules import Policy
    from certkit.secret import Secret
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
    return _opener(file, environment).host()


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


def checked(opening: Opener) -> Report:
    """Check the host configuration; what is wrong with it is reported once, as findings.

    Raises:
        InputError: if a file cannot be understood.
    """
    from certkit.api.checks import Report
    from certkit.findings import critical, ok, roll_up
    from certkit.identity.programs import require_unchangeable

    found = replace(opening, warn=lambda _: None).host()
    findings = [critical("config", fault.message, fault.hint) for fault in found.faults]
    for entry in (*found.issuers.values(), *found.hooks.values()):
        try:
            require_unchangeable(Path(entry.command[0]), found.trust)
        except InputError as error:
            findings.append(critical("program", error.message, error.hint))
    if not findings:
        files = ", ".join(map(str, found.files))
        findings.append(ok("config", f"{files}: valid and safe" if files else "no file; the defaults apply"))
    return Report(roll_up(each.status for each in findings), "config", tuple(findings))


@public
def terraform_query(
    query: bytes | Mapping[str, str],
    *,
    passphrase: Passphrase | None = None,
    environment: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> dict[str, str]:
    """Answer a query of Terraform's data source `external`, as `certkit terraform query` does.

    Args:
        query: `identity` with or without `store`, or `source`, and thresholds `warn` and `critical`; or that as JSON.
        passphrase: opens a sealed store or an encrypted PKCS#12.
        environment: variables to use in place of `os.environ`, such as `VAULT_ADDR`.
        now: the moment to judge; by default the present.

    Raises:
        certkit.InputError: if it is not a query, or the source cannot be read.
        certkit.StoreError: if the store cannot be read.
    """
    from certkit.policy import catalogue

    asked = query if isinstance(query, bytes) else json.dumps(dict(query)).encode()
    moment = now or arguments.now()
    return answered(asked, opener(environment), arguments.secret(passphrase), policy_of=catalogue.load, now=moment)


def answered(
    query: bytes, opening: Opener, secret: Secret | None, *, policy_of: Callable[[str], Policy], now: datetime
) -> dict[str, str]:
    """Answer a query in JSON.

    Raises:
        InputError: if it is not a query, the source cannot be read, or is a device or a pipe, for which a plan would
            wait.
        StoreError: if the store cannot be read.
    """
    from certkit.expiry.sources.parsing import access, parse
    from certkit.files import reading
    from certkit.terraform.external import Query, about_identity, about_source

    asked = Query.parse(query)
    with contextlib.ExitStack() as stack:
        if asked.identity is not None:
            store = stack.enter_context(opening.open(asked.store, passphrase=secret))
            return about_identity(asked, store, name=asked.identity, policy_of=policy_of, now=now).document()
        reference = asked.source or ""
        if reading.is_special(reference) and not reading.is_directory(reference):
            raise InputError(f"cannot read {reference}: it is a device or a pipe", hint="name a file")
        opened = stack.enter_context(access(lambda: opening, store=asked.store, passphrase=secret, now=now))
        return about_source(asked, parse([reference], opened), policy=policy_of("general"), now=now).document()
