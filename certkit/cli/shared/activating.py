"""How commands put a generation to use: with a probe, for an identity that has an address for it, and with hooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.stores import FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.findings import Finding
    from certkit.identity.activate import Activation, Probe
    from certkit.stores.base import Identity, Store
    from certkit.stores.record import Settings

_HOOKS = "deploy.d"


def deploying(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --deploy-hook."""
    option = inputs.file_option(
        "--deploy-hook", metavar="PROGRAM", help="Run this once another generation is in use, after those in deploy.d."
    )
    decorated: Callable[..., Any] = option(command)
    return decorated


def probing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --no-probe."""
    return click.option("--no-probe", is_flag=True, help="Do not ask the partner first, this once.")(command)


def how(store: Store, identity: Identity, *, deploy_hook: str | None, no_probe: bool = False) -> Activation:
    """How a generation of this identity is put to use.

    Raises:
        InputError: the directory of hooks cannot be read, or the address to probe is none.
    """
    from certkit.identity import hooks
    from certkit.identity.activate import Activation, Deployment

    programs: list[Path | str] = [*hooks.executables(hooks_directory(store, identity.name))]
    if deploy_hook is not None:
        programs.append(deploy_hook)
    settings = None if no_probe else identity.record.settings
    return Activation(
        probe=None if settings is None or settings.probe is None else _guard(store, settings),
        deployment=Deployment(programs=programs, environment=os.environ, asked=deploy_hook),
    )


def _guard(store: Store, settings: Settings) -> Probe:
    """A question to the partner: what it says to a generation's certificate, at the identity's address for that."""
    from certkit import probe
    from certkit.cli.probe import url_of
    from certkit.identity import credentials

    own = settings.probe if settings.probe != "policy" else None
    where = probe.target(own or url_of(settings.policy))

    def ask(identity: Identity, number: str) -> Finding:
        shown = credentials.shown(store, identity, number)
        found = probe.probe(where, credentials=shown.credentials, anchors=shown.anchors, now=inputs.now())
        return found.verdict_on_certificate()

    return ask


def hooks_directory(store: Store, name: str) -> Path:
    """Where the hooks of an identity are: beside it in a directory, for Vault with the user's configuration."""
    if store.uri.startswith(FILE):
        return Path(store.uri.removeprefix(FILE)) / name / "hooks" / _HOOKS
    import platformdirs

    return platformdirs.user_config_path("certkit") / _HOOKS
