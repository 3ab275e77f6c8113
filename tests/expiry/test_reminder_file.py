"""`certkit.expiry.reminder_file`: what was spoken is remembered, among concurrent runs and whenever a run ends."""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from certkit.expiry.reminder_file import ReminderFile
from certkit.expiry.reminders import Reminders
from certkit.expiry.scan import Row
from certkit.findings import Status
from certkit.x509.items import Kind
from tests.conftest import require_program

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY
LIST = Reminders.parse("28d,14d,7d,3d,1d,0d")
REPEATED = "until then every reminder is repeated; choose another file with --state"

# What a process of its own does: speak of certificates with six days left, one after the other, and say what is wrong.
SPEAK = """
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from certkit.x509.items import Kind
from certkit.expiry.reminders import Reminders
from certkit.findings import Status
from certkit.expiry.reminder_file import ReminderFile
from certkit.expiry.scan import Row

path, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
dates = now - timedelta(days=359), now + timedelta(days=6)
for number in range(first, last):
    row = Row(Kind.CERTIFICATE, "", "", 1, number.to_bytes(32), *dates, 6, Status.CRITICAL, ["a"])
    with ReminderFile.open(path) as state:
        due = state.due([row], reminders=Reminders.parse("28d,7d"), now=now)
        for each in due:
            os.write(1, f"{number} {each.reminder.text}\\n".encode())
        state.record(due)
    for warning in state.warnings:
        print(f"{warning.message}. {warning.hint}", file=sys.stderr)
"""


@pytest.fixture
def path(tmp_path):
    """Where the state is kept, in a directory that is still to be made."""
    return tmp_path / "state" / "certkit" / "reminders.json"


def row(*, left: timedelta = 6 * DAY, number: int = 1) -> Row:
    """A certificate of a year with so much time left now."""
    fingerprint, begin, end = number.to_bytes(32), NOW + left - YEAR, NOW + left
    return Row(Kind.CERTIFICATE, "CN=a", "CN=b", 1, fingerprint, begin, end, left // DAY, Status.OK, ["a.pem"])


def run(path, *rows, now=NOW, listed=LIST, wait_seconds=1.0):
    """Return the reminders that one run sends, as written in the list, and its warnings."""
    with ReminderFile.open(path, wait_seconds=wait_seconds) as state:
        due = state.due(rows, reminders=listed, now=now)
        state.record(due)
    return [each.reminder.text for each in due], [f"{each.message}. {each.hint}" for each in state.warnings]


def speaking(path, first=1, last=2):
    """The command of a run of its own."""
    return [sys.executable, "-c", SPEAK, str(path), str(first), str(last)]


def spoken(path):
    """Return the reminders that a run of its own sends, without a warning."""
    done = subprocess.run(speaking(path), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def names(path):
    """The files of the state's directory."""
    return sorted(each.name for each in path.parent.iterdir())


def test_a_reminder_is_remembered(path):
    """Each threshold speaks once for each certificate, however often a run comes."""
    assert run(path, row(), row(left=2 * DAY, number=2)) == (["7d", "3d"], [])
    assert run(path, row(), row(left=2 * DAY, number=2)) == ([], [])
    assert run(path, row(), row(number=3)) == (["7d"], [])
    assert run(path, row(), now=NOW + 4 * DAY) == (["3d"], [])


def test_the_file(path):
    """One small JSON document by fingerprint, readable only by its owner."""
    run(path, row())
    assert json.loads(path.read_bytes()) == {
        "certkit": "reminders",
        "version": 1,
        "certificates": {
            f"{1:064x}": {
                "not_before": "2025-11-29T12:00:00Z",
                "not_after": "2026-11-29T12:00:00Z",
                "seen": "2026-11-23T12:00:00Z",
                "spoken": [604800],
            }
        },
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path.parents[1])] == [0o700, 0o700]
    assert names(path) == [".reminders.json.lock", "reminders.json"]


def test_nothing_to_remember_is_no_file(path):
    """A file is written when something was spoken, and only then."""
    assert run(path, row(left=YEAR)) == ([], [])
    assert names(path) == [".reminders.json.lock"]
    run(path, row())
    before = path.stat().st_mtime_ns, path.stat().st_ino
    run(path, row())
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_what_was_not_recorded_is_repeated(path):
    """A run that could not print records nothing."""
    with ReminderFile.open(path) as state:
        assert len(state.due([row()], reminders=LIST, now=NOW)) == 1
    assert run(path, row()) == (["7d"], [])


@pytest.mark.parametrize("content", [b"", bytes(4096)], ids=["empty", "zeros"])
def test_a_lost_file_is_one_repeat(path, content):
    """Gone, empty, or the zeros that some file systems leave after lost power."""
    run(path, row())
    path.unlink()
    assert run(path, row()) == (["7d"], [])
    path.write_bytes(content)
    assert run(path, row()) == (["7d"], [])
    assert run(path, row()) == ([], [])


def entry(**changes):
    """A file of ours with one certificate, changed."""
    known = {"not_before": "2025-11-29T12:00:00Z", "not_after": "2026-11-29T12:00:00Z", "seen": "2026-11-23T12:00:00Z"}
    document = {"certkit": "reminders", "version": 1, "certificates": {f"{1:064x}": {**known, **changes}}}
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b'{"certkit": "reminders", ',
        b'{"certkit": "reminders", "version": 1}',
        b'{"certkit": "reminders", "version": 0, "certificates": {}}',
        b'{"certkit": "reminders", "version": "1", "certificates": {}}',
        b'{"certkit": "reminders", "version": 1, "certificates": []}',
        b'{"certkit": "reminders", "version": 1, "certificates": {"a": {}}}',
        b'{"certkit": "reminders", "version": 1, "certificates": ' + b"[" * 100_000,
        b'{"certkit": "reminders", "version": 1, "certificates": ' + b"9" * 5_000 + b"}",
        b'{"certkit": "reminders", "version": 1, "certificates": {"\xff": 1}}',
        entry(),
        entry(spoken=7),
        entry(spoken=["later"]),
        entry(spoken=[-1]),
        entry(spoken=[10**12]),
        entry(spoken=[True]),
        entry(spoken=[1.5]),
        entry(spoken=[[]]),
        entry(spoken=[604800], seen="yesterday"),
        entry(spoken=[604800], not_after=1),
        entry(spoken=[604800], not_before="0000-00-00T00:00:00Z"),
    ],
)
def test_a_broken_file_is_one_repeat(path, content):
    """It is only state: a warning, the file is replaced, and every reminder is repeated."""
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    said, warnings = run(path, row())
    assert said == ["7d"]
    why = "it is damaged, so the record of sent reminders is lost"
    assert warnings == [f"cannot read {path}: {why}. reminders are sent once more, and the file is replaced"]
    assert run(path, row()) == ([], [])


