"""Certificates in files, directories and streams."""

from __future__ import annotations

import errno
import itertools
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from certkit import processes
from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Searched, Sighting, Skipped
from certkit.files import reading
from certkit.x509 import pem
from certkit.x509.items import KEY_STORE, Broken, Budget, Item, Kind, plain_certificates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from certkit.expiry.sources.base import Seen
    from certkit.secret import Secret
    from certkit.x509.certificate import Certificate

_WATCHED = frozenset({Kind.CERTIFICATE, Kind.CRL, Kind.PKCS12})
_PORTION = 250
_MOST_OF_A_FILE = 1024 * 1024
_MAX_REFERENCES = 100
# A file with such a name is there for its certificate, so a monitor has to notice when it holds none.
WATCHED_NAMES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p12", ".pfx", ".jks", ".crl")


def _budget() -> Budget:
    return Budget(processes.Allowance())


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files: one that is named outright must hold something to watch, those that were found by searching may not.

    `origin` is where they were found.
    """

    paths: Sequence[str]
    passphrase: Secret | None = None
    budget: Budget = field(default_factory=_budget)
    may_hold_nothing: bool = False
    origin: str | None = None

    @property
    def weight(self) -> int:
        """How many files there are."""
        return len(self.paths)

    def parts(self) -> Iterable[FileSource]:
        """Itself."""
        return (self,)

    def look(self) -> Iterator[Seen]:
        """The certificates of the files, each in its order; then, whether what was searched held any."""
        has_found = False
        for path in self.paths:
            try:
                seen = self._look_in_bulk(path) if self.may_hold_nothing else self._look_at(reading.chunks(path), path)
                for found in seen:
                    has_found = has_found or not isinstance(found, Skipped)
                    yield found
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                has_found = True
                yield unreadable(path, error)
        if self.origin is not None:
            yield Searched(self.origin, has_found)

    def _look_in_bulk(self, path: str) -> Iterator[Seen]:
        """The certificates of one of very many files: most hold nothing but plain ones, which is soon known."""
        begin, is_whole = reading.begin(path)
        plain, end = plain_certificates(begin)
        if is_whole and end == len(begin) and plain:
            for number, certificate in enumerate(plain):
                yield Sighting(path, certificate, number == 0)
        else:
            yield from self._look_at([begin] if is_whole else reading.chunks(path, must_be_regular=True), path)

    def _look_at(self, chunks: Iterable[bytes], path: str) -> Iterator[Seen]:
        return look_at_chunks(
            chunks, name=path, passphrase=self.passphrase, budget=self.budget, may_hold_nothing=self.may_hold_nothing
        )


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """All files below a directory; symbolic links are followed, hidden files and directories are not looked at."""

    path: str
    passphrase: Secret | None = None
    budget: Budget = field(default_factory=_budget)
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
        others: list[Failure | Skipped] = []
        for found in finding.walk(self.path):
            if isinstance(found, str):
                portion.append(found)
            else:
                others.append(Skipped(found.path) if found.error is None else _in_walk(found.path, found.error))
            if len(portion) == _PORTION:
                yield FileSource(portion, self.passphrase, self.budget, may_hold_nothing=True, origin=origin)
                portion = []
        if portion:
            yield FileSource(portion, self.passphrase, self.budget, may_hold_nothing=True, origin=origin)
        has_failed = any(isinstance(each, Failure) for each in others)
        yield KnownSource([*others, Searched(origin, has_failed)])

    def look(self) -> Iterator[Seen]:
        """What is in its parts."""
        for part in self.parts():
            yield from part.look()


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What is known already: places that do not exist, or are skipped."""

    found: Sequence[Failure | Skipped | Searched]

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
    budget: Budget = field(default_factory=_budget)

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
            yield from look_at_chunks(
                self.chunks, name=self.name, passphrase=self.passphrase, budget=self.budget, may_hold_nothing=False
            )
        except OSError as error:
            yield unreadable(self.name, error)


def look_at_chunks(
    chunks: Iterable[bytes],
    *,
    name: str,
    passphrase: Secret | None,
    budget: Budget | None = None,
    may_hold_nothing: bool,
    may_refer: bool = True,
) -> Iterator[Seen]:
    """Yield the certificates among the bytes of a file; what is there and cannot be read is a failure.

    A kubeconfig may refer to other files, unless it was referred to itself.

    Raises:
        OSError: the bytes cannot be read.
    """
    begin = b"".join(itertools.islice(source := iter(chunks), 1))
    if may_refer and b"-----BEGIN" not in begin and b"certificate" in begin and _is_kubeconfig(begin):
        found = list(_look_at_kubeconfig(itertools.chain([begin], source), name=name))
        yield from found
        if not found:
            yield Skipped(name) if may_hold_nothing else _View(name, None, Budget()).found_nothing()
        return
    view = _View(name, passphrase, budget or Budget())
    yield from _look_at_pieces(itertools.chain([begin], source), view, name=name)
    yield from view.failures()
    if not view.has_seen:
        yield Skipped(name) if may_hold_nothing and not view.is_suspicious else view.found_nothing()


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
        yield Failure(name, f"cannot read {name}: {error.message}", error.hint, Reason.BAD_KUBECONFIG)
        return
    for embedded in found.embedded:
        view = _View(name, None, Budget())
        yield from _look_at_pieces([embedded.data], view, name=name)
        yield from view.failures()
        if not view.has_seen:
            message = f"cannot read {name}: {embedded.entry}: no certificate in its data"
            yield Failure(name, message, "create the kubeconfig again", Reason.NO_CERTIFICATE_FOUND)
    for problem in found.problems:
        yield Failure(name, f"cannot read {name}: {problem}", "create the kubeconfig again", Reason.BAD_KUBECONFIG)
    paths = list(dict.fromkeys(os.path.join(os.path.dirname(name), each.path) for each in found.references))
    for path in paths[:_MAX_REFERENCES]:
        try:
            data_there = reading.chunks(path, must_be_regular=True)
            yield from look_at_chunks(data_there, name=path, passphrase=None, may_hold_nothing=False, may_refer=False)
        except (OSError, ValueError) as error:
            yield unreadable(path, error)
    if len(paths) > _MAX_REFERENCES:
        message = f"cannot read {name}: it names {len(paths):,} files"
        yield Failure(name, message, "create the kubeconfig again", Reason.BAD_KUBECONFIG)


