"""Results as one HTML page that asks no network for anything, and works without scripts, which make it handier."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.findings import Status
from certkit.printable import capitalised, printable
from certkit.report import timeline
from certkit.report.optional import needs
from certkit.report.summary import summary
from certkit.report.words import NOUNS, clock, counted, day, outlook, shortened
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import jinja2

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


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment for machines, and its day and time of day for people."""

    iso: str
    day: str
    clock: str


@dataclass(frozen=True, slots=True)
class PageRow:
    """A row as the page shows it; of the subject, `attribute` and `name` are the first part, `rest` is what follows."""

    status: str
    kind: str
    subject: str
    attribute: str
    name: str
    rest: str
    issuer: str
    serial: str
    fingerprint: str
    begin: Moment
    end: Moment
    outlook: str
    is_valid_yet: bool
    source: str
    other_sources: Sequence[str]
    sources_left_out: int


@dataclass(frozen=True, slots=True)
class Group:
    """Certificates that need the same action; `left_out` counts those not shown, `is_listed` says the table has all."""

    title: str
    advice: str
    entries: Sequence[PageRow]
    left_out: int
    is_listed: bool


def render(scan: Scan, *, title: str = "Certificates", truncate: int = 5000) -> str:
    """Render the page: a summary, the urgent rows, a time line, and a table of the `truncate` most urgent rows.

    Raises:
        InputError: if Jinja2 is not installed.
    """
    environment = _environment()
    rows = scan.by_urgency
    entries = [_entry(row, scan.now) for row in rows[:truncate]]
    columns = timeline.columns(rows, now=scan.now) if rows else []
    # A style rule for each column of the time line: the share of the height of each status.
    ceiling = max([_LOW_CEILING, *(column.total for column in columns)])
    heights = "".join(
        f"#column-{number}{{--critical-share:{column.critical / ceiling:.2%};"
        f"--warning-share:{column.warning / ceiling:.2%};--ok-share:{column.ok / ceiling:.2%}}}\n"
        for number, column in enumerate(columns)
    )
    style, script = _source(environment, "expiry.css") + heights, _source(environment, "expiry.js")
    hidden = Counter(row.status for row in rows[truncate:])
    hidden[Status.OK] += scan.quiet
    return environment.get_template("expiry.html.jinja").render(
        title=printable(title),
        labels={status.value: label for status, label in LABELS.items()},
        now=_moment(scan.now),
        summary=summary(scan),
        counts=scan.counts(),
        failures=scan.failures[:MAX_FAILURES],
        failures_left_out=len(scan.failures[MAX_FAILURES:]),
        groups=_groups(entries, scan),
        columns=columns,
        entries=entries,
        left_out=", ".join(f"{hidden[each]:,} {each.value}" for each in LABELS if hidden[each]),
        passed=len(scan.skipped),
        style=_trusted(style),
        script=_trusted(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _environment() -> jinja2.Environment:
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
        "counted": counted,
        "number": "{:,}".format,
        "printable": printable,
        "sentence": capitalised,
        "shortened": shortened,
    }
    return environment


def _source(environment: jinja2.Environment, name: str) -> str:
    """Return a file beside the template, unchanged: it contains no template syntax."""
    assert environment.loader is not None  # noqa: S101  _environment() saw to it
    return environment.loader.get_source(environment, name)[0]


def _trusted(text: str) -> str:
    """Mark certkit's own text, which goes into the page unescaped."""
    import markupsafe

    return markupsafe.Markup(text)  # noqa: S704  holds nothing that was read anywhere


def _hash(text: str) -> str:
    """Return the source expression of an inline style or script for a Content-Security-Policy (level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _moment(moment: datetime) -> Moment:
    return Moment(rfc3339(moment), day(moment), clock(moment))


def _entry(row: Row, now: datetime) -> PageRow:
    subject = printable(row.subject)
    first = _FIRST_PART.match(subject)
    part = first[0] if first else ""
    attribute, _, name = part.partition("=")
    source, *others = (shortened(printable(source), 200) for source in row.sources[: MAX_SOURCES + 1])
    return PageRow(
        status=row.status.value,
        kind=NOUNS[row.kind],
        subject=shortened(subject, 2000),
        attribute=shortened(attribute, 60),
        name=shortened(name, 120),
        rest=shortened(subject[len(part) + 1 :], 120),
        issuer=shortened(printable(row.issuer)),
        serial=shortened(row.serial_hex),
        fingerprint=row.fingerprint_sha256,
        begin=_moment(row.not_before),
        end=_moment(row.not_after),
        outlook=outlook(row, now),
        is_valid_yet=row.not_before <= now,
        source=source,
        other_sources=others,
        sources_left_out=max(0, len(row.sources) - MAX_SOURCES - 1),
    )


def _groups(entries: Sequence[PageRow], scan: Scan) -> list[Group]:
    """Return the urgent rows in groups: what to do now, and what to plan."""
    groups = []
    for status, (title, advice) in _ADVICE.items():
        number, listed = scan.counts()[status], [entry for entry in entries if entry.status == status]
        shown = listed[:MAX_URGENT]
        if number:
            groups.append(Group(title, advice, shown, number - len(shown), is_listed=len(listed) == number))
    return groups
