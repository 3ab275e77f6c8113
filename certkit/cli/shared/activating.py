"""How commands put a generation to use: with a probe, for an identity that has an address for it, and with hooks."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.stores import FILE, programs_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.findings import Finding
    from certkit.identity.activate import Activation, Deployment, Probe
    from certkit.stores.base import Identity, Store
    from certkit.stores.record import Settings

_HOOKS = "deploy.d"
# What a record in Vault says of a hook that was a path on a host: never the path.
HOOK_OF_A_HOST = "(named on the command line of)"


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


def how(store: Store, identity: Identity, *, deploy_hook: str | None, no_probe: bool = False) -> Activation:
    """How a generation of this identity is put to use.

    Raises:
        InputError: the directory of hooks cannot be read, or the address to probe is none.
    """
    from certkit.identity.activate import Activation

    settings = None if no_probe else identity.record.settings
    return Activation(
        probe=None if settings is None or settings.probe is None else _guard(store, settings),
        deployment=_deployment(store, identity, deploy_hook),
    )


def _deployment(store: Store, identity: Identity, typed: str | None) -> Deployment:
    """Find the hooks of an identity: of deploy.d, of its settings, owed from an earlier run, and named for this one."""
    from certkit.identity.activate import Deployment
    from certkit.identity.programs import storable_hook

    found, name, record = programs_for(store), identity.name, identity.record
    owed = record.undeployed_hook if record.undeployed == record.active else None
    programs = found.deploy_d(hooks_directory(store, name))
    named = [each for each in (record.settings.deploy_hook, owed) if each is not None]
    asked = lacking = None
    if typed is not None:
        programs.append(found.typed_hook(typed, identity=name))
        if found.own is not None or typed in found.host.hooks:
            asked = storable_hook(typed, found.own, found.host)
        else:
            asked = f"{HOOK_OF_A_HOST} {socket.gethostname()}"
    for text in dict.fromkeys(named):
        if text.startswith(HOOK_OF_A_HOST):
            lacking = text if typed is None else None
        elif text != asked:
            programs.append(found.stored_hook(text, identity=name))
    return Deployment(programs=programs, environment=found.variables, asked=asked, typed=typed, lacking=lacking)


def _guard(store: Store, settings: Settings) -> Probe:
    """A question to the partner: what it says to a generation's certificate, at the identity's address for that."""
    from certkit import probe
    from certkit.cli.probe import url_of
    from certkit.identity import credentials
    from certkit.identity.addresses import require_allowed

    own = settings.probe if settings.probe != "policy" else None
    if own is not None:
        require_allowed(store, own, inputs.policy(settings.policy))
    where = probe.target(own or url_of(settings.policy))

    def ask(identity: Identity, number: str) -> Finding:
        shown = credentials.shown(store, identity, number)
        found = probe.probe(where, credentials=shown.credentials, anchors=shown.anchors, now=inputs.now())
        return found.verdict_on_certificate()

    return ask


def hooks_directory(store: Store, name: str) -> Path:
    """Where the hooks of an identity are: beside it in a directory, for Vault with the user's configuration."""
    if store.uri.startswith(FILE):
        return Path(store.uri.removeprefix(FILE).partition("?")[0]) / name / "hooks" / _HOOKS
    import platformdirs

    return platformdirs.user_config_path("certkit") / _HOOKS
