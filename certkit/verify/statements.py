"""What lists say of one certificate together: the newest of each scope decides, and every reason must be covered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certkit.verify.lists import ALL_REASONS, HOLD, REMOVE
from certkit.verify.troubles import Problem, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from certkit.verify.lists import Listing, RevocationList, Target


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate is revoked, or on hold."""

    entry: Listing


@dataclass(frozen=True, slots=True)
class Clear:
    """Lists cover a certificate for some reasons, and hold until a moment; `later`: it will be revoked then."""

    reasons: frozenset[str]
    until: datetime
    later: datetime | None = None


Answer = Revoked | Clear | Problem


@dataclass(frozen=True, slots=True)
class Statement:
    """What one list, rightly signed, says of a certificate; one with a `problem` can accuse, and not acquit."""

    source: RevocationList
    reasons: frozenset[str]
    entry: Listing | None
    later: datetime | None
    problem: Problem | None
    is_held_valid: bool
    is_own: bool = False


def together(statements: Sequence[Statement], target: Target, at: datetime, problems: Sequence[Problem]) -> Answer:
    """What statements of all scopes say together: every reason must be covered (RFC 5280 section 6.3.3)."""
    answers = [_of_scope(each, target, at) for each in _by_scope(statements)]
    for answer in answers:
        if isinstance(answer, Revoked):
            return answer
    clear = [each for each in answers if isinstance(each, Clear)]
    missing = ALL_REASONS.difference(*(each.reasons for each in clear))
    if missing:
        troubles = [*problems, *(each for each in answers if isinstance(each, Problem))]
        if clear:
            troubles.append(Problem(Trouble.REASONS, ", ".join(sorted(missing))))
        return max(troubles, key=lambda each: each.trouble)
    later = [each.later for each in clear if each.later]
    return Clear(ALL_REASONS, min(each.until for each in clear), min(later, default=None))


def _by_scope(statements: Iterable[Statement]) -> list[list[Statement]]:
    scopes: dict[object, list[Statement]] = {}
    for each in statements:
        scopes.setdefault((each.source.issuer, each.source.point), []).append(each)
    return list(scopes.values())


def _of_scope(statements: Sequence[Statement], target: Target, at: datetime) -> Answer:
    """What the lists of one scope say: the newest that counts decides, with its delta list."""
    completes = sorted((each for each in statements if each.source.base is None), key=lambda each: each.source.order)
    accuser = _accuser(statements, completes, target, at)
    if accuser is not None:
        return Revoked(accuser)
    for complete in reversed(completes):
        combined = _with_delta(complete, statements)
        if combined.problem is None:
            return _decided(combined)
    return _why_none(statements, completes)


def _accuser(
    statements: Sequence[Statement], completes: Sequence[Statement], target: Target, at: datetime
) -> Listing | None:
    """The entry of a list that does not count, but revokes, and of which no newer one speaks otherwise.

    An entry may be left out once the certificate has expired (RFC 5280 section 3.3): then the older lists are heard.
    """
    past = [each.source for each in completes if each.source.begin <= at]
    newest = past[-1].order if past and past[-1].begin <= target.end else None
    for each in statements:
        if each.problem is None and each.source.base is None and newest is not None:
            continue  # it may decide
        entry = each.entry
        if entry is None or entry.reason == REMOVE or (newest is not None and each.source.order < newest):
            continue
        if entry.is_lasting or (each.is_held_valid and each.source.base is None):
            return entry
    return None


def _with_delta(complete: Statement, statements: Iterable[Statement]) -> Statement:
    """A complete list brought up to date by its newest delta list (RFC 5280 section 5.2.4)."""
    fitting = [each for each in statements if each.problem is None and _fits(each.source, complete.source)]
    if not fitting or not _is_only_old(complete.problem):
        return complete
    delta = max(fitting, key=lambda each: each.source.order)
    source = delta.source if complete.problem or _ends_first(delta, complete) else complete.source
    later = delta.later or complete.later
    return replace(complete, source=source, entry=_changed(complete.entry, delta.entry), later=later, problem=None)


def _fits(delta: RevocationList, complete: RevocationList) -> bool:
    """Whether a delta list builds on a complete one, by their numbers (RFC 5280 section 5.2.4)."""
    if delta.base is None or delta.number is None or complete.number is None:
        return False
    return delta.base <= complete.number < delta.number


def _is_only_old(problem: Problem | None) -> bool:
    return problem is None or problem.trouble is Trouble.STALE


def _ends_first(one: Statement, other: Statement) -> bool:
    return one.source.end is not None and other.source.end is not None and one.source.end < other.source.end


def _changed(entry: Listing | None, change: Listing | None) -> Listing | None:
    """An entry after a delta list's: only a hold is taken back (RFC 5280 section 5.3.1)."""
    if change is None:
        return entry
    if change.reason == REMOVE:
        return entry if entry is not None and entry.is_lasting else None
    return change


def _decided(statement: Statement) -> Answer:
    if statement.entry is not None and statement.entry.reason != REMOVE:
        return Revoked(statement.entry)
    end = statement.source.end
    return Clear(statement.reasons, end, statement.later) if end else Problem(Trouble.ENDLESS)


def _why_none(statements: Sequence[Statement], completes: Sequence[Statement]) -> Problem:
    """Why no list of a scope counts."""
    if not completes:
        return Problem(Trouble.NO_BASE)
    if any(each.entry is not None and each.entry.reason == HOLD for each in statements):
        return Problem(Trouble.HELD)
    return completes[-1].problem or Problem(Trouble.MISSING)
