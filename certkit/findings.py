"""Findings: the results of checks, as values that roll up to one status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Status(StrEnum):
    """The result of one check: the Nagios states, and `skipped` for a check that was not requested."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


_SEVERITY = {Status.SKIPPED: 0, Status.OK: 0, Status.WARNING: 1, Status.UNKNOWN: 2, Status.CRITICAL: 3}
_EXIT_CODE = {Status.OK: 0, Status.SKIPPED: 0, Status.WARNING: 1, Status.CRITICAL: 2, Status.UNKNOWN: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result: a stable id, a status, what was seen, and what to do about it."""

    id: str
    status: Status
    message: str
    hint: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing has to be done about it: ok or skipped."""
        return _SEVERITY[self.status] == 0

    @property
    def is_bad(self) -> bool:
        """Whether it failed or could not be decided: critical or unknown."""
        return self.status in {Status.CRITICAL, Status.UNKNOWN}


def roll_up(statuses: Iterable[Status]) -> Status:
    """Return the overall status: critical > unknown > warning > ok; skipped counts as ok."""
    worst = max(statuses, key=_SEVERITY.__getitem__, default=Status.OK)
    return Status.OK if worst is Status.SKIPPED else worst


def concise(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings without those that another one of the same check outweighs.

    If a check has a bad finding, its good ones are dropped; if it has any result, "skipped" is dropped.
    """
    listed = tuple(findings)
    if len({finding.id for finding in listed}) == len(listed):
        return listed
    good = (Status.OK, Status.SKIPPED)
    bad = {finding.id for finding in listed if finding.status not in good}
    answered = {finding.id for finding in listed if finding.status is not Status.SKIPPED}
    return tuple(
        finding
        for finding in listed
        if finding.id not in (answered if finding.status is Status.SKIPPED else bad) or finding.status not in good
    )


def exit_code(status: Status) -> int:
    """Return the Nagios exit code of a status: 0 ok, 1 warning, 2 critical, 3 unknown."""
    return _EXIT_CODE[status]


def ok(check: str, message: str) -> Finding:
    """Return the finding for a check that passed."""
    return Finding(check, Status.OK, message)


def warning(check: str, message: str, hint: str) -> Finding:
    """Return the finding for something that works today and needs attention."""
    return Finding(check, Status.WARNING, message, hint)


def critical(check: str, message: str, hint: str) -> Finding:
    """Return the finding for a check that failed."""
    return Finding(check, Status.CRITICAL, message, hint)


def unknown(check: str, message: str, hint: str) -> Finding:
    """Return the finding for a check that was requested and could not be decided."""
    return Finding(check, Status.UNKNOWN, message, hint)


def skipped(check: str, message: str, hint: str = "") -> Finding:
    """Return the finding for a check that was not requested; the hint says how to request it."""
    return Finding(check, Status.SKIPPED, message, hint)
