"""Bounded reading of files, and checks that change nothing."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_INPUT_BYTES = 64 * 1024 * 1024

# Windows has no pipes by name, and translates line ends unless it is asked not to.
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ_WITHOUT_WAITING = _READ | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

# A named pipe may wait for a program that never writes. Those of a shell, `<(…)`, have theirs from the start.
_PIPE_SECONDS = 10
_OF_A_SHELL = ("/dev/", "/proc/")

_CHUNK = 1024 * 1024
_FIRST_CHUNK = 64 * 1024
_LONGEST_MARKER = 200
_MARKER_LINE = re.compile(rb"(?m)^[ \t]*-----BEGIN [A-Z0-9 ]{1,60}-----[ \t\r]*$")
# Java key stores and PuTTY's keys; and DER of 128 bytes or more.
_KEYS = re.compile(rb"\xfe\xed\xfe\xed|\xce\xce\xce\xce|PuTTY-User-Key-File")
_KEY_STORE = re.compile(rb"\x30[\x80-\x84]|" + _KEYS.pattern)


def read(path: Path | str, *, limit: int = MAX_INPUT_BYTES, must_be_regular: bool = False) -> bytes:
    """Read a whole file. A named pipe that stays silent for 10 seconds is an error.

    With `must_be_regular`, devices and pipes are an error at once: for paths that come from data.

    Raises:
        InputError: if the file cannot be read, or has more than `limit` bytes.
    """
    try:
        return bounded(chunks(path, must_be_regular=must_be_regular), name=str(path), limit=limit)
    except (OSError, ValueError) as error:
        raise failure("cannot read", path, error) from error


def bounded(chunks: Iterable[bytes], *, name: str, limit: int) -> bytes:
    """Return the chunks of a file together.

    Raises:
        InputError: if they have more than `limit` bytes.
    """
    read, size = [], 0
    for chunk in chunks:
        read.append(chunk)
        size += len(chunk)
        if size > limit:
            raise InputError(f"cannot read {name}: larger than {limit:,} bytes", hint="check that it is the right file")
    return b"".join(read)


def standard_input(*, hint: str = "name a file", limit: int = MAX_INPUT_BYTES) -> bytes:
    """Read standard input up to its end.

    Raises:
        InputError: if it is closed, cannot be read, or has more than `limit` bytes.
    """
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", hint=hint)
    stream = sys.stdin.buffer
    try:
        return bounded(iter(lambda: stream.read(_CHUNK) or b"", b""), name="standard input", limit=limit)
    except OSError as error:
        raise InputError(f"cannot read standard input: {_reason(error)}", hint=hint) from error


def chunks(path: Path | str, *, must_be_regular: bool = False) -> Iterator[bytes]:
    """Yield the bytes of a file, a chunk at a time, so that memory does not grow with it.

    A named pipe that stays silent for 10 seconds is an error, and so is a device without an end. With
    `must_be_regular`, devices and pipes are an error at once.

    Raises:
        OSError: if the file cannot be read.
    """
    file = os.open(path, _READ_WITHOUT_WAITING)
    try:
        mode = os.fstat(file).st_mode
        if must_be_regular and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if stat.S_ISFIFO(mode) and not str(path).startswith(_OF_A_SHELL):
            yield from _chunks_of_pipe(file)
            return
        if _READ_WITHOUT_WAITING != _READ:
            os.set_blocking(file, True)
        size = 0
        for chunk in chunks_of(file):
            yield chunk
            size += len(chunk)
            if stat.S_ISCHR(mode) and size > MAX_INPUT_BYTES:
                raise OSError(errno.EINVAL, f"a device with more than {MAX_INPUT_BYTES:,} bytes", str(path))
    finally:
        os.close(file)


def _chunks_of_pipe(file: int) -> Iterator[bytes]:
    """Yield what programs write to a named pipe, opened without waiting."""
    import select

    waiting = select.poll()
    waiting.register(file, select.POLLIN)
    while True:
        if not waiting.poll(_PIPE_SECONDS * 1000):
            raise OSError(errno.EPIPE, f"no program has written to this pipe for {_PIPE_SECONDS} seconds")
        chunk = os.read(file, _CHUNK)
        if not chunk:
            return
        yield chunk


def chunks_of(file: int) -> Iterator[bytes]:
    """Yield the rest of an open file, a chunk at a time, a small one first.

    Raises:
        OSError: if reading fails.
    """
    size = _FIRST_CHUNK
    while chunk := os.read(file, size):
        yield chunk
        size = _CHUNK


def size(path: Path | str) -> int:
    """Return the size of a regular file in bytes; 0 for anything else, and for what cannot be examined."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def begin(path: str) -> tuple[bytes, bool]:
    """Return the first bytes of a file, and whether they are all of it; a pipe without a writer counts as empty.

    Raises:
        OSError: if the file cannot be read.
    """
    file = os.open(path, _READ_WITHOUT_WAITING)
    try:
        data = os.read(file, _FIRST_CHUNK)
    finally:
        os.close(file)
    return data, len(data) < _FIRST_CHUNK