def make(path, kind):
    """Something that is no state of ours where the state should be."""
    path.parent.mkdir(parents=True)
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.with_name("else").write_text("else")
            path.symlink_to("else")
        case "dangling link":
            path.symlink_to("nowhere")
        case "large":
            with path.open("wb") as stream:
                stream.truncate(16 * 1024 * 1024 + 1)
        case _:
            path.write_text(kind)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("-----BEGIN PRIVATE KEY-----\n", "it is not a reminder file, so it is not replaced"),
        ('{"certkit": "else", "version": 1}', "it is not a reminder file, so it is not replaced"),
        ("{}", "it is not a reminder file, so it is not replaced"),
        ('{"certkit": "reminders", "version": 2, "certificates": []}', "it was written by a newer version of certkit"),
        ("directory", "not a regular file"),
        ("pipe", "not a regular file"),
        ("link", "it is a symbolic link"),
        ("dangling link", "it is a symbolic link"),
        ("large", "larger than 16,777,216 bytes"),
    ],
)
def test_what_is_not_ours_is_left_alone(path, kind, why):
    """Everything is spoken, every time, with a warning that says why."""
    make(path, kind)
    before = path.lstat()
    for _ in range(2):
        said, (warning,) = run(path, row())
        assert (said, why in warning) == (["7d"], True)
        assert warning.endswith(f"; {REPEATED}")
    assert (path.lstat().st_ino, path.lstat().st_size) == (before.st_ino, before.st_size)
    assert ".reminders.json.lock" not in names(path)


@pytest.mark.parametrize(
    "place", ["/dev/full", "/proc/reminders.json", "/dev/null/reminders.json", "a\0b", "x" * 300, "/"]
)
def test_places_that_hold_no_state(tmp_path, monkeypatch, place):
    """Devices, kernel file systems, paths through files and names that cannot be: spoken, and a warning."""
    monkeypatch.chdir(tmp_path)
    said, warnings = run(Path(place), row())
    assert (said, len(warnings)) == (["7d"], 1)
    assert (list(tmp_path.iterdir()), Path("/dev/.full.lock").exists()) == ([], False)


