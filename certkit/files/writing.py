"""Files by their paths: new ones, replaced ones, reports, and whole directories; written through `Folder`."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

from certkit.errors import ExistsError, InputError
from certkit.files import content as contents
from certkit.files import reading
from certkit.files.content import Access
from certkit.files.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from certkit.files.content import Content
    from certkit.secret import Secret

_EXISTS_HINT = "choose another name, or use --force"
# The descriptors of the process itself, by name; `/dev/fd` is a link to `/proc/self/fd` on Linux.
_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"(?:/dev/fd|/proc/self/fd)/([0-9]{1,7})", re.ASCII)


def require_absent(path: Path, *, hint: str = _EXISTS_HINT) -> None:
    """Refuse a target that exists. The descriptors of this process may be written to.

    Raises:
        ExistsError: if something has that name, a symbolic link included.
    """
    if reading.exists(path) and descriptor(path) is None:
        if hint == _EXISTS_HINT and path.is_dir():
            raise ExistsError(f"cannot write {path}: it is a directory", hint="name a file in it")
        if hint == _EXISTS_HINT and reading.is_special(path):
            raise ExistsError(f"cannot write {path}: not a regular file", hint="choose another name")
        link = " (a symbolic link)" if os.path.islink(path) else ""
        raise ExistsError(f"cannot write {path}: it already exists{link}", hint=hint)


def file_path(name: str | Path) -> Path:
    """Return the path of a file to write; as a path, the name of a directory would lose the slash at its end.

    Raises:
        InputError: if it is the name of a directory.
    """
    if os.path.basename(name) in {"", "."}:
        raise InputError(f"cannot write {name}: it is the name of a directory", hint="name a file in it")
    return Path(name)


def descriptor(path: Path | str) -> int | None:
    """Return N for `/dev/fd/N`, `/dev/stdout` and `/dev/stderr`, which are open files of this process; else None."""
    name = os.path.abspath(path)
    match = _DESCRIPTOR.fullmatch(name)
    return int(match[1]) if match else _DESCRIPTORS.get(name)


def require_directory(path: Path) -> None:
    """Refuse a target whose directory is missing or not writable, before any work is done.

    Raises:
        InputError: if nothing could be written there.
    """
    folder = path.parent
    if descriptor(path) is not None:
        return
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except FileNotFoundError as error:
        message = f"cannot write {path}: no directory {folder}"
        raise InputError(message, hint="create the directory first") from error
    except OSError as error:
        raise reading.failure("cannot write", path, error) from error
    require_writable(path)


def require_writable(path: Path) -> None:
    """Refuse a target in a directory that is not writable.

    Raises:
        InputError: if the directory is not writable.
    """
    folder = path.parent
    if os.access(folder, os.W_OK | os.X_OK):
        return
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise reading.failure("cannot write", path, OSError(errno.EROFS, os.strerror(errno.EROFS)))
    where = folder if folder.name else "this directory"
    raise InputError(f"cannot write {path}: no permission to write in {where}", hint="choose a directory that you own")


def publish(path: Path, content: Content, *, replace: bool = False, mode: int | None = None) -> None:
    """Write a new file completely and synced, or not at all; a `Secret` gets mode 0600 before its first byte.

    With `replace`, a regular file or symbolic link of that name is replaced in one step. The caller makes sure that no
    private key is lost (`set_aside`).

    Raises:
        InputError: if the name is taken, or the file cannot be written; the old state remains.
    """
    number = descriptor(path)
    if number is not None:
        _send(number, content, path)
        return
    if replace:
        require_replaceable(path)
    else:
        require_absent(path)
    if not path.name:
        raise reading.failure("cannot write", path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    with Folder.open(path.parent, about=path) as folder:
        folder.write(path.name, content, replace=replace, mode=mode)


def publish_public(path: Path, content: bytes, *, force: bool) -> None:
    """Write a new file as `publish` does; with `force`, replace one, unless it may hold a private key.

    Raises:
        InputError: if the name is taken, or the file cannot be written; the old state remains.
    """
    if force and reading.exists(path) and reading.holds_private_key(path):
        require_absent(path, hint="it may hold a private key: choose another name")
    publish(path, content, replace=force)


def make_directory(path: Path, mode: int, *, about: Path | None = None) -> None:
    """Make a directory, and those above it that do not exist, with the same mode; `about` is named in errors.

    Raises:
        InputError: if one cannot be made.
    """
    try:
        for each in reversed([each for each in (path, *path.parents) if not each.exists()]):
            each.mkdir(mode=mode, exist_ok=True)  # with `parents=True` those above have the mode of the umask
    except (OSError, ValueError) as error:
        raise reading.failure("cannot write", about or path, error) from error


def write_report(path: Path, report: Iterable[str], *, is_public: bool = False) -> None:
    """Replace a report, given in parts, atomically, with the mode of the old one; devices and pipes are written to.

    The mode of a new one is 0644 if `is_public`, whatever the umask. Keys and certificates are never replaced, and a
    symbolic link is never followed, except `/dev/stdout` and `/dev/fd/N`, which are the descriptors of this process.

    Raises:
        InputError: if the report cannot be written; the old file stays.
    """
    parts = (part.encode("utf-8", "backslashreplace") for part in report)
    number = descriptor(path)
    if number is not None:
        _send(number, parts, path)
        return
    with Folder.open(path.parent, about=path) as folder:
        found = folder.status(path.name)
        if found is None:
            folder.write(path.name, parts, mode=contents.PUBLIC_MODE if is_public else None)
        elif stat.S_ISREG(found.st_mode):
            if folder.may_hold_objects(path.name):
                raise InputError(
                    f"cannot write {path}: it holds keys or certificates, which a report never replaces",
                    hint="choose another name",
                )
            folder.write(path.name, parts, mode=stat.S_IMODE(found.st_mode) & 0o777, replace=True)
        elif stat.S_ISCHR(found.st_mode) or stat.S_ISFIFO(found.st_mode):
            with folder.device(path.name) as file:
                _send(file, parts, path)
        elif stat.S_ISLNK(found.st_mode):
            hint = f"name the file that it points to: {folder.target(path.name)}"
            raise InputError(f"cannot write {path}: it is a symbolic link", hint=hint)
        elif stat.S_ISDIR(found.st_mode):
            raise InputError(f"cannot write {path}: it is a directory", hint="name a file in it")
        else:
            raise InputError(f"cannot write {path}: not a regular file", hint="choose another name")


def _send(file: int, content: Content, path: Path) -> None:
    try:
        for part in contents.parts(content):
            contents.write_all(file, part)
    except OSError as error:
        raise reading.failure("cannot write", path, error) from error


def replace_key(path: Path, content: Secret, now: datetime) -> Path | None:
    """Replace an old key by a new one; return the new name of the old one, or None if there was no old key.

    The old file becomes `path.old-<UTC time>`, mode 0600. There is no moment without a file at `path`.

    Raises:
        InputError: if the old file is not a regular file or cannot be kept, or the new one cannot be written; the old
            state remains.
    """
    old_mode = stat.S_IMODE(os.lstat(path).st_mode) if reading.exists(path) else None
    kept = set_aside(path, now)
    try:
        publish(path, content, replace=True)
    except BaseException:
        if kept is not None and old_mode is not None:
            with contextlib.suppress(InputError), Folder.open(path.parent) as folder:
                folder.change_mode(kept.name, old_mode)
                folder.remove(kept.name)
        raise
    return kept


def set_aside(path: Path, now: datetime) -> Path | None:
    """Keep the file at `path` under the name `path.old-<UTC time>` too, mode 0600; None if there is no file.

    The old name stays until `publish(..., replace=True)` takes it over.

    Raises:
        InputError: if it is not a regular file, or cannot be kept.
    """
    if not reading.exists(path) or descriptor(path) is not None:
        return None
    require_replaceable(path)
    stem = f"{path.name}.old-{now:%Y%m%dT%H%M%SZ}"
    with Folder.open(path.parent, about=path) as folder:
        kept = folder.keep(path.name, iter([stem, *(f"{stem}-{number}" for number in range(1, 100))]))
    if kept is None:
        raise InputError(f"cannot keep the old file {path}: too many {stem} files", hint="move some of them away")
    return path.with_name(kept)


def require_replaceable(path: Path) -> None:
    """Refuse to replace devices, pipes and directories, even behind a symbolic link.

    Raises:
        InputError: if the path leads to a device, pipe or directory.
    """
    if reading.is_special(path) and descriptor(path) is None:
        raise InputError(f"cannot replace {path}: not a regular file", hint="choose another name")


class _Batch(Folder):
    """A directory that many new files appear in at once."""

    conflict_hint = "choose another name, or use --if-absent"


class Staging:
    """Many new files for one directory: written to a temporary one, synced once, moved into place.

    A new directory (mode 0700, for it holds keys) appears with all of them in it or not at all; in an existing one, no
    file is overwritten. Leaving the context without `publish` leaves nothing behind. Every method raises InputError if
    something cannot be written.

        with Staging(directory) as staging:
            staging.write("a.key", Secret(b"..."))
            staging.publish()
    """

    def __init__(self, directory: Path) -> None:
        self._target = Path(os.path.realpath(directory))
        self._is_new = not reading.exists(self._target)
        self._held = contextlib.ExitStack()
        self._staged: _Batch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def open(self) -> Folder:
        """Return the temporary directory, made unless it exists."""
        if self._staged is None:
            beside = self._held.enter_context(_Batch.open(self._target.parent if self._is_new else self._target))
            beside.sweep(self._target.name)
            shown = self._target.name if self._is_new else ""
            self._staged = self._held.enter_context(beside.staged(self._target.name, Access(), shown=shown))
        return self._staged

    def write(self, name: str, content: Content) -> None:
        """Write one file, not yet synced; safe in a forked child, if `open` was called before."""
        self.open().write(name, content, sync=False)

    def publish(self) -> None:
        """Sync everything and move it into place, or nothing if a name is taken."""
        if self._staged is None:
            return
        # One request for everything: syncing each file takes a thousand times as long.
        os.sync()
        if self._is_new:
            self._staged.above.rename(self._staged.name, self._target.name)
        else:
            self._staged.above.take_all(self._staged)
