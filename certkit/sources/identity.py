"""The certificate in use of an identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.core import objects
from certkit.errors import InputError
from certkit.sources.base import Failure, Reason, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cryptography import x509

    from certkit.sources.base import Seen
    from certkit.stores.base import Store

SCHEME = "identity:"


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """What an identity has in use, with the certificates above it."""

    store: Store
    name: str

    @property
    def weight(self) -> int:
        """No file of many."""
        return 0

    def parts(self) -> Iterable[IdentitySource]:
        """Itself."""
        return (self,)

    def look(self) -> Iterator[Seen]:
        """The certificate in use; none in use is a failure, for somebody counts on it."""
        source = f"{SCHEME}{self.name}"
        try:
            found = self._active()
        except InputError as error:
            yield Failure(source, f"cannot read, {source}: {error.message}", error.hint, Reason.STORE_FAILED)
            return
        if found is None:
            hint = f"see what it waits for: certkit identity show {self.name}"
            message = f"cannot read, {source}: no generation is active"
            yield Failure(source, message, hint, Reason.NO_CERTIFICATE_FOUND)
            return
        for number, certificate in enumerate(found):
            yield Sighting(source, certificate, is_leaf=number == 0)

    def _active(self) -> list[x509.Certificate] | None:
        identity = self.store.load(self.name)
        for generation in identity.generations:
            if generation.number == identity.record.active and generation.issued is not None:
                return objects.certificates(generation.issued.fullchain, name=f"generation {generation.number}")
        return None
