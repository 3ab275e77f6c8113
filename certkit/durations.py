"""Durations as people write them: `28d`, `12h`, `2w`, a bare number of days, or a share of a lifetime (`33%`)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import NamedTuple

from certkit.errors import InputError

_FORM = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(s|m|h|d|w|%)?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPOKEN = ((86400 * 365, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


class Duration(NamedTuple):
    """A length of time: either fixed, or a percentage of a certificate's own lifetime."""

    text: str
    fixed: timedelta | None
    percent: float | None

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Parse a duration; a bare number means days.

        Raises:
            InputError: if the text has another form.
        """
        match = _FORM.fullmatch(text.strip())
        hint = "give, for example, 28d, 12h, 2w, 30 (days) or 33% (of the certificate's lifetime)"
        if match is None:
            raise InputError(f"not a duration: {text!r}", hint=hint)
        number = float(match[1])
        if match[2] == "%":
            if number > 100:
                raise InputError(f"not a share of a lifetime: {text!r}: more than 100 %", hint=hint)
            return cls(text.strip(), None, number)
        return cls(text.strip(), timedelta(**{_UNITS[match[2] or "d"]: number}), None)

    @classmethod
    def of_length(cls, length: timedelta) -> Duration:
        """Return a duration of that length."""
        return cls(f"{length.total_seconds():g}s", length, None)

    def of(self, lifetime: timedelta) -> timedelta:
        """Return the duration for a certificate of that lifetime."""
        if self.fixed is not None:
            return self.fixed
        return lifetime * (self.percent or 0.0) / 100

    def exceeds(self, other: Duration) -> bool:
        """Return whether this is longer than the other; False for two of different kinds, which cannot be compared."""
        if self.fixed is not None and other.fixed is not None:
            return self.fixed > other.fixed
        if self.percent is not None and other.percent is not None:
            return self.percent > other.percent
        return False

    def __str__(self) -> str:
        return self.text


def spoken(length: timedelta) -> str:
    """Return a length of time in the largest unit of which it has at least two: `28 hours`, `3 days`."""
    seconds = int(length.total_seconds())
    size, unit = next(((size, unit) for size, unit in _SPOKEN if seconds >= 2 * size), (1, "seconds"))
    return f"{seconds // size:,} {unit if seconds != 1 else 'second'}"
