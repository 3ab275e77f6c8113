"""What a scan comes down to, in a headline and a few plain sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.findings import Status
from certkit.printable import printable
from certkit.report.words import counted, day, kinds, shortened, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certkit.expiry.scan import Row, Scan


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said first, with the status that it speaks of, and what else there is to know."""

    status: Status
    headline: str
    sentences: Sequence[str]


def summary(scan: Scan) -> Summary:
    """The worst of it as the headline, all the rest as sentences; "all is well" only where all was looked at."""
    status, headline = _headline(scan)
    return Summary(status, headline, list(_sentences(scan, status)))


def _headline(scan: Scan) -> tuple[Status, str]:
    critical, warning = _having(scan, Status.CRITICAL), _having(scan, Status.WARNING)
    if critical:
        return Status.CRITICAL, f"{kinds(critical)} {_need(critical)} action now"
    if scan.failures:
        return Status.UNKNOWN, f"Not complete: {counted(len(scan.failures), 'thing')} could not be looked at"
    if scan.is_interrupted:
        return Status.UNKNOWN, "Not complete: the search was interrupted"
    if scan.found_nothing:
        return Status.UNKNOWN, "Nothing was found"
    if warning:
        return Status.WARNING, f"{kinds(warning)} {_need(warning)} attention soon"
    return Status.OK, "All is well"


def _sentences(scan: Scan, status: Status) -> Iterator[str]:
    yield from _expired(scan)
    if scan.failures and status is Status.CRITICAL:
        yield f"{counted(len(scan.failures), 'thing')} could not be looked at, and may be worse."
    if scan.is_interrupted and (scan.failures or status is Status.CRITICAL):
        yield "The search was interrupted, so there may be more."
    if scan.found_nothing:
        yield "Neither a certificate nor a revocation list came to light, which is never well: check the sources."
    warning = _having(scan, Status.WARNING)
    if warning and status is not Status.WARNING:
        yield f"{kinds(warning)} {_need(warning)} attention soon."
    yield from _well(scan)


def _expired(scan: Scan) -> Iterator[str]:
    """How many of the critical ones have ended already."""
    expired, critical = sum(row.not_after < scan.now for row in scan.rows), scan.counts()[Status.CRITICAL]
    if critical == expired == 1:
        yield "It is past its end already."
    elif expired:
        of_them = "All" if expired == critical else f"{expired:,}"
        yield f"{of_them} of them {'is' if expired == 1 else 'are'} past the end already."


def _well(scan: Scan) -> Iterator[str]:
    """How many are well, and which of those that are described ends next, if nothing ends before it."""
    rows, number = _having(scan, Status.OK), scan.counts()[Status.OK]
    if rows and not scan.quiet:
        yield f"{kinds(rows)} {_are(rows)} well."
    elif number:
        yield f"{counted(number, 'certificate')} {'is' if number == 1 else 'are'} well."
    if rows and len(rows) == len(scan.rows):
        first = min(rows, key=lambda row: row.not_after)
        name = shortened(printable(first.subject), 100) or "one without a name"
        yield f"The next to end, in {span(first.not_after - scan.now)} on {day(first.not_after)}: {name}"


def _having(scan: Scan, status: Status) -> list[Row]:
    return [row for row in scan.rows if row.status is status]


def _are(rows: Sequence[Row]) -> str:
    return "is" if len(rows) == 1 else "are"


def _need(rows: Sequence[Row]) -> str:
    return "needs" if len(rows) == 1 else "need"
