"""Find files: directory walks and shell patterns. What cannot be read is reported."""

from __future__ import annotations

import errno
import operator
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Oddity:
    """An entry that is not a regular file, found by a directory walk: something hidden or special, or an error."""

    path: str
    error: OSError | None = None


def walk(folder: str) -> Iterator[str | Oddity]:
    """Yield the paths of all regular files below a directory, directory by directory in name order, and oddities.

    Symbolic links are followed, and no directory is entered twice. Hidden directories are not entered.
    """
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(path), key=operator.attrgetter("name"))
        except OSError as error:
            yield Oddity(path, error)
            continue
        below = []
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                yield entry.path
            elif _is_folder(entry):
                below.append(entry.path)
            else:
                yield _odd(entry)
        waiting += reversed(below)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and not entry.name.startswith(".")
    except OSError:
        return False


def _odd(entry: os.DirEntry[str]) -> str | Oddity:
    """Return the path of a file behind a symbolic link, or an oddity; circular links lead nowhere."""
    if entry.name.startswith("."):
        return Oddity(entry.path)
    try:
        return entry.path if stat.S_ISREG(entry.stat().st_mode) else Oddity(entry.path)
    except OSError as error:
        return Oddity(entry.path, None if error.errno == errno.ELOOP else error)


def matching(pattern: str) -> list[str | Oddity]:
    """Return the files and directories whose paths match a shell pattern, and directories that cannot be read.

    `**` goes through directories, each of them once. A leading dot has to be matched by one.
    """
    drive, rest = os.path.splitdrive(pattern.replace(os.sep, "/"))  # Windows: C:\\partners\\*.pem
    first = f"{drive}/" if rest.startswith("/") else drive
    found = list(_expand(first, [part for part in rest.split("/") if part], set()))
    return [
        *dict.fromkeys(sorted(each for each in found if isinstance(each, str))),
        *(each for each in found if isinstance(each, Oddity)),
    ]


def _expand(base: str, parts: list[str], entered: set[tuple[int, int]]) -> Iterator[str | Oddity]:
    if not parts:
        if base and os.path.lexists(base):
            yield base
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _descend(base, parts, entered)
    elif any(char in part for char in "*?["):
        for name in _names(base, part):
            if isinstance(name, Oddity):
                yield name
            elif not rest or os.path.isdir(os.path.join(base, name)):
                yield from _expand(os.path.join(base, name), rest, set())
    else:
        yield from _expand(os.path.join(base, part), rest, set())


def _descend(base: str, parts: list[str], entered: set[tuple[int, int]]) -> Iterator[str | Oddity]:
    """Yield what matches in a directory and everything below it."""
    try:
        status = os.stat(base or ".")
    except OSError:
        return
    if (status.st_dev, status.st_ino) in entered:
        return
    entered.add((status.st_dev, status.st_ino))
    yield from _expand(base, parts[1:], set())
    for name in _names(base, "*"):
        path = name if isinstance(name, Oddity) else os.path.join(base, name)
        if isinstance(path, Oddity):
            yield path
        elif os.path.isdir(path):
            yield from _descend(path, parts, entered)


def _names(folder: str, pattern: str) -> Iterator[str | Oddity]:
    """Yield the names in a directory that match a pattern, sorted."""
    import fnmatch

    try:
        names = sorted(os.listdir(folder or "."))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Oddity(folder, error)
        return
    for name in names:
        if fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith(".")):
            yield name
