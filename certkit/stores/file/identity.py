"""An identity in its directory: the record, the pointer, and a directory for each generation."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, PassphraseError, StoreError
from certkit.files.content import Access
from certkit.files.folder import Folder
from certkit.stores import record as records
from certkit.stores.base import no_generation
from certkit.stores.file import documents
from certkit.stores.file import generations as generation_files
from certkit.stores.file.documents import TOKENS
from certkit.stores.file.record import GENERATIONS, RECORD
from certkit.stores.record import FINGERPRINT
from certkit.stores.sealing import OPENING, is_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.stores.record import Record


class StoreFolder(Folder):
    """A directory of a store, open. Every method may raise StoreError, and ConflictError for a name that is taken."""

    error = StoreError
    conflict = ConflictError
    conflict_hint = "check what is there"
    link_hint = "replace it with its target: a store does not follow symbolic links"

    __slots__ = ()


def is_identity(store: Folder, name: str) -> bool:
    """Return whether a directory of that name contains a record, or may not be read."""
    if not records.is_name(name) or not store.has_folder(name):
        return False
    try:
        return store.has(f"{name}/{RECORD}")
    except StoreError:
        return True


def require_identity(folder: Folder) -> None:
    """Refuse to change a directory that is not an identity's."""
    if not folder.has(RECORD):
        hint = f"restore its {RECORD} from a backup, or remove the directory by hand"
        raise StoreError(f"{folder.path} is not an identity: it has no {RECORD}", hint=hint)


def access_of(record: Record) -> Access:
    """Return the permissions for the files of an identity, by the group that it was enrolled with.

    Raises:
        StoreError: if this host does not know the group.
    """
    name = record.settings.group
    if name is None:
        return Access()
    import grp

    try:
        return Access(grp.getgrnam(name).gr_gid)
    except (KeyError, ValueError) as error:  # ValueError: a NUL in the name
        hint = "create it (groupadd), or use another --group"
        raise StoreError(f"this host has no group {name!r}", hint=hint) from error


@contextlib.contextmanager
def generation(folder: Folder, number: str) -> Iterator[Folder]:
    """Open the directory of a generation.

    Raises:
        AbsentError: if there is no generation of that number.
    """
    with folder.inside(GENERATIONS) as generations:
        if not records.is_generation(number) or not generations.has(number):
            raise no_generation(folder.path.name, number)
        with generations.inside(number) as found:
            yield found


def give(folder: Folder, access: Access) -> None:
    """Give the directory of an identity and every generation to the group that may read them."""
    folder.give(access)
    with folder.inside(GENERATIONS) as generations:
        generations.give(access)
        for number in filter(records.is_generation, generations.names()):
            with generations.inside(number) as found:
                found.give(access)
                for name in filter(generation_files.is_file, found.names()):
                    is_key = name == generation_files.KEY
                    found.give(access, name, access.key_mode if is_key else access.public_mode)


def require_open(folder: Folder) -> None:
    """Refuse to keep an unsealed secret beside sealed ones."""
    with folder.inside(GENERATIONS) as generations:
        # No unsealed key is ever added to a sealed one, so if any is sealed, the newest is.
        newest = max(filter(records.is_generation, generations.names()), key=int, default=None)
        if newest is not None:
            with generations.inside(newest) as found:
                if is_sealed(found.read_if_there(generation_files.KEY) or b""):
                    raise PassphraseError(
                        f"cannot write a secret to {folder.path}: the key of {newest} is encrypted", hint=OPENING
                    )
    for name in documents.names(folder):
        if documents.is_sealed(folder, name):
            raise PassphraseError(f"cannot write a secret to {folder.path}: {name} is encrypted", hint=OPENING)


def sweep(folder: Folder, record: Record | None) -> None:
    """Remove the remains of killed runs from the directory of an identity; the caller holds its lock.

    With a record, whatever its age, also those in generations whose certificate it does not describe. In others only a
    copy can have been interrupted, which describes certificates first; `install` sweeps where it is repeated.
    """
    folder.sweep()
    if folder.has(TOKENS):
        with folder.inside(TOKENS) as tokens:
            tokens.sweep()
    with folder.inside(GENERATIONS) as generations:
        generations.sweep()
        for number in filter(records.is_generation, generations.names() if record else ()):
            if record and FINGERPRINT not in record.facts_of(number):
                with generations.inside(number) as found:
                    found.sweep()
