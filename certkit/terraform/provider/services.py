"""The external services of the provider: stores, sources, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from certkit.expiry.scan import Judge, Scan
    from certkit.identity.activate import Activation
    from certkit.identity.issuers.base import Issuer
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.record import Settings
    from certkit.terraform.provider.boundary import Boundary

    Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of the provider block; absent values are None."""

    store: str | None = None
    passphrase_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The external services, as functions.

    `open_store` opens the store of a configuration, `issuing` the issuer of an identity (None: a person), and `look`
    judges the certificates of one source; all report warnings about the connection through their last argument.
    `how` says how a generation of an identity is activated, and `storable` returns settings as a store may hold them:
    with the hook by its absolute path, or by its name.
    """

    open_store: Callable[[Configuration, Warn], AbstractContextManager[Store]]
    issuing: Callable[[Store, StoredIdentity, Warn], AbstractContextManager[Issuer | None]]
    how: Callable[[Store, StoredIdentity], Activation]
    storable: Callable[[Store, Settings], Settings]
    look: Callable[[str, Judge, Configuration, Warn], Scan]
    now: Callable[[], datetime]


class Host(Protocol):
    """The part of the provider that resources and data sources need."""

    configuration: Configuration

    @property
    def services(self) -> Services:
        """The external services."""

    def store(self, boundary: Boundary) -> AbstractContextManager[Store]:
        """Open the provider's store; warnings go to the boundary."""


class OfProvider:
    """What resources and data sources have in common: the provider, and the name after the provider's."""

    name: ClassVar[str]

    def __init__(self, provider: Host) -> None:
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        """Return the name, as tf asks for it."""
        return cls.name
