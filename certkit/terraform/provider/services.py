"""The parts of this machine that the provider uses: stores, sources, issuers, programs, and the time."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from tf.types import Unknown

from certkit.api.arguments import now, secret_line
from certkit.api.handle import opener
from certkit.api.machine import Machine
from certkit.errors import InputError
from certkit.policy import catalogue
from certkit.secret import MAX_PASSPHRASE_BYTES
from certkit.stores.base import NoStoreError
from certkit.stores.opening import require_uri
from certkit.terraform.provider.boundary import Boundary

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from tf.utils import Diagnostics

    from certkit.expiry.scan import Judge, Scan
    from certkit.stores.base import AbsentError, Store
    from certkit.stores.opening import Opener
    from certkit.stores.record import Settings
    from certkit.terraform.provider.schema import Config


class Host:
    """This machine, by its environment and the provider's block; warnings go to the boundary."""

    configuration: Config = {"store": None, "passphrase_file": None}  # noqa: RUF012  replaced, never changed

    def now(self) -> datetime:
        """Return the present."""
        return now()

    def boundary(self, diagnostics: Diagnostics) -> Boundary:
        """Return a boundary whose hints name the store of the provider."""
        uri = self.configuration["store"]
        return Boundary(diagnostics, uri if isinstance(uri, str) else None)

    def store(self, boundary: Boundary) -> AbstractContextManager[Store]:
        """Open the store of the provider.

        Raises:
            InputError: if it cannot be reached, or its URI is not known yet.
        """
        return self._opener(boundary).open(**self._known())

    def require_store(self, boundary: Boundary) -> None:
        """Refuse a URI that is given and not that of a store; what needs no store does not need a default one either.

        Raises:
            InputError: if it has another form.
        """
        uri = self.configuration["store"]
        if uri is None:
            uri = self._opener(boundary).environment.get("CERTKIT_STORE") or None
        if isinstance(uri, str):
            require_uri(uri)

    def machine(self, boundary: Boundary) -> Machine:
        """Return the issuers, deploy hooks and probes of this machine."""
        return Machine(opener=self._opener(boundary), policy=catalogue.load)

    def storable(self, store: Store, settings: Settings, boundary: Boundary) -> Settings:
        """Return settings as a store may hold them: programs by their absolute paths, or by their names."""
        programs = {"issuer": settings.issuer, "deploy_hook": settings.deploy_hook}
        return replace(settings, **self.machine(boundary).storable(store, programs))

    def look(self, source: str, judge: Judge, boundary: Boundary) -> Scan:
        """Judge the certificates of a source."""
        from certkit.api.scanning import scanned

        known = self._known()
        opening = functools.partial(self._opener, boundary)
        return scanned([source], judge, opening, store=known["uri"], passphrase=known["passphrase"])

    @staticmethod
    @functools.lru_cache(maxsize=1)  # requests are answered one after the other
    def _opener(boundary: Boundary) -> Opener:
        return replace(opener(None), warn=boundary.warn)

    def _known(self) -> dict[str, Any]:
        """Return the URI of the store and the passphrase of its keys, each None if there is none.

        Raises:
            InputError: if one is not known yet, or the file of the passphrase cannot be read.
        """
        uri, file = self.configuration["store"], self.configuration["passphrase_file"]
        if uri is Unknown or file is Unknown:
            hint = "give it as text or as a variable, or apply first what it depends on"
            raise InputError("the store of the provider is not known yet", hint=hint)
        variables, limit = opener(None).environment, MAX_PASSPHRASE_BYTES
        return {
            "uri": uri,
            "passphrase": secret_line(file, variables, "CERTKIT_PASSPHRASE", "passphrase", limit=limit),
        }


def require_removed(error: AbsentError) -> None:
    """Accept that an identity or its certificate was removed, but not that the whole store is not there.

    Raises:
        NoStoreError: if the store does not exist; new keys in a directory that is not mounted would replace the others.
    """
    if isinstance(error, NoStoreError):
        error.hint = "mount its directory, or correct `store`; if it is lost for good: terraform state rm ADDRESS"
        raise error


class OfProvider:
    """What resources and data sources have in common: the provider, and the name after the provider's."""

    name: ClassVar[str]

    def __init__(self, provider: Host) -> None:
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        """Return the name, as tf asks for it."""
        return cls.name
