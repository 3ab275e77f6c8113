"""Reminders before expiry: one for each threshold and certificate, and one in every run once it has expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.durations import Duration
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MAX_THRESHOLDS = 50

PREMATURE = "premature"
SECOND = timedelta(seconds=1)
_HINT = "give, for example, 28d,14d,7d,3d,1d,0d"


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder: its threshold in whole seconds for that certificate, or `PREMATURE`; and as it was written."""

    mark: int | str
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

    def passed(
        self, *, not_before: datetime, not_after: datetime, now: datetime, is_list: bool = False
    ) -> Reminder | None:
        """Return the reminder that applies: the tightest threshold that has been passed; None if none has.

        A certificate that is not yet valid has a reminder of its own in place of all others. A revocation list
        (`is_list`) is replaced as a matter of course: one that has just been issued needs no reminder. As in
        `certkit.expiry.thresholds`, a quarter of its lifetime replaces a threshold longer than the lifetime.
        """
        if now < not_before and now <= not_after:
            return Reminder(PREMATURE, "not yet valid")
        left, lifetime = not_after - now, not_after - not_before
        tightest: tuple[int, str] | None = None
        for threshold in self.thresholds:
            length, text = threshold.of(lifetime), threshold.text
            if is_list and length >= lifetime:
                length, text = lifetime / 4, "25%"
            seconds = max(0, length // SECOND)  # the resolution of certificates' dates
            if left < seconds * SECOND:
                tightest = min(tightest or (seconds, text), (seconds, text))
        return Reminder(*tightest) if tightest else None

    def concerns(self, *, not_before: datetime, not_after: datetime, now: datetime) -> bool:
        """Return whether a reminder may apply to these dates: a quick check, for the many that have none."""
        left, lifetime = not_after - now, not_after - not_before
        return now < not_before or any(left < each.of(lifetime) for each in self.thresholds)
