"""A small file that records which reminders were sent: safe with concurrent runs, and if a run is killed.

From reading to recording a run holds a lock. It reports before it records, so what can be lost is a record: one
reminder is then repeated, and none is left out. The record of a certificate has the reminders that were sent, each for
as long as it is true: a threshold that is no longer passed was reported by a clock that was wrong, and will be reported
again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeAlias

from certkit.errors import InputError
from certkit.expiry.reminders import PREMATURE, SECOND
from certkit.files import content as contents
from certkit.files import writing
from certkit.files.folder import Folder
from certkit.secret import Secret
from certkit.times import parse_time, rfc3339
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.expiry.reminders import Reminder, Reminders
    from certkit.expiry.scan import Row

MAX_BYTES = 16 * 1024 * 1024
LOCK_SECONDS = 10.0
VERSION = 1

_HINT = "until then every reminder is repeated; choose another file with --state"

# Every file of certkit's begins like this, so that no other file is ever replaced.
_MAGIC = b'{"certkit": "reminders", '
_FINGERPRINT = re.compile("[0-9a-f]{64}")
_MAX_SECONDS = 999_999 * 7 * 86_400

# The clocks of concurrent runs, and of hosts that share a state, may differ by this much.
_SLACK = timedelta(minutes=10)
# Expired certificates that were last seen longer ago than this are forgotten.
_KEEP_EXPIRED = timedelta(days=365)
# The day of the last sighting need not be exact, so that most runs have nothing to write.
_SEEN_PRECISION = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder that is due, its certificate or revocation list, and the moment at which it was found to be due."""

    row: Row
    reminder: Reminder
    moment: datetime


@dataclass(frozen=True, slots=True)
class SentReminders:
    """The record of one certificate: the reminders sent, its dates, and when it was last seen."""

    not_before: datetime
    not_after: datetime
    seen: datetime
    marks: frozenset[int | str]

    def still_true(self, now: datetime) -> frozenset[int | str]:
        """Return the reminders that can have been sent at this time, or shortly after it."""
        left, begun = self.not_after - now, now - self.not_before
        ages = {mark: left - mark * SECOND if isinstance(mark, int) else begun for mark in self.marks}
        return frozenset(mark for mark, age in ages.items() if age < _SLACK)


# The records of all certificates, by fingerprint in lower-case hex.
Memory: TypeAlias = dict[str, SentReminders]


def refreshed(memory: Memory, *, seen: Iterable[Row], now: datetime) -> Memory:
    """Return the records worth keeping: what is still true, without certificates that are long gone."""
    present = {row.fingerprint_sha256 for row in seen}
    kept = {}
    for fingerprint, sent in memory.items():
        last = min(sent.seen, now)
        if fingerprint in present and now - last > _SEEN_PRECISION:
            last = now
        marks = sent.still_true(now)
        if marks and now - max(last, sent.not_after) <= _KEEP_EXPIRED:
            kept[fingerprint] = replace(sent, seen=last, marks=marks)
    return kept


def due(rows: Iterable[Row], *, reminders: Reminders, memory: Memory, now: datetime) -> list[Due]:
    """Return the reminders that apply and were not sent, or concern expired certificates, in the order given."""
    found = []
    for row in rows:
        reminder = reminders.passed(
            not_before=row.not_before, not_after=row.not_after, now=now, is_list=row.kind is Kind.CRL
        )
        sent = memory.get(row.fingerprint_sha256)
        if reminder is not None and (sent is None or row.not_after < now or reminder.mark not in sent.still_true(now)):
            found.append(Due(row, reminder, now))
    return found


def recorded(memory: Memory, sent: Sequence[Due]) -> Memory:
    """Return the records with the sent reminders added."""
    result = dict(memory)
    for each in sent:
        row, known = each.row, result.get(each.row.fingerprint_sha256)
        marks = (known.marks if known else frozenset()) | {each.reminder.mark}
        result[row.fingerprint_sha256] = SentReminders(row.not_before, row.not_after, each.moment, marks)
    return result


class _StateFolder(Folder):
    """The directory of the file, open."""

    link_hint = "name the file itself"

    __slots__ = ()


