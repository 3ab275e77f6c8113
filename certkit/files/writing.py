"""The file system: bounded reading, and writing that is atomic, synced, and never overwrites by surprise.

This is the only module that writes files, and `publish` is the only function that writes private keys.

A new file is written without a name (Linux, `O_TMPFILE`) and linked into place when its bytes are on the
disk, so a process killed half way leaves nothing behind. Where the file system cannot do that, a
temporary file beside the target takes its place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, TypeAlias

from certkit.errors import ExistsError, InputError
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

MAX_INPUT_BYTES = 64 * 1024 * 1024
PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644
PROGRAM_MODE = 0o755
PRIVATE_DIRECTORY_MODE = 0o700

_PAUSE_SECONDS = 0.01
_CHUNK = 1024 * 1024
_LARGE = 64 * 1024 * 1024
_LONGEST_MARKER = 200
_MARKER_LINE = re.compile(rb"(?m)^[ \t]*-----BEGIN [A-Z0-9 ]{1,60}-----[ \t\r]*$")
# DER of 128 bytes or more; Java key stores; PuTTY's keys.
_KEY_STORE = re.compile(rb"\x30[\x80-\x84]|\xfe\xed\xfe\xed|\xce\xce\xce\xce|PuTTY-User-Key-File")
_FIRST_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, in parts; `is_public` gives its file mode 0644 whatever the umask."""

    parts: Iterable[str]
    is_public: bool = False

    def encoded(self) -> Iterator[bytes]:
        """The parts as UTF-8; what is no text stands as escapes."""
        for part in self.parts:
            yield part.encode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Program:
    """Something that can be run, by everybody as far as the umask allows."""

    content: bytes


Content: TypeAlias = bytes | Secret | Report | Program


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read what is written, whatever the umask: its owner, and with `group` (its number) that group too.

    Without a group, what is public may be read by everybody who gets into its directory.
    """

    group: int | None = None

    @property
    def directory_mode(self) -> int:
        """The mode of directories."""
        return PRIVATE_DIRECTORY_MODE if self.group is None else 0o750

    @property
    def key_mode(self) -> int:
        """The mode of files with private keys."""
        return PRIVATE_MODE if self.group is None else 0o640

    @property
    def public_mode(self) -> int:
        """The mode of all other files."""
        return PUBLIC_MODE if self.group is None else 0o640

    def mode_of(self, content: Content) -> int:
        """The mode of a file with that content."""
        return self.key_mode if isinstance(content, Secret) else self.public_mode

    def give(self, file: int, mode: int) -> None:
        """Set the group and the mode of what is open; the group first, lest another one may read it.

        Raises:
            PermissionError: the process may not give it to that group.
        """
        if self.group is not None:
            os.fchown(file, -1, self.group)
        os.fchmod(file, mode)


def read(path: Path | str, *, limit: int = MAX_INPUT_BYTES) -> bytes:
    """The bytes of a file, at most `limit` of them.

    Raises:
        InputError: it cannot be read, or is larger.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            return read_stream(stream, name=str(path), limit=limit)
    except (OSError, ValueError) as error:
        raise failure("cannot read", path, error) from error


def read_in(folder: int, name: str, *, limit: int = MAX_INPUT_BYTES) -> bytes:
    """The bytes of a regular file of a directory that is held open, at most `limit`; no symbolic link is followed.

    Raises:
        InputError: it has more.
        OSError: it cannot be read, or is something else.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=folder), "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        return read_stream(stream, name=name, limit=limit)


def read_stream(stream: IO[bytes], *, name: str, limit: int = MAX_INPUT_BYTES) -> bytes:
    """The bytes of an open stream up to its end, at most `limit` of them.

    Raises:
        InputError: it has more.
        OSError: reading fails.
    """
    chunks = []
    left = limit + 1
    while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    if left <= 0:
        raise InputError(f"cannot read, {name}: larger than {limit:,} bytes", hint="check that it is the right file")
    return b"".join(chunks)


def chunks(path: Path | str, *, start: int = 0, must_be_regular: bool = False) -> Iterator[bytes]:
    """The bytes of a file from `start` on, a chunk at a time, so that memory does not grow with it.

    With `must_be_regular`, devices and pipes are an error, for they may have no end.

    Raises:
        OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if must_be_regular else 0))
    try:
        if must_be_regular and not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if start:
            os.lseek(file, start, os.SEEK_SET)
        size = _FIRST_CHUNK
        is_large = os.fstat(file).st_size > _LARGE
        while chunk := os.read(file, size):
            yield chunk
            size = _CHUNK
            if is_large and not chunk.rstrip(b"\0"):
                yield from _leap(file)
    finally:
        os.close(file)


