"""Use case: looking at many places for certificates, and judging how near their expiry is."""

from __future__ import annotations

import contextlib
import itertools
import operator
import warnings
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from certkit import processes
from certkit.expiry import thresholds as expiry
from certkit.expiry.sources.base import Failure, ListSighting, Passed, Reason, Searched, Sighting
from certkit.findings import Status, roll_up
from certkit.printable import printable
from certkit.x509 import der as tlv
from certkit.x509 import names
from certkit.x509.objects import Kind, short_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.expiry.reminders import Reminders
    from certkit.expiry.sources.base import KnownSighting, Seen, Source
    from certkit.expiry.thresholds import Thresholds
    from certkit.findings import Finding

# So many files are looked at before their findings are handed on.
_FILES_AT_ONCE = 1000
_SIGHTINGS_AT_ONCE = 1000
_MAX_ISSUERS = 1000


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
    _issuers: dict[bytes, str] = field(default_factory=dict, repr=False, compare=False)

    def issuer(self, certificate: x509.Certificate, der: bytes) -> str:
        """The issuer of a certificate as text: few CAs issue many certificates, so it is remembered by its bytes."""
        raw = tlv.issuer_of(der)
        if raw not in self._issuers and len(self._issuers) < _MAX_ISSUERS:
            self._issuers[raw] = names.distinguished_name(certificate.issuer)
        return self._issuers.get(raw) or names.distinguished_name(certificate.issuer)

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
    next update.
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
        return names.serial_hex(self.serial)


_FIELDS = operator.attrgetter(*(each.name for each in fields(Row)))


@dataclass(slots=True)
class Found:
    """What was found in some of the places: one row a sighting, failures, and what there is no more to say of.

    `quiet` counts what is well and not described, `left_out` what nobody asked for. `searched` tells of directories and
    patterns whether anything came to light there.
    """

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    quiet: int = 0
    left_out: int = 0
    searched: dict[str, bool] = field(default_factory=dict)

    def condensed(self) -> Found:
        """The same without the rows, but for one of each status: enough to roll up, and small."""
        return replace(self, rows=list({row.status: row for row in self.rows}.values()))

    @property
    def places(self) -> int:
        """How many certificates and other places this is, for those who watch a long scan."""
        return len(self.rows) + len(self.failures) + len(self.passed) + self.quiet + self.left_out


@dataclass(slots=True)
class Scan:
    """What a scan found: certificates, failures, and the files without anything to watch.

    `quiet` counts sightings of certificates that are well and that nobody wanted described. `findings` are about what
    it was done with, such as the file of a private key.
    """

    now: datetime
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
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
            return "interrupted: only a part was looked at", "run it again"
        if self.failures:
            return self.failures[0].message, self.failures[0].hint
        return "no certificate found", "check the sources; -v lists what was passed over"

    def counts(self) -> dict[str, int]:
        """How many certificates have each status; failures count as unknown."""
        counted = {status.value: 0 for status in (Status.OK, Status.WARNING, Status.CRITICAL)}
        for row in self.rows:
            counted[row.status.value] += 1
        counted[Status.OK.value] += self.quiet
        return {**counted, Status.UNKNOWN.value: len(self.failures)}

    @property
    def by_urgency(self) -> list[Row]:
        """The rows in the order in which somebody has to act: worse first, then what ends first."""
        order = {Status.CRITICAL: 0, Status.WARNING: 1, Status.OK: 2}
        return sorted(self.rows, key=lambda row: (order[row.status], row.not_after, row.sources[0]))


def scan(found: Iterable[Found], *, now: datetime, findings: Sequence[Finding] = ()) -> Scan:
    """One row for each certificate, however often it is seen; what was found so far when the user interrupts."""
    result = Scan(now, findings=tuple(findings))
    rows: dict[bytes, Row] = {}
    try:
        for part in found:
            result.failures += part.failures
            result.passed += part.passed
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
        message = f"cannot look everywhere: {error.message}"
        yield Found(failures=[Failure("files", message, error.hint, Reason.READ_FAILED)])


def _one_by_one(parts: Sequence[Source], judge: Judge) -> Iterator[Found]:
    for part in parts:
        try:
            yield from _gather(part.look(), judge, at_once=1)
        except (OSError, RuntimeError) as error:  # the system has no thread, file or memory left
            message = f"cannot look everywhere: {short_reason(error)}"
            hint = "raise the limits of this process"
            yield Found(failures=[Failure("hosts", message, hint, Reason.READ_FAILED)])


def _barren(origin: str) -> Failure:
    hint = "check the sources; -v lists what was passed over"
    message = f"cannot find, {origin}: there is no certificate in it"
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
            elif isinstance(found, Passed):
                result.passed.append(found.source)
            elif isinstance(found, ListSighting) or found.is_leaf or not judge.leaf_only:
                _add(found, result, judge)
            else:
                result.left_out += 1
    return is_over


