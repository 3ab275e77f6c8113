"""A directory whose files change all at once: those who read see the old ones or the new ones, never some of each.

    DIR/key.pem -> ..data/key.pem       what people and programs name
    DIR/..data -> ..v-6f1c2a0b          the pointer, moved by one rename
    DIR/..v-6f1c2a0b/key.pem            the files themselves, written once

This is how Kubernetes mounts a secret. Who wants a pair that belongs together reads `..data` once. The version before
stays, for those who are reading it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from certkit.files.writing import Access, Content

LOCK_SECONDS = 30.0

_POINTER = "..data"
_MARK = "..mark"
_LOCK = ".lock"
_MARK_BYTES = 4096
_VERSION = re.compile(r"\.\.v-[0-9a-f]{12}")


def switch(directory: Path, contents: Mapping[str, Content], access: Access, *, marks: bool = False) -> bool:
    """Let a directory hold these files and no others; whether anything had to be changed.

    The directory is made if there is none; bytes that are there already are not touched. With `marks` a change is
    marked, until `unmark`, for what is to be done about it.

    Raises:
        InputError: the directory holds what is not ours, or cannot be written; what was in use still is.
    """
    with _translated(directory):
        _make(directory, access)
        with _opened(directory) as folder, writing.locked(folder, _LOCK, wait_seconds=LOCK_SECONDS):
            before = _current(directory)
            if before is not None and _holds(directory / before, contents, access):
                _link(directory, contents)
                return False
            version = f"..v-{os.urandom(6).hex()}"
            try:
                _write(directory / version, contents, access)
                if marks:
                    writing.publish_in(folder, _MARK, version.encode(), access=writing.Access(), replace=True)
                _point(directory, version)
            except BaseException:
                if _current(directory) != version:
                    shutil.rmtree(directory / version, ignore_errors=True)
                raise
            _link(directory, contents)
            _sweep(directory, keep={version, before})
            os.fsync(folder)
    return True


def read(directory: Path, name: str) -> bytes | None:
    """The bytes of a file that is in use there; None where there is none that can be read."""
    try:
        return writing.read(directory / _POINTER / name)
    except InputError:
        return None


def mark(directory: Path) -> bytes | None:
    """The mark of the last change for which something is still to be done; None if there is none."""
    try:
        return writing.read(directory / _MARK, limit=_MARK_BYTES)
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def unmark(directory: Path, done: bytes) -> None:
    """Forget a mark, for it is done; that of a later change stays."""
    with _translated(directory), _opened(directory) as folder, writing.locked(folder, _LOCK, wait_seconds=LOCK_SECONDS):
        if mark(directory) == done:
            os.unlink(_MARK, dir_fd=folder)


def _make(directory: Path, access: Access) -> None:
    """Make the directory, or refuse one that somebody else uses; a group gets into it."""
    is_new = False
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=writing.PRIVATE_DIRECTORY_MODE)
        is_new = True
    _require_ours(directory)
    with _opened(directory) as folder:
        if is_new or (access.group is not None and not _is_given(folder, access)):
            access.give(folder, access.directory_mode)


def _is_given(folder: int, access: Access) -> bool:
    status = os.fstat(folder)
    return status.st_gid == access.group and stat.S_IMODE(status.st_mode) == access.directory_mode


def _require_ours(directory: Path) -> None:
    # What another run has taken away meanwhile is nobody's.
    names = (name for name in os.listdir(directory) if not _is_ours(directory, name))
    foreign = [name for name in names if writing.exists(directory / name)]
    if foreign:
        raise InputError(
            f"cannot write, {directory}: it holds files that are not ours, such as {foreign[0]}",
            hint="name a new or empty directory",
        )


def _is_ours(directory: Path, name: str) -> bool:
    if name in {_POINTER, _LOCK, _MARK} or _VERSION.fullmatch(name) or _is_unfinished(name):
        return True
    return _is_link(directory, name)


def _is_link(directory: Path, name: str) -> bool:
    try:
        return os.readlink(directory / name) == f"{_POINTER}/{name}"
    except OSError:
        return False


def _is_unfinished(name: str) -> bool:
    return any(writing.is_temporary_name(name, target) for target in (_POINTER, _MARK))


def _current(directory: Path) -> str | None:
    """The version in use, or None."""
    try:
        found = os.readlink(directory / _POINTER)
    except FileNotFoundError:
        return None
    return found if _VERSION.fullmatch(found) else None


def _holds(version: Path, contents: Mapping[str, Content], access: Access) -> bool:
    """Whether a version is as it should be, bytes and modes."""
    try:
        if sorted(os.listdir(version)) != sorted(contents):
            return False
        return all(_is_same(version / name, content, access) for name, content in contents.items())
    except OSError:
        return False


def _is_same(path: Path, content: Content, access: Access) -> bool:
    status = os.lstat(path)
    mode = access.mode_of(content)
    has_group = access.group is None or status.st_gid == access.group
    return (
        stat.S_ISREG(status.st_mode)
        and stat.S_IMODE(status.st_mode) == mode
        and has_group
        and writing.holds(path, content)
    )


def _write(version: Path, contents: Mapping[str, Content], access: Access) -> None:
    version.mkdir(mode=writing.PRIVATE_DIRECTORY_MODE)
    with _opened(version) as folder:
        access.give(folder, access.directory_mode)
        for name, content in contents.items():
            writing.publish_in(folder, name, content, access=access)
        os.fsync(folder)


def _point(directory: Path, version: str) -> None:
    """Move the pointer by one rename."""
    temporary = directory / writing.temporary_name(_POINTER)
    os.symlink(version, temporary)
    os.rename(temporary, directory / _POINTER)


def _link(directory: Path, contents: Mapping[str, Content]) -> None:
    """Give every file its name, and take away those of files that are no more."""
    for name in contents:
        if not (directory / name).is_symlink():
            os.symlink(f"{_POINTER}/{name}", directory / name)
    for name in os.listdir(directory):
        if name not in contents and _is_link(directory, name):
            os.unlink(directory / name)


def _sweep(directory: Path, keep: set[str | None]) -> None:
    """Remove old versions, and what runs that were killed have left."""
    for name in os.listdir(directory):
        if _VERSION.fullmatch(name) and name not in keep:
            shutil.rmtree(directory / name, ignore_errors=True)
        elif _is_unfinished(name):
            os.unlink(directory / name)


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def _translated(directory: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise writing.failure("cannot write", directory, error) from error