def _leap(file: int) -> Iterator[bytes]:
    """Leap over a hole, where the system tells of holes; a byte stands for all of it."""
    with contextlib.suppress(OSError):
        here = os.lseek(file, 0, os.SEEK_CUR)
        try:
            there = os.lseek(file, here, os.SEEK_DATA)
        except OSError as error:
            there = os.lseek(file, 0, os.SEEK_END) if error.errno == errno.ENXIO else os.lseek(file, here, os.SEEK_SET)
        if there > here:
            yield b"\0"


def count_lines(path: Path | str, *, end: int) -> int:
    """How many lines end before the byte at `end`.

    Raises:
        OSError: it cannot be read.
    """
    counted = at = 0
    for chunk in chunks(path):
        counted += chunk.count(b"\n", 0, max(0, end - at))
        at += len(chunk)
        if at >= end:
            break
    return counted


def holds(path: Path, content: Content) -> bool:
    """Whether a file holds exactly this.

    Raises:
        OSError: it cannot be read.
    """
    wanted = b"".join(_parts(content))
    return size(path) == len(wanted) and b"".join(chunks(path)) == wanted


def size(path: Path | str) -> int:
    """The size of a regular file in bytes; 0 for anything else, and for what cannot be examined."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def begin(path: str) -> tuple[bytes, bool]:
    """The first bytes of a file, and whether they are all of it; a pipe that nobody writes to is as good as empty.

    Raises:
        OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data = os.read(file, _FIRST_CHUNK)
    finally:
        os.close(file)
    return data, len(data) < _FIRST_CHUNK


def exists(path: Path) -> bool:
    """Whether something has that name, be it a symbolic link that leads nowhere."""
    return os.path.lexists(path)


def is_directory(path: Path | str) -> bool:
    """Whether a directory, or a symbolic link to one, has that name."""
    return os.path.isdir(path)


def is_special(path: Path | str) -> bool:
    """Whether a device, a pipe, a socket or a directory has that name, be it through a symbolic link."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def listing(path: Path | str) -> list[str]:
    """The files of a directory, not of those below it, in the order of their names.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sorted(entry.path for entry in os.scandir(path) if entry.is_file())
    except (OSError, ValueError) as error:
        raise failure("cannot read", path, error) from error


def is_exposed(path: Path | str) -> bool:
    """Whether the file's group or others may read or write it; False for what is not a regular file.

    Raises:
        InputError: the file cannot be examined.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise failure("cannot examine", path, error) from error
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o066)


def is_same(first: Path, second: Path) -> bool:
    """Whether two names lead to the same place, whether or not something is there."""
    return os.path.realpath(first) == os.path.realpath(second)


_EXISTS_HINT = "choose another name, or use --force"


def require_absent(path: Path, *, hint: str = _EXISTS_HINT) -> None:
    """Refuse a target that exists.

    Raises:
        InputError: something has that name, a symbolic link included.
    """
    if exists(path):
        link = " (a symbolic link)" if os.path.islink(path) else ""
        raise ExistsError(f"cannot write, {path}: it exists{link} and is not overwritten", hint=hint)


def require_directory(path: Path) -> None:
    """Refuse a target whose directory is missing or cannot be written to, before any work is done.

    Raises:
        InputError: nothing could be written there.
    """
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"cannot write, {path}: no directory {folder}", hint="make the directory first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write, {path}: no permission to write in {folder}", hint="choose a directory that is yours"
        )


def publish(path: Path, content: Content, *, replace: bool = False) -> None:
    """Write a new file, whole and synced, or nothing; a `Secret` gets mode 0600 from its first byte.

    With `replace`, a regular file or symbolic link of that name is replaced in one step. The caller sees to it
    that no private key is lost (`set_aside`).

    Raises:
        InputError: the name is taken, or the file cannot be written; the old state remains.
    """
    if replace:
        require_replaceable(path)
    else:
        require_absent(path)
    try:
        with _folder(path) as folder:
            _publish(folder, path.name, content, replace=replace)
            os.fsync(folder)
    except FileExistsError as error:
        raise ExistsError(f"cannot write, {path}: it exists and is not overwritten", hint=_EXISTS_HINT) from error
    except (OSError, ValueError) as error:
        raise failure("cannot write", path, error) from error


def publish_in(folder: int, name: str, content: Content, *, access: Access, replace: bool = False) -> None:
    """Write a new file as `publish` does, into a directory that is held open.

    With `replace`, whatever has that name is replaced in one step, unless it is a directory.

    Raises:
        FileExistsError: the name is taken.
        OSError: it cannot be written; the old state remains.
    """
    _publish(folder, name, content, replace=replace, access=access)
    os.fsync(folder)


@contextlib.contextmanager
def locked(folder: int, name: str, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock that a file of a directory held open stands for; a process that ends lets go of it.

    Raises:
        TimeoutError: another process has held it for so many seconds.
        OSError: the file cannot be made or locked.
    """
    deadline = time.monotonic() + wait_seconds
    while (file := _try_lock(folder, name)) is None:
        if time.monotonic() >= deadline:
            raise TimeoutError(errno.ETIMEDOUT, f"another run has held it for {wait_seconds:g} seconds", name)
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        os.close(file)


