"""Dates, counts and outlooks in plain English, as reports for people share them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certkit.expiry.scan import Row

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
NOUNS = {Kind.CERTIFICATE: "certificate", Kind.CRL: "revocation list"}

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def counted(number: int, noun: str) -> str:
    """Return a number of things: `1 certificate`, `1,200 certificates`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def kinds(rows: Iterable[Row]) -> str:
    """Return the number of rows of each kind: `3 certificates and 1 revocation list`."""
    numbers = Counter(row.kind for row in rows)
    return " and ".join(counted(numbers[kind], noun) for kind, noun in NOUNS.items() if numbers[kind])


def day(moment: datetime) -> str:
    """Return the day of a moment in UTC: `1 December 2026`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def clock(moment: datetime) -> str:
    """Return the time of day of a moment: `09:30 UTC`."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def span(length: timedelta) -> str:
    """Return a length of time in its largest sensible unit: `5 hours`, `28 days`, `about 10 years`."""
    if length < _HOUR:
        return "less than an hour"
    if length < _DAY:
        return counted(length // _HOUR, "hour")
    days = length // _DAY
    return counted(days, "day") if days <= 730 else f"about {round(days / 365.25):,} years"


def outlook(row: Row, now: datetime) -> str:
    """Return the outlook of a certificate or revocation list: `expires in 20 days`, `expired 3 days ago`."""
    is_list = row.kind is Kind.CRL
    if row.not_after < now:
        ago = span(now - row.not_after)
        return f"out of date for {ago}" if is_list else f"expired {ago} ago"
    if now < row.not_before:
        return f"not valid before {day(row.not_before)}"
    return f"{'next update due' if is_list else 'expires'} in {span(row.not_after - now)}"


def shortened(text: str, limit: int = 300) -> str:
    """Return the text, or its beginning and how much was left out: a name may have any length."""
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}… ({counted(left_out, 'more character')})"
