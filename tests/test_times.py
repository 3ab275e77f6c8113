"""`certkit.times`: aware UTC times, RFC 3339 text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from certkit.errors import InputError
from certkit.times import parse_http_date, parse_moment, parse_time, rfc3339

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00Z",
        "2026-11-22t10:00:00z",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00:00.999999999Z",
        "2026-11-22T12:30:00+02:30",
        "2026-11-22T05:00:00-05:00",
        "2026-11-22T10:00:00-00:00",
        " 2026-11-22T10:00:00Z\n",
    ],
)
def test_rfc_3339_is_read(text):
    """In every form that RFC 3339 allows, to the second, whatever the offset."""
    assert parse_time(text) == TEN


def test_a_date_is_its_midnight_in_utc():
    """Whatever the time zone of the machine."""
    assert parse_time("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "tomorrow",
        "1763805600",
        "22.11.2026",
        "20261122",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00Z",
        "2026-11-22T10:00:00+0200",
        "2026-11-22T10",
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-11-22T25:00:00Z",
        "2026-11-22T10:60:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "\uff12\uff10\uff12\uff16-11-22",
        "2026-11-22T10:00:00Z\0",
    ],
)
def test_other_text_is_refused(text):
    """Times without an offset, days that do not exist, other notations."""
    with pytest.raises(InputError) as refused:
        parse_time(text)
    assert refused.value.message.startswith(f"not a time: {text!r}")
    assert refused.value.hint == "give RFC 3339 such as 2026-11-22T10:00:00Z, or a date such as 2026-11-22"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (TEN, "2026-11-22T10:00:00Z"),
        (TEN.replace(microsecond=999_999), "2026-11-22T10:00:00Z"),
        (TEN.astimezone(timezone(timedelta(hours=-7))), "2026-11-22T10:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_in_utc(moment, text):
    """To the second, with Z, and four digits of the year."""
    assert rfc3339(moment) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00.123456789Z", datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T10:00:00.1Z", datetime(2026, 11, 22, 10, 0, 0, 100000, tzinfo=UTC)),
        ("2026-11-22t10:00:00.12345678z", datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T10:00:00.123", datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)),
        ("2026-11-22 12:00:00+02:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T12:00:00.000000000+0200", datetime(2026, 11, 22, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_of_a_computer(text, moment):
    """Up to nine digits of a second; without an offset it is UTC."""
    assert parse_moment(text) == moment
    assert parse_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "20261122T100000Z",
        "2026-W47-7T10:00:00Z",
        "2026-11-22T10:00:00.1234567890Z",
        "2026-11-22T10:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T10:00:00+25:00",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        " 2026-11-22T10:00:00Z",
        "٢٠٢٦-11-22T10:00:00Z",
        "1763805600",
    ],
)
def test_what_is_no_moment(text):
    """Is refused, whatever Python makes of it."""
    with pytest.raises(InputError, match="not a time"):
        parse_moment(text)


@pytest.mark.parametrize(
    "text", ["Mon, 23 Nov 2026 12:00:00 GMT", "Mon, 23 Nov 2026 13:00:00 +0100", "23 Nov 2026 12:00:00 -0000"]
)
def test_a_date_of_http(text):
    """Is in UTC, whatever its zone."""
    assert parse_http_date(text) == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "-", "2026-11-23T12:00:00Z", "Mon, 31 Feb 2026 00:00:00 GMT", "Mon, 01 Jan 2026 99:00:00 GMT"),
        *("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999"),
        "31 Dec 9999 23:59:59 -0001",
    ],
)
def test_what_is_no_date_of_http(text):
    """Whatever a server sends, nothing else happens."""
    assert parse_http_date(text) is None