def _try_lock(folder: int, name: str) -> int | None:
    """The descriptor of the lock, held; None if another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(name, flags, PRIVATE_MODE, dir_fd=folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


def write_report(path: Path, report: Report) -> None:
    """Replace a report atomically; devices and pipes are written to. Keys and certificates are left alone.

    A symbolic link is followed, for a report may live elsewhere.

    Raises:
        InputError: it cannot be written; the old file stays.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.parts[:2] in {("/", "dev"), ("/", "proc")} or str(path).startswith("/dev/") or is_special(target):
            with open(path, "wb", buffering=0) as device:
                for part in report.encoded():
                    _write_all(device.fileno(), part)
            return
    except OSError as error:
        raise failure("cannot write", path, error) from error
    if exists(target) and holds_objects(target):
        raise InputError(
            f"cannot write, {path}: it holds keys or certificates, which a report never replaces",
            hint="choose another name",
        )
    publish(target, report, replace=True)


def holds_objects(path: Path) -> bool:
    """Whether a file may hold keys or certificates (looked at, not parsed); True if it cannot be read.

    No report has a line that is a PEM marker, or begins like DER or a key store.
    """
    rest = b""
    try:
        for number, chunk in enumerate(chunks(path)):
            if number == 0 and _KEY_STORE.match(chunk):
                return True
            rest = rest[-_LONGEST_MARKER:] + chunk.replace(b"\0", b"")
            if _MARKER_LINE.search(rest):
                return True
    except OSError:
        return True
    return False


def holds_private_key(path: Path) -> bool:
    """Whether a file may hold a private key, PEM or DER (looked at, not parsed); True if it cannot be told."""
    from certkit.x509 import der

    if is_special(path):
        return False
    try:
        with open(path, "rb") as stream:
            begin = stream.read(_CHUNK)
    except OSError:
        return True
    has_marker = b"PRIVATE KEY-----" in begin.replace(b"\0", b"")
    return len(begin) == _CHUNK or has_marker or der.looks_like_private_key(begin)


def replace_key(path: Path, content: Secret, now: datetime) -> Path | None:
    """Put a new key in place of an old one, which is kept as `path.old-<UTC time>`, mode 0600; its name, or None.

    There is no moment without a file of that name.

    Raises:
        InputError: the old file is not a regular file or cannot be kept, or the new one cannot be written; the old
            state remains.
    """
    old_mode = stat.S_IMODE(os.lstat(path).st_mode) if exists(path) else None
    kept = set_aside(path, now)
    try:
        publish(path, content, replace=True)
    except BaseException:
        if kept is not None and old_mode is not None:
            with contextlib.suppress(OSError):
                if not kept.is_symlink():
                    os.chmod(kept, old_mode)
                os.unlink(kept)
        raise
    return kept


