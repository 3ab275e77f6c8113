"""The record of an identity in its directory: one file, and beside it the pointer, which says what is in use.

The pointer is a symbolic link, and a change of both is one step all the same: the file has the new record and, for as
long as the pointer is to move, the old one too. The pointer decides which of them counts.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, StoreError
from certkit.stores.record import Record

if TYPE_CHECKING:
    from certkit.files.content import Access
    from certkit.files.folder import Folder

RECORD = "identity.json"
POINTER = "active"
GENERATIONS = "generations"

_TARGET = re.compile(rf"{GENERATIONS}/([0-9]{{4,9}})", re.ASCII)


Version = tuple[bytes, str | None]
"""The bytes of a record, and where its pointer leads."""


def version(folder: Folder) -> Version:
    """Return what tells whether a record has changed, without parsing it."""
    return folder.read(RECORD), folder.target(POINTER)


def read(folder: Folder) -> tuple[Record, Version]:
    """Read the record in an identity's directory.

    Raises:
        StoreError: it is missing or broken, or the pointer does not lead to a generation.
    """
    where = str(folder.path / RECORD)
    pointer = _pointer(folder)
    content = folder.read(RECORD)
    try:
        record = Record.parse({**_current(json.loads(content), pointer), "active": pointer}, where=where)
    except InputError as error:
        raise StoreError(error.message, hint=error.hint) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"cannot read, {where}: not an identity's record", hint="restore it from a backup") from error
    return record, (content, pointer and f"{GENERATIONS}/{pointer}")


def _current(document: dict[str, Any], pointer: str | None) -> dict[str, Any]:
    """What the file says, or what it said before the pointer was to move, if the pointer has not moved."""
    move = document.get("move") if isinstance(document, dict) else None
    return document if move is None or move["to"] == pointer else dict(move["before"])


def _pointer(folder: Folder) -> str | None:
    """The generation in use.

    Raises:
        StoreError: what has the pointer's name does not lead to a generation.
    """
    target = folder.target(POINTER)
    if target is None:
        return None
    match = _TARGET.fullmatch(target)
    if match is None:
        raise _astray(folder, f"it leads to {target!r}, which is no generation")
    with folder.inside(GENERATIONS) as generations:
        if not generations.has_folder(match[1]):
            raise _astray(folder, f"there is no generation {match[1]}")
    return match[1]


def write(folder: Folder, record: Record, access: Access, *, before: Record | None = None) -> Version:
    """Write a record, and move the pointer if it says so; `before` is the record that is there, if there is one.

    Raises:
        StoreError: it cannot be written; the old one remains.
    """
    document = _document(record)
    content, target = _encoded(document), record.active and f"{GENERATIONS}/{record.active}"
    if before is None or record.active == before.active:
        folder.write(RECORD, content, access, replace=before is not None)
        return content, target
    move = {"to": record.active, "before": _document(before)}
    folder.write(RECORD, _encoded({**document, "move": move}), access, replace=True)
    folder.point(POINTER, target)
    # It is done. Without the old record, a pointer that somebody moves by hand leaves the new one standing.
    with contextlib.suppress(StoreError):
        folder.write(RECORD, content, access, replace=True)
    return content, target


def _encoded(document: dict[str, Any]) -> bytes:
    return f"{json.dumps(document, indent=2)}\n".encode()


def _document(record: Record) -> dict[str, Any]:
    """The record as JSON data, without what the pointer says."""
    document = record.document()
    del document["active"]
    return document


def _astray(folder: Folder, why: str) -> StoreError:
    hint = f"make it lead to a generation, in its directory: ln -sfn {GENERATIONS}/NUMBER {POINTER}"
    return StoreError(f"cannot follow, {folder.path / POINTER}: {why}", hint=hint)
