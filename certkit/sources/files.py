"""Certificates in files, directories and streams."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from certkit import files, processes
from certkit.core import objects
from certkit.core.objects import Broken, Item, Kind
from certkit.errors import InputError
from certkit.sources.base import Failure, Passed, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.secret import Secret

_WATCHED = frozenset({Kind.CERTIFICATE, Kind.CRL, Kind.PKCS12})


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file: a file named outright must hold something to watch."""

    path: str
    passphrase: Secret | None = None
    may_hold_nothing: bool = False

    def look(self) -> Iterator[Sighting | Failure | Passed]:
        """The certificates of the file in order."""
        if self.may_hold_nothing and files.is_special(self.path):
            yield Passed(self.path)
            return
        try:
            data = files.read(self.path)
        except InputError as error:
            yield Failure(self.path, error.message, error.hint)
            return
        yield from look_at_bytes(
            data, name=self.path, passphrase=self.passphrase, may_hold_nothing=self.may_hold_nothing
        )


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """All files below a directory; symbolic links to directories are not followed, those to files are."""

    path: str
    passphrase: Secret | None = None

    def look(self) -> Iterator[Sighting | Failure | Passed]:
        """The certificates of every file, directory by directory, in the order of names."""
        unreadable: list[OSError] = []
        for folder, folders, names in os.walk(self.path, onerror=unreadable.append):
            folders.sort()
            for name in sorted(names):
                yield from self._look_at(Path(folder, name))
        for error in unreadable:
            reason = (error.strerror or str(error)).lower()
            yield Failure(str(error.filename), f"cannot read, {error.filename}: {reason}", "check its permissions")

    def _look_at(self, path: Path) -> Iterator[Sighting | Failure | Passed]:
        try:
            is_file = stat.S_ISREG(path.stat().st_mode)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            yield Failure(str(path), f"cannot read, {path}: {reason}", "a symbolic link may lead nowhere")
            return
        if is_file:
            yield from FileSource(str(path), self.passphrase, may_hold_nothing=True).look()
        else:
            yield Passed(str(path))


@dataclass(frozen=True, slots=True)
class FailedSource:
    """A place that is not there."""

    name: str
    message: str
    hint: str

    def look(self) -> Iterator[Sighting | Failure | Passed]:
        """The one failure."""
        yield Failure(self.name, self.message, self.hint)


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes that were read already, such as standard input."""

    data: bytes
    name: str
    passphrase: Secret | None = None

    def look(self) -> Iterator[Sighting | Failure | Passed]:
        """The certificates among the bytes."""
        yield from look_at_bytes(self.data, name=self.name, passphrase=self.passphrase, may_hold_nothing=False)


def look_at_bytes(
    data: bytes, *, name: str, passphrase: Secret | None, may_hold_nothing: bool
) -> Iterator[Sighting | Failure | Passed]:
    """The certificates among the bytes of a file; what is there and cannot be read is a failure."""
    seen = certificates = 0
    others: list[str] = []
    broken: list[Broken] = []
    for item in objects.read(data, passphrase=passphrase, only=_WATCHED, guard=processes.ends_in_time):
        if isinstance(item, Item) and item.kind not in _WATCHED:
            others.append(item.kind.words)
            continue
        seen += 1
        if isinstance(item, Broken):
            broken.append(item)
        elif item.kind is Kind.CERTIFICATE:
            yield Sighting(name, item.value, is_leaf=certificates == 0)
            certificates += 1
        elif item.kind is Kind.PKCS12:
            yield from _bundle(item, name)
    if broken:
        reason, hint = objects.summary(broken)
        yield Failure(name, f"cannot read, {name}: {reason}", hint)
    if seen == 0 and may_hold_nothing:
        yield Passed(name)
    elif seen == 0:
        error = objects.wrong_kind("a certificate", data, others, name=name)
        yield Failure(name, error.message, error.hint)


def _bundle(item: Item, name: str) -> Iterator[Sighting | Failure]:
    if item.value is None:
        yield Failure(
            name, f"cannot read, {name}: the PKCS#12 bundle is encrypted", "give its passphrase with --passphrase-file"
        )
        return
    for number, certificate in enumerate(item.value.certificates):
        yield Sighting(name, certificate, is_leaf=number == 0)