def set_aside(path: Path, now: datetime) -> Path | None:
    """Keep the file at `path` under the name `path.old-<UTC time>` too, mode 0600; None if there is none.

    The old name stays until `publish(..., replace=True)` takes it over.

    Raises:
        InputError: it is not a regular file, or cannot be kept.
    """
    if not exists(path):
        return None
    require_replaceable(path)
    stem = f"{path}.old-{now:%Y%m%dT%H%M%SZ}"
    for kept in (Path(stem), *(Path(f"{stem}-{number}") for number in range(1, 100))):
        try:
            os.link(path, kept, follow_symlinks=False)
            if not kept.is_symlink():
                os.chmod(kept, PRIVATE_MODE)
        except FileExistsError:
            continue
        except OSError as error:
            raise failure("cannot keep the old file", path, error) from error
        return kept
    raise InputError(f"cannot keep the old file, {path}: too many {stem} files", hint="move some of them away")


def require_replaceable(path: Path) -> None:
    """Refuse to replace devices, pipes and directories, also behind a symbolic link.

    Raises:
        InputError: it is one of them.
    """
    if is_special(path):
        raise InputError(f"cannot replace, {path}: not a regular file", hint="choose another name")


class Staging:
    """Many new files for one directory: written to a temporary one, synced once, moved into place.

    A new directory (mode 0700, for it holds keys) appears with all of them in it or not at all; in one that is
    there, no file is overwritten. Leaving the context without `publish` leaves nothing behind.

        with Staging(directory) as staging:
            staging.write("a.key", Secret(b"..."))
            staging.publish()
    """

    def __init__(self, directory: Path) -> None:
        self._target = Path(os.path.realpath(directory))
        self._is_new = not exists(self._target)
        self._beside = self._target.parent if self._is_new else self._target
        self._path = self._beside / temporary_name(self._target.name)
        self._folder: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            os.close(self._folder)
        _remove_tree(self._path)

    def open(self) -> None:
        """Make the temporary directory, if it is not there yet.

        Raises:
            InputError: it cannot be made.
        """
        if self._folder is None:
            with _translated("cannot write", self._target):
                self._sweep()
                self._path.mkdir(mode=PRIVATE_DIRECTORY_MODE)
                os.chmod(self._path, PRIVATE_DIRECTORY_MODE)
                self._folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(self._folder, fcntl.LOCK_EX)

    def _sweep(self) -> None:
        """Remove what runs that were killed have left: temporary directories of this target that nobody has locked."""
        for name in os.listdir(self._beside):
            if is_temporary_name(name, self._target.name):
                with contextlib.suppress(OSError), _open_folder(self._beside / name) as folder:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove_tree(self._beside / name)

    def write(self, name: str, content: Content) -> None:
        """Write one file, not yet synced; safe in a forked child, if it is open already.

        Raises:
            InputError: it cannot be written.
        """
        self.open()
        assert self._folder is not None  # noqa: S101  open() saw to it
        with _translated("cannot write", self._target / name):
            _write_named(self._folder, name, content)

    def publish(self) -> None:
        """Sync everything and move it into place; nothing to do if nothing was written.

        Raises:
            InputError: a name is taken, or something cannot be written; no file of these remains.
        """
        if self._folder is None:
            return
        with _translated("cannot write", self._target):
            # One request for everything: a sync of its own for each file takes a thousand times as long.
            os.sync()
            if self._is_new:
                os.rename(self._path, self._target)
            else:
                _link_all(self._folder, self._target)
            with _open_folder(self._beside) as folder:
                os.fsync(folder)


def _link_all(source: int, directory: Path) -> None:
    """Give every file of a directory its name in another one, or none of them."""
    done: list[str] = []
    with _open_folder(directory) as folder:
        try:
            for name in os.listdir(source):
                _move_without_overwriting(folder, name, name, source=source)
                done.append(name)
        except BaseException:
            for name in done:
                os.unlink(name, dir_fd=folder)
            raise


