"""Child processes: bounded work on hostile input, and work on every processor."""

from __future__ import annotations

import os
import time

import pytest

from certkit import processes
from certkit.errors import InputError, RefusedError
from certkit.findings import critical
from certkit.secret import Secret


def test_work_that_ends_is_let_through():
    """Whether it succeeds or not."""

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

    with pytest.raises(RefusedError, match="refused") as raised:
        processes.in_parallel(work, range(1000))
    assert (raised.value.hint, raised.value.findings[0].id) == ("do this", "subject")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_secret_does_not_cross():
    """What comes back is pickled, and a secret refuses that."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one processor does all the work itself")
    with pytest.raises((TypeError, EOFError, InputError)):
        processes.in_parallel(lambda some: [Secret(b"x")] * len(some), range(1000))
