"""Certificates in files, directories and streams."""

from __future__ import annotations

import errno
import itertools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from certkit import processes
from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, ListSighting, Passed, Reason, Searched, Sighting
from certkit.files import reading
from certkit.x509 import objects, pem
from certkit.x509.objects import Broken, Item, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cryptography import x509

    from certkit.expiry.sources.base import Seen
    from certkit.secret import Secret

_WATCHED = frozenset({Kind.CERTIFICATE, Kind.CRL, Kind.PKCS12})
_PORTION = 250
_MOST_OF_A_FILE = 1024 * 1024
_MAX_REFERENCES = 100
# Marker lines of certificates and revocation lists that somebody, or an editor, has spoilt.
_DASH = rb"(?:-|\xe2\x80[\x90-\x95])"
_SPOILT = re.compile(
    _DASH + rb"[ \t]?(?:BEGIN|END) (?:TRUSTED |X509 )?(?:CERTIFICATE|CRL)[ \t]?" + _DASH, re.IGNORECASE
)
_SLICE_BYTES = 4 * 1024 * 1024
_WORTH_A_PROCESS = 1000


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files: one that is named outright must hold something to watch, those that were found by searching may not.

    `origin` is where they were found.
    """

    paths: Sequence[str]
    passphrase: Secret | None = None
    may_hold_nothing: bool = False
    origin: str | None = None

    @property
    def weight(self) -> int:
        """How many files there are."""
        return len(self.paths)

    def parts(self) -> Iterable[FileSource | SliceSource]:
        """Slices of a large file that begins with certificates, which several processes can read."""
        if len(self.paths) > 1 or (size := reading.size(self.paths[0])) < 2 * _SLICE_BYTES:
            return (self,)
        if not _begins_with_certificates(self.paths[0]):
            return (self,)
        starts = range(0, size - _SLICE_BYTES, _SLICE_BYTES)
        return [SliceSource(self.paths[0], begin, end) for begin, end in itertools.pairwise([*starts, size])]

    def look(self) -> Iterator[Seen]:
        """The certificates of the files, each in its order; then, whether what was searched held any."""
        has_found = False
        for path in self.paths:
            try:
                seen = self._look_in_bulk(path) if self.may_hold_nothing else self._look_at(reading.chunks(path), path)
                for found in seen:
                    has_found = has_found or not isinstance(found, Passed)
                    yield found
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                has_found = True
                yield unreadable(path, error)
        if self.origin is not None:
            yield Searched(self.origin, has_found)

    def _look_in_bulk(self, path: str) -> Iterator[Seen]:
        """The certificates of one of very many files: most hold nothing but plain ones, which is soon known."""
        begin, is_whole = reading.begin(path)
        plain, end = objects.plain_certificates(begin)
        if is_whole and end == len(begin) and plain:
            for number, certificate in enumerate(plain):
                yield Sighting(path, certificate, number == 0)
        else:
            yield from self._look_at([begin] if is_whole else reading.chunks(path, must_be_regular=True), path)

    def _look_at(self, chunks: Iterable[bytes], path: str) -> Iterator[Seen]:
        return look_at_chunks(chunks, name=path, passphrase=self.passphrase, may_hold_nothing=self.may_hold_nothing)


@dataclass(frozen=True, slots=True)
class SliceSource:
    """The part of a large PEM file whose blocks begin at `start` or later, and before `end`."""

    path: str
    start: int
    end: int

    @property
    def weight(self) -> int:
        """As much as makes a process worth it."""
        return _WORTH_A_PROCESS

    def parts(self) -> Iterable[SliceSource]:
        """Itself."""
        return (self,)

    def look(self) -> Iterator[Seen]:
        """The certificates that begin here."""
        view = _View(self.path, None, is_first=self.start == 0, lines_before=self._lines_before)
        try:
            yield from _look_at_pieces(self._chunks(), view, name=self.path)
            yield from view.failures()
        except OSError as error:
            yield unreadable(self.path, error)

    def _chunks(self) -> Iterator[bytes]:
        """The bytes from `start` up to the first block that begins at `end` or later."""
        at = self.start
        for chunk in reading.chunks(self.path, start=self.start, must_be_regular=True):
            at += len(chunk)
            if at <= self.end:
                yield chunk
                continue
            inside = max(0, len(chunk) - (at - self.end))
            stop = pem.find_begin(chunk, inside)
            if stop >= 0:
                yield chunk[:stop]
                return
            yield chunk

    def _lines_before(self) -> int:
        return reading.count_lines(self.path, end=self.start)


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """All files below a directory; symbolic links are followed, hidden files and directories are not looked at."""

    path: str
    passphrase: Secret | None = None
    origin: str | None = None

    @property
    def weight(self) -> int:
        """As its parts have it."""
        return 0

    def parts(self) -> Iterator[FileSource | KnownSource]:
        """The files in the order of names, directory by directory, some at a time."""
        from certkit.expiry.sources import finding

        origin = self.path if self.origin is None else self.origin
        portion: list[str] = []
        others: list[Failure | Passed] = []
        for found in finding.walk(self.path):
            if isinstance(found, str):
                portion.append(found)
            else:
                others.append(Passed(found.path) if found.error is None else _in_walk(found.path, found.error))
            if len(portion) == _PORTION:
                yield FileSource(portion, self.passphrase, may_hold_nothing=True, origin=origin)
                portion = []
        if portion:
            yield FileSource(portion, self.passphrase, may_hold_nothing=True, origin=origin)
        has_failed = any(isinstance(each, Failure) for each in others)
        yield KnownSource([*others, Searched(origin, has_failed)])

    def look(self) -> Iterator[Seen]:
        """What is in its parts."""
        for part in self.parts():
            yield from part.look()


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What is known already: places that are not there, or are passed over."""

    found: Sequence[Failure | Passed | Searched]

    @property
    def weight(self) -> int:
        """Nothing is to be read."""
        return 0

    def parts(self) -> Iterable[KnownSource]:
        """Itself."""
        return (self,)

    def look(self) -> Iterator[Seen]:
        """What is known."""
        yield from self.found


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Bytes that come once, such as standard input."""

    chunks: Iterable[bytes]
    name: str
    passphrase: Secret | None = None

    @property
    def weight(self) -> int:
        """Another process must not read it."""
        return 0

    def parts(self) -> Iterable[StreamSource]:
        """Itself."""
        return (self,)

    def look(self) -> Iterator[Seen]:
        """The certificates among the bytes."""
        try:
            yield from look_at_chunks(self.chunks, name=self.name, passphrase=self.passphrase, may_hold_nothing=False)
        except OSError as error:
            yield unreadable(self.name, error)


def look_at_chunks(
    chunks: Iterable[bytes],
    *,
    name: str,
    passphrase: Secret | None,
    may_hold_nothing: bool,
    may_refer: bool = True,
) -> Iterator[Seen]:
    """The certificates among the bytes of a file; what is there and cannot be read is a failure.

    A kubeconfig may refer to other files, unless it was referred to itself.

    Raises:
        OSError: the bytes cannot be read.
    """
    begin = b"".join(itertools.islice(source := iter(chunks), 1))
    if may_refer and b"-----BEGIN" not in begin and b"certificate" in begin and _is_kubeconfig(begin):
        found = list(_look_at_kubeconfig(itertools.chain([begin], source), name=name))
        yield from found
        if not found:
            yield Passed(name) if may_hold_nothing else _View(name, None).found_nothing()
        return
    view = _View(name, passphrase)
    yield from _look_at_pieces(itertools.chain([begin], source), view, name=name)
    yield from view.failures()
    if not view.has_seen:
        yield Passed(name) if may_hold_nothing and not view.looks_damaged else view.found_nothing()


def _is_kubeconfig(begin: bytes) -> bool:
    from certkit.expiry.sources import kubeconfig

    return kubeconfig.is_kubeconfig(begin)


def _look_at_kubeconfig(chunks: Iterable[bytes], *, name: str) -> Iterator[Seen]:
    """The certificates that a kubeconfig holds, and those in the files that it names."""
    from certkit.expiry.sources import kubeconfig

    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) > kubeconfig.MAX_BYTES:
            break
    try:
        found = kubeconfig.read(data)
    except InputError as error:
        yield Failure(name, f"cannot read, {name}: {error.message}", error.hint, Reason.BAD_KUBECONFIG)
        return
    for embedded in found.embedded:
        view = _View(name, None)
        yield from _look_at_pieces([embedded.data], view, name=name)
        yield from view.failures()
        if not view.has_seen:
            message = f"cannot read, {name}: {embedded.entry}: no certificate in its data"
            yield Failure(name, message, "make the kubeconfig anew", Reason.NO_CERTIFICATE_FOUND)
    for problem in found.problems:
        yield Failure(name, f"cannot read, {name}: {problem}", "make the kubeconfig anew", Reason.BAD_KUBECONFIG)
    paths = list(dict.fromkeys(str(Path(name).parent / each.path) for each in found.references))
    for path in paths[:_MAX_REFERENCES]:
        try:
            data_there = reading.chunks(path, must_be_regular=True)
            yield from look_at_chunks(data_there, name=path, passphrase=None, may_hold_nothing=False, may_refer=False)
        except (OSError, ValueError) as error:
            yield unreadable(path, error)
    if len(paths) > _MAX_REFERENCES:
        message = f"cannot read, {name}: it names {len(paths):,} files"
        yield Failure(name, message, "make the kubeconfig anew", Reason.BAD_KUBECONFIG)


def _look_at_pieces(chunks: Iterable[bytes], view: _View, *, name: str) -> Iterator[Seen]:
    try:
        for piece in pem.pieces(chunks):
            yield from view.look_at(piece)
    except InputError as error:
        view.has_seen = True
        yield Failure(name, f"cannot read, {name}: {error.message}", error.hint, Reason.READ_FAILED)


class _View:
    """One file as it is read, piece by piece: what was seen in it so far, and what could not be read.

    `lines_before` says how many lines of the file stand before the first piece.
    """

    def __init__(
        self, name: str, passphrase: Secret | None, *, is_first: bool = True, lines_before: Callable[[], int] = int
    ) -> None:
        self.has_seen = False
        self._name = name
        self._passphrase = passphrase
        self._is_first = is_first
        self._lines_before = lines_before
        self._lines = 0
        self._begin = b""
        self._others: list[str] = []
        self._broken: Broken | None = None
        self._broken_count = 0

    def look_at(self, piece: bytes) -> Iterator[Seen]:
        """The certificates of the next piece."""
        self._begin = self._begin or piece
        plain, end = objects.plain_certificates(piece)
        for certificate in plain:
            yield self._sighting(certificate)
        if end < len(piece):
            for item in objects.read(
                piece, start=end, passphrase=self._passphrase, only=_WATCHED, guard=processes.ends_in_time
            ):
                yield from self._look_at_item(item)
        self._lines += piece.count(b"\n")

    def _look_at_item(self, item: Item | Broken) -> Iterator[Seen]:
        if isinstance(item, Broken):
            self.has_seen = True
            self._broken_count += 1
            if self._broken is None:
                self._broken = replace(item, line=item.line + self._lines) if item.line else item
        elif item.kind is Kind.PKCS12:
            self.has_seen = True
            yield from self._bundle(item)
        elif item.kind is Kind.CRL:
            self.has_seen = True
            yield ListSighting(self._name, item.value)
        elif item.kind is Kind.CERTIFICATE:
            yield self._sighting(item.value)
        else:
            self._others.append(item.kind.words)

    def _sighting(self, certificate: x509.Certificate) -> Sighting:
        is_leaf, self._is_first, self.has_seen = self._is_first, False, True
        return Sighting(self._name, certificate, is_leaf)

    def _bundle(self, item: Item) -> Iterator[Seen]:
        if item.value is None:
            message = f"cannot read, {self._name}: the PKCS#12 bundle is encrypted"
            hint = "give its passphrase with --passphrase-file"
            yield Failure(self._name, message, hint, Reason.BAD_PASSPHRASE)
            return
        for certificate in item.value.certificates:
            yield self._sighting(certificate)

    def failures(self) -> Iterator[Failure]:
        """What could not be read, in one line."""
        first = self._broken
        if first is None:
            return
        if first.line:
            first = replace(first, line=first.line + self._lines_before())
        reason, hint = objects.summary(first, self._broken_count)
        yield Failure(self._name, f"cannot read, {self._name}: {reason}", hint, _reason(first))

    @property
    def looks_damaged(self) -> bool:
        """Whether a file in which nothing was found begins to hold something."""
        return _SPOILT.search(self._begin[:_MOST_OF_A_FILE].replace(b"\0", b"")) is not None

    def found_nothing(self) -> Failure:
        """What the file holds instead."""
        error = objects.wrong_kind("a certificate", self._begin, self._others, name=self._name)
        return Failure(self._name, error.message, error.hint, Reason.NO_CERTIFICATE_FOUND)


def _reason(broken: Broken) -> Reason:
    if broken.is_locked:
        return Reason.BAD_PASSPHRASE
    if broken.what == Kind.PKCS12.words:
        return Reason.BAD_PKCS12
    return Reason.BAD_PEM if broken.is_bad_pem else Reason.DECODE_FAILED


def unreadable(name: str, error: OSError | ValueError) -> Failure:
    """The failure for a file or directory that the system does not let us read."""
    number = getattr(error, "errno", None)
    reason, hint = _SYSTEM_ERRORS.get(number or 0, (Reason.READ_FAILED, "check that it is the right file"))
    why = (getattr(error, "strerror", None) or str(error)).lower()
    return Failure(name, f"cannot read, {name}: {why}", hint, reason)


_SYSTEM_ERRORS = {
    errno.ENOENT: (Reason.NOT_FOUND, "check the path"),
    errno.ENOTDIR: (Reason.NOT_FOUND, "check the path"),
    errno.ELOOP: (Reason.BROKEN_SYMLINK, "mend or remove the symbolic link"),
    errno.EACCES: (Reason.PERMISSION_DENIED, "let this user read it, or run as one that may"),
    errno.EPERM: (Reason.PERMISSION_DENIED, "let this user read it, or run as one that may"),
}


def _in_walk(path: str, error: OSError) -> Failure:
    """The failure for what a walk came by: what is there and leads nowhere is a broken link, not a missing file."""
    failure = unreadable(path, error)
    if failure.reason is Reason.NOT_FOUND:
        return replace(failure, hint="mend or remove the symbolic link", reason=Reason.BROKEN_SYMLINK)
    return failure if failure.reason is not Reason.READ_FAILED else replace(failure, reason=Reason.WALK_ERROR)


def _begins_with_certificates(path: str) -> bool:
    try:
        begin = next(reading.chunks(path), b"")
    except OSError:
        return False
    return bool(objects.plain_certificates(begin)[0])
