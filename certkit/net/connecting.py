"""Connections within a deadline: names are resolved and addresses tried until one answers or the time is up."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from certkit.errors import InputError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Coroutine, Sequence

    T = TypeVar("T")

TIMEOUT_SECONDS = 10.0
MAX_THREADS = 512

SocketAddress = tuple[int, tuple[Any, ...]]

_NAME_HINT = "check the host name, and that this machine can resolve it"


class NetTrouble(StrEnum):
    """The kinds of connection failures."""

    HOST_NOT_FOUND = "host_not_found"
    CONNECTION_FAILED = "connection_failed"
    TIMED_OUT = "timed_out"
    TLS_FAILED = "tls_failed"


class NetError(InputError):
    """A server could not be reached, or the connection to it failed; the message does not name the server."""

    def __init__(self, message: str, *, hint: str, trouble: NetTrouble = NetTrouble.TLS_FAILED) -> None:
        super().__init__(message, hint=hint)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline on the monotonic clock, which is also the clock of event loops."""

    seconds: float
    moment: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(seconds, time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """The seconds that are left; zero or negative once the deadline has passed."""
        return self.moment - time.monotonic()

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: if the deadline has passed.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def share(self, parts: int) -> Deadline:
        """Return the deadline for one of several equal parts of the remaining time."""
        now = time.monotonic()
        return Deadline(self.seconds, now + (self.moment - now) / parts)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; in another thread if this one already has an event loop."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@contextlib.asynccontextmanager
async def step(doing: str, deadline: Deadline) -> AsyncIterator[None]:
    """Bound a step by its deadline, and turn failures of the network into `NetError`.

    Python raises TimeoutError both when our deadline passes and when the system gives up (ETIMEDOUT); only the latter
    has an errno, and so the system's own words.
    """
    import asyncio

    try:
        async with asyncio.timeout_at(deadline.moment):
            yield
    except OSError as error:
        is_late = isinstance(error, TimeoutError)
        if error.errno is None:
            unit = "second" if deadline.seconds == 1 else "seconds"
            words = f"no response within {deadline.seconds:g} {unit} ({doing})"
            hint = "check the host and the port, or allow more time with --timeout"
        else:
            words = os.strerror(error.errno).lower()
            hint = "check the host and the port, and that this machine can reach it"
        trouble = NetTrouble.TIMED_OUT if is_late else NetTrouble.CONNECTION_FAILED
        raise NetError(words, hint=hint, trouble=trouble) from error


async def resolve(host: str, port: int, *, deadline: Deadline) -> list[SocketAddress]:
    """Return the addresses of a host, each with its family, as sockets take them.

    Raises:
        NetError: if the host has no address.
    """
    import asyncio
    import socket

    async with step("resolving the host name", deadline):
        try:
            try:
                return _addresses(host, port, socket.AI_NUMERICHOST)
            except (OSError, ValueError):
                return await asyncio.wrap_future(_RESOLVER.ask(host, port))
        except (socket.gaierror, ValueError) as error:
            words = (getattr(error, "strerror", None) or "not a host name").lower()
            raise NetError(words, hint=_NAME_HINT, trouble=NetTrouble.HOST_NOT_FOUND) from error


async def connect(host: str, port: int, *, deadline: Deadline) -> socket.socket:
    """Return a non-blocking socket connected to the host.

    Raises:
        NetError: if the name cannot be resolved, or no address answers.
    """
    return await connect_to(await resolve(host, port, deadline=deadline), deadline=deadline)


async def connect_to(addresses: Sequence[SocketAddress], *, deadline: Deadline) -> socket.socket:
    """Return a non-blocking socket connected to the first address that answers.

    Each address gets its share of the time that is left, since the first may be one that never answers.

    Raises:
        NetError: if no address answers.
    """
    import asyncio
    import socket

    failed = NetError("the name has no address", hint=_NAME_HINT, trouble=NetTrouble.HOST_NOT_FOUND)
    for left, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            async with step("connecting", deadline.share(left)):
                connected = socket.socket(family, socket.SOCK_STREAM)
                try:
                    connected.setblocking(False)
                    await asyncio.get_running_loop().sock_connect(connected, address)
                except BaseException:
                    connected.close()
                    raise
                return connected
        except NetError as error:
            failed = error
    raise failed


def _addresses(host: str, port: int, flags: int = 0) -> list[SocketAddress]:
    import socket

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


class _Resolver:
    """Threads that resolve names: as many as are needed at a time, up to a limit; further names wait for their turn.

    getaddrinfo cannot be interrupted. So each call runs in a daemon thread, which is kept for the next names, and
    callers may give up.
    """

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
                try:
                    threading.Thread(target=self._work, daemon=True).start()
                    self._threads += 1
                except RuntimeError as error:
                    if self._threads == 0:
                        self._open -= 1
                        raise OSError(errno.EAGAIN, "cannot start a thread") from error
        self._questions.put((host, port, answer))
        return answer

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


_RESOLVER = _Resolver()
