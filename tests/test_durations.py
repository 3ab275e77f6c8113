"""`certkit.durations`: lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from certkit.durations import Duration
from certkit.errors import InputError


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("28d", timedelta(days=28)),
        ("12h", timedelta(hours=12)),
        ("2w", timedelta(days=14)),
        ("90m", timedelta(minutes=90)),
        ("30s", timedelta(seconds=30)),
        ("28", timedelta(days=28)),
        ("0", timedelta(0)),
        ("1.5d", timedelta(hours=36)),
        (" 7 d ", timedelta(days=7)),
        ("999999w", timedelta(weeks=999999)),
    ],
)
def test_a_length_of_time_is_read(text, meaning):
    """Seconds, minutes, hours, days and weeks; a bare number is days."""
    assert Duration.parse(text).of(timedelta(days=365)) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("33%", timedelta(days=33)),
        ("100%", timedelta(days=100)),
        ("0%", timedelta(0)),
        ("12.5 %", timedelta(days=12.5)),
    ],
)
def test_a_share_is_of_the_lifetime(text, meaning):
    """A percentage is taken of the certificate's own lifetime."""
    assert Duration.parse(text).of(timedelta(days=100)) == meaning


@pytest.mark.parametrize(
    "text",
    ["", "d", "-1d", "+1d", "1y", "1 month", "1d12h", "1e3", "nan", "inf", "1,5d", "٣d", "1234567d", "1.d", "28D"],
)
def test_other_text_is_refused(text):
    """Signs, unknown units, compounds and foreign digits are bad usage."""
    with pytest.raises(InputError) as refused:
        Duration.parse(text)
    assert refused.value.message == f"not a duration: {text!r}"
    assert refused.value.hint == "give, for example, 28d, 12h, 2w, 30 (days) or 33% (of the certificate's lifetime)"


def test_a_share_above_the_whole_is_refused():
    """There is no more than all of a lifetime."""
    with pytest.raises(InputError, match="not a share of a lifetime: '101%': more than 100 %"):
        Duration.parse("101%")


@pytest.mark.parametrize(
    ("one", "other", "longer"),
    [
        ("8d", "1w", True),
        ("7d", "1w", False),
        ("1w", "8d", False),
        ("34%", "33%", True),
        ("33%", "33%", False),
        ("33%", "1s", False),
        ("999w", "1%", False),
    ],
)
def test_durations_of_one_kind_compare(one, other, longer):
    """Lengths with lengths, shares with shares; a length and a share do not compare."""
    assert Duration.parse(one).exceeds(Duration.parse(other)) is longer


def test_a_duration_is_printed_as_it_was_written():
    """So that messages use the user's own words."""
    assert str(Duration.parse(" 2w ")) == "2w"
