"""`certkit.expiry.reminders`: which reminder is due, and what is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certkit.errors import InputError
from certkit.expiry import reminder_file
from certkit.expiry.reminders import Reminder, Reminders
from certkit.expiry.scan import Row
from certkit.findings import Status
from certkit.x509.items import Kind

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY
LIST = Reminders.parse("28d,14d,7d,3d,1d,0d")
SOME = settings(deadline=None, derandomize=True, max_examples=300)


def row(*, left: timedelta, lifetime: timedelta = YEAR, kind: Kind = Kind.CERTIFICATE, fingerprint: int = 1) -> Row:
    """A certificate of that lifetime with so much time left now."""
    return Row(
        kind=kind,
        subject="CN=acme",
        issuer="CN=Partner",
        serial=1,
        fingerprint=fingerprint.to_bytes(32),
        not_before=NOW + left - lifetime,
        not_after=NOW + left,
        days_left=left // DAY,
        status=Status.OK,
        sources=["acme.pem"],
    )


def passed(reminders, row, now):
    """Return the reminder that applies to a row."""
    return reminders.passed(not_before=row.not_before, not_after=row.not_after, now=now, is_list=row.kind is Kind.CRL)


def run(memory, rows, now, listed=LIST):
    """Return the reminders that one run sends, as written in the list, and the records that it keeps."""
    memory = reminder_file.refreshed(memory, seen=rows, now=now)
    due = reminder_file.due(rows, reminders=listed, memory=memory, now=now)
    return [each.reminder.text for each in due], reminder_file.recorded(memory, due)


def spoken_on(watched, days, listed=LIST):
    """Return the reminders of runs on so many days before expiry, one after the other."""
    memory, said = {}, []
    for day in days:
        texts, memory = run(memory, [watched], watched.not_after - day * DAY, listed)
        said.append(texts)
    return said


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (29 * DAY, None),
        (28 * DAY, None),
        (28 * DAY - timedelta(seconds=1), Reminder(28 * 86_400, "28d")),
        (14 * DAY, Reminder(28 * 86_400, "28d")),
        (timedelta(hours=30), Reminder(3 * 86_400, "3d")),
        (timedelta(seconds=1), Reminder(86_400, "1d")),
        (timedelta(0), Reminder(86_400, "1d")),
        (timedelta(seconds=-1), Reminder(0, "0d")),
        (-5000 * DAY, Reminder(0, "0d")),
    ],
)
def test_the_tightest_threshold_passed_applies(left, expected):
    """Less time left than a threshold triggers it, and 0d once it is expired."""
    assert passed(LIST, row(left=left), NOW) == expected


def test_order_and_duplicates_do_not_matter():
    """Nor does the unit that a threshold is written in."""
    listed = Reminders.parse("0d, 3d,672h,1d ,14d,7d,2w,4w,28d")
    for days in range(-2, 40):
        found, expected = (passed(each, row(left=days * DAY), NOW) for each in (listed, LIST))
        assert getattr(found, "mark", None) == getattr(expected, "mark", None)


def test_a_share_is_of_the_lifetime():
    """Beside lengths of time, and compared with them for each certificate."""
    listed = Reminders.parse("10%,7d")
    assert passed(listed, row(left=8 * DAY, lifetime=100 * DAY), NOW) == Reminder(10 * 86_400, "10%")
    assert passed(listed, row(left=6 * DAY, lifetime=100 * DAY), NOW) == Reminder(7 * 86_400, "7d")
    assert passed(listed, row(left=2 * DAY, lifetime=30 * DAY), NOW) == Reminder(3 * 86_400, "10%")
    assert passed(listed, row(left=8 * DAY, lifetime=30 * DAY), NOW) is None


def test_days_of_a_policy():
    """A policy lists numbers of days."""
    assert Reminders.of_days((28, 14, 7, 3, 1, 0)) == LIST


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a list of reminders: '': not a duration: ''"),
        ("28d,,7d", "not a list of reminders: '28d,,7d': not a duration: ''"),
        ("28d,", "not a list of reminders: '28d,': not a duration: ''"),
        ("28d;7d", "not a list of reminders: '28d;7d': not a duration: '28d;7d'"),
        ("soon", "not a list of reminders: 'soon': not a duration: 'soon'"),
        ("101%", "not a list of reminders: '101%': not a share of a lifetime: '101%': more than 100 %"),
        ("1d," * 50 + "1d", "not a list of reminders: more than 50"),
    ],
)
def test_other_lists_are_refused(text, message):
    """Empty and invalid lists, with an example of a valid one."""
    with pytest.raises(InputError) as refused:
        Reminders.parse(text)
    assert refused.value.message == message
    assert refused.value.hint == "give, for example, 28d,14d,7d,3d,1d,0d"


def test_each_threshold_speaks_once():
    """However often it is checked; but an expired certificate is reported in every run."""
    assert spoken_on(row(left=YEAR), [40, 30, 27, 27, 26.9, 14.5, 13, 13, 8, 6, 6, 2, 0.5, 0.5, -1, -1, -300]) == [
        *([], [], ["28d"], [], [], [], ["14d"], [], [], ["7d"], [], ["3d"], ["1d"], [], ["0d"], ["0d"], ["0d"])
    ]


def test_what_is_seen_late_has_one_reminder():
    """The one of the tightest threshold; those that were missed are not made up for."""
    assert spoken_on(row(left=YEAR), [5, 5, 2]) == [["7d"], [], ["3d"]]
    assert spoken_on(row(left=YEAR), [-100, -101]) == [["0d"], ["0d"]]


def test_missed_runs_do_not_delay_the_next_reminder():
    """Two thresholds passed since the last run are one reminder."""
    assert spoken_on(row(left=YEAR), [27, 2, 2]) == [["28d"], ["3d"], []]


def test_certificates_do_not_share_reminders():
    """A renewed certificate gets reminders of its own."""
    old, new = row(left=5 * DAY, fingerprint=1), row(left=5 * DAY, fingerprint=2)
    said, memory = run({}, [old], NOW)
    assert (said, run(memory, [old, new], NOW)[0]) == (["7d"], ["7d"])


def test_a_changed_list_speaks_of_its_new_thresholds():
    """A threshold that was spoken stays spoken, whatever the list was in between."""
    watched, memory = row(left=5 * DAY), {}
    said = []
    for listed in ("28d,7d", "28d,6d", "28d,7d", "28d,14d", "28d,14d", "28d,7d,6d", "30d"):
        texts, memory = run(memory, [watched], NOW, Reminders.parse(listed))
        said.append(texts)
    assert said == [["7d"], ["6d"], [], ["14d"], [], [], ["30d"]]


def test_what_is_not_yet_valid_is_spoken_of_once():
    """In place of all thresholds; these follow once it is valid."""
    watched = row(left=9 * DAY, lifetime=7 * DAY)
    memory, said = {}, []
    for days in (0, 1, 2, 3, 9):
        texts, memory = run(memory, [watched], NOW + days * DAY)
        said.append(texts)
    assert said == [["not yet valid"], [], ["14d"], ["7d"], ["1d"]]


def test_a_clock_that_was_ahead_silences_nothing():
    """Whatever it made certkit say too early is said again when it is true."""
    watched = row(left=20 * DAY)
    said, memory = run({}, [watched], NOW)
    ahead, memory = run(memory, [watched], NOW + 3000 * DAY)
    assert (said, ahead) == (["28d"], ["0d"])
    after = []
    for days in (0, 7, 14, 21):
        texts, memory = run(memory, [watched], NOW + days * DAY)
        after.append(texts)
    assert after == [[], ["14d"], ["7d"], ["0d"]]


def test_a_clock_that_was_behind_silences_nothing():
    """A certificate that it took to be not yet valid is spoken of as such again, should that come true."""
    watched = row(left=20 * DAY)
    memory, said = {}, []
    for days in (-400, 0, -400, 0):
        texts, memory = run(memory, [watched], NOW + days * DAY)
        said.append(texts)
    assert said == [["not yet valid"], ["28d"], ["not yet valid"], ["28d"]]


def test_clocks_may_differ_by_minutes():
    """Two hosts, or two runs at once, do not wake each other's reminders."""
    watched = row(left=7 * DAY)
    ahead, memory = run({}, [watched], NOW + timedelta(minutes=5))
    behind, memory = run(memory, [watched], NOW - timedelta(minutes=4))
    assert (ahead, behind) == (["7d"], ["14d"])
    assert run(memory, [watched], NOW + timedelta(minutes=6))[0] == []