@contextlib.contextmanager
def _translated(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        name = error.filename2 or error.filename
        hint = "choose another name, or use --if-absent"
        raise ExistsError(f"{what}, {path}: {name} exists and is not overwritten", hint=hint) from error
    except (OSError, ValueError) as error:
        raise failure(what, path, error) from error


def temporary_name(target: str) -> str:
    """A name beside the target, for what is not whole yet; as long as a file system allows."""
    return f".{_cut(target)}.{os.urandom(6).hex()}.tmp"


def is_temporary_name(name: str, target: str | None = None) -> bool:
    """Whether something was written here under that name, for the target (None: for any), and was not finished."""
    stem = ".+" if target is None else re.escape(_cut(target))
    return re.fullmatch(rf"\.{stem}\.[0-9a-f]{{12}}\.tmp", name, re.DOTALL) is not None


def _cut(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:200])


def _publish(folder: int, name: str, content: Content, *, replace: bool, access: Access | None = None) -> None:
    temporary = temporary_name(name)
    try:
        if not _write_nameless(folder, temporary if replace else name, content, access):
            _write_named(folder, temporary, content, access, sync=True)
            if not replace:
                _move_without_overwriting(folder, temporary, name)
        if replace:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)


def _write_nameless(folder: int, name: str, content: Content, access: Access | None) -> bool:
    """Write a file without a name, sync it, and link it as `name`; False where that is not supported."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not os.path.isdir("/proc/self/fd"):
        return False
    try:
        file = os.open(".", flag | os.O_WRONLY | os.O_CLOEXEC, PRIVATE_MODE, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}:
            return False
        raise
    try:
        _fill(file, content, access)
        os.fsync(file)
        # linkat with AT_SYMLINK_FOLLOW (open(2), O_TMPFILE), which os.link uses when given a directory.
        os.link(f"/proc/self/fd/{file}", name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(file)
    return True


def _write_named(folder: int, name: str, content: Content, access: Access | None = None, *, sync: bool = False) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name, flags, PRIVATE_MODE, dir_fd=folder)
    try:
        _fill(file, content, access)
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def _fill(file: int, content: Content, access: Access | None) -> None:
    if access is None:
        os.fchmod(file, _mode(content))
    else:
        access.give(file, access.mode_of(content))
    for part in _parts(content):
        _write_all(file, part)


def _parts(content: Content) -> Iterable[bytes]:
    if isinstance(content, Secret):
        return [content.reveal()]
    if isinstance(content, Program):
        return [content.content]
    return content.encoded() if isinstance(content, Report) else [content]


def _mode(content: Content) -> int:
    if isinstance(content, Secret):
        return PRIVATE_MODE
    if isinstance(content, Program):
        return PROGRAM_MODE & ~_umask()
    is_public = isinstance(content, Report) and content.is_public
    return PUBLIC_MODE if is_public else PUBLIC_MODE & ~_umask()


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _move_without_overwriting(folder: int, name: str, target: str, *, source: int | None = None) -> None:
    """Give a file its final name; the old name goes away with its directory or its temporary file."""
    source = folder if source is None else source
    try:
        os.link(name, target, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        # A file system without hard links: what is left is a look and a rename.
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        with contextlib.suppress(FileNotFoundError):
            os.lstat(target, dir_fd=folder)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
        os.rename(name, target, src_dir_fd=source, dst_dir_fd=folder)


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _open_folder(path.parent) as folder:
        yield folder


@contextlib.contextmanager
def _open_folder(path: Path) -> Iterator[int]:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _remove_tree(path: Path) -> None:
    if path.exists():
        import shutil

        shutil.rmtree(path, ignore_errors=True)


def _umask() -> int:
    # To ask by setting it would give other threads' files another mode for a moment.
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    current = os.umask(0o077)
    os.umask(current)
    return current


def failure(what: str, path: Path | str, error: Exception) -> InputError:
    """The error that says what cannot be done, where, why, and what to do about it."""
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
    return InputError(f"{what}, {path}: {reason}", hint=_hint(error))


_HINTS = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check the permissions of the file and of the directories above it",
    errno.EPERM: "check the permissions of the file and of the directories above it",
    errno.EISDIR: "name a file, not a directory",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f) and try again",
    errno.EROFS: "choose a place that can be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTEMPTY: "choose an empty or new directory",
    errno.ELOOP: "check the symbolic links of the path",
    errno.ETIMEDOUT: "see whether what it waited for is stuck, and try again",
}


def _hint(error: Exception) -> str:
    return _HINTS.get(getattr(error, "errno", None) or 0, "check the path and the device it is on")
