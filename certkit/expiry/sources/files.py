"""Certificates in files, directories and streams."""

from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING, NamedTuple

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Searched, Sighting, Skipped
from certkit.files import reading
from certkit.processes import Allowance
from certkit.x509 import pem
from certkit.x509.items import KEY_STORE, Broken, Budget, Kind, plain_certificates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from certkit.expiry.sources.base import Seen
    from certkit.secret import Secret
    from certkit.x509.items import Item

_WATCHED = frozenset({Kind.CERTIFICATE, Kind.CRL, Kind.PKCS12})
_MOST_OF_A_FILE = 1024 * 1024
_MAX_REFERENCES = 100
# A file with such a name is there for its certificate, so a monitor has to notice when it holds none.
WATCHED_NAMES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p12", ".pfx", ".jks", ".crl")


class FileSource(NamedTuple):
    """Files: one that is named must hold something to watch; those found by searching need not.

    `origin` is where they were found. The sources of a run share one `budget`.
    """

    paths: Sequence[str]
    passphrase: Secret | None = None
    budget: Budget | None = None
    may_hold_nothing: bool = False
    origin: str | None = None

    @property
    def weight(self) -> int:
        """The number of files."""
        return len(self.paths)

    def look(self) -> Iterator[Seen]:
        """Yield the certificates of the files, each in its order; then, whether the searched places held any."""
        budget = self.budget or Budget(Allowance())
        has_found = False
        for path in self.paths:
            try:
                for found in self._seen_in(path, budget):
                    has_found = has_found or not isinstance(found, Skipped)
                    yield found
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                # A file that has just vanished was perhaps the temporary file of a renewal.
                is_gone = self.may_hold_nothing and isinstance(error, FileNotFoundError) and not os.path.islink(path)
                has_found = has_found or not is_gone
                yield Skipped(path) if is_gone else unreadable(path, error)
        if self.origin is not None:
            yield Searched(self.origin, has_found)

    def _seen_in(self, path: str, budget: Budget) -> Iterable[Seen]:
        if not self.may_hold_nothing:
            return _look_at(reading.chunks(path), path, self.passphrase, budget)
        # Of very many files most hold only plain certificates, which is quick to find out.
        begin, is_whole = reading.begin(path)
        plain, end = plain_certificates(begin)
        if is_whole and end == len(begin) and plain:
            return (Sighting(path, plain),)
        chunks = [begin] if is_whole else reading.chunks(path, must_be_regular=True)
        return _look_at(chunks, path, self.passphrase, budget, may_hold_nothing=True)


def special(path: str) -> Failure | Skipped:
    """Skip a hidden or special file, unless its name says that it should hold a certificate."""
    name = os.path.basename(path)
    if name.startswith(".") or not name.lower().endswith(WATCHED_NAMES) or not os.path.exists(path):
        return Skipped(path)
    hint = "replace it with the certificate"
    return Failure(path, f"cannot read {path}: it is a device, a pipe or a socket", hint, Reason.READ_FAILED)


class KnownSource(NamedTuple):
    """Results that are known, such as places that do not exist, or that come in order, as those of a stream."""

    found: Iterable[Seen]
    weight: int = 0

    def look(self) -> Iterator[Seen]:
        """Yield the results."""
        yield from self.found


def look_at_stream(
    chunks: Iterable[bytes], name: str, passphrase: Secret | None = None, budget: Budget | None = None
) -> Iterator[Seen]:
    """Yield the certificates among bytes that come once, such as standard input."""
    try:
        yield from _look_at(chunks, name, passphrase, budget or Budget(Allowance()))
    except OSError as error:
        yield unreadable(name, error)
    except InputError as error:
        yield Failure(name, error.message, error.hint, Reason.BAD_SOURCE)


def _look_at(
    chunks: Iterable[bytes],
    name: str,
    passphrase: Secret | None,
    budget: Budget,
    *,
    may_hold_nothing: bool = False,
    may_refer: bool = True,
) -> Iterator[Seen]:
    """Yield the certificates among the bytes of a file; an unreadable one is a failure.

    A kubeconfig may refer to other files, unless it was referred to itself.
    """
    source = iter(chunks)
    begin = next(source, b"")
    whole = itertools.chain([begin], source)
    if may_refer and b"-----BEGIN" not in begin and b"certificate" in begin:
        from certkit.expiry.sources import kubeconfig

        if kubeconfig.is_kubeconfig(begin):
            yield from _look_at_kubeconfig(whole, name, budget, may_hold_nothing=may_hold_nothing)
            return
    view = _View(name, passphrase, budget)
    is_empty = True
    for found in view.look_at(whole):
        is_empty = False
        yield found
    if is_empty:
        yield Skipped(name) if may_hold_nothing and not view.is_suspicious else view.found_nothing()