class ReminderFile:
    """The reminders sent before, while this run holds the lock on them.

    No problem with the file stops a reminder: the problem is in `warnings`, nothing is remembered, and everything that
    applies is due.

        with ReminderFile.open(path) as state:
            due = state.due(rows, reminders=reminders, now=now)
            print(due)
            state.record(due)
        for warning in state.warnings: ...
    """

    def __init__(self, path: Path) -> None:
        self.warnings: list[InputError] = []
        self._path = path
        self._folder: Folder | None = None
        self._content = b""
        self._memory: Memory = {}

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, *, wait_seconds: float = LOCK_SECONDS) -> Iterator[Self]:
        """Open the state in a file; a missing file and directory are created, private to the user.

        If another run holds the lock for that many seconds, this run continues without it.
        """
        state = cls(path)
        with contextlib.ExitStack() as held:
            try:
                writing.make_directory(path.parent, contents.PRIVATE_DIRECTORY_MODE)
                folder = held.enter_context(_StateFolder.open(path.parent, about=path))
                _content(folder, path)  # before a lock is left beside a foreign file
                # The lock is a file beside it, because the file itself gets replaced.
                held.enter_context(folder.locked(f".{path.name[:200]}.lock", wait_seconds=wait_seconds))
                state._read(folder)
            except InputError as error:
                state._warn(error)
            yield state

    def due(self, rows: Sequence[Row], *, reminders: Reminders, now: datetime) -> list[Due]:
        """Return the reminders that are due, at most one for each certificate, in order."""
        self._memory = refreshed(self._memory, seen=rows, now=now)
        return due(rows, reminders=reminders, memory=self._memory, now=now)

    def record(self, spoken: Sequence[Due]) -> None:
        """Record what was sent, and forget what is past; call this after each successful report."""
        self._memory = recorded(self._memory, spoken)
        if self._folder is None or (not self._memory and not self._content):
            return
        content = _rendered(self._memory)
        if content == self._content:
            return
        try:
            self._folder.sweep(self._path.name)
            # Not secret, but private: as a `Secret` the file is 0600 from its first byte.
            self._folder.write(self._path.name, Secret(content), replace=True)
            self._content = content
        except InputError as error:
            self._warn(error)

    def _read(self, folder: Folder) -> None:
        """Load the file; broken content is forgotten, and replaced when something is recorded."""
        self._content = _content(folder, self._path)
        self._folder = folder
        try:
            self._memory = _parsed(self._content) if self._content.strip(b"\0") else {}
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, InputError):
            message = f"cannot read {self._path}: it is damaged, so the record of sent reminders is lost"
            hint = "reminders are sent once more, and the file is replaced"
            self.warnings.append(InputError(message, hint=hint))

    def _warn(self, error: InputError) -> None:
        self.warnings.append(InputError(error.message, hint=f"{error.hint}; {_HINT}"))


def _content(folder: Folder, path: Path) -> bytes:
    """Return the bytes of the file, which must be that of this version or an older one; empty if it does not exist."""
    writing.require_writable(path)
    if not path.name:
        raise InputError(f"cannot write {path}: not a regular file", hint="name a file")
    if not folder.has(path.name):
        return b""
    content = folder.read(path.name, limit=MAX_BYTES)
    if not os.access(path, os.W_OK):
        raise InputError(f"cannot write {path}: no permission to write to it", hint="check its mode")
    if _MAGIC.startswith(content.strip(b"\0 \r\n")):  # empty or zeroed (power loss) is fine
        return content
    if not content.startswith(_MAGIC):
        raise InputError(
            f"cannot write {path}: it is not a reminder file, so it is not replaced",
            hint="remove this file if it is not needed",
        )
    version = re.match(rb'"version": (\d{1,9})\b', content[len(_MAGIC) :])
    if version is not None and int(version[1]) > VERSION:
        raise InputError(
            f"cannot write {path}: it was written by a newer version of certkit",
            hint="update certkit, or remove the file",
        )
    return content


def _parsed(content: bytes) -> Memory:
    document = json.loads(content)
    memory: Memory = {}
    for fingerprint, value in document["certificates"].items():
        not_before, not_after, seen = (parse_time(value[name]) for name in ("not_before", "not_after", "seen"))
        marks = frozenset(value["spoken"])
        is_known = all(mark == PREMATURE or (type(mark) is int and 0 <= mark <= _MAX_SECONDS) for mark in marks)
        if not is_known or not _FINGERPRINT.fullmatch(fingerprint):
            raise ValueError("not a reminder")
        memory[fingerprint] = SentReminders(not_before, not_after, seen, marks)
    if document["version"] != VERSION:
        raise ValueError("not as this version writes it")
    return memory


def _rendered(memory: Memory) -> bytes:
    """Return the file's bytes, a line for each certificate; if too large, without the first to expire."""
    lines = []
    for fingerprint, spoken in sorted(memory.items(), key=lambda item: (item[1].not_after, item[0]), reverse=True):
        value = {
            "not_before": rfc3339(spoken.not_before),
            "not_after": rfc3339(spoken.not_after),
            "seen": rfc3339(spoken.seen),
            "spoken": sorted(spoken.marks, key=lambda mark: mark if isinstance(mark, int) else -1, reverse=True),
        }
        lines.append(f'"{fingerprint}": {json.dumps(value)}')
    while True:
        listed = ",\n".join(lines)
        content = _MAGIC + f'"version": {VERSION}, "certificates": {{\n{listed}\n}}}}\n'.encode()
        if len(content) <= MAX_BYTES:
            return content
        lines = lines[: len(lines) // 2]
