"""Looking up the addresses of hosts, for callers that may not wait for ever.

Nothing can end a look-up (getaddrinfo) before it ends by itself. So each has a thread, which ends with the process, and
who asked may go. Threads are kept for the next names; where too many hang, names wait for their turn.
"""

from __future__ import annotations

import errno
import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

MAX_THREADS = 512

SocketAddress = tuple[int, tuple[Any, ...]]


async def addresses(host: str, port: int) -> list[SocketAddress]:
    """The addresses of a host, a name or an IP address, for TCP: each with its family, as sockets take them.

    Raises:
        OSError: there are none; a `socket.gaierror`, as a rule.
        ValueError: it is not the name of a host.
    """
    import asyncio
    import socket

    try:
        return _addresses(host, port, socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return await asyncio.wrap_future(_POOL.ask(host, port))


def _addresses(host: str, port: int, flags: int = 0) -> list[SocketAddress]:
    import socket

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


class _Pool:
    """Threads that look up names: as many as were wanted at a time, up to a limit."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[tuple[str, int, Future[list[SocketAddress]]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._threads = 0

    def ask(self, host: str, port: int) -> Future[list[SocketAddress]]:
        """The answer that there will be."""
        answer: Future[list[SocketAddress]] = Future()
        with self._lock:
            self._open += 1
            if self._open > self._threads and self._threads < MAX_THREADS:
                self._start()
        self._questions.put((host, port, answer))
        return answer

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, daemon=True).start()
        except RuntimeError as error:
            if self._threads == 0:
                self._open -= 1
                raise OSError(errno.EAGAIN, "cannot start a thread") from error
        else:
            self._threads += 1

    def _work(self) -> None:
        while True:
            host, port, answer = self._questions.get()
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(_addresses(host, port))
                except Exception as error:  # noqa: BLE001  whatever went wrong here, it is told there
                    answer.set_exception(error)
            del answer
            with self._lock:
                self._open -= 1


_POOL = _Pool()
