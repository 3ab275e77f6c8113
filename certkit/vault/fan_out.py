"""The same question about many things, asked by a few threads."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from certkit.errors import CertkitError
from certkit.vault.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_THREADS = 4
# So many answers are gathered before they are handed on.
_PORTION = 256


def fan_out(ask: Callable[[str], T], names: Iterable[str]) -> Iterator[tuple[str, T | CertkitError]]:
    """What `ask` says of each name, in the order of the names; what it raises takes the place of its answer.

    Once the server is out of reach it is not asked about the rest, which gets the same error. A caller who is
    interrupted does not wait for the threads.
    """
    rest = iter(names)
    round_of_questions = _Questions(ask)
    while portion := list(itertools.islice(rest, _PORTION)):
        yield from zip(portion, round_of_questions.answers(portion), strict=True)


class _Questions(Generic[T]):
    def __init__(self, ask: Callable[[str], T]) -> None:
        self._ask = ask
        self._end: VaultError | None = None

    def answers(self, names: list[str]) -> list[T | CertkitError]:
        """What is said of each name."""
        todo: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        for item in enumerate(names):
            todo.put(item)
        done: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()
        for _ in range(min(_THREADS, len(names))):
            threading.Thread(target=self._work, args=(todo, done), daemon=True).start()
        try:
            answers = dict(done.get() for _ in names)
        finally:
            _empty(todo)
        return [_expected(answers[number]) for number in range(len(names))]

    def _work(
        self, todo: queue.SimpleQueue[tuple[int, str]], done: queue.SimpleQueue[tuple[int, T | Exception]]
    ) -> None:
        while True:
            try:
                number, name = todo.get_nowait()
            except queue.Empty:
                return
            done.put((number, self._answer(name)))

    def _answer(self, name: str) -> T | Exception:
        if self._end is not None:
            return self._end
        try:
            return self._ask(name)
        except VaultError as error:
            if error.kind.is_about_the_server:
                self._end = error
            return error
        except Exception as error:  # noqa: BLE001  the caller's thread judges it
            return error


def _expected(answer: T | Exception) -> T | CertkitError:
    """An answer; an exception that nobody foresaw is raised where somebody can see it."""
    if isinstance(answer, Exception) and not isinstance(answer, CertkitError):
        raise answer
    return answer


def _empty(todo: queue.SimpleQueue[tuple[int, str]]) -> None:
    while True:
        try:
            todo.get_nowait()
        except queue.Empty:
            return
