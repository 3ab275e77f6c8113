"""The dates in certificates, CRLs and OCSP answers: read leniently, judged strictly (RFC 5280 section 4.1.2.5)."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from certkit.x509.der import Node

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18

_UTC_FORM = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})?")
_GENERALIZED_FORM = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?([.,]\d+)?(Z|[+-]\d{4})?")


def read(data: bytes, node: Node) -> tuple[datetime | Unreadable, tuple[str, ...]]:
    """Read a UTCTime or GeneralizedTime: the moment, and the rules that its form breaks."""
    return _read(node[0], data[node[2] : node[3]])


@functools.lru_cache(maxsize=256)
def _read(tag: int, value: bytes) -> tuple[datetime | Unreadable, tuple[str, ...]]:
    # The form that nearly every date has.
    if tag == UTC_TIME and len(value) == 13 and value[12] == 0x5A and value[:12].isdigit():
        return _moment(_full_year(int(value[:2])), value[2:12], b"Z"), ()
    if tag == UTC_TIME and (match := _UTC_FORM.fullmatch(value)):
        year, month, day, hour, minute, second, zone = match.groups()
        digits = month + day + hour + minute + (second or b"00")
        problems: tuple[str, ...] = () if second else ("UTCTime without seconds (RFC 5280 section 4.1.2.5.1)",)
        return _moment(_full_year(int(year)), digits, zone), problems + _zone_problems(zone)
    if tag == GENERALIZED_TIME and (match := _GENERALIZED_FORM.fullmatch(value)):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        digits = month + day + hour + (minute or b"00") + (second or b"00")
        problems = () if second else ("GeneralizedTime without seconds (RFC 5280 section 4.1.2.5.2)",)
        if fraction:
            problems += ("GeneralizedTime with a fraction of a second (RFC 5280 section 4.1.2.5.2)",)
        return _moment(int(year), digits, zone), problems + _zone_problems(zone)
    shown = value[:40].decode("latin-1")
    return Unreadable(f"{shown!r} is not a time (RFC 5280 section 4.1.2.5)"), ("not a time (RFC 5280 section 4.1.2.5)",)


def _full_year(year: int) -> int:
    return year + (1900 if year >= 50 else 2000)


def _zone_problems(zone: bytes | None) -> tuple[str, ...]:
    if zone == b"Z":
        return ()
    return ("a time that is not in UTC, with a Z (RFC 5280 section 4.1.2.5)",)


def _moment(year: int, digits: bytes, zone: bytes | None) -> datetime | Unreadable:
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 10, 2))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        if zone and zone != b"Z":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
            moment = moment - offset if zone[:1] == b"+" else moment + offset
    except (ValueError, OverflowError):
        text = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        return Unreadable(f"{text} is not a date that exists")
    return moment