def test_a_directory_that_cannot_be_written_to(path):
    """Reminders that cannot be recorded are repeated, including those recorded before."""
    assert run(path, row()) == (["7d"], [])
    path.parent.chmod(0o500)
    without = []
    if os.geteuid() == 0:
        without = [require_program("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
    try:
        for _ in range(2):
            done = subprocess.run([*without, *speaking(path)], capture_output=True, check=True)
            assert done.stdout == b"1 7d\n"
            assert done.stderr.decode() == (
                f"cannot write {path}: no permission to write in {path.parent}. choose a directory that you own; "
                f"{REPEATED}\n"
            )
    finally:
        path.parent.chmod(0o700)


def test_a_file_that_may_not_be_written_to(path):
    """A read-only file is left alone."""
    assert run(path, row()) == (["7d"], [])
    path.chmod(0o400)
    without = []
    if os.geteuid() == 0:
        without = [require_program("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run([*without, *speaking(path)], capture_output=True, check=True)
    assert done.stdout == b"1 7d\n"
    assert b"no permission to write to it" in done.stderr


def test_a_full_disk(path):
    """It speaks, warns, and the old state stays."""
    run(path, row(number=2))
    before = path.read_bytes()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    for _ in range(2):
        done = subprocess.run(speaking(path), capture_output=True, check=True, preexec_fn=limit)
        assert done.stdout == b"1 7d\n"
        assert done.stderr.decode() == (
            f"cannot write {path}: file too large. raise the limit on file sizes (ulimit -f) and try again; "
            f"{REPEATED}\n"
        )
    assert (path.read_bytes(), names(path)) == (before, [".reminders.json.lock", "reminders.json"])


@contextmanager
def holding(path):
    """Another run that holds the lock."""
    lock = path.with_name(".reminders.json.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield lock


def test_the_wait_for_another_run_is_bounded(path):
    """A run that waited too long sends its reminders, warns, and leaves the state alone."""
    run(path, row(number=2))
    before = path.read_bytes()
    with holding(path) as lock:
        began = time.monotonic()
        said, warnings = run(path, row(), row(number=2), wait_seconds=0.2)
        assert 0.2 <= time.monotonic() - began < 9
    assert said == ["7d", "7d"]
    why = "another certkit process has held the lock for 0.2 seconds. check whether that run is stuck, and try again"
    assert warnings == [f"cannot lock {lock}: {why}; {REPEATED}"]
    assert path.read_bytes() == before


def test_a_lock_that_was_removed_holds_nobody_up(path):
    """The directory was removed during a run."""
    with holding(path) as lock:
        lock.unlink()
        assert run(path, row()) == (["7d"], [])


def test_of_concurrent_runs_one_speaks(path):
    """Twenty at once, of one certificate."""
    processes = [subprocess.Popen(speaking(path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(20)]
    ended = [(*each.communicate(timeout=60), each.returncode) for each in processes]
    assert sorted(ended) == [(b"", b"", 0)] * 19 + [(b"1 7d\n", b"", 0)]


def test_concurrent_runs_lose_nothing(path):
    """Ten at once, each of five certificates of its own: all fifty are remembered."""
    processes = [
        subprocess.Popen(speaking(path, at, at + 5), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for at in range(0, 50, 5)
    ]
    ended = [each.communicate(timeout=60) for each in processes]
    assert sum(len(out.splitlines()) for out, _ in ended) == 50
    assert {warnings for _, warnings in ended} == {b""}
    assert run(path, *(row(number=number) for number in range(50))) == ([], [])


@pytest.mark.parametrize(
    "call", ["mkdir", "flock", "write", "fchmod", "fsync", "linkat", "renameat", "unlinkat", "exit_group"]
)
def test_a_run_killed_at_any_step(tmp_path, call):
    """The file is whole, and what was not spoken is spoken by the next run; so says strace."""
    strace = require_program("strace")
    for time_of_call in range(1, 10):
        path = tmp_path / str(time_of_call) / "reminders.json"
        inject = f"inject={call}:signal=SIGKILL:when={time_of_call}"
        traced = [strace, "-f", "-qq", "-o", tmp_path / "trace", "-e", f"trace={call}", "-e", inject]
        killed = subprocess.run([*traced, *speaking(path)], capture_output=True, check=False)
        if b"ptrace" in killed.stderr:
            pytest.skip("strace may not trace here")
        said, after = killed.stdout.decode().splitlines(), spoken(path)
        assert [*said, *after] in (["1 7d"], ["1 7d", "1 7d"])
        assert spoken(path) == []
        assert run(path, row(number=2)) == (["7d"], [])
        assert names(path) == [".reminders.json.lock", "reminders.json"]
        if killed.returncode == 0:
            break
    assert killed.returncode == 0
    assert time_of_call > 1


def test_runs_killed_at_any_time(tmp_path):
    """Recorded reminders were sent, and all sent reminders but the last are recorded."""
    chance = random.Random(1)
    for attempt in range(8):
        path = tmp_path / str(attempt) / "reminders.json"
        with subprocess.Popen(speaking(path, 0, 100_000), stdout=subprocess.PIPE) as process:
            said = [process.stdout.readline()]
            time.sleep(chance.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        kept = len(json.loads(path.read_bytes())["certificates"]) if path.exists() else 0
        assert kept in (len(said) - 1, len(said))
        assert run(path, *(row(number=number) for number in range(kept))) == ([], [])


def test_the_file_does_not_grow_for_ever(path):
    """Certificates that expired and were last seen more than a year ago are dropped."""
    for month in range(120):
        run(path, row(left=30 * month * DAY, number=month), now=NOW + 30 * month * DAY)
    assert len(json.loads(path.read_bytes())["certificates"]) == 13


def test_more_than_the_file_may_hold(path):
    """The first to expire are left out, and so are repeated; the rest is recorded."""
    rows = [row(left=(at % 2000) * timedelta(minutes=1), number=at) for at in range(90_000)]
    said, warnings = run(path, *rows)
    assert (len(said), warnings) == (90_000, [])
    assert 8 * 1024 * 1024 <= path.stat().st_size <= 16 * 1024 * 1024
    assert len(run(path, *rows)[0]) == 45_000


class Runs(RuleBasedStateMachine):
    """Runs over the life of a certificate, with everything that may happen to them."""

    lists = st.sampled_from(["28d,14d,7d,3d,1d,0d", "28d,7d", "0d", "14d,10d,0d", "30d"])

    @initialize()
    def begin(self):
        """Forty days before the end nothing has been said."""
        self.folder = tempfile.mkdtemp()
        self.path = Path(self.folder, "reminders.json")
        self.hours = 40 * 24
        self.spoken = set()

    def teardown(self):
        """Leave nothing behind."""
        shutil.rmtree(self.folder)

    def speak(self, listed, *, is_killed=False):
        """One run; what it must say follows from what has been said. The warnings that it gives."""
        passed = [(int(part[:-1]), part) for part in listed.split(",") if self.hours < int(part[:-1]) * 24]
        expected = {min(passed)[1]} - (self.spoken if self.hours >= 0 else set()) if passed else set()
        now = NOW + 40 * DAY - timedelta(hours=self.hours)
        with ReminderFile.open(self.path) as state:
            due = state.due([row(left=40 * DAY)], reminders=Reminders.parse(listed), now=now)
            assert {each.reminder.text for each in due} == expected
            if not is_killed:
                state.record(due)
                self.spoken |= expected
        return state.warnings

    @rule(hours=st.integers(0, 24 * 15), listed=lists)
    def run_later(self, hours, listed):
        """Now or some days later, with this list or with another one."""
        self.hours -= hours
        assert self.speak(listed) == []

    @rule(listed=lists)
    def run_that_is_killed(self, listed):
        """After it has spoken: that is repeated."""
        self.speak(listed, is_killed=True)

    @rule()
    def lose_the_file(self):
        """Everything is repeated once."""
        self.path.unlink(missing_ok=True)
        self.spoken = set()

    @rule(listed=lists)
    def break_the_file(self, listed):
        """Everything is repeated once."""
        is_there = self.path.exists()
        if is_there:
            self.path.write_bytes(self.path.read_bytes()[:-3])
        self.spoken = set() if is_there else self.spoken
        assert len(self.speak(listed)) == is_there


TestRuns = Runs.TestCase
TestRuns.settings = settings(deadline=None, derandomize=True, max_examples=40, stateful_step_count=25)
