"""The combined verdict of lists on one certificate: the newest of each scope decides; all reasons must be covered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certkit.verify.lists import ALL_REASONS, HOLD, REMOVE, Listing
from certkit.verify.troubles import Problem, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from certkit.verify.lists import RevocationList, Target


@dataclass(frozen=True, slots=True)
class Clear:
    """A certificate is not revoked for some reasons, until a moment; `later`: it will be revoked then."""

    reasons: frozenset[str]
    until: datetime
    later: datetime | None = None


# That a certificate is revoked or on hold, not revoked, or why that is unknown.
Revocation = Listing | Clear | Problem


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of one properly signed list; one with a `problem` can revoke a certificate, but not clear it."""

    source: RevocationList
    reasons: frozenset[str]
    entry: Listing | None
    later: datetime | None
    problem: Problem | None
    is_held_valid: bool
    is_own: bool = False


def together(statements: Sequence[Statement], target: Target, at: datetime, problems: Sequence[Problem]) -> Revocation:
    """Combine the statements of all scopes: every reason must be covered (RFC 5280 section 6.3.3)."""
    scopes: dict[object, list[Statement]] = {}
    for each in statements:
        scopes.setdefault((each.source.issuer, each.source.point), []).append(each)
    answers = [_of_scope(each, target, at) for each in scopes.values()]
    for answer in answers:
        if isinstance(answer, Listing):
            return answer
    clear = [each for each in answers if isinstance(each, Clear)]
    missing = ALL_REASONS.difference(*(each.reasons for each in clear))
    if missing:
        troubles = [*problems, *(each for each in answers if isinstance(each, Problem))]
        if clear:
            troubles.append(Problem(Trouble.REASONS, ", ".join(sorted(missing))))
        return max(troubles, key=lambda each: each.trouble.order)
    later = [each.later for each in clear if each.later]
    return Clear(ALL_REASONS, min(each.until for each in clear), min(later, default=None))


def _of_scope(statements: Sequence[Statement], target: Target, at: datetime) -> Revocation:
    """Combine the lists of one scope: the newest acceptable one decides, with its delta list."""
    completes = sorted((each for each in statements if each.source.base is None), key=lambda each: each.source.order)
    accuser = _accuser(statements, completes, target, at)
    if accuser is not None:
        return accuser
    for complete in reversed(completes):
        combined = _with_delta(complete, statements)
        if combined.problem is not None:
            continue
        if combined.entry is not None and combined.entry.reason != REMOVE:
            return combined.entry
        end = combined.source.end
        return Clear(combined.reasons, end, combined.later) if end else Problem(Trouble.ENDLESS)
    if not completes:
        return Problem(Trouble.NO_BASE)
    if any(each.entry is not None and each.entry.reason == HOLD for each in statements):
        return Problem(Trouble.HELD)
    return completes[-1].problem or Problem(Trouble.MISSING)


def _accuser(
    statements: Sequence[Statement], completes: Sequence[Statement], target: Target, at: datetime
) -> Listing | None:
    """Return the entry of an unacceptable list that revokes, unless a newer list contradicts it.

    An entry may be left out once the certificate has expired (RFC 5280 section 3.3): then older lists count too.
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
    """Return a complete list updated by its newest delta list (RFC 5280 section 5.2.4)."""
    fitting = [each for each in statements if each.problem is None and each.source.builds_on(complete.source)]
    if not fitting or (complete.problem is not None and complete.problem.trouble is not Trouble.STALE):
        return complete
    delta = max(fitting, key=lambda each: each.source.order)
    ends = delta.source.end, complete.source.end
    ends_first = ends[0] is not None and ends[1] is not None and ends[0] < ends[1]
    source = delta.source if complete.problem or ends_first else complete.source
    entry = delta.entry or complete.entry
    # Only a hold can be removed (RFC 5280 section 5.3.1).
    if delta.entry is not None and delta.entry.reason == REMOVE:
        entry = complete.entry if complete.entry is not None and complete.entry.is_lasting else None
    return replace(complete, source=source, entry=entry, later=delta.later or complete.later, problem=None)
