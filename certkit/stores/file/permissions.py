"""Who may read and write what a file store holds, and who should."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.files.content import Access
from certkit.findings import Finding, critical, warning
from certkit.stores.file import documents, identity
from certkit.stores.file import generations as generation_files
from certkit.stores.file.documents import TOKENS
from certkit.stores.file.record import GENERATIONS, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from certkit.files.folder import Folder
    from certkit.stores.base import Identity

_CHECK = "permissions"
_PUBLIC = [name for name in generation_files.FILES if name != generation_files.KEY]


def of_store(folder: Folder) -> Iterator[Finding]:
    """What is wrong with the permissions of the directory of a store itself: others may read it, but not write."""
    status = folder.own_status
    if status.st_mode & 0o022:
        yield critical(_CHECK, f"others may write to {folder.path}", f"chmod go-w {_quoted(folder.path)}")
    if status.st_uid not in {0, os.geteuid()}:
        hint = "run certkit as that user"
        yield warning(_CHECK, f"{folder.path} belongs to another user ({status.st_uid})", hint)


def of_identity(folder: Folder, found: Identity) -> Iterator[Finding]:
    """What is wrong with the permissions of what belongs to an identity.

    Raises:
        StoreError: this host does not know its group, or something may not be examined.
    """
    access = identity.access_of(found.record)
    wanted = _Wanted(access, folder.above.own_status.st_uid)
    yield from wanted.faults(folder.path, folder.own_status, access.directory_mode)
    yield from wanted.faults_in(folder, [RECORD], access.public_mode)
    yield from wanted.faults_in(folder, [GENERATIONS], access.directory_mode)
    with folder.inside(GENERATIONS) as generations:
        for generation in found.generations:
            yield from wanted.faults_in(generations, [generation.number], access.directory_mode)
            with generations.inside(generation.number) as own:
                yield from wanted.faults_in(own, [generation_files.KEY], access.key_mode)
                yield from wanted.faults_in(own, _PUBLIC, access.public_mode)
    yield from _of_documents(folder, wanted.owner)
    yield from _closed(folder.above.path, found.record.settings.group, access.group)


def _of_documents(folder: Folder, owner: int) -> Iterator[Finding]:
    """The same of secret documents, which are for their owner only, whatever the group."""
    wanted = _Wanted(Access(), owner)
    if folder.has_folder(TOKENS):
        yield from wanted.faults_in(folder, [TOKENS], wanted.access.directory_mode)
        with folder.inside(TOKENS) as tokens:
            yield from wanted.faults_in(tokens, filter(documents.is_file, tokens.names()), wanted.access.key_mode)


def _closed(root: Path, name: str | None, group: int | None) -> Iterator[Finding]:
    """The directories, from the store upwards, that a group does not get through."""
    for path in (root, *root.absolute().parents) if group is not None else ():
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if not status.st_mode & (0o010 if status.st_gid == group else 0o001):
                yield warning(_CHECK, f"the group {name} does not get through {path}", f"chmod o+x {_quoted(path)}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whom files and directories should belong to: the owner by number, and the group if there is one."""

    access: Access
    owner: int

    def faults_in(self, folder: Folder, names: Iterable[str], mode: int) -> Iterator[Finding]:
        """The faults of files or directories in a directory; those that are not there have none."""
        for name in names:
            status = folder.status(name)
            if status is not None:
                yield from self.faults(folder.path / name, status, mode)

    def faults(self, path: Path, status: os.stat_result, mode: int) -> Iterator[Finding]:
        """What is wrong with the mode, the group and the owner of a file or directory."""
        where, group = _quoted(path), self.access.group
        yield from self._mode_faults(path, status.st_mode, mode)
        if group is not None and status.st_gid != group:
            yield warning(_CHECK, f"{path} belongs to group {status.st_gid}", f"chgrp {group} {where}")
        if status.st_uid not in {self.owner, 0}:
            yield warning(_CHECK, f"{path} belongs to user {status.st_uid}", f"chown {self.owner} {where}")

    def _mode_faults(self, path: Path, mode: int, wanted: int) -> Iterator[Finding]:
        found, mend = stat.S_IMODE(mode), f"chmod {wanted:o} {_quoted(path)}"
        excess = found & ~wanted & (0o077 if stat.S_ISDIR(mode) else 0o066)
        lack = wanted & ~found & (0o500 if self.access.group is None else 0o550)
        if excess & 0o022:
            yield critical(_CHECK, f"others may write to {path} (mode {found:04o})", mend)
        elif excess:
            yield warning(_CHECK, f"others may read {path} (mode {found:04o})", mend)
        if lack:
            yield warning(_CHECK, f"those who should read {path} may not (mode {found:04o})", mend)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
