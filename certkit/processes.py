"""Child processes: work on hostile input within a limit of processor time, and work on every processor."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from certkit.errors import CertkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    T = TypeVar("T")
    R = TypeVar("R")

SECONDS = 5
_WORTH_A_PROCESS = 100


class ChildError(CertkitError):
    """A child process died before its work was done."""


def ends_in_time(work: Callable[[], object], *, seconds: int = SECONDS) -> bool:
    """Whether some work, tried in a child process, ends within that much processor time.

    Key derivation in OpenSSL cannot be interrupted, not even by a signal; the kernel can end a process. The child
    hands nothing back, so no secret crosses; whether the work succeeds does not matter. Where processes cannot be
    forked the answer is True.
    """
    if not hasattr(os, "fork"):
        return True
    child = os.fork()
    if child == 0:
        _try_and_exit(work, seconds)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def in_parallel(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R]:
    """What `work` makes of the items, in their order, done in slices by as many processes as there are processors.

    As `stream`, where the work on a few items is not worth a process.
    """
    count = max(1, min(os.cpu_count() or 1, len(items) // _WORTH_A_PROCESS))
    size = -(-len(items) // count) or 1
    slices = [items[at : at + size] for at in range(0, len(items), size)]
    return [one for done in stream(work, slices) for one in done]


def stream(work: Callable[[T], R], portions: Sequence[T]) -> Iterator[R]:
    """What `work` makes of each portion, in their order, done by as many processes as there are processors.

    Where there is one portion, or processes cannot be forked, this process does it. What comes back is pickled, which
    a `Secret` refuses. A failure is raised here and ends the other processes, and so does leaving off.

    Raises:
        ChildError: a process died.
    """
    count = min(os.cpu_count() or 1, len(portions)) if hasattr(os, "fork") else 1
    if count < 2:
        yield from map(work, portions)
        return
    children: list[_Child] = []
    try:
        for number in range(count):
            children.append(_start(work, portions[number::count]))  # noqa: PERF401  each is known as soon as it runs
        for number in range(len(portions)):
            yield children[number % count].result()
    finally:
        for child in children:
            child.end()


class _Child:
    """A process that works on its share of the portions and hands back one result after the other."""

    def __init__(self, pid: int, pipe: int) -> None:
        self._pid = pid
        self._pipe = open(pipe, "rb")  # noqa: SIM115  closed by `end`

    def result(self) -> Any:
        """The next result; waits for it."""
        try:
            succeeded, value = pickle.load(self._pipe)  # noqa: S301  from our own child
        except (EOFError, pickle.UnpicklingError) as error:
            raise ChildError(
                "a child process ended before its work was done",
                hint="there may be too little memory; look at fewer places at a time",
            ) from error
        if not succeeded:
            raise value
        return value

    def end(self) -> None:
        """End the process, whether or not it is done."""
        self._pipe.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _start(work: Callable[[T], R], portions: Sequence[T]) -> _Child:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work_and_exit(work, portions, writer)
    os.close(writer)
    return _Child(child, reader)


def _work_and_exit(work: Callable[[T], R], portions: Sequence[T], writer: int) -> NoReturn:
    try:
        # The terminal sends its interrupt to all of them; this process's parent decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with open(writer, "wb") as pipe:
            for portion in portions:
                try:
                    answer = pickle.dumps((True, work(portion)), pickle.HIGHEST_PROTOCOL)
                except Exception as error:  # noqa: BLE001  the parent raises it
                    answer = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
                pipe.write(answer)
                pipe.flush()
    finally:
        os._exit(0)


def _try_and_exit(work: Callable[[], object], seconds: int) -> NoReturn:
    try:
        # No handler but the kernel's own, which ends the process, whatever it is doing.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        with contextlib.suppress(Exception):
            work()
    finally:
        os._exit(0)