def test_a_revocation_list_that_is_new_needs_no_reminder():
    """It is replaced as a matter of course; a quarter of its lifetime stands for what it has never had left."""
    weekly = row(left=7 * DAY, lifetime=7 * DAY, kind=Kind.CRL)
    assert spoken_on(weekly, [7, 4, 2.5, 1.7, 1.6, 0.5, -1]) == [[], [], ["3d"], ["25%"], [], ["1d"], ["0d"]]
    daily = row(left=DAY, lifetime=DAY, kind=Kind.CRL)
    assert spoken_on(daily, [1, 0.9, 0.3, 0.2, -0.1]) == [[], [], [], ["25%"], ["0d"]]


def test_what_is_gone_is_forgotten():
    """A year after it expired and was last seen, for the memory must not grow."""
    watched = row(left=DAY)
    _, memory = run({}, [watched], NOW)
    for days, is_kept in ((30, True), (366, True), (367, False)):
        assert bool(reminder_file.refreshed(memory, seen=[], now=NOW + days * DAY)) is is_kept


def test_what_is_still_seen_is_remembered():
    """However long ago it expired, also by runs that look elsewhere in between."""
    watched, elsewhere = row(left=DAY), row(left=YEAR, fingerprint=2)
    memory, said = {}, []
    for month in range(60):
        for rows in ([watched], [elsewhere]):
            texts, memory = run(memory, rows, NOW + 30.5 * month * DAY, Reminders.parse("7d,0d"))
            said += texts if month < 12 else []
        assert watched.fingerprint_sha256 in memory
    assert said == ["7d", *["0d"] * 11]


