"""Use case: searching many places for certificates, and judging how near their expiry is."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from certkit import processes
from certkit.errors import InputError
from certkit.expiry import thresholds as expiry
from certkit.expiry.sources.base import Failure, Reason, ReportedFacts, Searched, Sighting
from certkit.findings import Status, roll_up
from certkit.printable import printable
from certkit.x509.certificate import Certificate
from certkit.x509.directory_name import Name
from certkit.x509.items import Kind
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from certkit.expiry.reminders import Reminders
    from certkit.expiry.sources.base import Seen, Source
    from certkit.expiry.thresholds import Thresholds
    from certkit.findings import Finding
    from certkit.x509.crl import Crl

# The number of files that are checked before their findings are passed on.
_FILES_AT_ONCE = 1000
_SIGHTINGS_AT_ONCE = 1000


class Judge(NamedTuple):
    """The rules for judging certificates, and the detail of their rows.

    With `leaf_only`, only the first certificate of each bundle counts. With `only_urgent`, certificates that are OK are
    counted, not described, unless `reminders` may concern them. With `with_labels`, rows carry the attributes of their
    names one by one, for metrics. With `render`, rows carry their own description and little else: it is made in the
    process that makes the row.
    """

    thresholds: Thresholds
    now: datetime
    leaf_only: bool = False
    only_urgent: bool = False
    reminders: Reminders | None = None
    with_labels: bool = False
    render: Callable[[Row], str] | None = None


class Row(NamedTuple):
    """One certificate or revocation list, judged, with every place where it was seen.

    Of a revocation list, the subject is its issuer, the serial its CRL number (0 without one), and it ends with its
    next update. `note` has more about one that is not ok, `text` is the result of `Judge.render`.
    """

    kind: Kind
    subject: str
    issuer: str
    serial: int
    fingerprint: bytes
    not_before: datetime
    not_after: datetime
    days_left: int
    status: Status
    sources: list[str]
    labels: Mapping[str, str] | None = None
    note: str = ""
    text: str = ""

    @property
    def fingerprint_sha256(self) -> str:
        """The fingerprint in lower-case hex."""
        return self.fingerprint.hex()

    @property
    def serial_hex(self) -> str:
        """The serial number as lower-case hex of even length."""
        from certkit.x509.names import serial_hex

        return serial_hex(self.serial)


class Found:
    """The finds in some of the places: one row per sighting, failures, and counts of the rest.

    `quiet` counts what is OK and not described, `left_out` what was not requested.
    """

    def __init__(self, failures: Iterable[Failure] = ()) -> None:
        """Begin with failures only."""
        self.rows: list[Row] = []
        self.failures = list(failures)
        self.skipped: list[str] = []
        self.quiet = self.left_out = 0
        self.searched: list[Searched] = []

    def condense(self) -> None:
        """Drop the rows except one of each status, which is enough to roll up."""
        self.rows = list({row.status: row for row in self.rows}.values())

    @property
    def places(self) -> int:
        """The number of certificates and other sightings, to show progress in a long scan."""
        return len(self.rows) + len(self.failures) + len(self.skipped) + self.quiet + self.left_out


@dataclass(slots=True)
class Scan:
    """The result of a scan: certificates, failures, and files without certificates.

    `quiet` counts sightings of certificates that are OK and need no description. `findings` are about the means of the
    scan, such as the file of a private key.
    """

    now: datetime
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    quiet: int = 0
    is_interrupted: bool = field(default=False, kw_only=True)
    findings: Sequence[Finding] = field(default=(), kw_only=True)

    @property
    def found_nothing(self) -> bool:
        """Whether nothing at all was found, which is never OK."""
        return not self.rows and not self.quiet and not self.failures

    @property
    def status(self) -> Status:
        """The roll-up; a failure is unknown, and so is an empty result."""
        if self.is_interrupted or self.found_nothing:
            return Status.UNKNOWN
        failed = [Status.UNKNOWN] if self.failures else []
        return roll_up([*failed, *(row.status for row in self.rows), *(each.status for each in self.findings)])

    @property
    def trouble(self) -> tuple[str, str]:
        """Why the status is unknown, where it is: a message and a hint."""
        if self.is_interrupted:
            return "interrupted: only some of the sources were checked", "run it again"
        if self.failures:
            return self.failures[0].message, self.failures[0].hint
        return "no certificate found", "check the sources; -v lists the files that were skipped"

    def counts(self) -> dict[str, int]:
        """The number of certificates of each status; failures count as unknown."""
        counted = {status.value: 0 for status in (Status.OK, Status.WARNING, Status.CRITICAL)}
        for row in self.rows:
            counted[row.status.value] += 1
        counted[Status.OK.value] += self.quiet
        return {**counted, Status.UNKNOWN.value: len(self.failures)}

    @property
    def by_urgency(self) -> list[Row]:
        """The rows in order of urgency: the worst first, then the earliest to expire."""
        order = {Status.CRITICAL: 0, Status.WARNING: 1, Status.OK: 2}
        return sorted(self.rows, key=lambda row: (order[row.status], row.not_after, row.sources[0]))


def scan(found: Iterable[Found], *, now: datetime, findings: Sequence[Finding] = ()) -> Scan:
    """Return one row for each certificate, however often it is seen; on an interrupt, the finds so far."""
    result = Scan(now, findings=findings)
    rows: dict[bytes, Row] = {}
    try:
        for part in found:
            result.failures += part.failures
            result.skipped += part.skipped
            result.quiet += part.quiet
            for row in part.rows:
                known = rows.setdefault(row.fingerprint, row)
                if known is not row:
                    known.sources.extend(row.sources)
    except KeyboardInterrupt:
        result.is_interrupted = True
    result.rows = list(rows.values())
    for row in result.rows:
        if len(row.sources) > 1:
            row.sources[:] = dict.fromkeys(row.sources)
    return result


def look(sources: Iterable[Source], judge: Judge, *, may_fork: bool = True) -> Iterator[Found]:
    """Check every source, part by part; many files are read by all processors, if this process may fork."""
    elsewhere: list[Source] = []
    portions: list[list[Source]] = []
    filled = _FILES_AT_ONCE
    for source in sources:
        weight = source.weight
        if weight == 0:
            elsewhere.append(source)
            continue
        if filled >= _FILES_AT_ONCE and (may_fork or not portions):
            portions.append([])
            filled = 0
        portions[-1].append(source)
        filled += weight
    searched: dict[str, bool] = {}
    for found in _look_in_turn(portions, elsewhere, judge):
        for origin, has_found in found.searched:
            searched[origin] = searched.get(origin, False) or has_found
        yield found
    barren = [origin for origin, has_found in searched.items() if not has_found]
    if barren:
        hint = "check the sources; -v lists the files that were skipped"
        yield Found(
            Failure(each, f"no certificate found in {each}", hint, Reason.NO_CERTIFICATE_FOUND) for each in barren
        )


def _look_in_turn(portions: Sequence[Sequence[Source]], others: Sequence[Source], judge: Judge) -> Iterator[Found]:
    """Check files by the portion, in several processes, and then the other sources one by one."""

    def judged(portion: Sequence[Source]) -> Iterator[Found]:
        return _judged((seen for source in portion for seen in source.look()), judge, at_once=_SIGHTINGS_AT_ONCE)

    try:
        yield from processes.stream(judged, portions)
    except processes.ChildError as error:
        message = f"cannot check every source: {error.message}"
        yield Found([Failure("files", message, error.hint, Reason.READ_FAILED)])
    for source in others:
        try:
            yield from _judged(source.look(), judge, at_once=1)
        except (OSError, RuntimeError) as error:  # the system has no thread, file or memory left
            message = f"cannot check every source: {error}"
            hint = "raise this process's resource limits (ulimit)"
            yield Found([Failure("hosts", message, hint, Reason.READ_FAILED)])


def _judged(sightings: Iterator[Seen], judge: Judge, *, at_once: int) -> Iterator[Found]:
    """Yield judged sightings in portions, so that memory does not grow with the size of a place."""
    calm = _calm_from(judge)
    is_over = False
    while not is_over:
        found, number = Found(), 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for seen in sightings:
                    number += _note_seen(seen, judge, found, calm)
                    if number >= at_once:
                        break
                else:
                    is_over = True
        except KeyboardInterrupt:
            yield found
            raise
        yield found


def _calm_from(judge: Judge) -> datetime | None:
    """Return the expiry from which on any certificate is OK and needs no description, if it is the same for all."""
    warn, critical = judge.thresholds.warn.fixed, judge.thresholds.critical.fixed
    if judge.only_urgent and judge.reminders is None and warn is not None and critical is not None:
        with contextlib.suppress(OverflowError):
            return judge.now + max(warn, critical)
    return None


def _note_seen(seen: Seen, judge: Judge, found: Found, calm: datetime | None) -> int:
    """Add a portion to the finds; return the number of objects in it."""
    if isinstance(seen, Sighting):
        values = seen.values
        if judge.leaf_only:
            values = values[: 1 if seen.is_first else 0]
            found.left_out += len(seen.values) - len(values)
        for each in values:
            if calm is not None and isinstance(each, Certificate):
                begin, end = each.not_before, each.not_after
                if isinstance(begin, datetime) and isinstance(end, datetime) and begin <= judge.now and calm <= end:
                    found.quiet += 1
                    continue
            _judge(seen.source, each, judge, found)
        return len(seen.values)
    if isinstance(seen, Searched):
        found.searched.append(seen)
    elif isinstance(seen, Failure):
        found.failures.append(seen)
    else:
        found.skipped.append(seen.source)
    return 1


def _judge(source: str, value: Certificate | Crl | ReportedFacts, judge: Judge, found: Found) -> None:
    """Judge one sighting, and add it to the finds."""
    now = judge.now
    is_certificate = isinstance(value, (Certificate, ReportedFacts))
    try:
        begin, end = _dates(value)
        status = judge.thresholds.judge(not_before=begin, not_after=end, now=now, is_list=not is_certificate)
        if judge.only_urgent and status is Status.OK:
            reminders = judge.reminders
            if reminders is None or not reminders.concerns(not_before=begin, not_after=end, now=now):
                found.quiet += 1
                return
        # The fields to show, each of which may turn out to be unreadable.
        subject, issuer, serial = _shown(value)
        labels = _labels(value) if judge.with_labels else None
        note = ""
        if status is not Status.OK and isinstance(value, Certificate):
            from certkit.verify import partner

            if partner.public_client(value):
                note = "of a public CA: cannot be renewed as a client certificate"
        fingerprint, left = value.fingerprint, expiry.days_left(end, now)
    except InputError as error:
        message = f"cannot read {printable(source)}: {error.message}"
        found.failures.append(Failure(source, message, error.hint, Reason.DECODE_FAILED))
        return
    kind, sources = Kind.CERTIFICATE if is_certificate else Kind.CRL, [source]
    row = Row(kind, subject, issuer, serial, fingerprint, begin, end, left, status, sources, labels, note)
    if judge.render is not None:
        row = Row(kind, "", "", 0, fingerprint, now, now, left, status, sources, text=judge.render(row))
    found.rows.append(row)


def _shown(value: Certificate | Crl | ReportedFacts) -> tuple[str, str, int]:
    """Return the subject, the issuer, and the serial number; of a list its issuer twice, and its number."""
    if isinstance(value, Certificate):
        return value.display_name, value.issuer.text, value.serial
    if isinstance(value, ReportedFacts):
        return value.subject, value.issuer, value.serial
    issuer = value.issuer.text
    return issuer, issuer, value.number if isinstance(value.number, int) else 0


def _dates(value: Certificate | Crl | ReportedFacts) -> tuple[datetime, datetime]:
    """Return the beginning and the end of validity."""
    what, (begin, end) = (
        ("certificate", (value.not_before, value.not_after))
        if isinstance(value, Certificate | ReportedFacts)
        else ("revocation list", (value.this_update, value.next_update))
    )
    if isinstance(begin, datetime) and isinstance(end, datetime):
        return begin, end
    if end is None:
        raise InputError(
            "the CRL does not say when its next update is due (RFC 5280 section 5.1.2.5)",
            hint="ask the CA for a CRL with that date",
        )
    reason = next(each.reason for each in (begin, end) if isinstance(each, Unreadable))
    raise InputError(f"a date of the {what} cannot be read: {reason}", hint=f"ask the issuer for a correct {what}")


def _labels(value: Certificate | Crl | ReportedFacts) -> dict[str, str]:
    """Return the attributes of names one by one, by `subject_CN` and the like; several of a kind are joined.

    Where there is no subject, the first alternative name stands in for its CN.
    """
    labels: dict[str, list[str]] = {}
    subject = value.subject if isinstance(value, Certificate | ReportedFacts) else value.issuer
    for holder, name in (("subject", subject), ("issuer", value.issuer)):
        for attribute in (_parsed(name) if isinstance(name, str) else name).attributes:
            if attribute.text is not None:
                labels.setdefault(f"{holder}_{attribute.name}", []).append(printable(attribute.text))
    if isinstance(value, Certificate) and value.subject.is_empty:
        labels["subject_CN"] = [value.display_name.partition(":")[2].partition(",")[0]]
    return {label: ",".join(values) for label, values in labels.items()}


def _parsed(text: str) -> Name:
    """Return a name from RFC 4514 text; an empty one if it cannot be parsed (it may be truncated)."""
    from cryptography import x509

    from certkit.x509 import foreign

    found = foreign.attempt(lambda _: x509.Name.from_rfc4514_string(text).public_bytes(), b"")
    return Name(found or bytes.fromhex("3000"))
