"""The calendar of `certkit expiry`: what a person sees in it, and what a calendar program takes in."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from certkit.durations import Duration
from certkit.expiry.scan import Scan
from certkit.report import ics
from tests.pki import DAY, NOW
from tests.report.rows import certificate, failure, revocation_list

ONE = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//certkit//certkit expiry//EN
CALSCALE:GREGORIAN
X-WR-CALNAME:Certificates
BEGIN:VEVENT
SUMMARY:Certificate CN=acme-client-id\\,O=Acme Ltd expires
DTSTART:20270112T120000Z
DTSTAMP:20261123T120000Z
UID:abababababababababababababababababababababababababababababababab@certk
 it
CATEGORIES:Certificates
DESCRIPTION:Subject: CN=acme-client-id\\,O=Acme Ltd\\nIssuer: CN=Partner Iss
 uing CA\\,O=Partner\\nSerial: 4a3f\\nSHA-256: abababababababababababababababa
 babababababababababababababababab\\nValid from 2026-01-12T12:00:00Z until 2
 027-01-12T12:00:00Z\\nSeen in acme.pem\\nSeen in bundle.pem
TRANSP:TRANSPARENT
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Certificate CN=acme-client-id\\,O=Acme Ltd expires on 12 Januar
 y 2027
TRIGGER:-P28D
END:VALARM
END:VEVENT
END:VCALENDAR
"""


def rendered(*rows, failures=(), reminders=(28, 7), now=NOW, **options):
    """The events of the calendar of a scan, as a calendar program reads them."""
    text = ics.render(Scan(now, list(rows), list(failures), **options), reminders=reminders)
    return Calendar.from_ical(text).walk("VEVENT")


def test_the_whole_text():
    """One certificate with one reminder, to the letter; lines end in CR LF and have at most 75 octets."""
    row = certificate(50, sources=("acme.pem", "bundle.pem"))._replace(fingerprint=b"\xab" * 32)
    assert ics.render(Scan(NOW, [row]), reminders=[28]) == ONE.replace("\n", "\r\n")


def test_an_event_is_the_moment_of_the_end():
    """In UTC, so that it is right in every time zone; a revocation list ends with its next update."""
    first, second = rendered(certificate(50), revocation_list(3))
    assert (first["SUMMARY"], first["DTSTART"].dt) == (
        "Revocation list CN=Partner Root CA,O=Partner is out of date",
        datetime(2026, 11, 26, 12, tzinfo=UTC),
    )
    assert (second["SUMMARY"], second["DTSTART"].dt) == (
        "Certificate CN=acme-client-id,O=Acme Ltd expires",
        datetime(2027, 1, 12, 12, tzinfo=UTC),
    )
    assert {event["TRANSP"] for event in (first, second)} == {"TRANSPARENT"}


def test_taken_in_again_it_updates():
    """Tomorrow's calendar has the same events by the same identifiers, with a newer stamp."""
    today, tomorrow = rendered(certificate(50)), rendered(certificate(50), now=NOW + DAY)
    assert [event["UID"] for event in today] == [event["UID"] for event in tomorrow]
    assert today[0]["DTSTAMP"].dt < tomorrow[0]["DTSTAMP"].dt


def test_the_same_scan_gives_the_same_calendar():
    """Whatever the order in which the certificates were found."""
    rows = [certificate(50), certificate(20), certificate(20, "CN=other")]
    texts = {ics.render(Scan(NOW, order, [failure()])) for order in (rows, rows[::-1])}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("reminders", "before"),
    [
        ([28, 14, 7, 3, 1, 0], [28 * DAY, 14 * DAY, 7 * DAY, 3 * DAY, DAY, timedelta(0)]),
        ([7, 28, 7, timedelta(hours=12)], [28 * DAY, 7 * DAY, timedelta(hours=12)]),
        ([Duration.parse("2w"), Duration.parse("10%")], [36 * DAY + timedelta(hours=12), 14 * DAY]),
        ([Duration.parse("33.333333%")], [timedelta(seconds=10_511_999)]),
        ([], []),
    ],
)
def test_an_alarm_for_each_reminder(reminders, before):
    """Days, lengths of time or shares of the lifetime, the longest first; whole seconds, as calendars have them."""
    [event] = rendered(certificate(50), reminders=reminders)
    assert [-alarm["TRIGGER"].dt for alarm in event.subcomponents] == before


def test_of_the_reminders_missed_only_the_last_is_made_up_for():
    """Taken in 5 days before the end, a calendar reminds at once, and then of what is to come."""
    [event] = rendered(certificate(5), reminders=[28, 14, 7, 3, 1])
    assert [-alarm["TRIGGER"].dt for alarm in event.subcomponents] == [7 * DAY, 3 * DAY, DAY]
    assert {alarm["DESCRIPTION"] for alarm in event.subcomponents} == {
        "Certificate CN=acme-client-id,O=Acme Ltd expires on 28 November 2026"
    }


