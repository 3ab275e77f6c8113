"""The outside services that the Terraform provider needs, opened as the commands open them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.cli.shared import inputs
from certkit.cli.shared.stores import machine, opener
from certkit.terraform.provider.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from certkit.expiry.scan import Judge, Scan
    from certkit.identity.activate import Activation
    from certkit.identity.issuers.base import Issuer
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.record import Settings
    from certkit.terraform.provider.services import Configuration, Warn


def services() -> Services:
    """Return the services, configured by the environment of the process."""
    return Services(open_store=_open_store, issuing=_issuing, how=_how, storable=_storable, look=_look, now=inputs.now)


@contextlib.contextmanager
def _open_store(configuration: Configuration, warn: Warn) -> Iterator[Store]:
    secret = inputs.passphrase(configuration.passphrase_file)
    with opener(warn).open(configuration.store, passphrase=secret) as store:
        yield store


def _issuing(store: Store, identity: StoredIdentity, warn: Warn) -> AbstractContextManager[Issuer | None]:
    return machine(warn).issuing(store, identity)


def _how(store: Store, identity: StoredIdentity) -> Activation:
    return machine(lambda _: None).how(store, identity)


def _storable(store: Store, settings: Settings) -> Settings:
    known, hook = machine(lambda _: None), settings.deploy_hook
    stored = None if hook is None else known.storable_hook(store, hook)
    return replace(settings, deploy_hook=stored, issuer=known.storable_issuer(store, settings.issuer))


def _look(source: str, judge: Judge, configuration: Configuration, warn: Warn) -> Scan:
    from certkit.expiry.scan import look, scan
    from certkit.expiry.sources.parsing import access, parse

    secret = inputs.passphrase(configuration.passphrase_file)
    with access(
        lambda: opener(warn), store=configuration.store, passphrase=secret, now=judge.now, stdin=inputs.chunks
    ) as access_to:
        return scan(look(parse([source], access_to), judge, may_fork=False), now=judge.now)
