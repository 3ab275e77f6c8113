"""`certkit.once`: attributes that are computed on first use."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

import certkit
from certkit.once import once


class Slow:
    """Its value takes as long as another thread wants."""

    def __init__(self, wait):
        self.wait, self.computed = wait, 0

    @once
    def value(self):
        """The number of computations so far."""
        self.wait()
        self.computed += 1
        return self.computed


def test_a_value_is_computed_on_first_use_and_kept():
    """Once for each instance; the class has the descriptor itself."""
    first, second = Slow(int), Slow(int)
    assert (first.computed, first.value, first.value, second.computed) == (0, 1, 1, 0)
    assert isinstance(Slow.value, once)


@pytest.mark.filterwarnings("ignore:.*multi-threaded")  # of Python 3.12 and newer
def test_a_child_of_a_process_whose_other_thread_computes_goes_on():
    """It does not inherit the lock of an unfinished computation, as with `functools.cached_property` in Python 3.11."""
    computes, done = threading.Event(), threading.Event()

    def wait():
        computes.set()
        done.wait(60)

    thread = threading.Thread(target=lambda: Slow(wait).value)
    thread.start()
    computes.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if Slow(int).value == 1 else 1)
    done.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_no_other_attribute_is_kept_with_a_lock():
    """`functools.cached_property` is used in this module only."""
    package = Path(certkit.__file__).parent
    assert [each.name for each in package.rglob("*.py") if "cached_property" in each.read_text()] == ["once.py"]
