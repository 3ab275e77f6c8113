"""Ownership of directories: a path is walked by descriptor, and every directory on it is judged before it is used.

A directory is safe if it belongs to root or the effective user and others may not write to it, or if it is sticky and
the entry that is used belongs to root or the user. This is the rule of ssh's StrictModes and git's safe.directory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError, UnsafeDirectoryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Everything that writes, or uses a store, gets here: without these, no key could be protected from other users.
if not hasattr(os, "O_DIRECTORY"):
    raise InputError(
        "this needs Linux or macOS: Windows has no POSIX file permissions to keep keys private",
        hint="run it in WSL or in certkit's container; on Windows, csr check, inspect, verify, expiry and policy list, "
        "show, validate and which read files and print to standard output",
    )

_MAX_LINKS = 40
# Search permission is enough for the directories above; without O_PATH a directory must be readable.
_SEARCH_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ACL = "system.posix_acl_access"
# acl(5) as the kernel returns it: a version, then entries of a tag, permissions and an id.
_USER, _GROUP = 0x02, 0x08
_ENTRY = struct.Struct("<HHI")
READ, WRITE = 4, 2


@dataclass(frozen=True, slots=True)
class Trust:
    """The owners whose directories are safe besides those of root and the effective user.

    `exceptions` are paths that are safe with all that is below, whoever owns them; `*` and `/` mean everywhere, except
    for root. `group` is a group whose members may write.
    """

    exceptions: tuple[str, ...] = ()
    group: int | None = None

    def enter(
        self, path: Path, *, goal: str, then: str | None = None, about: Path | None = None, follows: bool = False
    ) -> int:
        """Open a directory and return its descriptor, if every directory above it is safe.

        `then` is the entry to be used in it next; without one, others may not write to it at all. A symbolic link as
        the last component is followed only if `follows`. `goal` is what is to be done, and `about` what with, if it is
        not the directory itself, as errors say it.

        Raises:
            UnsafeDirectoryError: if a directory on the path is not safe.
            OSError: if there is no such directory.
        """
        walk = _Walk(self)
        try:
            walk.go(os.path.join(os.getcwd(), path), follows=follows)
            walk.judge(then)
            if walk.fault is not None and not self._excepts(walk.where):
                fault, hint = walk.fault
                trusted = f"CERTKIT_SAFE_DIRECTORY={shlex.quote(walk.where)}"
                raise UnsafeDirectoryError(
                    f"cannot {goal} {about or path}: {fault}", hint=f"{hint}, or trust it: {trusted}"
                )
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.file)
        finally:
            os.close(walk.file)

    def require(self, file: int, path: Path, *, goal: str) -> None:
        """Refuse an open file or directory that others may change.

        Raises:
            UnsafeDirectoryError: if it belongs to another user, or others can write to it.
        """
        fault = fault_of(file, str(path), self.group)
        if fault is not None and not self._excepts(os.path.realpath(path)):
            raise UnsafeDirectoryError(f"cannot {goal} {path}: {fault[0]}", hint=fault[1])

    def _excepts(self, where: str) -> bool:
        roots = [os.path.normpath(each).rstrip("/") for each in self.exceptions if os.path.isabs(each)]
        if ("*" in self.exceptions or "" in roots) and os.geteuid() != 0:
            return True
        return any(where == (root or "/") or (root and where.startswith(f"{root}/")) for root in roots)


DEFAULT_TRUST = Trust()


class _Walk:
    """A walk from the root of the file system: the directory it has reached, and the first fault found."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.file = os.open("/", _SEARCH_FLAGS)
        self.where = "/"
        self.fault: tuple[str, str] | None = None

    def go(self, path: str, *, follows: bool) -> None:
        """Walk a path through symbolic links, through the last component only if `follows`."""
        todo = [name for name in reversed(path.split("/")) if name not in {"", "."}]
        links = 0
        while todo:
            name = todo.pop()
            status = os.stat(name, dir_fd=self.file, follow_symlinks=False)
            self.judge(name)
            if not stat.S_ISLNK(status.st_mode):
                below = os.open(name, _SEARCH_FLAGS, dir_fd=self.file)
                os.close(self.file)
                self.file = below
                self.where = os.path.dirname(self.where) if name == ".." else os.path.join(self.where, name)
                if name != ".." and not os.path.samestat(status, os.fstat(below)):
                    raise OSError(errno.EAGAIN, "it was replaced in the meantime")
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if not todo and not follows:
                raise OSError(errno.ELOOP, "it is a symbolic link")
            if status.st_uid not in _safe_users():
                fault = f"{os.path.join(self.where, name)}, a symbolic link, belongs to {_user(status.st_uid)}"
                self.fault = self.fault or (fault, "name the path that it points to")
            target = os.readlink(name, dir_fd=self.file)
            if target.startswith("/"):
                os.close(self.file)
                self.file, self.where = os.open("/", _SEARCH_FLAGS), "/"
            todo += [each for each in reversed(target.split("/")) if each not in {"", "."}]

    def judge(self, then: str | None) -> None:
        """Judge the directory that is reached, for using an entry of it."""
        if self.fault is not None:
            return
        fault = fault_of(self.file, self.where, self.trust.group)
        if fault is None:
            return
        status = os.fstat(self.file)
        if then is not None and status.st_mode & stat.S_ISVTX and status.st_uid in _safe_users():
            try:
                entry = os.stat(then, dir_fd=self.file, follow_symlinks=False)
            except FileNotFoundError:
                return  # certkit creates it
            if entry.st_uid in _safe_users():
                return
            name = os.path.join(self.where, then)
            fault = (f"{name} belongs to {_user(entry.st_uid)}", _hint(entry.st_uid))
        self.fault = fault