def exists(path: Path | str) -> bool:
    """Return whether something has that name, including a symbolic link that leads nowhere."""
    return os.path.lexists(path)


def is_directory(path: Path | str) -> bool:
    """Return whether the path is a directory, or a symbolic link to one."""
    return os.path.isdir(path)


def is_special(path: Path | str) -> bool:
    """Return whether the path leads to a device, a pipe, a socket or a directory."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def listing(path: Path | str) -> list[str]:
    """List the files of a directory, not of those below it, sorted by name.

    Raises:
        InputError: if the directory cannot be read.
    """
    try:
        return sorted(entry.path for entry in os.scandir(path) if entry.is_file())
    except (OSError, ValueError) as error:
        raise failure("cannot read", path, error) from error


def keeps_modes() -> bool:
    """Return whether files of this system have an owner and a mode that say who may read them; not on Windows."""
    return hasattr(os, "geteuid")


def is_exposed(path: Path | str) -> bool:
    """Return whether the group or others may read or write a file; False if it is not a regular file.

    Raises:
        InputError: if the file cannot be examined.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise failure("cannot examine", path, error) from error
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o066)


def is_same(first: Path | str, second: Path | str) -> bool:
    """Return whether two paths lead to the same place, whether or not something is there."""
    return os.path.realpath(first) == os.path.realpath(second)


def may_hold_objects(read: Iterable[bytes]) -> bool:
    """Return whether the bytes of a file may be keys or certificates, without parsing them.

    No report has a line that is a PEM marker, or begins like DER or a key store.

    Raises:
        OSError: if reading fails.
    """
    rest = b""
    for number, chunk in enumerate(read):
        if number == 0 and _KEY_STORE.match(chunk):
            return True
        rest = rest[-_LONGEST_MARKER:] + chunk.replace(b"\0", b"")
        if _MARKER_LINE.search(rest):
            return True
    return False


def holds_private_key(path: Path) -> bool:
    """Return whether a file may hold a private key, without parsing it; True if that is unclear."""
    from certkit.x509 import der

    if is_special(path):
        return False
    try:
        with open(path, "rb") as stream:
            begin = stream.read(_CHUNK)
    except OSError:
        return True
    has_marker = b"PRIVATE KEY-----" in begin.replace(b"\0", b"")
    is_store = _KEYS.match(begin) is not None
    return len(begin) == _CHUNK or has_marker or is_store or der.looks_like_private_key(begin)


def failure(what: str, path: Path | str, error: Exception) -> InputError:
    """Return the error that says what cannot be done, where, why, and how to fix it."""
    hint = _HINTS.get(getattr(error, "errno", None) or 0, "check the path and the device it is on")
    return InputError(f"{what} {path}: {_reason(error)}", hint=hint)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


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
    errno.EPIPE: "check that a program writes to it",
    errno.ENXIO: "check that a program is reading from it",
    errno.ETIMEDOUT: "check whether that run is stuck, and try again",
}
