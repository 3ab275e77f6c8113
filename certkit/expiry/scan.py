"""Use case: looking at many places for certificates, and judging how near their expiry is."""

from __future__ import annotations

import itertools
import operator
import warnings
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING

from certkit import processes
from certkit.errors import InputError
from certkit.expiry import thresholds as expiry
from certkit.expiry.sources.base import Failure, Reason, ReportedFacts, Searched, Skipped
from certkit.findings import Status, roll_up
from certkit.printable import printable
from certkit.x509.certificate import Certificate
from certkit.x509.directory_name import Name
from certkit.x509.items import Kind
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from certkit.expiry.reminders import Reminders
    from certkit.expiry.sources.base import Seen, Sighting, Source
    from certkit.expiry.thresholds import Thresholds
    from certkit.findings import Finding
    from certkit.x509.crl import Crl

# So many files are looked at before their findings are handed on.
_FILES_AT_ONCE = 1000
_SIGHTINGS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Judge:
    """How what is seen is judged, and how much is said of it.

    With `leaf_only`, only the first certificate of each bundle counts. With `only_urgent`, what is well is counted and
    not described, unless `reminders` may concern it. With `with_labels`, rows carry the attributes of
    their names one by one, as metrics want them.
    """

    thresholds: Thresholds
    now: datetime
    leaf_only: bool = False
    only_urgent: bool = False
    reminders: Reminders | None = None
    with_labels: bool = False

    def is_quiet(self, status: Status, not_before: datetime, not_after: datetime) -> bool:
        """Whether nothing is to be said of a certificate but that it is there."""
        if not self.only_urgent or status is not Status.OK:
            return False
        reminders = self.reminders
        return reminders is None or not reminders.concerns(not_before=not_before, not_after=not_after, now=self.now)


@dataclass(slots=True)
class Row:
    """One certificate or revocation list, judged, with every place where it was seen.

    Of a revocation list, the subject is its issuer, the serial its CRL number (0 without one), and it ends with its
    next update. `note` is what else to know about one that is not ok.
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

    def __reduce__(self) -> tuple[type[Row], tuple[object, ...]]:
        """The row as its fields alone: a tenth of a scan's time goes into handing rows from process to process."""
        return Row, _FIELDS(self)

    @property
    def fingerprint_sha256(self) -> str:
        """The fingerprint in lower-case hex."""
        return self.fingerprint.hex()

    @property
    def serial_hex(self) -> str:
        """The serial number as lower-case hex of even length."""
        from certkit.x509.names import serial_hex

        return serial_hex(self.serial)


_FIELDS = operator.attrgetter(*(each.name for each in fields(Row)))


@dataclass(slots=True)
class Found:
    """What was found in some of the places: one row a sighting, failures, and what there is no more to say of.

    `quiet` counts what is OK and not described, `left_out` what was not requested. `searched` tells of directories and
    patterns whether anything came to light there.
    """

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    quiet: int = 0
    left_out: int = 0
    searched: dict[str, bool] = field(default_factory=dict)

    def condensed(self) -> Found:
        """The same without the rows, but for one of each status: enough to roll up, and small."""
        return replace(self, rows=list({row.status: row for row in self.rows}.values()))

    @property
    def places(self) -> int:
        """How many certificates and other places this is, for those who watch a long scan."""
        return len(self.rows) + len(self.failures) + len(self.skipped) + self.quiet + self.left_out


@dataclass(slots=True)
class Scan:
    """What a scan found: certificates, failures, and the files without anything to watch.

    `quiet` counts sightings of certificates that are OK and need no description. `findings` are about what
    it was done with, such as the file of a private key.
    """

    now: datetime
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    quiet: int = 0
    is_interrupted: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def found_nothing(self) -> bool:
        """Whether nothing at all came to light, which is never well."""
        return not self.rows and not self.quiet and not self.failures

    @property
    def status(self) -> Status:
        """The roll-up; a failure is unknown, and so is having found nothing at all."""
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
        """How many certificates have each status; failures count as unknown."""
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
    """One row for each certificate, however often it is seen; what was found so far when the user interrupts."""
    result = Scan(now, findings=tuple(findings))
    rows: dict[bytes, Row] = {}
    try:
        for part in found:
            result.failures += part.failures
            result.skipped += part.skipped
            result.quiet += part.quiet
            for row in part.rows:
                known = rows.setdefault(row.fingerprint, row)
                if known is not row:
                    known.sources += row.sources
    except KeyboardInterrupt:
        result.is_interrupted = True
    for row in rows.values():
        if len(row.sources) > 1:
            row.sources = list(dict.fromkeys(row.sources))
    result.rows = list(rows.values())
    return result


def look(sources: Iterable[Source], judge: Judge, *, may_fork: bool = True) -> Iterator[Found]:
    """Look at every source, part by part; files in bulk are looked at by every processor, if this one may fork."""
    elsewhere: list[Source] = []
    portions: list[list[Source]] = []
    weight = _FILES_AT_ONCE
    for source in sources:
        for part in source.parts():
            if part.weight == 0:
                elsewhere.append(part)
                continue
            if weight >= _FILES_AT_ONCE:
                portions.append([])
                weight = 0
            portions[-1].append(part)
            weight += part.weight
    searched: dict[str, bool] = {}
    bulk = _in_bulk(portions if may_fork else [list(itertools.chain(*portions))], judge)
    for found in itertools.chain(bulk, _one_by_one(elsewhere, judge)):
        for origin, has_found in found.searched.items():
            searched[origin] = searched.get(origin, False) or has_found
        yield found
    barren = [origin for origin, has_found in searched.items() if not has_found]
    if barren:
        yield Found(failures=[_barren(origin) for origin in barren])


