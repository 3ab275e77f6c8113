"""What is written to files, and with which permissions: a `Secret` is a private key, everything else is public."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from certkit.files import owners
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644
PROGRAM_MODE = 0o755
PRIVATE_DIRECTORY_MODE = 0o700


Content: TypeAlias = "bytes | Secret | Iterator[bytes]"


@dataclass(frozen=True, slots=True)
class Access:
    """The readers of new files, whatever the umask: the owner, and the members of `group` (a number) if given.

    Without a group, everyone who can enter the directory may read its public files.
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
        """Return the mode of a file with that content."""
        return self.key_mode if isinstance(content, Secret) else self.public_mode

    def give(self, file: int, mode: int) -> None:
        """Set the group and then the mode of an open file or directory.

        The group comes first: otherwise the members of another group could read it for a moment.

        Raises:
            PermissionError: if the process may not give it to that group.
        """
        if self.group is not None:
            os.fchown(file, -1, self.group)
        os.fchmod(file, mode)


def set_mode(file: int, content: Content, access: Access | None, mode: int | None) -> None:
    """Set the mode of a new file; with neither `access` nor a mode the umask decides about public files."""
    if access is not None:
        access.give(file, access.mode_of(content))
        return
    if mode is None:
        mode = PRIVATE_MODE if isinstance(content, Secret) else PUBLIC_MODE & ~umask()
    # Some file systems keep no modes; `exposure` finds out whether a key is private anyway.
    with contextlib.suppress(PermissionError):
        os.fchmod(file, mode)


def exposure(file: int, access: Access | None) -> tuple[str, str] | None:
    """Return why others can read an open file with a key, and how to avoid that; None if they cannot.

    This is read back from the file, because exFAT, SMB and inherited ACLs may ignore what was set.
    """
    status = os.fstat(file)
    mode, group = stat.S_IMODE(status.st_mode), access.group if access else None
    hint = "choose a directory on a file system that supports permissions"
    if status.st_uid not in {0, os.geteuid()}:
        return f"it would belong to uid {status.st_uid}", hint
    if mode & ~(PRIVATE_MODE if group is None else 0o640) & 0o077:
        return f"the file system gives it mode {mode:04o}", hint
    if group is not None and status.st_gid != group:
        return f"it would belong to gid {status.st_gid}", hint
    if names := ", ".join(owners.readers(file)):
        return f"an inherited ACL lets {names} read it", "remove the default ACL of the directory: setfacl -k DIRECTORY"
    return None


def parts(content: Content) -> Iterable[bytes]:
    """Return the bytes of a content, in parts."""
    if isinstance(content, Secret):
        return [content.reveal()]
    return [content] if isinstance(content, bytes) else content


def write_all(file: int, data: bytes) -> None:
    """Write all of the data, however few bytes the system takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def umask() -> int:
    """Return the permissions that new files of this process lack."""
    # Reading the umask by setting it would briefly change the mode of files that other threads create.
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    current = os.umask(0o077)
    os.umask(current)
    return current