def _look_at_kubeconfig(
    chunks: Iterable[bytes], name: str, budget: Budget, *, may_hold_nothing: bool
) -> Iterator[Seen]:
    """Yield the certificates in a kubeconfig, and those in the files that it names."""
    from certkit.expiry.sources import kubeconfig

    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) > kubeconfig.MAX_BYTES:
            break
    again = "create the kubeconfig again"
    try:
        found = kubeconfig.read(data)
    except InputError as error:
        yield Failure(name, f"cannot read {name}: {error.message}", error.hint, Reason.BAD_KUBECONFIG)
        return
    for entry, embedded in found.embedded:
        sightings = list(_View(name, None, budget).look_at([embedded]))
        message = f"cannot read {name}: {entry}: no certificate in its data"
        yield from sightings or [Failure(name, message, again, Reason.NO_CERTIFICATE_FOUND)]
    for problem in found.problems:
        yield Failure(name, f"cannot read {name}: {problem}", again, Reason.BAD_KUBECONFIG)
    paths = list(dict.fromkeys(os.path.join(os.path.dirname(name), path) for _, path in found.references))
    for path in paths[:_MAX_REFERENCES]:
        try:
            yield from _look_at(reading.chunks(path, must_be_regular=True), path, None, budget, may_refer=False)
        except (OSError, ValueError) as error:
            yield unreadable(path, error)
    if len(paths) > _MAX_REFERENCES:
        message = f"cannot read {name}: it names {len(paths):,} files"
        yield Failure(name, message, again, Reason.BAD_KUBECONFIG)
    if not (found.embedded or found.problems or paths):
        message = f"cannot read {name} as a certificate: the kubeconfig contains no certificate"
        nothing = Failure(name, message, "check that it is the right file", Reason.NO_CERTIFICATE_FOUND)
        yield Skipped(name) if may_hold_nothing else nothing


class _View:
    """The state of reading one file piece by piece: whether a certificate was seen, and what else is there."""

    def __init__(self, name: str, passphrase: Secret | None, budget: Budget) -> None:
        self._name = name
        self._passphrase = passphrase
        self._budget = budget
        self._is_first = True
        self._begin = b""
        self._others: list[str] = []

    def look_at(self, chunks: Iterable[bytes]) -> Iterator[Seen]:
        """Yield the certificates of the file and, at the end, one failure for all that could not be read."""
        name, lines = self._name, 0
        broken: Broken | None = None
        count, is_complete = 0, True
        try:
            for piece in pem.pieces(chunks):
                self._begin = self._begin or piece
                plain, end = plain_certificates(piece)
                if plain:
                    yield Sighting(name, plain, self._is_first)
                    self._is_first = False
                for item in self._read(piece, end) if end < len(piece) else ():
                    if not isinstance(item, Broken):
                        yield from self._look_at_item(item)
                        continue
                    if broken is None:
                        broken = item._replace(line=item.line + lines) if item.line else item
                    count += not item.is_limit
                    is_complete = is_complete and not item.is_limit
                lines += piece.count(b"\n")
        except InputError as error:
            yield Failure(name, f"cannot read {name}: {error.message}", error.hint, Reason.READ_FAILED)
        if broken is not None:
            from certkit.x509 import objects

            reason, hint = objects.summary(broken, count, is_complete=is_complete)
            yield Failure(name, f"cannot read {name}: {reason}", hint, _reason(broken))

    def _read(self, piece: bytes, start: int) -> Iterator[Item | Broken]:
        from certkit.x509 import objects

        return objects.read(piece, start=start, passphrase=self._passphrase, only=_WATCHED, budget=self._budget)

    def _look_at_item(self, item: Item) -> Iterator[Seen]:
        name = self._name
        if item.kind is Kind.CRL:
            yield Sighting(name, [item.value])
        elif item.kind not in _WATCHED:
            self._others.append(item.kind.words)
        elif item.value is None:
            message = f"cannot read {name}: the PKCS#12 bundle is encrypted"
            yield Failure(name, message, "give its passphrase with --passphrase-file", Reason.BAD_PASSPHRASE)
        else:
            certificates = [item.value] if item.kind is Kind.CERTIFICATE else item.value.certificates
            if certificates:
                yield Sighting(name, certificates, self._is_first)
                self._is_first = False
            else:
                message = f"cannot read {name}: the PKCS#12 bundle contains no certificate"
                yield Failure(name, message, "export it with its certificate", Reason.NO_CERTIFICATE_FOUND)

    @property
    def is_suspicious(self) -> bool:
        """Return whether a file without certificates once was one: by its name, or by damaged marker lines.

        A file with a private key, CSR, parameters or the like is not one, whatever its name.
        """
        holds_others = bool(self._others) or next(pem.blocks(self._begin), None) is not None
        if not holds_others and self._name.lower().endswith(WATCHED_NAMES):
            return True
        return pem.has_spoilt_markers(self._begin[:_MOST_OF_A_FILE].replace(b"\0", b""))

    def found_nothing(self) -> Failure:
        """Return the result for a file without certificates: what it holds instead."""
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
    """Return the failure for a file or directory that the system does not allow to be read."""
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
