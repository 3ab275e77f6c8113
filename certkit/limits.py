"""Work on hostile input, within a limit of processor time."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 5


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
        _run_and_exit(work, seconds)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def _run_and_exit(work: Callable[[], object], seconds: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        with contextlib.suppress(Exception):
            work()
    finally:
        os._exit(0)
