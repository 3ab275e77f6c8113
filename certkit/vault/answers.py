"""Reading HTTP/1.1 answers (RFC 9112), bounded in time and in size.

An own reader, because `http.client` bounds neither the time nor the size of an answer as a whole, and costs a third of
the speed.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Mapping

MAX_ANSWER_BYTES = 16 * 1024 * 1024

_MAX_HEAD_BYTES = 64 * 1024
_MAX_INTERIM_ANSWERS = 10
_PORTION_BYTES = 16 * 1024
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_FIELD_NAME = re.compile(r"[!-9;-~]+")


class NotHttpError(Exception):
    """What came back is not an answer by RFC 9112."""


class TooLargeError(Exception):
    """An answer is larger than any that is expected."""


class Deadline:
    """The end of the time that a request may take, on the monotonic clock."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds that are left; not above zero when they are over."""
        return self._end - time.monotonic()

    def left(self) -> float:
        """The seconds that are left.

        Raises:
            TimeoutError: none is.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise TimeoutError
        return remaining


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    leaves_open: bool


class _Incoming:
    """What comes in from a socket, until a deadline and up to a limit."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._rest = b""
        self._deadline = Deadline(0)
        self._left = 0

    def begin(self, deadline: Deadline) -> None:
        """Begin a new answer."""
        self._deadline, self._left = deadline, MAX_ANSWER_BYTES

    @property
    def is_empty(self) -> bool:
        """Whether nothing is here that was not asked for yet."""
        return not self._rest

    def expect(self, start: bytes) -> None:
        """Look at the first bytes, without taking them, and no longer than they are right.

        Raises:
            NotHttpError: they are others.
        """
        while len(self._rest) < len(start) and start.startswith(self._rest):
            self._rest += self._more() or _cut_short(self._rest)
        if not self._rest.startswith(start):
            raise NotHttpError("the answer is not HTTP")

    def before(self, end: bytes) -> str:
        """What comes before `end`, which is taken, too.

        Raises:
            NotHttpError: it does not come for too long.
        """
        while (at := self._rest.find(end)) < 0 and len(self._rest) <= _MAX_HEAD_BYTES:
            self._rest += self._more() or _cut_short(b"some")
        if not 0 <= at <= _MAX_HEAD_BYTES:
            raise NotHttpError("the headers are too long")
        taken, self._rest = self._rest[:at], self._rest[at + len(end) :]
        return taken.decode("latin-1")

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        if size > MAX_ANSWER_BYTES:
            raise TooLargeError
        if len(self._rest) < size:
            gathered = bytearray(self._rest)
            while len(gathered) < size:
                gathered += self._more() or _cut_short(b"some")
            self._rest = bytes(gathered)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def to_the_end(self) -> bytes:
        """All that comes until the connection is closed."""
        gathered, self._rest = bytearray(self._rest), b""
        while more := self._more():
            gathered += more
        return bytes(gathered)

    def _more(self) -> bytes:
        if self._left <= 0:
            raise TooLargeError
        self._socket.settimeout(self._deadline.left())
        data = self._socket.recv(_PORTION_BYTES)
        self._left -= len(data)
        return data


def _cut_short(begun: bytes) -> NoReturn:
    if begun:
        raise ConnectionResetError("the answer was cut short")
    raise ConnectionResetError("the server closed the connection without an answer")


class Reader:
    """Reads the answers that come over one connection."""

    def __init__(self, connected: socket.socket) -> None:
        self._incoming = _Incoming(connected)

    def answer(self, deadline: Deadline, *, has_body: bool = True) -> Answer:
        """The next answer; after a CONNECT it has no body.

        Raises:
            OSError: the connection broke, or the time is over.
            NotHttpError: the answer is none.
            TooLargeError: the answer is too large.
        """
        incoming = self._incoming
        incoming.begin(deadline)
        status, is_persistent, headers = _final_head(incoming)
        body, is_delimited = b"", True
        if has_body and status not in {204, 304}:
            body, is_delimited = _body(incoming, headers)
        # What follows the answer unasked would be taken for the answer to the next request.
        return Answer(status, headers, body, is_persistent and is_delimited and incoming.is_empty)


def _final_head(incoming: _Incoming) -> tuple[int, bool, dict[str, str]]:
    for _ in range(_MAX_INTERIM_ANSWERS):
        head = _head(incoming)
        if head[0] >= 200:
            return head
    raise NotHttpError("there are too many interim answers")


def _head(incoming: _Incoming) -> tuple[int, bool, dict[str, str]]:
    incoming.expect(b"HTTP/1.")
    first, *lines = incoming.before(b"\r\n\r\n").split("\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise NotHttpError("the answer is not HTTP")
    headers = _headers(lines)
    is_persistent = match[1] == "1" and "close" not in headers.get("connection", "").lower()
    return int(match[2]), is_persistent, headers


def _headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or _FIELD_NAME.fullmatch(name) is None:
            raise NotHttpError("a header is malformed")
        name, value = name.lower(), value.strip(" \t")
        # Two lengths, and nobody knows where the answer ends.
        if headers.get(name, value) != value and name in {"content-length", "transfer-encoding"}:
            raise NotHttpError("two headers contradict each other")
        headers[name] = value
    return headers


def _body(incoming: _Incoming, headers: Mapping[str, str]) -> tuple[bytes, bool]:
    """The content, and whether its end was marked other than by the end of the connection."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked":
            raise NotHttpError("the answer is in an unknown coding")
        return b"".join(_chunks(incoming)), True
    if length is None:
        return incoming.to_the_end(), False
    if not re.fullmatch(r"\d{1,12}", length, re.ASCII):
        raise NotHttpError("the length of the answer is no number")
    return incoming.exactly(int(length)), True


def _chunks(incoming: _Incoming) -> Iterator[bytes]:
    while size := _chunk_size(incoming):
        yield incoming.exactly(size)
        if incoming.exactly(2) != b"\r\n":
            raise NotHttpError("a chunk does not end where it should")
    while incoming.before(b"\r\n"):
        pass  # a trailer, which says nothing of interest


def _chunk_size(incoming: _Incoming) -> int:
    size = incoming.before(b"\r\n").partition(";")[0].strip()
    if not re.fullmatch(r"[0-9A-Fa-f]{1,8}", size):
        raise NotHttpError("the length of a chunk is no number")
    return int(size, 16)