def test_a_clock_that_was_ahead_keeps_nothing_for_ever():
    """Sightings in the future count as today's; reminders that were too early are dropped."""
    watched = row(left=-DAY)
    _, memory = run({}, [watched], NOW + 3000 * DAY)
    memory = reminder_file.refreshed(memory, seen=[], now=NOW)
    assert list(memory) == [watched.fingerprint_sha256]
    assert reminder_file.refreshed(memory, seen=[], now=NOW + 366 * DAY) == {}
    assert reminder_file.refreshed(memory, seen=[], now=NOW - 2 * DAY) == {}


def test_what_ended_before_it_began_is_expired():
    """Such dates make no sense; no share of them and no future beginning keeps it silent."""
    watched = row(left=-DAY, lifetime=-10 * DAY)
    assert watched.not_before == NOW + 9 * DAY
    assert passed(LIST, watched, NOW) == Reminder(0, "0d")
    assert passed(Reminders.parse("50%"), watched, NOW) == Reminder(0, "50%")
    assert passed(LIST, watched, NOW - 2 * DAY) == Reminder("premature", "not yet valid")


def test_the_ends_of_time():
    """Dates that nothing can be added to or taken from."""
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    listed = Reminders.parse("999999w,100%,0d")
    for moment in (first, NOW, last):
        for begin, end in ((first, last), (last, first), (first, first), (last, last), (NOW, NOW)):
            watched = row(left=DAY)._replace(not_before=begin, not_after=end)
            _, memory = run({}, [watched], moment, listed)
            for later in (first, NOW, last):
                run(memory, [watched], later, listed)


@pytest.mark.parametrize("days", [-1, 0, 1, 15, 27, 28, 29, 364, 366])
def test_the_quick_look_misses_nothing(days):
    """Whatever has a reminder concerns the list; what is far from all thresholds does not."""
    watched = row(left=days * DAY)
    concerned = LIST.concerns(not_before=watched.not_before, not_after=watched.not_after, now=NOW)
    assert concerned == (passed(LIST, watched, NOW) is not None)


LISTS = st.lists(
    st.sampled_from(["28d", "14d", "7d", "3d", "1d", "0d", "10%", "2%", "36h"]), min_size=1, max_size=6
).map(lambda parts: Reminders.parse(",".join(parts)))
HOURS = st.integers(min_value=-24 * 40, max_value=24 * 400)


@SOME
@given(listed=LISTS, hours=st.lists(HOURS, max_size=40))
def test_once_per_threshold(listed, hours):
    """Each threshold that was the tightest at some run speaks once, and so does every run after the end."""
    watched, memory = row(left=YEAR), {}
    said, expected = [], []
    for hour in sorted(hours, reverse=True):
        now = watched.not_after - timedelta(hours=hour)
        texts, memory = run(memory, [watched], now, listed)
        said += texts
        reminder = passed(listed, watched, now)
        if reminder is not None and (hour < 0 or reminder.text not in expected):
            expected.append(reminder.text)
    assert said == expected


def has_been_true(mark, watched, now):
    """Return whether a reminder could have been spoken at that time by a clock that was ten minutes ahead."""
    ahead = now + timedelta(minutes=10)
    if mark == "premature":
        return now < watched.not_before + timedelta(minutes=10)
    return watched.not_after - ahead < timedelta(seconds=mark)


@SOME
@example(runs=[(LIST, 24 * 5), (LIST, -24 * 30), (LIST, 24 * 5)])
@given(runs=st.lists(st.tuples(LISTS, HOURS), max_size=40))
def test_never_a_silence(runs):
    """A run before the end is silent only if its reminder has been true since it was sent, whatever the clock does."""
    watched, memory = row(left=YEAR), {}
    said = set()
    for listed, hour in runs:
        now = watched.not_after - timedelta(hours=hour)
        said = {mark for mark in said if has_been_true(mark, watched, now)}
        reminder = passed(listed, watched, now)
        texts, memory = run(memory, [watched], now, listed)
        assert texts == ([] if reminder is None or (hour >= 0 and reminder.mark in said) else [reminder.text])
        if reminder is not None:
            said.add(reminder.mark)
