"""Results as a calendar (iCalendar, RFC 5545): an event where each certificate ends, with reminders before it.

An event is the very moment in UTC, not a day: a day would be a different time in every zone, and too late in half of
them for what ends at midnight. The event's identifier is made from the fingerprint, so that a calendar that imports the
file again updates its events. A source that could not be checked is an event too, at the time of the check.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.durations import Duration
from certkit.printable import printable
from certkit.report import needs
from certkit.report.summary import summary
from certkit.report.words import NOUNS, counted, day, shortened
from certkit.times import rfc3339
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import icalendar

    from certkit.expiry.scan import Row, Scan

    Reminder = int | timedelta | Duration

MAX_LISTED = 20

_PRODUCT_ID = "-//certkit//certkit expiry//EN"
# This year means "no well-defined expiration date" (RFC 5280 section 4.1.2.5).
_NEVER = 9999


def render(scan: Scan, *, reminders: Sequence[Reminder] = (28, 14, 7, 3, 1, 0)) -> str:
    """Render the calendar: events in the given order, with an alarm for each reminder (days, or any length).

    An expired certificate keeps its event without an alarm.

    Raises:
        InputError: if icalendar is not installed.
    """
    with needs("icalendar", what="a calendar"):
        from icalendar import Calendar
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", _PRODUCT_ID)
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", "Certificates")
    ending = [row for row in scan.rows if row.not_after.year < _NEVER]
    for row in sorted(ending, key=lambda row: (row.not_after, row.fingerprint)):
        calendar.add_component(_event(row, scan, reminders))
    if scan.failures or scan.is_interrupted or not ending:
        calendar.add_component(_notice(scan))
    return str(calendar.to_ical().decode())


def _event(row: Row, scan: Scan, reminders: Sequence[Reminder]) -> icalendar.Event:
    """Return the event of a certificate or CRL; its text never changes with time, only its alarms and places do."""
    from icalendar import Alarm

    subject = shortened(printable(row.subject), 200) or "without a name"
    text = f"{NOUNS[row.kind].capitalize()} {subject} {'is out of date' if row.kind is Kind.CRL else 'expires'}"
    left_out = len(row.sources) - MAX_LISTED
    described = [
        f"Subject: {shortened(printable(row.subject), 2000) or 'none'}",
        f"Issuer: {shortened(printable(row.issuer), 2000)}",
        f"Serial: {shortened(row.serial_hex)}",
        f"SHA-256: {row.fingerprint_sha256}",
        f"Valid from {rfc3339(row.not_before)} until {rfc3339(row.not_after)}",
        *(f"Seen in {shortened(printable(source))}" for source in row.sources[:MAX_LISTED]),
        *([f"and in {counted(left_out, 'other place')}"] if left_out > 0 else []),
    ]
    event = _new_event(row.fingerprint_sha256, scan.now, row.not_after, text, described)
    for before in _still_useful(row, scan, reminders):
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("trigger", -before)
        alarm.add("description", f"{text} on {day(row.not_after)}")
        event.add_component(alarm)
    return event


def _still_useful(row: Row, scan: Scan, reminders: Sequence[Reminder]) -> Iterator[timedelta]:
    """Yield the reminders to come, earliest first, preceded by the last one that was missed.

    So a calendar that is imported late reminds once, not once for each missed reminder.
    """
    left = row.not_after - scan.now
    if left < timedelta(0):
        return
    life = row.not_after - row.not_before
    days = (timedelta(days=each) if isinstance(each, int) else each for each in reminders)
    exact = (each.of(life) if isinstance(each, Duration) else each for each in days)
    # Calendars have whole seconds (RFC 5545 section 3.3.6).
    lengths = sorted({timedelta(seconds=each // timedelta(seconds=1)) for each in exact}, reverse=True)
    missed = [length for length in lengths if length > left]
    yield from missed[-1:]
    yield from lengths[len(missed) :]


def _notice(scan: Scan) -> icalendar.Event:
    """Return an event that says why the calendar is incomplete, at the time of the check.

    The same problem on another day moves the event to that day; a different problem is a separate event.
    """
    if len(scan.failures) == 1:
        title = f"certkit: {shortened(printable(scan.failures[0].message), 200)}"
    elif scan.failures:
        title = f"certkit could not check {len(scan.failures):,} sources"
    elif scan.is_interrupted:
        title = "certkit was interrupted: this calendar is not complete"
    else:
        title = (
            "certkit found nothing" if scan.found_nothing else "certkit found nothing that expires before the year 9999"
        )
    summed = summary(scan)
    details = [summed.headline, *summed.sentences]
    details += [
        f"{shortened(printable(failure.message), 1000)} ({shortened(printable(failure.hint))})"
        for failure in scan.failures[:MAX_LISTED]
    ]
    if len(scan.failures) > MAX_LISTED:
        details.append(f"and {len(scan.failures) - MAX_LISTED:,} more")
    sources = sorted({failure.source for failure in scan.failures})
    about = "\0".join([*sources, "interrupted" if scan.is_interrupted else ""])
    digest = hashlib.sha256(about.encode(errors="surrogatepass")).hexdigest()
    return _new_event(digest, scan.now, scan.now, title, details)


def _new_event(
    identifier: str, now: datetime, start: datetime, title: str, description: Sequence[str]
) -> icalendar.Event:
    from icalendar import Event

    event = Event()
    event.add("uid", f"{identifier}@certkit")
    event.add("dtstamp", now)
    event.add("dtstart", start)
    event.add("summary", title)
    event.add("description", "\n".join(description))
    event.add("categories", ["Certificates"])
    event.add("transp", "TRANSPARENT")
    return event
