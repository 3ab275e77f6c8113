"""Reminders before expiry: one for each threshold and certificate, and one in every run once it has expired.

The record of a certificate has the reminders that were sent, each for as long as it is true: a threshold that is no
longer passed was reported by a clock that was wrong, and will be reported again. In doubt a reminder is repeated; none
is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from certkit.durations import Duration
from certkit.errors import InputError
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

MAX_THRESHOLDS = 50

# What is recorded of a reminder: its threshold in whole seconds for that certificate, or this.
PREMATURE = "premature"
Mark: TypeAlias = int | str

_SECOND = timedelta(seconds=1)
_HINT = "give, for example, 28d,14d,7d,3d,1d,0d"

# The clocks of concurrent runs, and of hosts that share a state, may differ by this much.
_SLACK = timedelta(minutes=10)
# Expired certificates that were last seen longer ago than this are forgotten.
_KEEP_EXPIRED = timedelta(days=365)
# The day of the last sighting need not be exact, so that most runs have nothing to write.
_SEEN_PRECISION = timedelta(days=30)


class Watched(Protocol):
    """A certificate or revocation list to remind about, such as a row of a scan."""

    @property
    def kind(self) -> Kind:
        """Whether it is a certificate or a revocation list."""
        ...

    @property
    def fingerprint_sha256(self) -> str:
        """The fingerprint in lower-case hex."""
        ...

    @property
    def not_before(self) -> datetime:
        """The beginning of its validity."""
        ...

    @property
    def not_after(self) -> datetime:
        """The end of its validity."""
        ...


W = TypeVar("W", bound=Watched)


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder: its recorded form, and its threshold as it was written."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class Reminders:
    """The thresholds at which to remind; their order does not matter."""

    thresholds: tuple[Duration, ...]

    @classmethod
    def parse(cls, text: str) -> Reminders:
        """Return the thresholds of a list such as `28d,14d,7d,3d,1d,0d`; with shares of the lifetime (`33%`).

        Raises:
            InputError: if the text is not such a list, or is very long.
        """
        parts = text.split(",")
        if len(parts) > MAX_THRESHOLDS:
            raise InputError(f"not a list of reminders: more than {MAX_THRESHOLDS}", hint=_HINT)
        try:
            return cls(tuple(map(Duration.parse, parts)))
        except InputError as error:
            raise InputError(f"not a list of reminders: {text!r}: {error.message}", hint=_HINT) from error

    @classmethod
    def of_days(cls, days: Iterable[int]) -> Reminders:
        """Return the thresholds that a policy lists, in days."""
        return cls(tuple(Duration.parse(f"{number}d") for number in days))

    def passed(self, watched: Watched, now: datetime) -> Reminder | None:
        """Return the reminder that applies: the tightest threshold that has been passed; None if none has.

        A certificate that is not yet valid has a reminder of its own in place of all others.
        """
        begin, end = watched.not_before, watched.not_after
        if now < begin and now <= end:
            return Reminder(PREMATURE, "not yet valid")
        is_list = watched.kind is Kind.CRL
        lengths = (_length(each, end - begin, is_list=is_list) for each in self.thresholds)
        tightest = min((each for each in lengths if end - now < each[0] * _SECOND), default=None)
        return Reminder(*tightest) if tightest is not None else None

    def concerns(self, *, not_before: datetime, not_after: datetime, now: datetime) -> bool:
        """Return whether a reminder may apply to these dates: a quick check, for the many that have none."""
        left, lifetime = not_after - now, not_after - not_before
        return now < not_before or any(left < each.of(lifetime) for each in self.thresholds)


def _length(threshold: Duration, lifetime: timedelta, *, is_list: bool) -> tuple[int, str]:
    """Return a threshold in whole seconds, the resolution of certificates' dates, and as text.

    A revocation list is replaced as a matter of course: one that has just been issued needs no reminder. As in
    `certkit.expiry.thresholds`, a quarter of the lifetime replaces a threshold longer than the lifetime.
    """
    length, text = threshold.of(lifetime), threshold.text
    if is_list and length >= lifetime:
        length, text = lifetime / 4, "25%"
    return max(0, length // _SECOND), text


@dataclass(frozen=True, slots=True)
class Due(Generic[W]):
    """A reminder that is due, its certificate, and the moment at which it was found to be due."""

    watched: W
    reminder: Reminder
    moment: datetime


@dataclass(frozen=True, slots=True)
class SentReminders:
    """The record of one certificate: the reminders sent, its dates, and when it was last seen."""

    not_before: datetime
    not_after: datetime
    seen: datetime
    marks: frozenset[Mark]

    def still_true(self, now: datetime) -> frozenset[Mark]:
        """Return the reminders that can have been sent at this time, or shortly after it."""
        return frozenset(mark for mark in self.marks if self._is_true(mark, now))

    def _is_true(self, mark: Mark, now: datetime) -> bool:
        if isinstance(mark, int):
            return self.not_after - now - mark * _SECOND < _SLACK
        return now - self.not_before < _SLACK


# The records of all certificates, by fingerprint in lower-case hex.
Memory: TypeAlias = "Mapping[str, SentReminders]"


def refreshed(memory: Memory, *, seen: Iterable[Watched], now: datetime) -> dict[str, SentReminders]:
    """Return the records worth keeping: what is still true, without certificates that are long gone."""
    present = {watched.fingerprint_sha256 for watched in seen}
    kept = {}
    for fingerprint, sent in memory.items():
        last = min(sent.seen, now)
        if fingerprint in present and now - last > _SEEN_PRECISION:
            last = now
        marks = sent.still_true(now)
        if marks and now - max(last, sent.not_after) <= _KEEP_EXPIRED:
            kept[fingerprint] = replace(sent, seen=last, marks=marks)
    return kept


def due(watched: Iterable[W], *, reminders: Reminders, memory: Memory, now: datetime) -> list[Due[W]]:
    """Return the reminders that apply and were not sent, or concern expired certificates, in the order given."""
    found = []
    for each in watched:
        reminder = reminders.passed(each, now)
        sent = memory.get(each.fingerprint_sha256)
        is_new = sent is None or each.not_after < now or reminder is None or reminder.mark not in sent.still_true(now)
        if reminder is not None and is_new:
            found.append(Due(each, reminder, now))
    return found


def recorded(memory: Memory, sent: Sequence[Due[W]]) -> dict[str, SentReminders]:
    """Return the records with the sent reminders added."""
    result = dict(memory)
    for each in sent:
        fingerprint, watched = each.watched.fingerprint_sha256, each.watched
        known = result.get(fingerprint)
        marks = (known.marks if known else frozenset()) | {each.reminder.mark}
        result[fingerprint] = SentReminders(watched.not_before, watched.not_after, each.moment, marks)
    return result