def _in_bulk(portions: Sequence[Sequence[Source]], judge: Judge) -> Iterator[Found]:
    try:
        yield from processes.stream(lambda portion: _look_at(portion, judge), portions)
    except processes.ChildError as error:
        message = f"cannot check every source: {error.message}"
        yield Found(failures=[Failure("files", message, error.hint, Reason.READ_FAILED)])


def _one_by_one(parts: Sequence[Source], judge: Judge) -> Iterator[Found]:
    for part in parts:
        try:
            yield from _gather(part.look(), judge, at_once=1)
        except (OSError, RuntimeError) as error:  # the system has no thread, file or memory left
            message = f"cannot check every source: {error}"
            hint = "raise this process's resource limits (ulimit)"
            yield Found(failures=[Failure("hosts", message, hint, Reason.READ_FAILED)])


def _barren(origin: str) -> Failure:
    hint = "check the sources; -v lists the files that were skipped"
    message = f"no certificate found in {origin}"
    return Failure(origin, message, hint, Reason.NO_CERTIFICATE_FOUND)


def _look_at(portion: Sequence[Source], judge: Judge) -> Iterator[Found]:
    return _gather((found for part in portion for found in part.look()), judge, at_once=_SIGHTINGS_AT_ONCE)


def _gather(sightings: Iterable[Seen], judge: Judge, *, at_once: int) -> Iterator[Found]:
    """What was seen, judged, some at a time, so that memory does not grow with the size of a place."""
    seen = iter(sightings)
    is_over = False
    while not is_over:
        found = Found()
        try:
            is_over = _judge_some(itertools.islice(seen, at_once), judge, found)
        except KeyboardInterrupt:
            yield found
            raise
        yield found


def _judge_some(sightings: Iterable[Seen], judge: Judge, result: Found) -> bool:
    """Judge what is seen, as it comes; whether nothing came any more."""
    is_over = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in sightings:
            is_over = False
            if isinstance(found, Searched):
                result.searched[found.origin] = result.searched.get(found.origin, False) or found.has_found
            elif isinstance(found, Failure):
                result.failures.append(found)
            elif isinstance(found, Skipped):
                result.skipped.append(found.source)
            elif found.is_leaf or not judge.leaf_only:
                _add(found, result, judge)
            else:
                result.left_out += 1
    return is_over


def _add(found: Sighting, result: Found, judge: Judge) -> None:
    try:
        row = _row(found, judge)
    except InputError as error:
        message = f"cannot read {printable(found.source)}: {error.message}"
        result.failures.append(Failure(found.source, message, error.hint, Reason.DECODE_FAILED))
        return
    if row is None:
        result.quiet += 1
    else:
        result.rows.append(row)


def _row(found: Sighting, judge: Judge) -> Row | None:
    """Return the row of what was seen, or None where there is nothing to say about it.

    Raises:
        InputError: if the dates cannot be read, or a field that is to be shown.
    """
    value = found.value
    begin, end = _dates(value)
    thresholds = judge.thresholds
    if isinstance(value, Certificate | ReportedFacts):
        status = thresholds.judge(not_before=begin, not_after=end, now=judge.now)
    else:
        status = thresholds.judge_list(this_update=begin, next_update=end, now=judge.now)
    if judge.is_quiet(status, begin, end):
        return None
    facts = value if isinstance(value, ReportedFacts) else _facts(value, begin, end)
    return Row(
        kind=facts.kind,
        subject=facts.subject,
        issuer=facts.issuer,
        serial=facts.serial,
        fingerprint=facts.fingerprint,
        not_before=begin,
        not_after=end,
        days_left=expiry.days_left(end, judge.now),
        status=status,
        sources=[found.source],
        labels=_labels(value) if judge.with_labels else None,
        note="" if status is Status.OK or not isinstance(value, Certificate) else _note(value),
    )


def _note(certificate: Certificate) -> str:
    """Return that a client certificate cannot be renewed as one; empty if it can."""
    from certkit.verify import partner

    return "of a public CA: cannot be renewed as a client certificate" if partner.public_client(certificate) else ""


def _dates(value: Certificate | Crl | ReportedFacts) -> tuple[datetime, datetime]:
    """Return from when and until when what was seen holds.

    Raises:
        InputError: if one of the dates is missing or cannot be read.
    """
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


def _facts(value: Certificate | Crl, begin: datetime, end: datetime) -> ReportedFacts:
    if isinstance(value, Certificate):
        return ReportedFacts(
            subject=value.display_name,
            issuer=value.issuer.text,
            serial=value.serial,
            fingerprint=value.fingerprint,
            not_before=begin,
            not_after=end,
        )
    issuer = value.issuer.text
    return ReportedFacts(
        kind=Kind.CRL,
        subject=issuer,
        issuer=issuer,
        serial=value.number if isinstance(value.number, int) else 0,
        fingerprint=value.fingerprint,
        not_before=begin,
        not_after=end,
    )


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
