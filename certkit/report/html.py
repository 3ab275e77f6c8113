"""Results as one HTML page that asks no network for anything, and works without scripts, which make it handier."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from certkit.findings import Status
from certkit.printable import capitalised, printable
from certkit.report import needs, timeline
from certkit.report.summary import summary
from certkit.report.words import NOUNS, clock, counted, day, outlook, shortened
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.expiry.scan import Row, Scan

MAX_URGENT = 20
MAX_SOURCES = 20
MAX_FAILURES = 500

_ADVICE = {
    Status.CRITICAL: (
        "Act now",
        "Expired, about to expire, or not valid yet: anything using these is, or soon will be, refused.",
    ),
    Status.WARNING: ("Plan the replacement", "These work today. Replace them before they expire."),
}
LABELS = {Status.CRITICAL: "Critical", Status.WARNING: "Warning", Status.UNKNOWN: "Could not check", Status.OK: "OK"}

# The least number that fills a column of the time line, so that a single certificate does not look like a mountain.
_LOW_CEILING = 6

# The first part of a name in RFC 4514 text, where a comma inside a value has a backslash before it.
_FIRST_PART = re.compile(r"(?:[^\\,]|\\.)*+", re.DOTALL)


def render(scan: Scan, *, title: str = "Certificates", truncate: int = 5000) -> str:
    """Render the page: a summary, the urgent rows, a time line, and a table of the `truncate` most urgent rows.

    Raises:
        InputError: if Jinja2 is not installed.
    """
    with needs("Jinja2", what="an HTML page"):
        import jinja2
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("certkit.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clock": clock,
        "counted": counted,
        "day": day,
        "hashed": _hashed,
        "number": "{:,}".format,
        "printable": printable,
        "rfc3339": rfc3339,
        "sentence": capitalised,
        "share": "{:.2%}".format,
        "shortened": shortened,
    }
    rows = scan.by_urgency
    entries = [_entry(row, scan.now) for row in rows[:truncate]]
    columns = timeline.columns(rows, now=scan.now) if rows else []
    hidden = Counter(row.status for row in rows[truncate:])
    hidden[Status.OK] += scan.quiet
    return environment.get_template("expiry.html.jinja").render(
        title=printable(title),
        labels={status.value: label for status, label in LABELS.items()},
        now=scan.now,
        summary=summary(scan),
        counts=scan.counts(),
        failures=scan.failures[:MAX_FAILURES],
        failures_left_out=len(scan.failures[MAX_FAILURES:]),
        groups=_groups(entries, scan),
        columns=columns,
        ceiling=max([_LOW_CEILING, *(column.total for column in columns)]),
        entries=entries,
        left_out=", ".join(f"{hidden[each]:,} {each.value}" for each in LABELS if hidden[each]),
        passed=len(scan.skipped),
    )


def _hashed(text: str) -> str:
    """Return the source expression of an inline style or script for a Content-Security-Policy (level 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _entry(row: Row, now: datetime) -> SimpleNamespace:
    """Return a row as the page shows it; `attribute` and `name` are the first part of the subject, `rest` follows."""
    subject = printable(row.subject)
    first = _FIRST_PART.match(subject)
    part = first[0] if first else ""
    attribute, _, name = part.partition("=")
    source, *others = (shortened(printable(source), 200) for source in row.sources[: MAX_SOURCES + 1])
    return SimpleNamespace(
        status=row.status.value,
        kind=NOUNS[row.kind],
        subject=shortened(subject, 2000),
        attribute=shortened(attribute, 60),
        name=shortened(name, 120),
        rest=shortened(subject[len(part) + 1 :], 120),
        issuer=shortened(printable(row.issuer)),
        serial=shortened(row.serial_hex),
        fingerprint=row.fingerprint_sha256,
        begin=row.not_before,
        end=row.not_after,
        outlook=outlook(row, now),
        is_valid_yet=row.not_before <= now,
        source=source,
        other_sources=others,
        sources_left_out=max(0, len(row.sources) - MAX_SOURCES - 1),
    )


def _groups(entries: Sequence[SimpleNamespace], scan: Scan) -> list[dict[str, Any]]:
    """Return the urgent rows in groups: what to do now, and what to plan.

    `left_out` counts those of a group that are not shown; `is_listed` says that the table has all.
    """
    groups = []
    for status, (title, advice) in _ADVICE.items():
        number, listed = scan.counts()[status], [entry for entry in entries if entry.status == status]
        shown = listed[:MAX_URGENT]
        group = {"title": title, "advice": advice, "entries": shown, "left_out": number - len(shown)}
        if number:
            groups.append(group | {"is_listed": len(listed) == number})
    return groups
