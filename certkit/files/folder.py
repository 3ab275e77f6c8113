"""A directory that is held open, so that nobody can put another one in its place.

Everything in it is reached through it and by one name at a time, and no symbolic link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, InputError, StoreError
from certkit.files import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from certkit.files.writing import Access, Content

LOCK = ".lock"
MAX_BYTES = 4 * 1024 * 1024

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Folder:
    """An open directory, and the path that errors name it by. Every method may raise StoreError.

    with Folder.open(path) as folder, folder.inside("below") as below:
        below.write("file", b"...", Access())
    """

    __slots__ = ("_above", "_file", "path")

    def __init__(self, file: int, path: Path, above: Folder | None = None) -> None:
        self._file = file
        self._above = above
        self.path = path

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Folder]:
        """The directory at a path, which may lead through symbolic links."""
        try:
            file = os.open(path, _FLAGS)
        except (OSError, ValueError) as error:
            raise failure("cannot read", path, error) from error
        try:
            yield cls(file, path)
        finally:
            os.close(file)

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[Folder]:
        """A directory in this one."""
        with self._translated("cannot read", name):
            file = os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=self._file)
        try:
            yield Folder(file, self.path / name, self)
        finally:
            os.close(file)

    def names(self) -> list[str]:
        """What is in it, in the order of names."""
        with self._translated("cannot read"):
            return sorted(os.listdir(self._file))

    @property
    def own_status(self) -> os.stat_result:
        """The status of the directory itself."""
        with self._translated("cannot examine"):
            return os.fstat(self._file)

    def status(self, name: str) -> os.stat_result | None:
        """The status of something in it; None where there is nothing of that name."""
        with self._translated("cannot examine", name):
            try:
                return os.stat(name, dir_fd=self._file, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def has(self, name: str) -> bool:
        """Whether something has that name, be it a symbolic link that leads nowhere."""
        return self.status(name) is not None

    def has_folder(self, name: str) -> bool:
        """Whether a directory has that name."""
        found = self.status(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    @property
    def is_in_place(self) -> bool:
        """Whether its name still leads to it: it was not moved away."""
        found = self.above.status(self.path.name)
        return found is not None and os.path.samestat(found, self.own_status)

    @property
    def above(self) -> Folder:
        """The directory that it was opened in.

        Raises:
            LookupError: it was opened by its path.
        """
        if self._above is None:
            raise LookupError(self.path)
        return self._above

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        with self._translated("cannot read", name):
            return writing.read_in(self._file, name, limit=MAX_BYTES)

    @contextlib.contextmanager
    def watched(self, name: str) -> Iterator[Callable[[], bool]]:
        """A question: whether a file is still the same, and no other one that was put in its place."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._translated("cannot read", name):
            # While it is open, no other file gets its number.
            file = os.open(name, flags, dir_fd=self._file)
        try:
            yield lambda: (now := self.status(name)) is not None and os.path.samestat(now, os.fstat(file))
        finally:
            os.close(file)

    def read_if_there(self, name: str) -> bytes | None:
        """The bytes of a file, or None where there is none."""
        return self.read(name) if self.has(name) else None

    def target(self, name: str) -> str | None:
        """Where a symbolic link leads; None where there is nothing of that name."""
        with self._translated("cannot read", name):
            try:
                return os.readlink(name, dir_fd=self._file)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                raise OSError(errno.EINVAL, "not a symbolic link") from error

    def write(self, name: str, content: Content, access: Access, *, replace: bool = False) -> None:
        """Write a file, whole and synced.

        Raises:
            ConflictError: something has that name, and is not to be replaced.
        """
        if isinstance(content, bytes) and len(content) > MAX_BYTES:
            message = f"cannot write, {self.path / name}: more than {MAX_BYTES:,} bytes"
            raise StoreError(message, hint="check that it is the right file")
        with self._translated("cannot write", name):
            writing.publish_in(self._file, name, content, access=access, replace=replace)

    def point(self, name: str, target: str | None) -> None:
        """Make a symbolic link of that name lead there in one step, or remove it."""
        with self._translated("cannot write", name):
            if target is None:
                os.unlink(name, dir_fd=self._file)
            else:
                self._link(name, target)
            os.fsync(self._file)

    def _link(self, name: str, target: str) -> None:
        temporary = writing.temporary_name(name)
        os.symlink(target, temporary, dir_fd=self._file)
        try:
            os.rename(temporary, name, src_dir_fd=self._file, dst_dir_fd=self._file)
        except BaseException:
            os.unlink(temporary, dir_fd=self._file)
            raise

    @contextlib.contextmanager
    def make(self, name: str, access: Access) -> Iterator[Folder]:
        """A new directory in this one."""
        with self._translated("cannot write", name):
            os.mkdir(name, writing.PRIVATE_DIRECTORY_MODE, dir_fd=self._file)
        with self.inside(name) as folder:
            try:
                folder.give(access)
            except BaseException:
                self.remove(name)
                raise
            yield folder

    def give(self, access: Access) -> None:
        """Let those into the directory who may read what is in it."""
        try:
            access.give(self._file, access.directory_mode)
        except PermissionError as error:
            message = f"cannot write, {self.path}: no permission to give it to the group"
            raise StoreError(message, hint="be a member of that group, or run it as root") from error
        except OSError as error:
            raise failure("cannot write", self.path, error) from error

    @contextlib.contextmanager
    def build(self, name: str, access: Access) -> Iterator[Folder]:
        """A new directory in this one, which appears whole and synced when the block ends, or not at all.

        Raises:
            ConflictError: something has that name.
        """
        # The caller holds the lock. Somebody else's directory is not replaced by a rename, unless it is empty.
        if self.has(name):
            raise _conflict(self.path / name)
        temporary = writing.temporary_name(name)
        try:
            with self.make(temporary, access) as folder:
                yield folder
                folder.sync()
            self.rename(temporary, name)
        except BaseException:
            with contextlib.suppress(StoreError):
                self.remove(temporary)
            raise

    def rename(self, name: str, new: str) -> None:
        """Give something in it another name, for good."""
        with self._translated("cannot write", new):
            os.rename(name, new, src_dir_fd=self._file, dst_dir_fd=self._file)
            os.fsync(self._file)

    def remove(self, name: str) -> None:
        """Remove what is in it under a name, with everything below; nothing to do where there is nothing."""
        import shutil

        with self._translated("cannot remove", name), contextlib.suppress(FileNotFoundError):
            if self.has_folder(name):
                shutil.rmtree(name, dir_fd=self._file)
            else:
                os.unlink(name, dir_fd=self._file)

    def sync(self) -> None:
        """Have on the disk what was made in it, and what was renamed."""
        with self._translated("cannot write"):
            os.fsync(self._file)

    @contextlib.contextmanager
    def locked(self, *, wait_seconds: float) -> Iterator[None]:
        """Hold the lock of this directory: nobody else does meanwhile."""
        with contextlib.ExitStack() as held:
            with self._translated("cannot lock", LOCK):
                held.enter_context(writing.locked(self._file, LOCK, wait_seconds=wait_seconds))
            yield

    def sweep(self) -> None:
        """Remove what runs that were killed have left; for those who hold the lock."""
        for name in self.leftovers():
            self.remove(name)

    def leftovers(self) -> list[str]:
        """What is not finished: the work of a run that goes on, or was killed."""
        return [name for name in self.names() if writing.is_temporary_name(name)]

    @contextlib.contextmanager
    def _translated(self, what: str, name: str | None = None) -> Iterator[None]:
        path = self.path / name if name else self.path
        try:
            yield
        except FileExistsError as error:
            raise _conflict(path) from error
        except StoreError:
            raise
        except InputError as error:
            raise StoreError(f"{what}, {path}: larger than {MAX_BYTES:,} bytes", hint=error.hint) from error
        except (OSError, ValueError) as error:
            raise self._explained(what, name, error) from error

    def _explained(self, what: str, name: str | None, error: Exception) -> StoreError:
        path = self.path / name if name else self.path
        if name and getattr(error, "errno", None) in {errno.ELOOP, errno.ENOTDIR} and self._is_link(name):
            hint = "put what it leads to in its place; a store follows no such links"
            return StoreError(f"{what}, {path}: it is a symbolic link", hint=hint)
        return failure(what, path, error)

    def _is_link(self, name: str) -> bool:
        try:
            return stat.S_ISLNK(os.lstat(name, dir_fd=self._file).st_mode)
        except OSError:
            return False


def failure(what: str, path: Path, error: Exception) -> StoreError:
    """An error of the file system as one of the store."""
    told = writing.failure(what, path, error)
    return StoreError(told.message, hint=told.hint)


def _conflict(path: Path) -> ConflictError:
    return ConflictError(f"cannot write, {path}: it exists and is not overwritten", hint="look at what is there")