def _add(found: Sighting | KnownSighting | ListSighting, result: Found, judge: Judge) -> None:
    try:
        row = _judged(found, judge) if isinstance(found, Sighting) else _judged_otherwise(found, judge)
    except Exception as error:  # noqa: BLE001  a field of a hostile certificate may raise when it is read
        what = "a revocation list's fields" if isinstance(found, ListSighting) else "a certificate's fields"
        message = f"cannot read, {found.source}: {what}: {printable(short_reason(error))}"
        result.failures.append(Failure(found.source, message, "get it again", Reason.DECODE_FAILED))
        return
    if row is None:
        result.quiet += 1
    else:
        result.rows.append(row)


def _judged(found: Sighting, judge: Judge) -> Row | None:
    """The row of a certificate, or None where there is nothing to be said of it."""
    certificate = found.certificate
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    status = judge.thresholds.judge(not_before=begin, not_after=end, now=judge.now)
    return None if judge.is_quiet(status, begin, end) else _certificate(found.source, certificate, status, judge)


def _judged_otherwise(found: KnownSighting | ListSighting, judge: Judge) -> Row | None:
    return _judged_list(found, judge) if isinstance(found, ListSighting) else _judged_facts(found, judge)


def _judged_facts(found: KnownSighting, judge: Judge) -> Row | None:
    """The row of a certificate of which the facts are known, or None where there is nothing to be said of it."""
    begin, end = found.not_before, found.not_after
    status = judge.thresholds.judge(not_before=begin, not_after=end, now=judge.now)
    return None if judge.is_quiet(status, begin, end) else _facts(found, status, judge)


def _judged_list(found: ListSighting, judge: Judge) -> Row | None:
    """The row of a revocation list, or None where there is nothing to be said of it."""
    begin, end = found.crl.last_update_utc, found.crl.next_update_utc
    if end is None:
        raise ValueError("the revocation list does not say when its next update is due (RFC 5280 section 5.1.2.5)")
    status = judge.thresholds.judge_list(this_update=begin, next_update=end, now=judge.now)
    return None if judge.is_quiet(status, begin, end) else _list(found.source, found.crl, end, status, judge)


def _certificate(source: str, found: x509.Certificate, status: Status, judge: Judge) -> Row:
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding

    begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    der = found.public_bytes(Encoding.DER)
    return Row(
        kind=Kind.CERTIFICATE,
        subject=names.distinguished_name(found.subject),
        issuer=judge.issuer(found, der),
        serial=found.serial_number,
        fingerprint=hashlib.sha256(der).digest(),
        not_before=begin,
        not_after=end,
        days_left=expiry.days_left(end, judge.now),
        status=status,
        sources=[source],
        labels=_labels(subject=found.subject, issuer=found.issuer) if judge.with_labels else None,
    )


def _facts(found: KnownSighting, status: Status, judge: Judge) -> Row:
    return Row(
        kind=Kind.CERTIFICATE,
        subject=found.subject,
        issuer=found.issuer,
        serial=found.serial,
        fingerprint=found.fingerprint,
        not_before=found.not_before,
        not_after=found.not_after,
        days_left=expiry.days_left(found.not_after, judge.now),
        status=status,
        sources=[found.source],
        labels=_labels(**_parsed(subject=found.subject, issuer=found.issuer)) if judge.with_labels else None,
    )


def _parsed(**texts: str) -> dict[str, x509.Name]:
    """Names from RFC 4514 text; without one that is none, for it may have been cut."""
    from cryptography import x509

    parsed = {}
    for holder, text in texts.items():
        with contextlib.suppress(ValueError):
            parsed[holder] = x509.Name.from_rfc4514_string(text)
    return parsed


def _list(source: str, found: x509.CertificateRevocationList, end: datetime, status: Status, judge: Judge) -> Row:
    from cryptography.hazmat.primitives.hashes import SHA256

    issuer = names.distinguished_name(found.issuer)
    return Row(
        kind=Kind.CRL,
        subject=issuer,
        issuer=issuer,
        serial=_crl_number(found),
        fingerprint=found.fingerprint(SHA256()),
        not_before=found.last_update_utc,
        not_after=end,
        days_left=expiry.days_left(end, judge.now),
        status=status,
        sources=[source],
        labels=_labels(subject=found.issuer, issuer=found.issuer) if judge.with_labels else None,
    )


def _crl_number(found: x509.CertificateRevocationList) -> int:
    from cryptography import x509

    try:
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, ValueError):
        return 0


def _labels(**holders: x509.Name) -> dict[str, str]:
    """The attributes of names one by one, by `subject_CN` and the like; several of a kind are joined."""
    labels: dict[str, list[str]] = {}
    for holder, name in holders.items():
        for attribute in names.attributes(name):
            labels.setdefault(f"{holder}_{attribute.name}", []).append(printable(attribute.value))
    return {label: ",".join(values) for label, values in labels.items()}
