"""Many questions, asked ahead and answered in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from certkit.errors import CertkitError
from certkit.vault.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_MOST_AT_ONCE = 16
# A connection costs several answers' time, and is worth it only where there are many.
_ANSWERS_A_CONNECTION = 8


def in_order(
    names: Iterable[str], *, begin: Callable[[str], None], ask: Callable[[str], T]
) -> Iterator[tuple[str, T | CertkitError]]:
    """What `ask` says of each name, in the order of the names; what it raises takes the place of its answer.

    `begin` is called for a name some time before `ask`, more and more names ahead the longer it goes on. One thread
    that asks ahead is twice as fast as several that wait for Python's lock. Once the server is out of reach it is not
    asked about the rest, which gets the same error.
    """
    rest = iter(names)
    waiting: deque[str] = deque()
    answered = 0
    end: VaultError | None = None
    while True:
        width = min(_MOST_AT_ONCE, 1 + answered // _ANSWERS_A_CONNECTION)
        while len(waiting) < width and (name := next(rest, None)) is not None:
            if end is None:
                begin(name)
            waiting.append(name)
        if not waiting:
            return
        name = waiting.popleft()
        answer = _answer(ask, name) if end is None else end
        if isinstance(answer, VaultError) and answer.kind.is_about_the_server:
            end = answer
        answered += 1
        yield name, answer


def _answer(ask: Callable[[str], T], name: str) -> T | CertkitError:
    try:
        return ask(name)
    except CertkitError as error:
        return error
