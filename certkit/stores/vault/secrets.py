"""The secrets of a store in Vault: read and written so that nobody's work is lost, and named in messages."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from certkit.errors import StoreError
from certkit.secret import Secret
from certkit.stores import record as identity
from certkit.stores.base import AbsentError, no_generation
from certkit.stores.vault import layout
from certkit.stores.vault.layout import KEY
from certkit.stores.vault.writes import all_expected, has_mark, marked, put
from certkit.vault.errors import Kind, VaultError
from certkit.vault.health import health

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certkit.stores.record import Record
    from certkit.vault.client import Vault
    from certkit.vault.kv import Kv, Metadata, Stored

# Standbys of OpenBao were seen to be behind by a tenth of a second.
_PAUSES_SECONDS = (0.1, 0.2, 0.4)


class Secrets:
    """What is below `location`, which is MOUNT/PREFIX; paths are those of `certkit.stores.vault.layout`.

    Every method may raise VaultError. Writes that are in doubt are looked after for `wait_seconds`.
    """

    def __init__(self, vault: Vault, location: str, *, wait_seconds: float) -> None:
        self.vault = vault
        self.location = location
        self.wait_seconds = wait_seconds
        self._kv: Kv | None = None

    @property
    def uri(self) -> str:
        """How the command line names the store."""
        return f"vault://{self.location}"

    @property
    def kv(self) -> Kv:
        """The secrets themselves.

        Raises:
            VaultError: there is no KV secrets engine of version 2, which would take what we write for something else.
        """
        if self._kv is None:
            self._kv = self.vault.kv(self.location)
        return self._kv

    def place(self, path: str) -> str:
        """A path, for messages."""
        return f"{self.uri}/{path}"

    def record(self, name: str) -> tuple[Record, Stored]:
        """The record of an identity, and the secret that it stands in.

        Raises:
            AbsentError: there is no identity of that name.
        """
        path = layout.pointer(identity.require_name(name))
        stored = self._settled(path)
        if stored is None:
            self.require_not_deleted(path)
            stored = self.kv.read(path)  # it may have been made meanwhile
        if stored is None:
            raise self.absent(name)
        return layout.record_of(stored.data, where=self.place(path)), stored

    def generations(self, name: str) -> dict[str, bool]:
        """The numbers of the generations that were begun, in their order, and whether each has its key.

        Raises:
            VaultError: we may not see them.
        """
        numbers = layout.numbers_in(self.kv.list(layout.generations(name)))
        listings = all_expected(self.kv.list_many([layout.generation(name, number) for number in numbers]))
        return {number: KEY in entries for number, entries in zip(numbers, listings, strict=True)}

    def metadata(self, name: str, numbers: Sequence[str]) -> dict[str, Metadata | None]:
        """What is known of the certificates of some generations.

        Raises:
            VaultError: we may not know it.
        """
        found = all_expected(self.kv.metadata_many([layout.certificate(name, number) for number in numbers]))
        return dict(zip(numbers, found, strict=True))

    def _settled(self, path: str) -> Stored | None:
        """A secret. What another host has just written, a standby does not know yet, and gets some time to learn."""
        for pause in _PAUSES_SECONDS:
            stored = self.kv.read(path)
            if stored is not None or not self._may_be_behind():
                return stored
            time.sleep(pause)
        return self.kv.read(path)

    def _may_be_behind(self) -> bool:
        found = health(self.vault)
        return found is None or found.is_standby

    def require(self, path: str) -> Stored:
        """A secret that must be there, for its neighbour is.

        Raises:
            StoreError: it is not.
        """
        return self.present(path, self.kv.read(path))

    def present(self, path: str, stored: Stored | None) -> Stored:
        """What was read at a path, as `require` has it."""
        if stored is None:
            self.require_not_deleted(path)
            raise StoreError(f"cannot read, {self.place(path)}: it is missing", hint="restore it from a backup")
        return stored

    def require_generation(self, name: str, number: str) -> None:
        """Refuse a generation that has no key; nobody needs the right to read it.

        Raises:
            AbsentError: there is none of that number.
        """
        if not identity.is_generation(number) or KEY not in self.kv.list(layout.generation(name, number)):
            raise no_generation(name, number)

    def require_not_deleted(self, path: str) -> None:
        """Refuse to take a secret whose last version was deleted for one that never was, if we may see that.

        Raises:
            StoreError: it was deleted.
        """
        try:
            metadata = self.kv.read_metadata(path)
        except VaultError as error:
            if error.kind is not Kind.DENIED:
                raise
            return
        if metadata is not None and metadata.version > 0 and metadata.is_deleted:
            hint = f"`bao kv undelete -versions={metadata.version}` brings it back, unless it was destroyed"
            raise StoreError(f"cannot read, {self.place(path)}: somebody deleted it", hint=hint)

    def put_record(self, name: str, record: Record, *, before: Mapping[str, object], cas: int) -> bool:
        """Write a record over version `cas` of it, whose data were `before`; False where somebody else was first."""
        document, mark = marked(record.document(), before)
        is_ours = partial(has_mark, mark=mark, cas=cas)
        return put(self.kv, layout.pointer(name), document, cas=cas, is_ours=is_ours, seconds=self.wait_seconds)

    def put(self, path: str, document: Mapping[str, str | Secret], *, cas: int) -> bool:
        """Write a secret over version `cas` of it, just these fields; False where somebody else was first."""

        def is_ours(stored: Stored) -> bool:
            return stored.data.keys() == document.keys() and all(
                _is_same(stored.data[name], part) for name, part in document.items()
            )

        return put(self.kv, path, document, cas=cas, is_ours=is_ours, seconds=self.wait_seconds)

    def absent(self, name: str) -> AbsentError:
        """The error for an identity that is not there."""
        return AbsentError(f"no identity {name!r} in {self.uri}", hint="see which there are: certkit identity list")


def _is_same(there: object, part: str | Secret) -> bool:
    """Whether a field of a secret is what we wrote, without revealing it."""
    if isinstance(part, Secret):
        return isinstance(there, str) and Secret(there.encode("utf-8", "surrogatepass")) == part
    return there == part