def test_what_has_expired_keeps_its_event_and_reminds_nobody():
    """It is a fact of that day; an alarm would come too late."""
    [event] = rendered(certificate(-3))
    assert (event["DTSTART"].dt, event.subcomponents) == (NOW - 3 * DAY, [])


def test_what_could_not_be_looked_at_is_an_event_of_today():
    """The calendar says that it is not complete, and what is missing."""
    _, notice = rendered(certificate(50), failures=[failure("a.p12"), failure("b.p12")])
    assert (notice["SUMMARY"], notice["DTSTART"].dt) == ("certkit could not check 2 sources", NOW)
    assert notice["DESCRIPTION"].splitlines() == [
        "Incomplete: 2 sources could not be checked",
        "1 certificate is OK.",
        "The next one expires in 50 days, on 12 January 2027: CN=acme-client-id,O=Acme Ltd",
        "cannot read a.p12: it is locked (give its passphrase with --passphrase-file)",
        "cannot read b.p12: it is locked (give its passphrase with --passphrase-file)",
    ]


@pytest.mark.parametrize(
    ("options", "summary"),
    [
        ({"failures": [failure("a.p12")]}, "certkit: cannot read a.p12: it is locked"),
        ({"is_interrupted": True}, "certkit was interrupted: this calendar is not complete"),
        ({}, "certkit found nothing"),
        ({"quiet": 3}, "certkit found nothing that expires before the year 9999"),
    ],
)
def test_a_calendar_is_never_empty(options, summary):
    """It has one event at least (RFC 5545 section 3.6), which says why there is no other."""
    [event] = rendered(**options)
    assert event["SUMMARY"] == summary


def test_the_same_trouble_moves_and_another_stays():
    """Day after day one event, not one a day; and what another host could not look at is an event of its own."""

    def identifier(*sources, now=NOW):
        [event] = rendered(failures=[failure(source) for source in sources], now=now)
        return event["UID"]

    assert identifier("a.p12", "b.p12") == identifier("b.p12", "a.p12", now=NOW + DAY)
    assert identifier("a.p12") != identifier("b.p12")


def test_what_never_ends_has_no_day():
    """The year 9999 means "no well-defined expiration date" (RFC 5280 section 4.1.2.5)."""
    row = certificate(50)._replace(not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert [event["SUMMARY"] for event in rendered(certificate(20, "CN=x"), row)] == ["Certificate CN=x expires"]


@pytest.mark.parametrize("now", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_any_moment_from_any_day(now):
    """The first and the last year that there are, and reminders longer than that."""
    row = certificate(50)._replace(not_after=datetime(1, 1, 1, tzinfo=UTC))
    events = rendered(row, certificate(20), now=now, reminders=[Duration.parse("999999d"), 0])
    assert events[0]["DTSTART"].dt == row.not_after


def test_hostile_names_stay_in_their_place():
    """A name is text: it ends no line, begins no property and turns no writing direction."""
    name = "CN=x\r\nEND:VEVENT\r\nATTACH:https://example.com;a,b\\c\u202e\udcff"
    row = certificate(50, name, sources=(name,))
    text = ics.render(Scan(NOW, [row], [failure(name)]), reminders=[28])
    first, notice = Calendar.from_ical(text).walk("VEVENT")
    shown = r"CN=x\0D\0AEND:VEVENT\0D\0AATTACH:https://example.com;a,b\c\E2\80\AE\FF"
    assert first["SUMMARY"] == f"Certificate {shown} expires"
    assert first["DESCRIPTION"].splitlines()[-1] == f"Seen in {shown}"
    assert notice["SUMMARY"] == f"certkit: cannot read {shown}: it is locked"
    assert "ATTACH" not in first
    assert "\u202e" not in text


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u65e5", "\U0001f511"])
def test_long_names_are_folded_and_cut(letter):
    """No line has more than 75 octets, no letter is torn, and an endless name does not make an endless calendar."""
    text = ics.render(Scan(NOW, [certificate(50, "CN=" + letter * 50_000)]))
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    assert Calendar.from_ical(text).walk("VEVENT")[0]["SUMMARY"] == (
        f"Certificate CN={letter * 197}… (49,803 more characters) expires"
    )
    assert len(text) < 30_000


def test_places_are_named_up_to_a_number():
    """A root certificate may be seen in every bundle there is."""
    [event] = rendered(certificate(50, sources=tuple(f"{number}.pem" for number in range(5000))))
    assert event["DESCRIPTION"].splitlines()[-2:] == ["Seen in 19.pem", "and in 4,980 other places"]


def test_a_missing_package_is_one_line():
    """It names what is missing, and how to install it."""
    code = """if True:
        import sys
        from datetime import UTC, datetime
        sys.modules["icalendar"] = None
        from certkit.errors import InputError
        from certkit.report import ics
        from certkit.expiry.scan import Scan
        try:
            ics.render(Scan(datetime(2026, 11, 23, tzinfo=UTC)))
        except InputError as error:
            print(error.message, error.hint, sep="; ")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = "cannot make a calendar: icalendar is not installed; install it beside certkit: pip install icalendar\n"
    assert done.stdout == told