def fault_of(file: int, where: str, group: int | None) -> tuple[str, str] | None:
    """Return why an open file or directory is not safe, and what to do about it; None if it is."""
    status = os.fstat(file)
    if status.st_uid not in _safe_users():
        return f"{where} belongs to {_user(status.st_uid)}", _hint(status.st_uid)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o002 or (mode & 0o020 and not _is_safe_group(file, status.st_gid, group)):
        whose = "" if status.st_uid == os.geteuid() else f" (it belongs to {_user(status.st_uid)})"
        return f"other users can write to {where}{whose}", f"remove that permission: chmod go-w {shlex.quote(where)}"
    return None


def closed_to(group: int, path: Path) -> Iterator[Path]:
    """Yield the directories, from this one upwards, that a group may not enter."""
    for each in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            status = os.stat(each)
            if not status.st_mode & (0o010 if status.st_gid == group else 0o001):
                yield each


def readers(file: int | Path, needed: int = READ) -> Iterator[str]:
    """Yield the users and groups to which the ACL of a file gives any of these rights, beside its owner and group."""
    for tag, permissions, number in _entries(file):
        if permissions & needed and tag in {_USER, _GROUP}:
            yield f"user {_user(number)}" if tag == _USER else f"group {_group(number)}"


def _entries(file: int | Path) -> Iterator[tuple[int, int, int]]:
    """Yield tag, effective permissions and number of each entry of a file's ACL; nothing without an ACL."""
    try:
        data = os.getxattr(file, _ACL)
    except (OSError, AttributeError) as error:
        if isinstance(file, int) and getattr(error, "errno", None) == errno.EBADF:  # O_PATH
            own = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=file)
            try:
                yield from _entries(own)
            finally:
                os.close(own)
        return
    mask = stat.S_IMODE(os.stat(file).st_mode) >> 3 & 7
    for tag, permissions, number in _ENTRY.iter_unpack(data[4:]):
        yield tag, permissions & mask, number


def _is_safe_group(file: int, owner: int, chosen: int | None) -> bool:
    """Return whether only the user, and the members of the chosen group, have the rights of a directory's group."""
    if owner not in (_private_group(), chosen):
        return False
    try:
        entries = [each for each in _entries(file) if each[1] & WRITE]
    except OSError:
        return False  # the ACL cannot be read
    users = {number for tag, _, number in entries if tag == _USER}
    groups = {number for tag, _, number in entries if tag == _GROUP}
    return users <= _safe_users() and groups <= {owner}


def _private_group() -> int | None:
    """Return the group that only the effective user is in: named like the user, without other members."""
    import grp
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid())
        group = grp.getgrgid(user.pw_gid)
    except KeyError:
        return None
    is_private = group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    return group.gr_gid if is_private else None


def _safe_users() -> set[int]:
    return {0, os.geteuid()}


def _user(number: int) -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return f"uid {number}"


def _group(number: int) -> str:
    import grp

    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return f"gid {number}"


def _hint(owner: int) -> str:
    name = _user(owner)
    if os.geteuid() != 0:
        return f"run it as {name}"
    run = f"sudo -u '#{owner}'" if name.startswith("uid ") else f"runuser -u {name}"
    return f"run it as the owner: {run} -- certkit …"
