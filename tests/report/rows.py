"""Rows and failures of a scan, judged as `certkit expiry` judges them: 28 days a warning, 7 days critical."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from certkit.durations import Duration
from certkit.expiry.scan import Row
from certkit.expiry.sources.base import Failure, Reason
from certkit.expiry.thresholds import Thresholds, days_left
from certkit.x509.items import Kind
from tests.pki import DAY, NOW

if TYPE_CHECKING:
    from datetime import datetime

_THRESHOLDS = Thresholds(Duration.parse("28d"), Duration.parse("7d"))


def certificate(
    days: float,
    subject: str = "CN=acme-client-id,O=Acme Ltd",
    *,
    sources: tuple[str, ...] = ("acme.pem",),
    serial: int = 0x4A3F,
    begin: datetime | None = None,
) -> Row:
    """A certificate with that many days left of the 365 it lives, or valid from another moment."""
    end = NOW + days * DAY
    begin = begin or end - 365 * DAY
    return Row(
        kind=Kind.CERTIFICATE,
        subject=subject,
        issuer="CN=Partner Issuing CA,O=Partner",
        serial=serial,
        fingerprint=hashlib.sha256(f"{subject} {days}".encode("utf-8", "surrogatepass")).digest(),
        not_before=begin,
        not_after=end,
        days_left=days_left(end, NOW),
        status=_THRESHOLDS.judge(not_before=begin, not_after=end, now=NOW),
        sources=list(sources),
    )


def revocation_list(days: float) -> Row:
    """A revocation list that lives for a week, with that many days left."""
    end, subject = NOW + days * DAY, "CN=Partner Root CA,O=Partner"
    begin = end - 7 * DAY
    return Row(
        kind=Kind.CRL,
        subject=subject,
        issuer=subject,
        serial=7,
        fingerprint=hashlib.sha256(f"list {days}".encode()).digest(),
        not_before=begin,
        not_after=end,
        days_left=days_left(end, NOW),
        status=_THRESHOLDS.judge(not_before=begin, not_after=end, now=NOW, is_list=True),
        sources=["partner.crl"],
    )


def failure(source: str = "locked.p12") -> Failure:
    """A file that could not be looked at."""
    hint = "give its passphrase with --passphrase-file"
    return Failure(source, f"cannot read {source}: it is locked", hint, Reason.BAD_PASSPHRASE)
