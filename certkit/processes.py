"""Child processes: work on hostile input within a limit of processor time, and work on every processor."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from certkit.errors import CertkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    T = TypeVar("T")
    R = TypeVar("R")

SECONDS = 5
_WORTH_A_PROCESS = 100
_RESULT, _END, _FAILURE = range(3)


class ChildError(CertkitError):
    """A child process died before its work was done."""


def ends_in_time(work: Callable[[], object], *, seconds: float = SECONDS) -> bool:
    """Return whether some work, tried in a child process, ends within that much processor time.

    Key derivation in OpenSSL cannot be interrupted, not even by a signal; the kernel can end a process. The child hands
    nothing back, so no secret crosses; whether the work succeeds does not matter. Where processes cannot be forked the
    result is True.
    """
    if not hasattr(os, "fork"):
        return True
    try:
        child = os.fork()
    except OSError:  # too many processes
        return True
    if child == 0:
        try:
            # Only the kernel's default action, which ends the process, whatever it is doing.
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
            signal.setitimer(signal.ITIMER_PROF, seconds)
            with contextlib.suppress(Exception):
                work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


class Allowance:
    """Processor time that a run may spend on work whose cost is unknown, tried in child processes first.

    Each piece of work gets `SECONDS` at most, and all of them together no more than twice that.
    """

    def __init__(self) -> None:
        self._left = 2.0 * SECONDS

    def __call__(self, work: Callable[[], object]) -> bool:
        """Return whether some work ends in the time that is left (`ends_in_time`)."""
        if self._left <= 0:
            return False
        before = os.times()
        is_over = ends_in_time(work, seconds=min(SECONDS, self._left))
        after = os.times()
        spent = after.children_user - before.children_user + after.children_system - before.children_system
        # It is done once more, in this process.
        self._left -= 2 * spent
        return is_over


def in_parallel(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R]:
    """Return the results of `work` on the items, in order, computed in slices by one process per processor.

    Like `stream`, for work that is not worth a process for a few items.
    """
    count = max(1, min(os.cpu_count() or 1, len(items) // _WORTH_A_PROCESS))
    size = -(-len(items) // count) or 1
    return list(stream(work, [items[at : at + size] for at in range(0, len(items), size)]))


def stream(work: Callable[[T], Iterable[R]], portions: Sequence[T]) -> Iterator[R]:
    """Yield the results of `work` on each portion, in order, computed by one process per processor.

    Where there is one portion, or processes cannot be forked, this process does it. Results are handed over one by one,
    so memory does not grow with them; they are pickled, which a `Secret` refuses. A failure is raised here and ends the
    other processes, and so does leaving off, or the end of this process.

    Raises:
        ChildError: if a process died.
    """
    count = min(os.cpu_count() or 1, len(portions)) if hasattr(os, "fork") else 1
    children: list[_Child] = []
    with contextlib.ExitStack() as ending:
        if count > 1:
            try:
                alive, lifeline = os.pipe()
                ending.callback(os.close, alive)
                ending.callback(os.close, lifeline)
                for number in range(count):
                    children.append(_Child(work, portions[number::count], alive, lifeline))
                    ending.callback(children[-1].end)
            except OSError:  # too many processes, or files
                ending.close()
                children = []
        for number, portion in enumerate(portions):
            yield from children[number % count].results() if children else work(portion)


class _Child:
    """A process that works on its share of the portions and hands back one result after the other."""

    def __init__(self, work: Callable[[T], Iterable[R]], portions: Sequence[T], alive: int, lifeline: int) -> None:
        reader, writer = os.pipe()
        # A signal must not reach the child before it has set its handlers.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            self._pid = os.fork()
            if self._pid == 0:
                _work_and_exit(work, portions, writer, (reader, lifeline), alive, blocked)
        except OSError:
            os.close(reader)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(writer)
        self._pipe = open(reader, "rb")  # noqa: SIM115  closed by `end`

    def results(self) -> Iterator[Any]:
        """Wait for the results of the next portion, and return them."""
        import pickle

        while True:
            try:
                kind, value = pickle.load(self._pipe)  # noqa: S301  from our own child
            except (EOFError, pickle.UnpicklingError) as error:
                raise ChildError(
                    "a child process ended before its work was done",
                    hint="there may be too little memory; check fewer sources at a time",
                ) from error
            if kind == _FAILURE:
                raise value
            if kind == _END:
                return
            yield value

    def end(self) -> None:
        """End the process, whether or not it is done."""
        self._pipe.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _work_and_exit(
    work: Callable[[T], Iterable[R]],
    portions: Sequence[T],
    writer: int,
    foreign: Iterable[int],
    alive: int,
    blocked: Iterable[int],
) -> NoReturn:
    try:
        # The terminal sends its interrupt to all of them; this process's parent decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for each in foreign:
            os.close(each)
        with contextlib.suppress(RuntimeError):  # too many threads
            threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
        with open(writer, "wb") as pipe:
            for portion in portions:
                for answer in _answers(work, portion):
                    pipe.write(answer)
                    pipe.flush()
    finally:
        os._exit(0)


def _answers(work: Callable[[T], Iterable[R]], portion: T) -> Iterator[bytes]:
    """Yield the results of a portion, then its end or failure, pickled."""
    import pickle

    try:
        for result in work(portion):
            yield pickle.dumps((_RESULT, result), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001  the parent raises it
        yield pickle.dumps((_FAILURE, error), pickle.HIGHEST_PROTOCOL)
    else:
        yield pickle.dumps((_END, None), pickle.HIGHEST_PROTOCOL)


def _end_with(alive: int) -> None:
    """End this process when its parent has ended: nothing is ever written to the pipe that the parent holds."""
    os.read(alive, 1)
    os._exit(1)
