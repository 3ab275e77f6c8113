"""Expiry dates as a chart: counts by week, month or year from now on."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The beginning and the names of a period; it ends where the next one begins."""

    start: datetime
    label: str
    name: str


def columns(rows: Sequence[Row], *, now: datetime) -> list[Column]:
    """Return the expired ones, then periods from now on, then everything later, if any.

    Periods are weeks if those cover everything, else months up to two years; years if nothing is that near.
    """
    ends = [row.not_after for row in rows if row.not_after >= now]
    near = [end for end in ends if end - now < _MONTHS_IN_VIEW]
    last = max(near or ends, default=now)
    further = _months if near else _years
    stretches = (_weeks if last - now < _MOST_WEEKS * _WEEK else further)(now, last)
    start = stretches[-1].start
    stretches[-1] = replace(stretches[-1], label="later", name=f"from {day(start)} on")
    starts = [stretch.start for stretch in stretches]
    numbers = [Counter[Status]() for _ in range(len(starts) + 1)]
    for row in rows:
        numbers[bisect_right(starts, row.not_after)][row.status] += 1
    named = [("expired", "expired"), *((each.label, each.name) for each in stretches)]
    made = [
        Column(label, name, counts[Status.CRITICAL], counts[Status.WARNING], counts[Status.OK])
        for (label, name), counts in zip(named, numbers, strict=True)
    ]
    return made if made[-1].total else made[:-1]


def _weeks(now: datetime, last: datetime) -> list[_Stretch]:
    count = min(max(_FEWEST, (last - now) // _WEEK + 1), (_END_OF_TIME - now) // _WEEK)
    starts = [now + number * _WEEK for number in range(count + 1)]
    return [
        _Stretch(start, f"{start.day} {MONTHS[start.month - 1][:3]}", f"the week from {day(start)}") for start in starts
    ]


def _months(now: datetime, last: datetime) -> list[_Stretch]:
    first, final = now.year * 12 + now.month - 1, last.year * 12 + last.month - 1
    count = max(_FEWEST, min(_MOST_MONTHS, final - first + 1))
    made = []
    for number in range(first, min(first + count, _LAST_YEAR * 12 + 11) + 1):  # months since the year 0
        year, index = divmod(number, 12)
        label = MONTHS[index][:3] + (f" {year}" if index == 0 else "")
        made.append(_Stretch(datetime(year, index + 1, 1, tzinfo=UTC), label, f"{MONTHS[index]} {year}"))
    return [replace(made[0], start=now), *made[1:]]


def _years(now: datetime, last: datetime) -> list[_Stretch]:
    count = max(_FEWEST, min(_MOST_YEARS, last.year - now.year + 1))
    years = range(now.year, min(now.year + count, _LAST_YEAR) + 1)
    made = [_Stretch(datetime(year, 1, 1, tzinfo=UTC), str(year), str(year)) for year in years]
    return [replace(made[0], start=now), *made[1:]]
