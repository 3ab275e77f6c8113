"""Child processes: work on hostile input within a limit of processor time, and work on every processor."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    T = TypeVar("T")
    R = TypeVar("R")

SECONDS = 5
_WORTH_A_PROCESS = 100


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

    What comes back is pickled, which a `Secret` refuses. A failure in any of the slices is raised here, and ends
    the others.
    """
    count = min(os.cpu_count() or 1, len(items) // _WORTH_A_PROCESS) if hasattr(os, "fork") else 1
    if count < 2:
        return list(work(items))
    size = -(-len(items) // count)
    mine, *others = (items[at : at + size] for at in range(0, len(items), size))
    children: dict[int, int] = {}
    try:
        for slice_ in others:
            child, stream = _start(work, slice_)
            children[child] = stream
        done = list(work(mine))
        for stream in children.values():
            done += _result(stream)
    finally:
        for child, stream in children.items():
            os.close(stream)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return done


def _start(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work_and_exit(work, items, writer)
    os.close(writer)
    return child, reader


def _result(stream: int) -> Sequence[R]:
    with open(stream, "rb", closefd=False) as pipe:
        succeeded, value = pickle.load(pipe)  # noqa: S301  from our own child
    if not succeeded:
        raise value
    done: Sequence[R] = value
    return done


def _work_and_exit(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], writer: int) -> NoReturn:
    try:
        try:
            answer: tuple[bool, object] = (True, list(work(items)))
        except Exception as error:  # noqa: BLE001  the parent raises it
            answer = (False, error)
        with open(writer, "wb") as pipe:
            pickle.dump(answer, pipe)
    finally:
        os._exit(0)


def _try_and_exit(work: Callable[[], object], seconds: int) -> NoReturn:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        with contextlib.suppress(Exception):
            work()
    finally:
        os._exit(0)
