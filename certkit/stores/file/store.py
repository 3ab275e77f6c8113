"""A store of identities in a directory.

    STORE/NAME/settings.json                  the settings: whom to trust and what to run
    STORE/NAME/identity.json                  the state except the active generation, and the log
    STORE/NAME/active -> generations/ID       the pointer: the active generation
    STORE/NAME/generations/ID/*.pem           a generation, each file written once, the certificate last
    STORE/NAME/tokens/*.json                  secret documents, for their owner only

Every change is one rename of something whole and synced: of a new directory (`create`, `add`), of a directory that goes
away (`remove`), of the record or the pointer (`change`), of a document (`put_document`); or it is the appearance of the
certificate (`install`). A run that is killed leaves the old state or the new one; unfinished work has a temporary name,
and the next run removes it. One run at a time changes an identity. A reader needs no lock and no right to write.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003  a field's type
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, StoreError
from certkit.files import reading
from certkit.files.owners import DEFAULT_TRUST, Trust
from certkit.secret import Secret
from certkit.stores import record as records
from certkit.stores.base import (
    AbsentError,
    Document,
    Generation,
    Location,
    NoStoreError,
    Store,
    StoredIdentity,
    no_generation,
    unchanged,
)
from certkit.stores.file import (
    documents as document_files,
)
from certkit.stores.file import (
    generations as generation_files,
)
from certkit.stores.file import (
    identity as identity_folder,
)
from certkit.stores.file import (
    record as record_file,
)
from certkit.stores.file.identity import StoreFolder
from certkit.stores.file.record import GENERATIONS, POINTER, RECORD
from certkit.stores.record import FINGERPRINT
from certkit.stores.sealing import unseal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from certkit.files.content import Access
    from certkit.stores.base import Edit, Issued
    from certkit.stores.record import Journal, Record
    from certkit.stores.sealing import Wrapping

LOCK_SECONDS = 30.0

# How often a reader starts over when another process changes what it reads.
_READINGS = 100


@dataclass(frozen=True, slots=True)
class FileStore(Store):
    """Identities below a directory, with private keys sealed by `wrapping`; see `base.Store` for the guarantees.

    Another run may hold the lock on an identity for `wait_seconds`.
    """

    root: Path
    wrapping: Wrapping | None = None
    wait_seconds: float = LOCK_SECONDS
    trust: Trust = DEFAULT_TRUST
    journal: Journal | None = None

    @property
    def uri(self) -> str:
        return f"file:{self.root}"

    @property
    def protects_keys(self) -> bool:
        return self.wrapping is not None

    def names(self) -> list[str]:
        if not reading.exists(self.root):
            return []
        with StoreFolder.open(self.root) as store:
            return [name for name in store.names() if identity_folder.is_identity(store, name)]

    def missing(self) -> NoStoreError | None:
        if reading.exists(self.root):
            return None
        hint = "check --store, CERTKIT_STORE and HOME; `certkit identity enroll` creates a store"
        return NoStoreError(f"there is no store at {self.uri}", hint=hint)

    def load(self, name: str) -> StoredIdentity:
        for _ in range(_READINGS):
            with self._identity(name) as folder:
                identity_folder.require_identity(folder)
                # Every change creates a new file for the record, even one that only moves the pointer.
                with folder.watched(RECORD) as is_same:
                    found = self._read(name, folder)
                    if is_same() and folder.is_in_place:
                        return found
        raise StoreError(f"cannot read {self.root / name}: other processes keep changing it", hint="try again")

    def _read(self, name: str, folder: StoreFolder) -> StoredIdentity:
        """Return an identity; it may mix two states if another process changes it at the same time.

        Past generations that the record describes are read on first use, so that the cost does not grow with them.
        """
        record, version = record_file.read(folder)
        # Such a generation will not change, nor be used unless a person asks for it.
        past = {*record.left, *record.retired, *record.discarded} - {record.active, record.previous}
        found = []
        with folder.inside(GENERATIONS) as generations:
            for number in sorted(filter(records.is_generation, generations.names()), key=int):
                if number in past and FINGERPRINT in record.facts_of(number):
                    later = functools.partial(self._generation, name, number)
                    found.append(Generation(number=number, read=later, is_issued=True))
                else:
                    with generations.inside(number) as generation:
                        found.append(generation_files.read(generation, number))
        return StoredIdentity(name, record, tuple(found), version)

    def _generation(self, name: str, number: str) -> Generation:
        with self._identity(name) as folder, identity_folder.generation(folder, number) as generation:
            return generation_files.read(generation, number)

    def create(self, name: str, record: Record) -> StoredIdentity:
        records.require_name(name)
        if record.active is not None:
            raise no_generation(name, record.active)
        access = identity_folder.access_of(record)
        self._make_root(access)
        with self._changing_names() as store, store.build(name, access) as folder:
            with folder.make(GENERATIONS, access):
                pass
            record = self._noted(None, record)
            return StoredIdentity(name, record, (), record_file.write(folder, record, access))

    def require_settings_right(self, name: str) -> None:
        """Do nothing: a process that may write to the directory may change settings."""

    def change(self, known: StoredIdentity | str, edit: Edit) -> StoredIdentity:
        known = self._loaded(known)
        with self._changing(known) as folder:
            return self._edited(folder, self._refreshed(known, folder), edit)

    def _refreshed(self, known: StoredIdentity, folder: StoreFolder) -> StoredIdentity:
        """Return an identity that was loaded before, read again if it has changed since; the caller holds its lock."""
        return known if record_file.version(folder) == known.version else self._read(known.name, folder)

    def _edited(self, folder: StoreFolder, found: StoredIdentity, edit: Edit) -> StoredIdentity:
        """Change the record, while its identity is locked."""
        after = edit(found.record)
        if after == found.record:
            folder.sync()  # the run that wrote it may have been killed before it did so
            return found
        if after.active is not None:
            with identity_folder.generation(folder, after.active):
                pass  # it exists
        after = self._noted(found.record, after)
        access = identity_folder.access_of(after)
        if after.settings.group != found.record.settings.group:
            identity_folder.give(folder, access)
        version = record_file.write(folder, after, access, before=found.record)
        return replace(found, record=after, version=version)

    def add(
        self, known: StoredIdentity | str, number: str, *, key: Secret, csr: bytes | None, edit: Edit = unchanged
    ) -> StoredIdentity:
        if not records.is_generation(number):
            raise StoreError(f"not a generation number: {number!r}", hint="use four digits, such as 0001")
        known, kept = self._loaded(known), key if self.wrapping is None else Secret(self.wrapping.seal(key))
        with self._changing(known) as folder, folder.inside(GENERATIONS) as generations:
            if self.wrapping is None:
                identity_folder.require_open(folder)
            found = self._refreshed(known, folder)
            if not generations.has(number):
                found = self._edited(folder, found, edit)
            access = identity_folder.access_of(found.record)
            generation_files.add(generations, number, key=kept, csr=csr, access=access)
        return found.put(Generation(number=number, csr=csr))

    def install(
        self,
        known: StoredIdentity | str,
        number: str,
        issued: Issued,
        *,
        facts: Mapping[str, str],  # noqa: ARG002  read from the certificate when they are needed
        edit: Edit = unchanged,
    ) -> StoredIdentity:
        known = self._loaded(known)
        with (
            self._changing(known) as folder,
            identity_folder.generation(folder, number) as generation,
        ):
            generation.sweep()
            installed = generation_files.install(generation, number, issued, identity_folder.access_of(known.record))
            return self._edited(folder, self._refreshed(known, folder).put(installed), edit)

    def keep_answer(self, known: StoredIdentity | str, number: str, answer: bytes, *, edit: Edit) -> StoredIdentity:
        known = self._loaded(known)
        with (
            self._changing(known) as folder,
            identity_folder.generation(folder, number) as generation,
        ):
            generation_files.keep_answer(generation, answer, identity_folder.access_of(known.record))
            return self._edited(folder, self._refreshed(known, folder), edit)

    def answers(self, name: str, number: str) -> list[bytes]:
        with self._identity(name) as folder, identity_folder.generation(folder, number) as generation:
            return generation_files.answers(generation)

    def prune(self, known: StoredIdentity | str, numbers: Sequence[str]) -> StoredIdentity:
        known = self._loaded(known)
        with self._changing(known) as folder, folder.inside(GENERATIONS) as generations:
            found = self._refreshed(known, folder)
            known = self._edited(folder, found, lambda record: record.prune(numbers))
            for number in numbers:
                if generations.has(number):
                    generations.rename(number)
            generations.sweep()
        return replace(known, generations=tuple(each for each in known.generations if each.number not in numbers))

    def key(self, name: str, number: str) -> Secret:
        with self._identity(name) as folder, identity_folder.generation(folder, number) as generation:
            data, path = generation.read(generation_files.KEY), generation.path / generation_files.KEY
        return unseal(data, self.wrapping, name=str(path))

    def location(self, found: StoredIdentity, number: str) -> Location:
        home = self.root.absolute() / found.name
        lineage = home / POINTER if number == found.record.active else home / GENERATIONS / number
        return Location(
            lineage=str(lineage),
            key=str(lineage / generation_files.KEY),
            certificate=str(lineage / generation_files.CERTIFICATE),
            fullchain=str(lineage / generation_files.FULLCHAIN),
            ca=str(lineage / generation_files.TRUST_BUNDLE),
            is_directory=True,
        )

    def documents(self, name: str) -> list[str]:
        with self._identity(name) as folder:
            identity_folder.require_identity(folder)
            return document_files.names(folder)

    def document(self, name: str, document: str) -> Document | None:
        records.require_document(document)
        with self._identity(name) as folder:
            identity_folder.require_identity(folder)
            return document_files.read(folder, document, self.wrapping)

    def put_document(self, name: str, document: str, fields: Mapping[str, Secret], *, over: str | None) -> str:
        records.require_document(document)
        with self._changing(name) as folder:
            if self.wrapping is None:
                identity_folder.require_open(folder)
            return document_files.write(folder, document, fields, self.wrapping, over=over)

    def delete_document(self, name: str, document: str) -> None:
        records.require_document(document)
        with self._changing(name) as folder:
            document_files.delete(folder, document)

    def migrate(self, name: str) -> bool:
        with self._changing(name) as folder:
            record, _ = record_file.read(folder)
            if record.is_legacy:
                record_file.write(folder, record, identity_folder.access_of(record), before=record)
            return record.is_legacy

    def repair(self, name: str) -> bool:
        with self._identity(name) as folder:
            if record_file.original(folder) is None:
                return False
        with self._changing(name) as folder:
            number = record_file.original(folder)
            if number is not None:
                record_file.restore_pointer(folder, number)
                folder.sweep()
            return number is not None

    def remove(self, name: str) -> None:
        records.require_name(name)
        if not reading.exists(self.root):
            return
        with StoreFolder.open(self.root) as store:
            if not store.has(name) and not store.leftovers(name):
                return
        with self._changing_names() as store:
            if store.has(name):
                with store.inside(name) as folder:
                    identity_folder.require_identity(folder)
                    with folder.locked(wait_seconds=self.wait_seconds):
                        # Under its temporary name it is deleted by this run, or else by the next.
                        store.rename(name)
            try:
                store.sweep(name)
            except StoreError as error:
                message = f"{name} is removed, but not all of its files are deleted: {error.message}"
                hint = f"{error.hint}; then: certkit identity remove {name} --force --store {shlex.quote(self.uri)}"
                raise StoreError(message, hint=hint) from error

    @contextlib.contextmanager
    def _identity(self, name: str, trust: Trust | None = None) -> Iterator[StoreFolder]:
        """Open the directory of an identity; a failure because it was removed meanwhile means that it is absent."""
        records.require_name(name)
        with contextlib.ExitStack() as opened:
            try:
                store = opened.enter_context(StoreFolder.open(self.root, trust=trust))
                folder = opened.enter_context(store.inside(name))
            except StoreError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                raise self._absent(name) from error
            try:
                yield folder
            except StoreError as error:
                if folder.is_in_place:
                    raise
                raise self._absent(name) from error

    @contextlib.contextmanager
    def _changing(self, known: StoredIdentity | str) -> Iterator[StoreFolder]:
        """Lock the directory of an identity for a change, and sweep the remains of killed runs."""
        name, record = (known, None) if isinstance(known, str) else (known.name, known.record)
        with self._identity(name, self.trust) as folder:
            folder.require_safe(self.trust)
            identity_folder.require_identity(folder)
            with folder.locked(wait_seconds=self.wait_seconds):
                if not folder.is_in_place:
                    raise self._absent(name)
                identity_folder.sweep(folder, record)
                # Identities whose removal was interrupted are deleted, keys too, unless another process does so.
                if folder.above.leftovers():
                    with contextlib.suppress(StoreError), folder.above.locked(wait_seconds=0):
                        folder.above.sweep()
                yield folder

    @contextlib.contextmanager
    def _changing_names(self) -> Iterator[StoreFolder]:
        """Lock the directory of the store for creating or removing an identity."""
        with StoreFolder.open(self.root, trust=self.trust) as store, store.locked(wait_seconds=self.wait_seconds):
            with contextlib.suppress(StoreError):  # `check` reports what cannot be deleted
                store.sweep()
            yield store

    def _absent(self, name: str) -> AbsentError:
        hint = "list the identities: certkit identity list"
        return self.missing() or AbsentError(f"no identity {name!r} in {self.uri}", hint=hint)

    def _make_root(self, access: Access) -> None:
        """Create the directory of the store and the missing ones above it; existing ones stay unchanged."""
        missing = [each for each in (self.root, *self.root.parents) if not reading.exists(each)]
        with contextlib.ExitStack() as held:
            for path in reversed(missing):
                above = held.enter_context(StoreFolder.open(path.parent, trust=self.trust, then=path.name))
                with contextlib.suppress(ConflictError), above.make(path.name, access):  # another run was faster
                    above.sync()
