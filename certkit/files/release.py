"""A directory whose files change all at once: readers see either the old files or the new ones, never a mixture.

    DIR/key.pem -> ..data/key.pem       what people and programs name
    DIR/..data -> ..v-6f1c2a0b          the pointer, moved by one rename
    DIR/..v-6f1c2a0b/key.pem            the files themselves, written once

This is how Kubernetes mounts a secret. To get a pair that belongs together, read `..data` once. The version before
stays for processes that are reading it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from certkit.errors import ExistsError, InputError
from certkit.files.content import Access
from certkit.files.folder import LOCK, Folder, is_temporary_name
from certkit.files.owners import DEFAULT_TRUST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from certkit.files.content import Content
    from certkit.files.owners import Trust

LOCK_SECONDS = 30.0

_POINTER = "..data"
_MARK = "..mark"
_VERSION = re.compile(r"\.\.v-[0-9a-f]{12}")


def switch(
    directory: Path,
    contents: Mapping[str, Content],
    access: Access,
    *,
    task: str | None = None,
    trust: Trust = DEFAULT_TRUST,
) -> bool:
    """Make a directory hold exactly these files; return whether anything had to change.

    A missing directory is made; bytes that are already there are not touched. A change leaves a mark with the task that
    is to follow it, until `unmark`.

    Raises:
        UnsafeDirectoryError: if others may change the directory, or one above it.
        InputError: if the directory holds other files, or cannot be written; what was in use still is.
    """
    with _changing(directory, access, trust) as folder:
        before = _current(folder)
        if before is not None and _holds(folder, before, contents, access):
            _link(folder, contents)
            return False
        version = f"..v-{os.urandom(6).hex()}"
        try:
            with folder.make(version, access, shown="") as made:
                for name, content in contents.items():
                    made.write(name, content, access)
                made.sync()
            if task is not None:
                folder.write(_MARK, f"{version}\n{task}".encode(), Access(), replace=True)
            folder.point(_POINTER, version)
        except BaseException:
            with contextlib.suppress(InputError):
                if _current(folder) != version:
                    folder.remove(version)
            raise
        _link(folder, contents)
        for name in folder.names():
            if _VERSION.fullmatch(name) and name not in {version, before}:
                with contextlib.suppress(InputError):
                    folder.remove(name)
        folder.sweep(_POINTER)
        folder.sweep(_MARK)
        folder.sync()
    return True


def read(directory: Path, name: str) -> bytes | None:
    """Return the bytes of a file in use there; None if no such file can be read."""
    try:
        with Folder.open(directory) as folder:
            version = _current(folder)
            if version is None:
                return None
            with folder.inside(version) as found:
                return found.read(name)
    except InputError:
        return None


@dataclass(frozen=True, slots=True)
class Mark:
    """The follow-up to a change: the task, absent in the marks of version 0.1.0."""

    content: bytes

    @property
    def task(self) -> str | None:
        """The task, as it was given to `switch`."""
        return self.content.decode("utf-8", "replace").partition("\n")[2] or None


def mark(directory: Path, *, trust: Trust = DEFAULT_TRUST) -> Mark | None:
    """Return the mark of the last change whose follow-up is still due; None if nothing is due."""
    with Folder.open(directory, trust=trust, follows=False) as folder:
        content = folder.read_if_there(_MARK)
    return None if content is None else Mark(content)


def unmark(directory: Path, done: Mark, *, trust: Trust = DEFAULT_TRUST) -> None:
    """Forget a mark whose task is done; that of a later change stays."""
    opened = Folder.open(directory, trust=trust, follows=False)
    with opened as folder, folder.locked(wait_seconds=LOCK_SECONDS):
        if folder.read_if_there(_MARK) == done.content:
            folder.remove(_MARK)


@contextlib.contextmanager
def _changing(directory: Path, access: Access, trust: Trust) -> Iterator[Folder]:
    """Open the directory, created if missing, while no other run changes it; the group may enter it."""
    path = directory if directory.name not in {"", ".."} else Path(os.path.realpath(directory))
    trust = replace(trust, group=access.group)
    with contextlib.ExitStack() as held:
        above = held.enter_context(Folder.open(path.parent, about=directory, trust=trust, then=path.name))
        try:
            folder = held.enter_context(above.make(path.name, access))
        except ExistsError:
            folder = held.enter_context(above.inside(path.name, what="cannot write"))
            folder.require_safe(trust)
            # `has`: another run may have removed it in the meantime.
            foreign = (name for name in folder.names() if not _is_own(folder, name) and folder.has(name))
            if (name := next(foreign, None)) is not None:
                raise InputError(
                    f"cannot write {folder.path}: it contains files that certkit did not write, such as {name}",
                    hint="choose a new or empty directory",
                ) from None
            status = folder.own_status
            is_given = status.st_gid == access.group and stat.S_IMODE(status.st_mode) == access.directory_mode
            if access.group is not None and not is_given:
                folder.give(access)
        held.enter_context(folder.locked(wait_seconds=LOCK_SECONDS))
        yield folder


def _is_own(folder: Folder, name: str) -> bool:
    if name in {_POINTER, LOCK, _MARK} or _VERSION.fullmatch(name):
        return True
    return any(is_temporary_name(name, target) for target in (_POINTER, _MARK)) or _is_link(folder, name)


def _is_link(folder: Folder, name: str) -> bool:
    try:
        return folder.target(name) == f"{_POINTER}/{name}"
    except InputError:
        return False


def _current(folder: Folder) -> str | None:
    """Return the version in use, or None."""
    found = folder.target(_POINTER)
    return found if found is not None and _VERSION.fullmatch(found) else None


def _holds(folder: Folder, version: str, contents: Mapping[str, Content], access: Access) -> bool:
    """Return whether a version has the right bytes and modes."""
    try:
        with folder.inside(version) as found:
            for name, content in contents.items():
                status = found.status(name)
                if status is None or not stat.S_ISREG(status.st_mode):
                    return False
                has_mode = stat.S_IMODE(status.st_mode) == access.mode_of(content)
                if not has_mode or access.group not in {None, status.st_gid} or not found.holds(name, content):
                    return False
            return found.names() == sorted(contents)
    except InputError:
        return False


def _link(folder: Folder, contents: Mapping[str, Content]) -> None:
    """Link every file to its name, and remove the names of files that are gone."""
    names = folder.names()
    for name in contents:
        if name not in names:
            folder.link(name, f"{_POINTER}/{name}")
    for name in names:
        if name not in contents and _is_link(folder, name):
            folder.remove(name)
