"""Use case: looking at many places for certificates, and judging how near their expiry is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.core import expiry, names
from certkit.core.objects import short_reason
from certkit.core.printable import printable
from certkit.findings import Status, roll_up
from certkit.sources.base import Failure, Passed, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from certkit.core.expiry import Thresholds
    from certkit.sources.base import Source


@dataclass(slots=True)
class Row:
    """One certificate, judged, with every place where it was seen."""

    subject: str
    issuer: str
    serial: str
    fingerprint_sha256: str
    not_before: datetime
    not_after: datetime
    days_left: int
    status: Status
    sources: list[str]


@dataclass(slots=True)
class Scan:
    """What a scan found: certificates, failures, and the files without anything to watch."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """The roll-up; a failure is unknown, and so is having found nothing at all."""
        statuses = [row.status for row in self.rows] + [Status.UNKNOWN for _ in self.failures]
        return roll_up(statuses) if statuses else Status.UNKNOWN

    def counts(self) -> dict[str, int]:
        """How many certificates have each status; failures count as unknown."""
        counted = {status.value: 0 for status in (Status.OK, Status.WARNING, Status.CRITICAL)}
        for row in self.rows:
            counted[row.status.value] += 1
        return {**counted, Status.UNKNOWN.value: len(self.failures)}


def scan(sources: Iterable[Source], thresholds: Thresholds, *, now: datetime, leaf_only: bool = False) -> Scan:
    """Look at every source; one row for each certificate, however often it is seen.

    With `leaf_only`, only the first certificate of each bundle counts.
    """
    result = Scan()
    rows: dict[bytes, Row] = {}
    for source in sources:
        for found in source.look():
            if isinstance(found, Failure):
                result.failures.append(found)
            elif isinstance(found, Passed):
                result.passed.append(found.source)
            elif found.is_leaf or not leaf_only:
                _add(found, rows, result, thresholds, now)
    result.rows = list(rows.values())
    return result


def _add(found: Sighting, rows: dict[bytes, Row], result: Scan, thresholds: Thresholds, now: datetime) -> None:
    from cryptography.hazmat.primitives.hashes import SHA256

    fingerprint = found.certificate.fingerprint(SHA256())
    if fingerprint in rows:
        if found.source not in rows[fingerprint].sources:
            rows[fingerprint].sources.append(found.source)
        return
    try:
        rows[fingerprint] = _row(found, fingerprint, thresholds, now)
    except Exception as error:  # noqa: BLE001  a field of a hostile certificate may raise when it is read
        reason = printable(short_reason(error))
        result.failures.append(
            Failure(found.source, f"cannot read, {found.source}: a certificate's fields: {reason}", "get it again")
        )


def _row(found: Sighting, fingerprint: bytes, thresholds: Thresholds, now: datetime) -> Row:
    certificate = found.certificate
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Row(
        subject=names.distinguished_name(certificate.subject),
        issuer=names.distinguished_name(certificate.issuer),
        serial=names.serial_hex(certificate.serial_number),
        fingerprint_sha256=fingerprint.hex(),
        not_before=begin,
        not_after=end,
        days_left=expiry.days_left(end, now),
        status=thresholds.judge(not_before=begin, not_after=end, now=now),
        sources=[found.source],
    )
