"""Resolving host names, for callers that cannot wait forever.

getaddrinfo cannot be interrupted. So each call runs in a daemon thread, and callers may give up.
Threads are kept for the next names; if too many hang, names wait for their turn.
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
    """Return the TCP addresses of a host (a name or an IP address), each with its family, as sockets take them.

    Raises:
        OSError: if the host has no address; usually a `socket.gaierror`.
        ValueError: if the text is not a host name.
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
    """Threads that resolve names: as many as are needed at a time, up to a limit."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[tuple[str, int, Future[list[SocketAddress]]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._threads = 0

    def ask(self, host: str, port: int) -> Future[list[SocketAddress]]:
        """Return a future of the addresses."""
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
                except Exception as error:  # noqa: BLE001  raised where the future is awaited
                    answer.set_exception(error)
            del answer
            with self._lock:
                self._open -= 1


_POOL = _Pool()