def _look_at_pieces(chunks: Iterable[bytes], view: _View, *, name: str) -> Iterator[Seen]:
    try:
        for piece in pem.pieces(chunks):
            yield from view.look_at(piece)
    except InputError as error:
        view.has_seen = True
        yield Failure(name, f"cannot read {name}: {error.message}", error.hint, Reason.READ_FAILED)


class _View:
    """One file as it is read, piece by piece: what was seen in it so far, and what could not be read."""

    def __init__(self, name: str, passphrase: Secret | None, budget: Budget) -> None:
        self.has_seen = False
        self._name = name
        self._passphrase = passphrase
        self._budget = budget
        self._is_first = True
        self._lines = 0
        self._begin = b""
        self._others: list[str] = []
        self._broken: Broken | None = None
        self._broken_count = 0

    def look_at(self, piece: bytes) -> Iterator[Seen]:
        """The certificates of the next piece."""
        self._begin = self._begin or piece
        plain, end = plain_certificates(piece)
        for certificate in plain:
            yield self._sighting(certificate)
        if end < len(piece):
            from certkit.x509 import objects

            found = objects.read(
                piece,
                start=end,
                passphrase=self._passphrase,
                only=_WATCHED,
                budget=self._budget,
            )
            for item in found:
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
            yield Sighting(self._name, item.value)
        elif item.kind is Kind.CERTIFICATE:
            yield self._sighting(item.value)
        else:
            self._others.append(item.kind.words)

    def _sighting(self, certificate: Certificate) -> Sighting:
        is_leaf, self._is_first, self.has_seen = self._is_first, False, True
        return Sighting(self._name, certificate, is_leaf)

    def _bundle(self, item: Item) -> Iterator[Seen]:
        if item.value is None:
            message = f"cannot read {self._name}: the PKCS#12 bundle is encrypted"
            hint = "give its passphrase with --passphrase-file"
            yield Failure(self._name, message, hint, Reason.BAD_PASSPHRASE)
            return
        for certificate in item.value.certificates:
            yield self._sighting(certificate)

    def failures(self) -> Iterator[Failure]:
        """What could not be read, in one line."""
        if self._broken is not None:
            from certkit.x509 import objects

            reason, hint = objects.summary(self._broken, self._broken_count)
            yield Failure(self._name, f"cannot read {self._name}: {reason}", hint, _reason(self._broken))

    @property
    def is_suspicious(self) -> bool:
        """Whether a file in which nothing was found was a certificate once: by its name, or by spoilt marker lines.

        A file with a private key, CSR, parameters or the like is not one, whatever its name.
        """
        holds_others = bool(self._others) or next(pem.blocks(self._begin), None) is not None
        if not holds_others and self._name.lower().endswith(WATCHED_NAMES):
            return True
        return pem.has_spoilt_markers(self._begin[:_MOST_OF_A_FILE].replace(b"\0", b""))

    def found_nothing(self) -> Failure:
        """What the file holds instead."""
        from certkit.x509 import objects

        error = objects.wrong_kind("a certificate", self._begin, self._others, name=self._name)
        return Failure(self._name, error.message, error.hint, Reason.NO_CERTIFICATE_FOUND)


def _reason(broken: Broken) -> Reason:
    if broken.is_locked:
        return Reason.BAD_PASSPHRASE
    if broken.what == Kind.PKCS12.words:
        return Reason.BAD_PKCS12
    if broken.what == KEY_STORE:
        return Reason.BAD_KEY_STORE
    return Reason.BAD_PEM if broken.is_bad_pem else Reason.DECODE_FAILED


def unreadable(name: str, error: OSError | ValueError) -> Failure:
    """The failure for a file or directory that the system does not let us read."""
    number = getattr(error, "errno", None)
    reason, hint = _SYSTEM_ERRORS.get(number or 0, (Reason.READ_FAILED, "check that it is the right file"))
    why = (getattr(error, "strerror", None) or str(error)).lower()
    return Failure(name, f"cannot read {name}: {why}", hint, reason)


_SYSTEM_ERRORS = {
    errno.ENOENT: (Reason.NOT_FOUND, "check the path"),
    errno.ENOTDIR: (Reason.NOT_FOUND, "check the path"),
    errno.ELOOP: (Reason.BROKEN_SYMLINK, "fix or remove the broken symlink"),
    errno.EACCES: (
        Reason.PERMISSION_DENIED,
        "make it readable for this user, or run certkit as a user who can read it",
    ),
    errno.EPERM: (Reason.PERMISSION_DENIED, "make it readable for this user, or run certkit as a user who can read it"),
}


def _in_walk(path: str, error: OSError) -> Failure:
    """The failure for what a walk came by: what is there and leads nowhere is a broken link, not a missing file."""
    failure = unreadable(path, error)
    if failure.reason is Reason.NOT_FOUND:
        return failure._replace(hint="fix or remove the broken symlink", reason=Reason.BROKEN_SYMLINK)
    return failure if failure.reason is not Reason.READ_FAILED else failure._replace(reason=Reason.WALK_ERROR)
