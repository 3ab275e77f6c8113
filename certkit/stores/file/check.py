"""Checks of a file store: its contents, its permissions, and whether every identity is complete."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError, StoreError
from certkit.files import owners, reading
from certkit.files.content import Access
from certkit.files.folder import LOCK, is_temporary_name
from certkit.findings import Finding, critical, ok, unknown, warning
from certkit.stores import sealing
from certkit.stores.file import documents, identity
from certkit.stores.file import generations as generation_files
from certkit.stores.file.documents import TOKENS
from certkit.stores.file.record import GENERATIONS, POINTER, RECORD, SETTINGS
from certkit.stores.record import FINGERPRINT, is_generation, is_name
from certkit.x509 import describe, keys, objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from certkit.files.folder import Folder
    from certkit.stores.base import StoredIdentity
    from certkit.stores.file.store import FileStore

# The entries of an identity's directory; `hooks` are checked elsewhere.
_ENTRIES = frozenset({RECORD, SETTINGS, POINTER, GENERATIONS, TOKENS, LOCK, "hooks"})
_MOST_NAMES = 5
_PERMISSIONS = "permissions"
_PUBLIC = [name for name in generation_files.FILES if name != generation_files.KEY]


def check(store: FileStore) -> list[Finding]:
    """Return findings `store`, `permissions`, and `identity:NAME` for each identity; nothing is changed."""
    if not reading.exists(store.root):
        hint = "check --store, CERTKIT_STORE and HOME; `certkit identity enroll` creates a store"
        return [unknown("store", f"the directory {store.root} does not exist", hint)]
    try:
        with identity.StoreFolder.open(store.root) as folder:
            candidates = [name for name in folder.names() if is_name(name) and _is_candidate(folder, name)]
            found = list(_store(folder, candidates))
            for name in candidates:
                found += _identity(store, folder, name)
    except StoreError as error:
        return [_finding("store", error)]
    if not any(each.id == "permissions" for each in found):
        found.append(ok("permissions", "only the intended users can read the keys"))
    return found


def _finding(check: str, error: StoreError) -> Finding:
    """Return an error as a finding; one about missing permission is unknown."""
    kind = unknown if isinstance(error.__cause__, PermissionError) else critical
    return kind(check, error.message, error.hint)


def _store(folder: Folder, candidates: Sequence[str]) -> Iterator[Finding]:
    """Check the directory of the store, apart from the identities: others may read it, but not write."""
    count = sum(identity.is_identity(folder, name) for name in candidates)
    identities = f"{_counted(count, 'identity', 'identities')} in {folder.path}"
    if os.access(folder.path, os.W_OK | os.X_OK):
        yield ok("store", identities)
    else:
        yield warning("store", f"{identities}, which is not writable", "run certkit as the directory's owner")
    strange = [name for name in folder.names() if not name.startswith(".") and name not in candidates]
    left = folder.leftovers()
    removed = [name for name in left if folder.has_folder(name) and _may_hold_secrets(folder, name)]
    for name in removed:
        where = folder.path / name
        hint = f"if the next change does not delete it, fix its permissions and run: rm -r {_quoted(where)}"
        yield warning("store", f"a removed identity is not fully deleted; {where} may hold its private keys", hint)
    yield from _strange("store", folder, [*(name for name in left if name not in removed), *strange])
    status = folder.own_status
    if status.st_mode & 0o022:
        yield critical(_PERMISSIONS, f"other users can write to {folder.path}", f"chmod go-w {_quoted(folder.path)}")
    if status.st_uid not in {0, os.geteuid()}:
        hint = "run certkit as that user"
        yield warning(_PERMISSIONS, f"{folder.path} belongs to another user ({status.st_uid})", hint)


def _may_hold_secrets(folder: Folder, name: str) -> bool:
    """Return whether the remains of an identity have generations or tokens, or cannot be read."""
    try:
        with folder.inside(name) as own:
            if not own.has_folder(GENERATIONS):
                return own.has_folder(TOKENS)
            with own.inside(GENERATIONS) as generations:
                return bool(generations.names()) or own.has_folder(TOKENS)
    except StoreError:
        return True


def _is_candidate(folder: Folder, name: str) -> bool:
    """Return whether an entry is an identity, or in the place of one: a directory, or a link to one."""
    status = folder.status(name)
    return status is not None and (stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode))


def _identity(store: FileStore, folder: Folder, name: str) -> Iterator[Finding]:
    """Check one identity."""
    check = f"identity:{name}"
    try:
        with folder.inside(name) as own:
            identity.require_identity(own)
            found = store.load(name)
            _ = [each.csr for each in found.generations]  # also of those that are read on first use
            generations = _counted(len(found.generations), "generation", "generations")
            summary = f"{generations}, {found.record.active or 'none'} active"
            yield from list(_faults(store, own, found)) or [ok(check, summary)]
            yield from _of_identity(own, found)
    except StoreError as error:
        yield _finding(check, error)
        yield unknown(_PERMISSIONS, f"the permissions of the keys of {name} were not checked", f"see {check}")


def _faults(store: FileStore, folder: Folder, found: StoredIdentity) -> Iterator[Finding]:
    """Yield the faults of an identity that can be loaded."""
    check = f"identity:{found.name}"
    yield from _strange(check, folder, [name for name in folder.names() if name not in _ENTRIES])
    with folder.inside(GENERATIONS) as generations:
        yield from _strange(check, generations, [name for name in generations.names() if not is_generation(name)])
        for generation in found.generations:
            with generations.inside(generation.number) as own:
                is_swept = FINGERPRINT not in found.record.facts_of(generation.number)
                yield from _generation(check, store, own, is_swept=is_swept)
    yield from _documents(check, store, folder)
    known = {generation.number for generation in found.generations}
    if found.record.owes_hook:
        hint = f"fix it, and run it again: certkit identity activate {found.name} --store {shlex.quote(store.uri)}"
        yield critical(check, "a deploy hook failed and has not succeeded since", hint)
    lost = [number for number in found.record.left if number not in known]
    if lost:
        yield warning(check, f"generations that were active are missing: {_listed(lost)}", "restore them from a backup")
    for generation in found.generations:
        if generation.issued is not None:
            path = folder.path / GENERATIONS / generation.number / generation_files.CERTIFICATE
            try:
                describe.facts(objects.certificates(generation.issued.certificate, name=str(path))[0])
            except InputError as error:
                yield critical(check, error.message, "restore it from a backup")


def _documents(check: str, store: FileStore, folder: Folder) -> Iterator[Finding]:
    """Yield the faults of the secret documents of an identity."""
    if not folder.has(TOKENS):
        return
    try:
        with folder.inside(TOKENS) as tokens:
            yield from _strange(check, tokens, [name for name in tokens.names() if not documents.is_file(name)])
    except StoreError as error:
        yield _finding(check, error)
        return
    for name in documents.names(folder):
        path = folder.path / TOKENS / f"{name}.json"
        try:
            is_sealed = documents.is_sealed(folder, name)
            if store.wrapping is not None and not is_sealed:
                hint = "it is sealed when it is written next, for tokens with: certkit wise token refresh"
                yield warning(check, f"{path} is not sealed, as new documents are", hint)
            if store.wrapping is not None or not is_sealed:
                documents.read(folder, name, store.wrapping)
        except StoreError as error:
            yield _finding(check, error)
        except InputError as error:
            yield unknown(check, error.message, error.hint)


def _strange(check: str, folder: Folder, names: list[str], *, is_swept: bool = True) -> Iterator[Finding]:
    """Yield the names that do not belong in a directory; `is_swept` is whether each change removes temporary ones."""
    left = [name for name in names if is_temporary_name(name)]
    others = [name for name in names if name not in left]
    if left:
        paths = " ".join(_quoted(folder.path / name) for name in left[:_MOST_NAMES])
        hint = "the next change removes it" if is_swept else f"unless that run is still active, remove it: rm {paths}"
        yield warning(check, f"left in {folder.path} by interrupted runs: {_listed(left)}", hint)
    if others:
        yield warning(check, f"not created by certkit in {folder.path}: {_listed(others)}", "move it away")


def _generation(check: str, store: FileStore, folder: Folder, *, is_swept: bool) -> Iterator[Finding]:
    """Yield the faults in the directory of a generation."""
    names = [name for name in folder.names() if not generation_files.is_file(name)]
    yield from _strange(check, folder, names, is_swept=is_swept)
    is_begun = folder.has(generation_files.FULLCHAIN) or folder.has(generation_files.TRUST_BUNDLE)
    if is_begun and not folder.has(generation_files.CERTIFICATE):
        yield warning(check, f"an install in {folder.path} was interrupted", "install the certificate again")
    path = folder.path / generation_files.KEY
    data = folder.read(generation_files.KEY)
    trouble = None if sealing.is_sealed(data) else sealing.trouble(data, name=str(path))
    if isinstance(trouble, StoreError):
        yield _finding(check, trouble)
    elif store.wrapping is not None and trouble is None and not sealing.is_sealed(data):
        yield warning(check, f"{path} is not sealed, as new keys are", "renew, and retire this generation")
    if trouble is None:
        yield from _key(check, store, folder, data)


def _key(check: str, store: FileStore, folder: Folder, data: bytes) -> Iterator[Finding]:
    """Check that a private key belongs to the certificate beside it, if it can be opened."""
    certificate = folder.read_if_there(generation_files.CERTIFICATE)
    if certificate is None or (sealing.is_sealed(data) and store.wrapping is None):
        return
    try:
        key = sealing.key(data, store.wrapping, name=str(folder.path / generation_files.KEY))
    except InputError as error:
        yield unknown(check, error.message, error.hint)
        return
    try:
        leaf = objects.certificates(certificate, name=str(folder.path / generation_files.CERTIFICATE))[0]
    except InputError:
        return  # reported elsewhere
    if not keys.is_pair(key, leaf):
        message = f"the private key in {folder.path} does not belong to the certificate beside it"
        yield critical(check, message, "restore both from a backup, or renew")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _listed(names: list[str]) -> str:
    """List some of the names, and the number of the others."""
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _of_identity(folder: Folder, found: StoredIdentity) -> Iterator[Finding]:
    """Yield the faults of the permissions of an identity's files."""
    access = identity.access_of(found.record)
    wanted = _Expected(access, folder.above.own_status.st_uid)
    yield from wanted.faults(folder.path, folder.own_status, access.directory_mode)
    yield from wanted.faults_in(folder, [RECORD, SETTINGS], access.public_mode)
    yield from wanted.faults_in(folder, [GENERATIONS], access.directory_mode)
    with folder.inside(GENERATIONS) as generations:
        for generation in found.generations:
            yield from wanted.faults_in(generations, [generation.number], access.directory_mode)
            with generations.inside(generation.number) as own:
                yield from wanted.faults_in(own, [generation_files.KEY], access.key_mode)
                yield from wanted.faults_in(own, _PUBLIC, access.public_mode)
    if folder.has_folder(TOKENS):  # for their owner only, whatever the group
        private = _Expected(Access(), wanted.owner)
        yield from private.faults_in(folder, [TOKENS], private.access.directory_mode)
        with folder.inside(TOKENS) as tokens:
            yield from private.faults_in(tokens, filter(documents.is_file, tokens.names()), private.access.key_mode)
    for path in owners.closed_to(access.group, folder.above.path) if access.group is not None else ():
        message = f"the group {found.record.settings.group} cannot enter {path}"
        yield warning(_PERMISSIONS, message, f"chmod o+x {_quoted(path)}")


