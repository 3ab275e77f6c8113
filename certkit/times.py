"""Times are aware UTC datetimes; text is RFC 3339."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta

from certkit.errors import InputError

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:[Zz]|([+-])(\d{2}):(\d{2})))?",
    re.ASCII,
)


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)


def rfc3339(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the second: `2026-11-22T10:00:00Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:19] + "Z"


def parse_time(text: str) -> datetime:
    """Parse a moment from RFC 3339 (`2026-11-22T10:00:00Z`) or from a date, which means its midnight UTC.

    Raises:
        InputError: if the text is neither, or names a day that does not exist.
    """
    hint = "give RFC 3339 such as 2026-11-22T10:00:00Z, or a date such as 2026-11-22"
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise InputError(f"not a time: {text!r}", hint=hint)
    date, clock, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock or '00:00:00'}+00:00")
        if sign:
            if int(hours) > 23 or int(minutes) > 59:
                raise InputError(f"not a time: {text!r}: no such offset", hint=hint)
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment - offset if sign == "+" else moment + offset
    except (ValueError, OverflowError) as error:
        raise InputError(f"not a time: {text!r}: {error}", hint=hint) from error
    return moment


def parse_moment(text: str) -> datetime:
    """Parse a moment as computers write it: RFC 3339 with up to nine digits of a second, of which six are kept.

    Without an offset it is UTC.

    Raises:
        InputError: if the text has another form.
    """
    if _MOMENT.fullmatch(text):
        with contextlib.suppress(ValueError, OverflowError):  # a day that does not exist
            moment = datetime.fromisoformat(text.upper())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    hint = "it should be RFC 3339 such as 2026-11-22T10:00:00.123456789Z"
    raise InputError(f"not a time: {text[:80]!r}", hint=hint)


def age(text: str | None, now: datetime) -> timedelta | None:
    """Return how long ago a moment was that is given as text; None if it is missing or malformed."""
    with contextlib.suppress(InputError):
        return now - parse_time(text or "")
    return None


def parse_http_date(text: str) -> datetime | None:
    """Return the time in a header of HTTP (RFC 9110 section 5.6.7); None if the text is not one."""
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
