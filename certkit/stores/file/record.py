"""The record of an identity in its directory: settings, state, and the pointer to the active generation.

The pointer is a symbolic link, and both still change in one step: the file has the new record and, for as long as the
pointer has yet to move, the old one too. The pointer decides which of them counts.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from certkit.errors import StoreError
from certkit.stores.record import Record, Settings, is_generation

if TYPE_CHECKING:
    from certkit.files.content import Access
    from certkit.files.folder import Folder

RECORD = "identity.json"
SETTINGS = "settings.json"
POINTER = "active"
GENERATIONS = "generations"

_RESTORE = "restore it from a backup"
_TARGET = re.compile(rf"{GENERATIONS}/([0-9]{{4,9}})", re.ASCII)


Version = tuple[bytes, bytes | None, str | None]
"""The bytes of a record and of its settings, and the target of its pointer."""


def version(folder: Folder) -> Version:
    """Return a version that differs if the record has changed, without parsing it."""
    return folder.read(RECORD), folder.read_if_there(SETTINGS), folder.target(POINTER)


def read(folder: Folder) -> tuple[Record, Version]:
    """Read the record and the settings in an identity's directory.

    Raises:
        StoreError: if a file is missing or damaged, or the pointer does not lead to a generation.
    """
    path, beside, pointer = f"{folder.path}/{RECORD}", f"{folder.path}/{SETTINGS}", _pointer(folder)
    content, settings = folder.read(RECORD), folder.read_if_there(SETTINGS)
    try:
        known = None
        if settings is not None:
            known = Settings.parse(_json(settings, beside), where=beside)
        document = {**_current(_json(content, path), pointer), "active": pointer}
        record = Record.parse(document, settings=known, where=path)
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"cannot read {path}: not an identity's record", hint=_RESTORE) from error
    if known is None and not record.is_legacy:
        raise StoreError(f"cannot read {beside}: the file is missing", hint=_RESTORE)
    return record, (content, settings, pointer and f"{GENERATIONS}/{pointer}")


def _json(content: bytes, path: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"cannot read {path}: not an identity's record: not JSON", hint=_RESTORE) from error


def _current(document: dict[str, Any], pointer: str | None) -> dict[str, Any]:
    """Return the new record in the file, or the old one if the pointer has not moved yet."""
    move = document.get("move") if isinstance(document, dict) else None
    return document if move is None or move["to"] == pointer else dict(move["before"])


def _pointer(folder: Folder) -> str | None:
    """Return the active generation."""
    if folder.has_folder(POINTER):
        raise _copied(folder)
    target = folder.target(POINTER)
    if target is None:
        return None
    match = _TARGET.fullmatch(target)
    if match is None:
        raise _astray(folder, f"it points to {target!r}, which is not a generation")
    with folder.inside(GENERATIONS) as generations:
        if not generations.has_folder(match[1]):
            raise _astray(folder, f"there is no generation {match[1]}")
    return match[1]


def original(folder: Folder) -> str | None:
    """Return the generation of which the pointer is a copy, as tools that follow links (`cp -rL`) leave one.

    None if the pointer is not a directory, or differs from every generation.
    """
    if not folder.has_folder(POINTER):
        return None
    with folder.inside(POINTER) as copy, folder.inside(GENERATIONS) as generations:
        files = {name: copy.read(name) for name in copy.names()}
        for number in filter(is_generation, generations.names()):
            with generations.inside(number) as own:
                if own.names() == sorted(files) and all(own.holds(name, data) for name, data in files.items()):
                    return number
    return None


def restore_pointer(folder: Folder, number: str) -> None:
    """Replace a copy of a generation with a link; the next sweep removes the copy."""
    folder.rename(POINTER)
    folder.point(POINTER, f"{GENERATIONS}/{number}")


def write(folder: Folder, record: Record, access: Access, *, before: Record | None = None) -> Version:
    """Write settings and record, and move the pointer; `before` is the current record, if any.

    Raises:
        StoreError: if a file cannot be written; the old record remains.
    """
    settings = _encoded(record.settings.document())
    if before is None or before.is_legacy or record.settings != before.settings:
        folder.write(SETTINGS, settings, access, replace=before is not None)
    document = _document(record)
    content, target = _encoded(document), record.active and f"{GENERATIONS}/{record.active}"
    if before is None or record.active == before.active:
        folder.write(RECORD, content, access, replace=before is not None)
        return content, settings, target
    move = {"to": record.active, "before": _document(before)}
    folder.write(RECORD, _encoded({**document, "move": move}), access, replace=True)
    folder.point(POINTER, target)
    # The change is complete. Without the old record, a pointer moved by hand leaves the new record in force.
    with contextlib.suppress(StoreError):
        folder.write(RECORD, content, access, replace=True)
    return content, settings, target


def _encoded(document: dict[str, Any]) -> bytes:
    return f"{json.dumps(document, indent=2)}\n".encode()


def _document(record: Record) -> dict[str, Any]:
    """Return the record as JSON data, without the active generation."""
    document = {**record.document(), "log": record.lines()}
    del document["active"]
    return document


def _copied(folder: Folder) -> StoreError:
    """Return the error for a pointer that is a directory, with the command that repairs it."""
    import shlex

    where, number = folder.path / POINTER, original(folder)
    if number is None:
        hint = f"move it away, and create the link: ln -s {GENERATIONS}/NUMBER {shlex.quote(str(where))}"
        return StoreError(f"cannot follow {where}: it is a directory that is no generation, not a link", hint=hint)
    return StoreError(
        f"cannot follow {where}: it is a copy of generation {number}, not a link; a backup may have followed the link",
        hint=f"make it a link again: certkit identity activate {folder.path.name} {number}",
    )


def _astray(folder: Folder, why: str) -> StoreError:
    import shlex

    hint = f"point it to a generation: ln -sfn {GENERATIONS}/NUMBER {shlex.quote(str(folder.path / POINTER))}"
    return StoreError(f"cannot follow {folder.path / POINTER}: {why}", hint=hint)