@dataclass(frozen=True, slots=True)
class _Expected:
    """The expected owner of files and directories, by number, and the group if there is one."""

    access: Access
    owner: int

    def faults_in(self, folder: Folder, names: Iterable[str], mode: int) -> Iterator[Finding]:
        """Yield the faults of files or directories in a directory; missing ones have none."""
        for name in names:
            status = folder.status(name)
            if status is not None:
                yield from self.faults(folder.path / name, status, mode)

    def faults(self, path: Path, status: os.stat_result, mode: int) -> Iterator[Finding]:
        """Yield the faults of the mode, group and owner of a file or directory."""
        where, group = _quoted(path), self.access.group
        yield from self._mode_faults(path, status.st_mode, mode)
        if group is not None and status.st_gid != group:
            yield warning(_PERMISSIONS, f"{path} belongs to group {status.st_gid}", f"chgrp {group} {where}")
        if status.st_uid not in {self.owner, 0}:
            yield warning(_PERMISSIONS, f"{path} belongs to user {status.st_uid}", f"chown {self.owner} {where}")

    def _mode_faults(self, path: Path, mode: int, wanted: int) -> Iterator[Finding]:
        found, mend = stat.S_IMODE(mode), f"chmod {wanted:o} {_quoted(path)}"
        excess = found & ~wanted & (0o077 if stat.S_ISDIR(mode) else 0o066)
        lack = wanted & ~found & (0o500 if self.access.group is None else 0o550)
        who = "other users"
        # With an ACL, the group's bits are the most that any of its entries may do (acl(5)).
        if excess & 0o070 and (named := ", ".join(owners.readers(path, excess >> 3))):
            who, mend = f"by its ACL, {named}", f"setfacl -b {_quoted(path)} && {mend}"
        if excess & 0o022:
            yield critical(_PERMISSIONS, f"{who} can write to {path} (mode {found:04o})", mend)
        elif excess:
            yield warning(_PERMISSIONS, f"{who} can read {path} (mode {found:04o})", mend)
        if lack:
            yield warning(_PERMISSIONS, f"the intended users cannot read {path} (mode {found:04o})", mend)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
