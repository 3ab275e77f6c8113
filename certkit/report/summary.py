"""The summary of a scan: a headline and a few plain sentences."""

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
    """The headline with its status, and the sentences that follow."""

    status: Status
    headline: str
    sentences: Sequence[str]


def summary(scan: Scan) -> Summary:
    """Summarize a scan: the most urgent fact is the headline. OK only if every source could be checked."""
    critical, warning, good = (
        [row for row in scan.rows if row.status is status] for status in (Status.CRITICAL, Status.WARNING, Status.OK)
    )
    unchecked = f"{counted(len(scan.failures), 'source')} could not be checked"
    attention = f"{kinds(warning)} {_need(warning)} attention soon"
    sentences = [*_expired(scan)]
    if critical:
        status, headline = Status.CRITICAL, f"{kinds(critical)} {_need(critical)} action now"
        sentences += [f"{unchecked}, which may be worse."] if scan.failures else []
    elif scan.failures:
        status, headline = Status.UNKNOWN, f"Incomplete: {unchecked}"
    elif scan.is_interrupted:
        status, headline = Status.UNKNOWN, "Incomplete: the search was interrupted"
    elif scan.found_nothing:
        status, headline = Status.UNKNOWN, "Nothing was found"
    elif warning:
        status, headline = Status.WARNING, attention
    else:
        status, headline = Status.OK, "Everything is OK"
    if scan.is_interrupted and (scan.failures or critical):
        sentences.append("The search was interrupted, so there may be more.")
    if scan.found_nothing:
        sentences.append("No certificate or CRL was found, which is never OK: check the sources.")
    if warning and status is not Status.WARNING:
        sentences.append(f"{attention}.")
    return Summary(status, headline, [*sentences, *_good(scan, good)])


def _expired(scan: Scan) -> Iterator[str]:
    """Yield the sentence about how many critical certificates have expired."""
    expired, critical = sum(row.not_after < scan.now for row in scan.rows), scan.counts()[Status.CRITICAL]
    if critical == expired == 1:
        yield "It has already expired."
    elif expired:
        of_them = "All" if expired == critical else f"{expired:,}"
        yield f"{of_them} of them {'has' if expired == 1 else 'have'} already expired."


def _good(scan: Scan, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the number of OK certificates, and the next of them to expire unless another one expires first."""
    number = scan.counts()[Status.OK]
    if number:
        what = counted(number, "certificate") if scan.quiet or not rows else kinds(rows)
        yield f"{what} {'is' if number == 1 else 'are'} OK."
    if rows and len(rows) == len(scan.rows):
        first = min(rows, key=lambda row: row.not_after)
        name = shortened(printable(first.subject), 100) or "one without a name"
        yield f"The next one expires in {span(first.not_after - scan.now)}, on {day(first.not_after)}: {name}"


def _need(rows: Sequence[Row]) -> str:
    return "needs" if len(rows) == 1 else "need"
