"""Child processes: bounded work on hostile input, and work on every processor."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from certkit import processes
from certkit.errors import InputError, RefusedError
from certkit.findings import critical
from certkit.secret import Secret


def test_work_that_ends_is_let_through():
    """Successful or not."""

    def fail() -> None:
        raise ValueError

    assert processes.ends_in_time(lambda: None)
    assert processes.ends_in_time(fail)


def test_work_without_an_end_is_stopped():
    """By processor time, in a child, so that nothing of it remains here."""

    def spin() -> None:
        while True:
            pass

    began = time.monotonic()
    assert not processes.ends_in_time(spin, seconds=1)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("count", [0, 1, 99, 1000])
def test_results_come_back_in_order(count):
    """However many processes share the work."""
    assert processes.in_parallel(lambda some: [each * 2 for each in some], range(count)) == [
        each * 2 for each in range(count)
    ]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor does all the work itself")
def test_several_processes_share_the_work():
    """Each says who it is."""
    assert len(set(processes.in_parallel(lambda some: [os.getpid()] * len(some), range(1000)))) > 1


@pytest.mark.parametrize("bad", [0, 999])
def test_a_failure_of_any_process_is_raised_here(bad):
    """With its message, hint and findings, and no child is left."""

    def work(some):
        if bad in some:
            raise RefusedError("refused", hint="do this", findings=[critical("subject", "wrong", "mend it")])
        return some

    before = children()
    with pytest.raises(RefusedError, match="refused") as raised:
        processes.in_parallel(work, range(1000))
    assert (raised.value.hint, raised.value.findings[0].id) == ("do this", "subject")
    assert children() == before


def test_a_secret_does_not_cross():
    """Results are pickled, and a secret refuses that."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one processor does all the work itself")
    with pytest.raises((TypeError, EOFError, InputError)):
        processes.in_parallel(lambda some: [Secret(b"x")] * len(some), range(1000))


def children():
    """The processes that this one has started and not waited for, such as servers that other tests share."""
    own = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text(encoding="ascii")
    return set(own.split())


FOREVER = """\
import os, time
from certkit import processes

def work(portion):
    os.write(1, b'%d\\n' % os.getpid())  # in one piece, as both write
    while True:
        time.sleep(0.01)
    yield

list(processes.stream(work, [1, 2]))
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor does all the work itself")
def test_the_others_end_with_the_process_that_started_them():
    """However it ended: their results would not be read."""
    with subprocess.Popen([sys.executable, "-c", FOREVER], stdout=subprocess.PIPE, text=True) as parent:
        children = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    assert len(set(children)) == 2
    end = time.monotonic() + 20
    while any(is_running(child) for child in children):
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(pid):
    """Return whether a process is running; a zombie is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_results_are_handed_over_one_by_one():
    """A portion without end is no obstacle to taking the first of it."""
    taken = processes.stream(lambda _: itertools.count(), [1, 2])
    assert [next(taken) for _ in range(3)] == [0, 1, 2]
    taken.close()
