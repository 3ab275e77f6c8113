"""Writes that happen once or not at all, also where an answer is lost."""

from __future__ import annotations

import functools
import itertools
import random
import secrets
import time
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from certkit.errors import CertkitError, StoreError
from certkit.vault.errors import CasMismatch, UncertainWrite, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from certkit.secret import Secret
    from certkit.vault.kv import Kv, Stored

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 1.0
_CHANGES = "changes"
_MOST_CHANGES = 32


def as_store_error(method: Callable[P, T]) -> Callable[P, T]:
    """Have a method of a store raise StoreError where Vault says no: the one place where these errors meet."""

    @functools.wraps(method)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except VaultError as error:
            raise StoreError(error.message, hint=error.hint) from error

    return asked


def expected(answer: T | CertkitError) -> T:
    """One of many answers.

    Raises:
        CertkitError: it is a failure.
    """
    if isinstance(answer, CertkitError):
        raise answer
    return answer


def all_expected(answers: Iterable[tuple[str, T | CertkitError]]) -> list[T]:
    """The answers to many questions, in their order.

    Raises:
        CertkitError: one is a failure; all are taken before, so that no connection stays open in between.
    """
    return [expected(answer) for _, answer in list(answers)]


def tries(seconds: float) -> Iterator[int]:
    """Numbers of attempts, with growing pauses of random length in between, until the time is over."""
    end = time.monotonic() + seconds
    for attempt in itertools.count():
        yield attempt
        longest = min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt, 20), _LONGEST_PAUSE_SECONDS)
        pause = random.uniform(0, longest)  # noqa: S311  it keeps others apart, and nothing secret
        if time.monotonic() + pause >= end:
            return
        time.sleep(pause)


def put(
    kv: Kv,
    path: str,
    document: Mapping[str, str | Secret],
    *,
    cas: int,
    is_ours: Callable[[Stored], bool | None],
    seconds: float,
) -> bool:
    """Write a secret over version `cas` of it; False where somebody else was first.

    Where the answer is lost, what is there tells whether it was written: `is_ours` says so of a later version, and None
    where that cannot be told. What was not written is written again, which cannot happen twice over the same version.

    Raises:
        UncertainWrite: within so many seconds nobody could tell.
        VaultError: the server does not let us, or cannot be reached; nothing was written.
    """
    doubt: UncertainWrite | None = None
    for _ in tries(seconds):
        try:
            kv.write(path, document, cas=cas)
        except UncertainWrite as error:
            doubt = error
        except VaultError as error:
            if doubt is None:
                if isinstance(error, CasMismatch):
                    return False
                raise
        else:
            return True
        outcome = _look(kv, path, cas=cas, is_ours=is_ours, doubt=doubt)
        if outcome is not None:
            return outcome
    raise doubt or AssertionError("there is an attempt at least")


def _look(
    kv: Kv, path: str, *, cas: int, is_ours: Callable[[Stored], bool | None], doubt: UncertainWrite
) -> bool | None:
    """Whether our write is there, or another one; None where neither is so far.

    Raises:
        UncertainWrite: it cannot be told.
    """
    try:
        stored = kv.read(path)
    except VaultError as error:
        if error.kind.is_about_the_server:
            return None
        raise doubt from error
    if stored is None or stored.version <= cas:
        return None
    found = is_ours(stored)
    if found is None:
        raise doubt
    return found


def marked(document: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A document with a mark of its own beside those of the changes before it, and the mark."""
    mark = secrets.token_hex(8)
    return {**document, _CHANGES: [*_marks(before)[1 - _MOST_CHANGES :], mark]}, mark


def has_mark(stored: Stored, mark: str, *, cas: int) -> bool | None:
    """Whether the change with a mark, made over version `cas`, is among those that led to what is there now."""
    marks = _marks(stored.data)
    if mark in marks:
        return True
    return False if stored.version - cas <= len(marks) else None


def _marks(data: Mapping[str, Any]) -> list[Any]:
    found = data.get(_CHANGES)
    return found if isinstance(found, list) else []
