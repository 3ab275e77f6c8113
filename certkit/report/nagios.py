"""Results as the output of a monitoring plugin, for Nagios, Icinga and their kind.

As the Monitoring Plugins Development Guidelines have it: one line of text, `|`, performance data, and details below.
Ranges are strict: `28:` alarms below 28.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.findings import Status
from certkit.printable import capitalised, printable
from certkit.report.words import outlook, shortened
from certkit.times import rfc3339
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from certkit.errors import CertkitError
    from certkit.expiry.scan import Row, Scan
    from certkit.expiry.thresholds import Thresholds

# Nagios keeps 8 KiB of a plugin's output (MAX_PLUGIN_OUTPUT_LENGTH).
MAX_BYTES = 8000

_DAY = timedelta(days=1)
_BY_URGENCY = (Status.CRITICAL, Status.UNKNOWN, Status.WARNING, Status.OK)
_STATUS_WIDTH = max(map(len, _BY_URGENCY))
_NAME_LENGTH = 150
_MESSAGE_LENGTH = 300


def render(scan: Scan, *, thresholds: Thresholds) -> str:
    """Render a line with the status and the worst problem, then a line for each failure and each certificate not ok.

    The thresholds are those by which the scan was judged.
    """
    counts = scan.counts()
    counted = ", ".join(f"{counts[status]:,} {status}" for status in _BY_URGENCY if counts[status])
    worst = scan.trouble[0] if scan.is_interrupted or scan.found_nothing else next(_problems(scan), ("", ""))[1]
    if not worst and scan.rows:
        worst = _described(min(scan.rows, key=lambda row: row.not_after), scan)
    words = "; ".join(part for part in (worst, counted) if part)
    head = f"CERTKIT {scan.status.value.upper()} - {words}| {_performance(scan, thresholds)}"
    lines = (f"{status.value.upper().ljust(_STATUS_WIDTH)}  {words}" for status, words in _problems(scan))
    number = len(scan.failures) + sum(row.status is not Status.OK for row in scan.rows)
    number += sum(not each.is_good for each in scan.findings)
    details = _within(MAX_BYTES - len(head.encode()), lines, number)
    return "".join(f"{line}\n" for line in (head, *details))


def error(failure: CertkitError) -> str:
    """Render the line for a check that could not be carried out."""
    hint = _safe(capitalised(failure.hint), _MESSAGE_LENGTH)
    return f"CERTKIT UNKNOWN - {_safe(failure.message, _MESSAGE_LENGTH)}. {hint}\n"


def _problems(scan: Scan) -> Iterator[tuple[Status, str]]:
    """Each failure and each certificate that is not ok in words, the most urgent first."""
    rows = scan.by_urgency
    yield from ((row.status, _described(row, scan)) for row in rows if row.status is Status.CRITICAL)
    yield from ((Status.UNKNOWN, _safe(failure.message, _MESSAGE_LENGTH)) for failure in scan.failures)
    yield from ((row.status, _described(row, scan)) for row in rows if row.status is Status.WARNING)
    yield from ((each.status, _safe(each.message, _MESSAGE_LENGTH)) for each in scan.findings if not each.is_good)


def _described(row: Row, scan: Scan) -> str:
    name = _safe(row.subject, _NAME_LENGTH) or "no name"
    what = f"revocation list of {name}" if row.kind is Kind.CRL else name
    when = row.not_before if scan.now < row.not_before else row.not_after
    more = f" and {len(row.sources) - 1:,} more" if len(row.sources) > 1 else ""
    return f"{what}: {outlook(row, scan.now)} ({rfc3339(when)}), {_safe(row.sources[0], _NAME_LENGTH)}{more}"


def _safe(text: str, limit: int) -> str:
    r"""Escape text so that it neither ends the line nor begins performance data: `|` becomes `\7C`, as in RFC 4514."""
    return shortened(printable(text), limit).replace("|", r"\7C")


def _within(room: int, lines: Iterable[str], number: int) -> Iterator[str]:
    """Yield as many lines as fit into a number of bytes, and the number of the others."""
    room -= len(f"and {number:,} more\n")
    for left_out, line in zip(range(number, 0, -1), lines, strict=True):
        room -= len(line.encode()) + 1
        if room < 0:
            yield f"and {left_out:,} more"
            return
        yield line


def _performance(scan: Scan, thresholds: Thresholds) -> str:
    """Return the days left of the first certificate to expire, of the first list to go stale, and the counts.

    Without a certificate its days are `U`; without a list there is no such figure.
    """
    certificate, crl = (
        min((row for row in scan.rows if row.kind is kind), key=lambda row: row.not_after, default=None)
        for kind in (Kind.CERTIFICATE, Kind.CRL)
    )
    days = [f"'days_left'={_days(certificate, thresholds) if certificate else 'U'}"]
    if crl:
        days.append(f"'crl_days_left'={_days(crl, thresholds.of_list(crl.not_after - crl.not_before))}")
    counts = (f"'{status}'={number};;;0" for status, number in scan.counts().items())
    return " ".join([*days, *counts])


def _days(row: Row, thresholds: Thresholds) -> str:
    """Return the days left with their ranges, without an exponent: 28, 0.5; a second is 0.00001."""
    lifetime = row.not_after - row.not_before
    limits = (limit.of(lifetime) / _DAY for limit in (thresholds.warn, thresholds.critical))
    return ";".join([str(row.days_left), *(f"{days:.5f}".rstrip("0").rstrip(".") + ":" for days in limits)])
