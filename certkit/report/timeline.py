"""Expiry dates as a chart: counts by week, month or year from now on."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from certkit.findings import Status
from certkit.report.words import MONTHS, day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certkit.expiry.scan import Row

_WEEK = timedelta(weeks=1)
_FEWEST = 8
_MOST_WEEKS = 16
_MOST_MONTHS = 24
_MOST_YEARS = 20
_MONTHS_IN_VIEW = timedelta(days=30 * _MOST_MONTHS)
_LAST_YEAR = 9999
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Column:
    """The number of certificates that expire in one period; `label` is its short name, `name` the full one."""

    label: str
    name: str
    critical: int
    warning: int
    ok: int

    @property
    def total(self) -> int:
        """The number that expire in the period, whatever their status."""
        return self.critical + self.warning + self.ok


def columns(rows: Sequence[Row], *, now: datetime) -> list[Column]:
    """Return the expired ones, then periods from now on, then everything later, if any.

    Periods are weeks if those cover everything, else months up to two years; years if nothing is that near.
    """
    ends = [row.not_after for row in rows if row.not_after >= now]
    periods = _periods(ends, now)
    starts = [now, *(start for start, _, _ in periods[1:])]
    numbers = [Counter[Status]() for _ in range(len(starts) + 1)]
    for row in rows:
        numbers[bisect_right(starts, row.not_after)][row.status] += 1
    last = ("later", f"from {day(starts[-1])} on")
    named = [("expired", "expired"), *((label, name) for _, label, name in periods[:-1]), last]
    made = [
        Column(label, name, counts[Status.CRITICAL], counts[Status.WARNING], counts[Status.OK])
        for (label, name), counts in zip(named, numbers, strict=True)
    ]
    return made if made[-1].total else made[:-1]


def _periods(ends: Sequence[datetime], now: datetime) -> list[tuple[datetime, str, str]]:
    """Return the start, the short and the full name of each period; one ends where the next begins."""
    near = [end for end in ends if end - now < _MONTHS_IN_VIEW]
    last = max(near or ends, default=now)
    if last - now < _MOST_WEEKS * _WEEK:
        count = min(max(_FEWEST, (last - now) // _WEEK + 1), (_END_OF_TIME - now) // _WEEK)
        starts = [now + number * _WEEK for number in range(count + 1)]
        return [
            (start, f"{start.day} {MONTHS[start.month - 1][:3]}", f"the week from {day(start)}") for start in starts
        ]
    if not near:
        count = max(_FEWEST, min(_MOST_YEARS, last.year - now.year + 1))
        years = range(now.year, min(now.year + count, _LAST_YEAR) + 1)
        return [(datetime(year, 1, 1, tzinfo=UTC), str(year), str(year)) for year in years]
    first, final = now.year * 12 + now.month - 1, last.year * 12 + last.month - 1  # months since the year 0
    count = max(_FEWEST, min(_MOST_MONTHS, final - first + 1))
    made = []
    for number in range(first, min(first + count, _LAST_YEAR * 12 + 11) + 1):
        year, index = divmod(number, 12)
        label = MONTHS[index][:3] + (f" {year}" if index == 0 else "")
        made.append((datetime(year, index + 1, 1, tzinfo=UTC), label, f"{MONTHS[index]} {year}"))
    return made
