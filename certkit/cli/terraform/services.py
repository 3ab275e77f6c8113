"""What the Terraform provider needs of the world outside: opened as the commands open it."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from certkit.cli.shared import inputs
from certkit.cli.shared.issuers import issuing
from certkit.cli.shared.output import Output
from certkit.cli.shared.stores import connected, opened, programs_for
from certkit.terraform.provider.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certkit.expiry.scan import Judge, Scan
    from certkit.identity.activate import Activation
    from certkit.identity.issuers.base import Issuer
    from certkit.stores.base import Identity, Store
    from certkit.stores.record import Settings
    from certkit.terraform.provider.services import Configuration, Warn

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Told(Output):
    """Output whose warnings become Terraform's."""

    as_json: bool = False
    quiet: bool = True
    verbose: int = 0
    told: Callable[[str], None] = field(default=lambda _: None)

    def warn(self, message: str) -> None:
        """A warning, handed to Terraform."""
        self.told(message)


def services() -> Services:
    """The world outside, by the environment of the process."""
    return Services(open_store=_open_store, issuing=_issuing, how=_how, storable=_storable, look=_look, now=inputs.now)


@contextlib.contextmanager
def _open_store(configuration: Configuration, warn: Warn) -> Iterator[Store]:
    secret = inputs.passphrase(configuration.passphrase_file)
    with opened(configuration.store, _Told(told=warn), passphrase=secret) as store:
        yield store


@contextlib.contextmanager
def _issuing(store: Store, identity: Identity, warn: Warn) -> Iterator[Issuer | None]:
    with issuing(store, identity, _Told(told=warn)) as issuer:
        yield issuer


def _how(store: Store, identity: Identity) -> Activation:
    from certkit.cli.shared import activating

    return activating.how(store, identity, deploy_hook=None, no_probe=False)


def _storable(store: Store, settings: Settings) -> Settings:
    if settings.deploy_hook is None:
        return settings
    from certkit.identity.programs import storable_hook

    found = programs_for(store)
    return replace(settings, deploy_hook=storable_hook(settings.deploy_hook, found.own, found.host))


def _look(source: str, judge: Judge, configuration: Configuration, warn: Warn) -> Scan:
    from certkit.expiry.scan import look, scan
    from certkit.expiry.sources.parsing import SourceAccess, parse

    with contextlib.ExitStack() as stack:
        access = SourceAccess(
            passphrase=inputs.passphrase(configuration.passphrase_file),
            timeout=_TIMEOUT_SECONDS,
            client=None,
            store=functools.cache(lambda: stack.enter_context(_open_store(configuration, warn))),
            vault=functools.cache(lambda: stack.enter_context(connected(_Told(told=warn)))),
            stdin=inputs.chunks,
            now=judge.now,
        )
        return scan(look(parse([source], access), judge, may_fork=False), now=judge.now)
