"""Find files: directory walks and shell patterns. What cannot be read is reported."""

from __future__ import annotations

import errno
import operator
import os
from typing import TYPE_CHECKING

from certkit.expiry.sources.base import Failure, Reason, Searched
from certkit.expiry.sources.files import FileSource, KnownSource, special, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.expiry.sources.base import Skipped
    from certkit.secret import Secret
    from certkit.x509.items import Budget

_PORTION = 250


def in_directory(
    path: str, passphrase: Secret | None = None, budget: Budget | None = None, *, origin: str | None = None
) -> Iterator[FileSource | KnownSource]:
    """Yield all files below a directory, in the order of names, some at a time; `origin` is what named it."""
    origin = origin or path
    portion: list[str] = []
    others: list[Failure | Skipped] = []
    for found in _walk(path):
        if not isinstance(found, str):
            others.append(found)
            continue
        portion.append(found)
        if len(portion) == _PORTION:
            yield FileSource(portion, passphrase, budget, may_hold_nothing=True, origin=origin)
            portion = []
    if portion:
        yield FileSource(portion, passphrase, budget, may_hold_nothing=True, origin=origin)
    yield KnownSource([*others, Searched(origin, any(isinstance(each, Failure) for each in others))])


def _walk(folder: str) -> Iterator[str | Failure | Skipped]:
    """Yield the paths of all regular files below a directory, directory by directory in name order, and the rest.

    Symbolic links are followed, and no directory is entered twice. Hidden files and directories are skipped.
    """
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if _has_entered(path, entered):
                continue
            entries = sorted(os.scandir(path), key=operator.attrgetter("name"))
        except OSError as error:
            yield _failure(path, error)
            continue
        below = []
        for entry in entries:
            try:
                if entry.name.startswith("."):
                    yield special(entry.path)
                elif entry.is_file():
                    yield entry.path
                elif entry.is_dir():
                    below.append(entry.path)
                else:
                    entry.stat()  # an error for a link that leads nowhere
                    yield special(entry.path)
            except OSError as error:
                # Circular links are skipped.
                yield special(entry.path) if error.errno == errno.ELOOP else _failure(entry.path, error)
        waiting += reversed(below)


def _has_entered(path: str, entered: set[tuple[int, int]]) -> bool:
    """Return whether a directory was entered before, and note that it is now."""
    status = os.stat(path)
    identity = status.st_dev, status.st_ino
    if identity in entered:
        return True
    entered.add(identity)
    return False


def _failure(path: str, error: OSError) -> Failure:
    """Return the failure for an entry of a directory that cannot be examined."""
    failure = unreadable(path, error)
    if failure.reason is Reason.NOT_FOUND:  # a link that exists and leads nowhere
        return failure._replace(hint="fix or remove the broken symlink", reason=Reason.BROKEN_SYMLINK)
    return failure._replace(reason=Reason.WALK_ERROR) if failure.reason is Reason.READ_FAILED else failure


def matching(pattern: str) -> list[str | Failure]:
    """Return the files and directories whose paths match a shell pattern, and directories that cannot be read.

    `**` goes through directories, each of them once. A leading dot has to be matched by one.
    """
    drive, rest = os.path.splitdrive(pattern.replace(os.sep, "/"))  # Windows: C:\\partners\\*.pem
    first = f"{drive}/" if rest.startswith("/") else drive
    failures: list[Failure] = []
    return [*sorted(set(_expand(first, [part for part in rest.split("/") if part], failures))), *failures]


def _expand(base: str, parts: list[str], failures: list[Failure]) -> Iterator[str]:
    waiting = [(base, parts)]
    while waiting:
        base, parts = waiting.pop()
        while parts and not any(char in parts[0] for char in "*?["):
            base, parts = os.path.join(base, parts[0]), parts[1:]
        if not parts:
            if base and os.path.lexists(base):
                yield base
        elif parts[0] == "**":
            waiting += [(folder, parts[1:]) for folder in _folders_below(base, failures)]
        else:
            paths = _matching_in(base, parts[0], failures)
            waiting += [(path, parts[1:]) for path in reversed(paths) if not parts[1:] or os.path.isdir(path)]


def _folders_below(base: str, failures: list[Failure]) -> Iterator[str]:
    """Yield a directory and those below it, each of them once."""
    entered: set[tuple[int, int]] = set()
    waiting = [base]
    while waiting:
        folder = waiting.pop()
        try:
            if _has_entered(folder or ".", entered):
                continue
        except OSError:
            continue
        yield folder
        waiting += [path for path in reversed(_matching_in(folder, "*", failures)) if os.path.isdir(path)]


def _matching_in(folder: str, pattern: str, failures: list[Failure]) -> list[str]:
    """Return the paths in a directory whose names match a pattern, sorted."""
    import fnmatch

    try:
        names = sorted(os.listdir(folder or "."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        failures.append(unreadable(folder, error))
        return []
    return [
        os.path.join(folder, name)
        for name in names
        if fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))
    ]
