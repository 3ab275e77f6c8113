"""An open directory: how certkit writes files, but for the exceptions that tests/test_architecture.py lists.

A directory is opened once and then used by its descriptor and by one name at a time. So no other directory can be put
in its place, and no symbolic link is followed, neither a planted one nor one that appears midway.

A new file is written without a name (Linux, `O_TMPFILE`) and linked into place once its bytes are on the disk, so a
process killed midway leaves nothing behind. Where the file system cannot do that, a temporary file beside the target
takes its place, and the next run sweeps it away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from typing import TYPE_CHECKING, ClassVar, Self

from certkit.errors import ExistsError, InputError, UnsafeDirectoryError
from certkit.files import content as contents
from certkit.files import reading
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from certkit.files.content import Access, Content
    from certkit.files.owners import Trust

LOCK = ".lock"
MAX_BYTES = 4 * 1024 * 1024

_PAUSE_SECONDS = 0.01
_REMOVALS = 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """An open directory, and the path that errors name it by.

    Every method may raise `error` for what the system refuses and `conflict` for a name that is taken, which subclasses
    choose for their subject; one that takes `trust`, UnsafeDirectoryError for what belongs to another user, or others
    may write to.

        with Folder.open(path) as folder, folder.inside("below") as below:
            below.write("file", b"...", Access())
    """

    error: ClassVar[type[InputError]] = InputError
    conflict: ClassVar[type[InputError]] = ExistsError
    conflict_hint: ClassVar[str] = "choose another name, or use --force"
    link_hint: ClassVar[str] = "name the file itself: symbolic links are not followed here"

    __slots__ = ("_above", "descriptor", "name", "path")

    def __init__(self, file: int, path: Path, above: Self | None = None, name: str = "") -> None:
        self.descriptor = file
        self._above = above
        self.path = path
        self.name = name or path.name  # its entry in the directory above; an unfinished one is shown by another path

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        path: Path,
        *,
        about: Path | None = None,
        trust: Trust | None = None,
        then: str | None = None,
        follows: bool = True,
    ) -> Iterator[Self]:
        """Open the directory at a path, which may lead through symbolic links.

        `about` is the file that is to be written there, which errors name instead. With `trust`, every directory on the
        way must be safe from others (`owners`), `then` is the entry that is used next, and a symbolic link as the last
        component is followed only if `follows`.
        """
        try:
            if trust is None:
                file = os.open(path, _DIRECTORY | os.O_CLOEXEC)
            else:
                file = trust.enter(path, goal="write" if about else "use", then=then, about=about, follows=follows)
        except (OSError, ValueError) as error:
            what = "cannot read" if about is None else "cannot write"
            raise cls._failure(what, about or path, error) from error
        try:
            yield cls(file, path)
        finally:
            os.close(file)

    @contextlib.contextmanager
    def inside(self, name: str, *, what: str = "cannot read", shown: str | None = None) -> Iterator[Self]:
        """Open a directory in this one; errors say `what` cannot be done, and name it `shown` (default: its name)."""
        with self._opened(name, _DIRECTORY, what) as file:
            yield type(self)(file, self.path / (name if shown is None else shown), self, name)

    @contextlib.contextmanager
    def _opened(self, name: str, flags: int, what: str | None = None) -> Iterator[int]:
        """Open an entry, which is never followed if it is a link; with `what`, translate the failure to open it."""
        with self._translated(what, name) if what else contextlib.nullcontext():
            file = os.open(name, flags | _SAFELY, contents.PRIVATE_MODE, dir_fd=self.descriptor)
        try:
            yield file
        finally:
            os.close(file)

    def require_safe(self, trust: Trust) -> None:
        """Refuse a directory that belongs to another user, or that others may write to."""
        trust.require(self.descriptor, self.path, goal="use")

    def require_safe_file(self, name: str, trust: Trust) -> None:
        """Refuse a file that belongs to another user, or that others may write to; it need not be readable."""
        flags = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)
        with self._translated("cannot run", name), self._opened(name, flags) as file:
            trust.require(file, self.path / name, goal="run")

    def names(self) -> list[str]:
        """List the entries of the directory, sorted by name."""
        with self._translated("cannot read"):
            return sorted(os.listdir(self.descriptor))

    @property
    def own_status(self) -> os.stat_result:
        """The status of the directory itself."""
        with self._translated("cannot examine"):
            return os.fstat(self.descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of an entry; None if nothing has that name."""
        with self._translated("cannot examine", name):
            try:
                return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def has(self, name: str) -> bool:
        """Return whether something has that name, including a symbolic link that leads nowhere."""
        return self.status(name) is not None

    def has_folder(self, name: str) -> bool:
        """Return whether a directory has that name."""
        found = self.status(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    @property
    def is_in_place(self) -> bool:
        """Whether the directory's name still leads to it, so that it was not moved away."""
        found = self.above.status(self.name)
        return found is not None and os.path.samestat(found, self.own_status)

    @property
    def above(self) -> Self:
        """The directory that it was opened in.

        Raises:
            LookupError: if it was opened by its path.
        """
        if self._above is None:
            raise LookupError(self.path)
        return self._above

    def read(self, name: str, *, limit: int = MAX_BYTES, trust: Trust | None = None) -> bytes:
        """Read a regular file; pipes and devices are an error, and never block."""
        with self._translated("cannot read", name), self._regular(name) as file:
            if trust is not None:
                trust.require(file, self.path / name, goal="use")
            return reading.bounded(reading.chunks_of(file), name=f"{self.path}/{name}", limit=limit)

    def read_if_there(self, name: str) -> bytes | None:
        """Read a regular file; None if nothing has that name, also if another run has just removed it."""
        try:
            return self.read(name)
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def holds(self, name: str, content: Content) -> bool:
        """Return whether a regular file has exactly this content."""
        wanted = b"".join(contents.parts(content))
        with (
            self._translated("cannot read", name),
            self._regular(name) as file,
            open(file, "rb", buffering=0, closefd=False) as stream,
        ):
            # No more is read of a file that grows meanwhile.
            return os.fstat(file).st_size == len(wanted) and stream.read(len(wanted) + 1) == wanted

    def may_hold_objects(self, name: str) -> bool:
        """Return whether a file may hold keys or certificates, without parsing it; True if it cannot be read."""
        try:
            with self._regular(name) as file:
                return reading.may_hold_objects(reading.chunks_of(file))
        except OSError:
            return True

    @contextlib.contextmanager
    def _regular(self, name: str) -> Iterator[int]:
        with self._opened(name, _FILE) as file:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", name)
            yield file

    @contextlib.contextmanager
    def device(self, name: str) -> Iterator[int]:
        """Open a character device or a pipe for writing; a pipe waits for its reader.

        Pipes of other users are refused: they could make a run wait forever.
        """
        with self._translated("cannot write", name):
            found = self.status(name)
            if found is not None and stat.S_ISFIFO(found.st_mode) and found.st_uid not in {0, os.geteuid()}:
                raise OSError(errno.EPERM, "a pipe of another user", name)
        with self._opened(name, os.O_WRONLY | os.O_NOCTTY, "cannot write") as file:
            mode = os.fstat(file).st_mode
            if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
                raise self._failure("cannot write", self.path / name, OSError(errno.EINVAL, "not a device or pipe"))
            yield file

    @contextlib.contextmanager
    def watched(self, name: str) -> Iterator[Callable[[], bool]]:
        """Yield a function that returns whether a file is still the same, not another one put in its place."""
        # While it is open, no other file gets its inode number.
        with self._opened(name, _FILE, "cannot read") as file:
            yield lambda: (now := self.status(name)) is not None and os.path.samestat(now, os.fstat(file))

    def target(self, name: str) -> str | None:
        """Return where a symbolic link leads; None if nothing has that name."""
        with self._translated("cannot read", name):
            try:
                return os.readlink(name, dir_fd=self.descriptor)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                raise OSError(errno.EINVAL, "not a symbolic link") from error

    def write(
        self,
        name: str,
        content: Content,
        access: Access | None = None,
        *,
        mode: int | None = None,
        replace: bool = False,
        sync: bool = True,
    ) -> None:
        """Write a file completely and synced, or leave the old state; a `Secret` gets its mode before its first byte.

        With `replace`, whatever has that name is replaced in one step, unless it is a directory. Without `access` and
        `mode` the umask decides the mode of public files. Without `sync` the caller syncs, and the file has its name at
        once.
        """
        if isinstance(content, bytes) and access is not None and len(content) > MAX_BYTES:
            message = f"cannot write {self.path / name}: more than {MAX_BYTES:,} bytes"
            raise self.error(message, hint="check that it is the right file")

        def fill(file: int) -> None:
            """Write the content of a new file; no byte of a key is ever readable by others."""
            contents.set_mode(file, content, access, mode)
            require_private(file)
            for part in contents.parts(content):
                contents.write_all(file, part)
            require_private(file)

        def require_private(file: int) -> None:
            fault = contents.exposure(file, access) if isinstance(content, Secret) else None
            if fault is not None:
                raise self.error(f"cannot write {self.path / name}: others could read it: {fault[0]}", hint=fault[1])

        with self._translated("cannot write", name):
            if not sync:
                self._write_named(name, fill, sync=False)
                return
            temporary = temporary_name(name)
            try:
                if not self._write_nameless(temporary if replace else name, fill):
                    self._write_named(temporary, fill)
                    if not replace:
                        self._take(temporary, name)
                if replace:
                    os.rename(temporary, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=self.descriptor)
            os.fsync(self.descriptor)

    def _write_nameless(self, name: str, fill: Callable[[int], None]) -> bool:
        """Write a file without a name, sync it, and link it as `name`; return False if that is not supported."""
        flag = getattr(os, "O_TMPFILE", None)
        if flag is None or not os.path.isdir("/proc/self/fd"):
            return False
        try:
            file = os.open(".", flag | os.O_WRONLY | _SAFELY, contents.PRIVATE_MODE, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}:
                return False
            raise
        try:
            fill(file)
            os.fsync(file)
            # linkat with AT_SYMLINK_FOLLOW (open(2), O_TMPFILE), which os.link uses when given a directory.
            os.link(
                f"/proc/self/fd/{file}",
                name,
                src_dir_fd=self.descriptor,
                dst_dir_fd=self.descriptor,
                follow_symlinks=True,
            )
        finally:
            os.close(file)
        return True

    def _write_named(self, name: str, fill: Callable[[int], None], *, sync: bool = True) -> None:
        with self._opened(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
            try:
                fill(file)
                if sync:
                    os.fsync(file)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self.descriptor)
                raise

    def _take(self, name: str, new: str, *, source: Self | None = None) -> None:
        """Give a file its final name without overwriting; the old name goes away with its directory or later."""
        file = self.descriptor if source is None else source.descriptor
        try:
            os.link(name, new, src_dir_fd=file, dst_dir_fd=self.descriptor, follow_symlinks=False)
        except OSError as error:
            # On a file system without hard links, a check and a rename have to do.
            if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
                raise
            with contextlib.suppress(FileNotFoundError):
                os.lstat(new, dir_fd=self.descriptor)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from error
            os.rename(name, new, src_dir_fd=file, dst_dir_fd=self.descriptor)

    def take_all(self, source: Self) -> None:
        """Move every file of another directory into this one, or none of them if a name is taken."""
        done: list[str] = []
        try:
            for name in source.names():
                with self._translated("cannot write", name):
                    self._take(name, name, source=source)
                done.append(name)
        except BaseException:
            for name in done:
                os.unlink(name, dir_fd=self.descriptor)
            raise
        self.sync()

    def keep(self, name: str, copies: Iterator[str]) -> str | None:
        """Link a file to the first free name as well, mode 0600; return that name, None if no name is free.

        A symbolic link stays one, and what it leads to is not touched.
        """
        with self._translated("cannot keep the old file", name):
            for copy in copies:
                try:
                    os.link(name, copy, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor, follow_symlinks=False)
                except FileExistsError:
                    continue
                if not self._is_link(copy):
                    self.change_mode(copy, contents.PRIVATE_MODE)
                return copy
        return None

    def change_mode(self, name: str, mode: int) -> None:
        """Change the mode of a regular file."""
        with self._translated("cannot write", name), self._regular(name) as file:
            os.fchmod(file, mode)

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link, not yet synced."""
        with self._translated("cannot write", name):
            os.symlink(target, name, dir_fd=self.descriptor)

    def point(self, name: str, target: str | None) -> None:
        """Point the symbolic link of that name elsewhere in one step, or remove it."""
        with self._translated("cannot write", name):
            if target is None:
                os.unlink(name, dir_fd=self.descriptor)
            else:
                temporary = temporary_name(name)
                os.symlink(target, temporary, dir_fd=self.descriptor)
                try:
                    os.rename(temporary, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
                except BaseException:
                    os.unlink(temporary, dir_fd=self.descriptor)
                    raise
            os.fsync(self.descriptor)

    @contextlib.contextmanager
    def make(self, name: str, access: Access, *, shown: str | None = None) -> Iterator[Self]:
        """Make a new directory in this one; errors name what it is to become, if that is `shown`."""
        with self._translated("cannot write", name if shown is None else shown):
            os.mkdir(name, contents.PRIVATE_DIRECTORY_MODE, dir_fd=self.descriptor)
        with self.inside(name, shown=shown) as folder:
            try:
                folder.give(access)
            except BaseException:
                self.remove(name)
                raise
            yield folder

    def give(self, access: Access, name: str | None = None, mode: int = 0) -> None:
        """Give the directory, or a file in it, the group and mode that its readers need."""
        try:
            if name is None:
                access.give(self.descriptor, access.directory_mode)
            else:
                with self._regular(name) as file:
                    access.give(file, mode)
        except PermissionError as error:
            if access.group is None:
                message = f"cannot write {self.path}: the file system does not support permissions"
                hint = "choose a directory on another file system"
            else:
                message = f"cannot write {self.path}: no permission to give it to the group"
                hint = "be a member of that group, or run it as root"
            raise self.error(message, hint=hint) from error
        except OSError as error:
            raise self._failure("cannot write", self.path, error) from error

    @contextlib.contextmanager
    def staged(self, name: str, access: Access, *, shown: str | None = None) -> Iterator[Self]:
        """Make a temporary directory for what is to become `name`, locked as long as the block lasts, then removed.

        Errors name what it is to become, `shown` (default: `name`).
        """
        temporary = temporary_name(name)
        try:
            with self.make(temporary, access, shown=name if shown is None else shown) as folder:
                # NFS has no locks on directories; there the sweeper relies on the lock of the directory around it.
                with contextlib.suppress(OSError):
                    _lock(folder.descriptor)
                yield folder
        finally:
            with contextlib.suppress(self.error):
                self.remove(temporary)

    @contextlib.contextmanager
    def build(self, name: str, access: Access) -> Iterator[Self]:
        """Make a new directory in this one, which appears whole and synced when the block ends, or not at all."""
        # The caller holds the lock. A rename replaces a foreign directory only if it is empty.
        if self.has(name):
            raise self._failure("cannot write", self.path / name, FileExistsError())
        with self.staged(name, access) as folder:
            yield folder
            folder.sync()
            self.rename(folder.name, name)

    def rename(self, name: str, new: str | None = None) -> None:
        """Give something in it another name, for good; without a new one, a temporary one that is swept away."""
        with self._translated("cannot write" if new else "cannot remove", new or name):
            target = new or temporary_name(name)
            os.rename(name, target, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
            os.fsync(self.descriptor)

    def remove(self, name: str) -> None:
        """Remove the entry of that name with everything below it; do nothing if there is none.

        What cannot be removed does not keep the rest.
        """
        with self._translated("cannot remove", name), contextlib.suppress(FileNotFoundError):
            if self.has_folder(name):
                import shutil

                # Runs that wait for the lock in a directory that goes away may put a new lock file into it.
                for _ in range(_REMOVALS):
                    shutil.rmtree(name, dir_fd=self.descriptor, ignore_errors=True)
                    if not self.has(name):
                        return
                shutil.rmtree(name, dir_fd=self.descriptor)  # raises why
            else:
                os.unlink(name, dir_fd=self.descriptor)

    def sync(self) -> None:
        """Flush what was created or renamed in the directory to disk."""
        with self._translated("cannot write"):
            os.fsync(self.descriptor)

    @contextlib.contextmanager
    def locked(self, name: str = LOCK, *, wait_seconds: float) -> Iterator[None]:
        """Hold the lock file of that name; the lock is released when the process ends, however it ends.

        If another process holds it throughout, the cause of the error is a TimeoutError.
        """
        with self._translated("cannot lock", name):
            deadline = time.monotonic() + wait_seconds
            while (file := self._try_lock(name)) is None:
                if time.monotonic() >= deadline:
                    raise TimeoutError(
                        errno.ETIMEDOUT, f"another certkit process has held the lock for {wait_seconds:g} seconds", name
                    )
                time.sleep(_PAUSE_SECONDS)
        try:
            yield
        finally:
            os.close(file)

    def _try_lock(self, name: str) -> int | None:
        """Return the descriptor of the lock; None if another process holds it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK
        file = os.open(name, flags | _SAFELY, contents.PRIVATE_MODE, dir_fd=self.descriptor)
        try:
            _lock(file)
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        return file

    def sweep(self, target: str | None = None) -> None:
        """Remove the remains of killed runs, of one target or of all; the caller holds the lock.

        A directory that a running process is filling stays.
        """
        for name in self.leftovers(target):
            if not self._is_filled(name):
                self.remove(name)

    def _is_filled(self, name: str) -> bool:
        """Return whether a process holds the lock of a temporary directory (`staged`)."""
        try:
            with self._opened(name, _DIRECTORY) as file:
                _lock(file)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        return False

    def leftovers(self, target: str | None = None) -> list[str]:
        """List unfinished work of runs that are active or were killed."""
        return [name for name in self.names() if is_temporary_name(name, target)]

    @contextlib.contextmanager
    def _translated(self, what: str, name: str | None = None) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            if isinstance(error, (self.error, UnsafeDirectoryError)):
                raise
            raise self.error(error.message, hint=error.hint) from error
        except (OSError, ValueError) as error:
            is_confusing = getattr(error, "errno", None) in {errno.ELOOP, errno.ENOTDIR}
            if name and is_confusing and self._is_link(name):
                message = f"{what} {self.path / name}: it is a symbolic link"
                raise self.error(message, hint=self.link_hint) from error
            raise self._failure(what, self.path / (name or ""), error) from error

    def _is_link(self, name: str) -> bool:
        try:
            return stat.S_ISLNK(os.lstat(name, dir_fd=self.descriptor).st_mode)
        except OSError:
            return False

    @classmethod
    def _failure(cls, what: str, path: Path, error: Exception) -> InputError:
        if isinstance(error, FileExistsError):
            return cls.conflict(f"{what} {path}: it already exists", hint=cls.conflict_hint)
        found = reading.failure(what, path, error)
        return cls.error(found.message, hint=found.hint)


def _lock(file: int) -> None:
    """Lock an open file or directory until it is closed.

    Raises:
        BlockingIOError: if another process holds the lock.
    """
    import fcntl  # not at the top: `contents` says first that this is Windows

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def temporary_name(target: str) -> str:
    """Return a name beside the target for unfinished work, cut to the length that file systems allow."""
    return f".{_cut(target)}.{os.urandom(6).hex()}.tmp"


def is_temporary_name(name: str, target: str | None = None) -> bool:
    """Return whether certkit uses that name for unfinished work on the target (None: on any target)."""
    stem = ".+" if target is None else re.escape(_cut(target))
    return re.fullmatch(rf"\.{stem}\.[0-9a-f]{{12}}\.tmp", name, re.DOTALL) is not None


def _cut(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:200])
