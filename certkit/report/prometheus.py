"""Results as metrics in the text format of Prometheus, for node_exporter's textfile collector.

Names and labels of `x509_…` are those of x509-certificate-exporter (its docs/metrics.md), so that its dashboards and
alerts work; the label `source` and the metrics `certkit_…` are our own. The collector takes no timestamps, and refuses
the whole file if two series are alike.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

from certkit.expiry.sources.base import Reason
from certkit.printable import printable
from certkit.report import needs
from certkit.report.words import shortened
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from certkit.expiry.scan import Row, Scan

    # The values of `_LABELS`, with the certificate or revocation list that was seen there.
    Series = Mapping[tuple[str, ...], Row]
    Sample = tuple[dict[str, str], float]

MEANINGS = {
    "x509_cert_not_after": "When the certificate expires, in Unix seconds.",
    "x509_cert_not_before": "When the certificate becomes valid, in Unix seconds.",
    "x509_cert_expired": "1 if the certificate had expired when certkit ran.",
    "x509_crl_next_update": "When the revocation list goes stale, in Unix seconds.",
    "x509_crl_this_update": "When the revocation list was issued, in Unix seconds.",
    "x509_crl_stale": "1 if the revocation list was stale when certkit ran.",
    "x509_cert_error": "1 if certkit could not check the source, 0 if it could.",
    "certkit_last_run_timestamp_seconds": "When certkit ran, in Unix seconds.",
    "certkit_certificates": "Certificates and revocation lists by status; unknown: what could not be checked.",
    "certkit_errors": "Sources that certkit could not check, by reason.",
}

_ATTRIBUTES = tuple(f"{name}_{part}" for name in ("subject", "issuer") for part in ("C", "ST", "L", "O", "OU", "CN"))
_ALWAYS = ("filename", "filepath", "source", "serial_number", *_ATTRIBUTES)
_LABELS = (*_ALWAYS, "crl_number", "discriminator")
_NO_FILE = re.compile(r"[a-z]+://.*|identity:.*|[^/]+:\d{1,5}|standard input", re.DOTALL)

# Serial numbers have 160 bits at most (RFC 5280 section 4.1.2.2), in good faith.
_LONGEST_DECIMAL_BITS = 512

# The number of samples written at once: the library holds each of them several times over.
_SAMPLES_AT_ONCE = 1000


def render(scan: Scan) -> Iterator[str]:
    """Yield the metrics piece by piece: the whole may take ten times as much memory as the scan.

    Raises:
        InputError: if the package prometheus-client is not installed.
    """
    for name, samples in _metrics(scan):
        rest, comment = iter(samples), ""
        while portion := list(islice(rest, _SAMPLES_AT_ONCE)):
            text = _portion(name, portion)
            yield text.removeprefix(comment)
            comment = text[: text.index(f"\n{name}") + 1]  # the two lines of comment, once


def _metrics(scan: Scan) -> Iterator[tuple[str, Iterable[Sample]]]:
    series = _series(scan.rows)
    certificates = {labels: row for labels, row in series.items() if row.kind is Kind.CERTIFICATE}
    lists = {labels: row for labels, row in series.items() if row.kind is Kind.CRL}
    yield "x509_cert_not_after", _samples(certificates, lambda row: row.not_after.timestamp())
    yield "x509_cert_not_before", _samples(certificates, lambda row: row.not_before.timestamp())
    yield "x509_cert_expired", _samples(certificates, lambda row: row.not_after < scan.now)
    yield "x509_crl_next_update", _samples(lists, lambda row: row.not_after.timestamp())
    yield "x509_crl_this_update", _samples(lists, lambda row: row.not_before.timestamp())
    yield "x509_crl_stale", _samples(lists, lambda row: row.not_after < scan.now)
    failures = sorted({(*_location(failure.source), failure.reason.value) for failure in scan.failures})
    nothing, place = dict.fromkeys(_ALWAYS, ""), ("filename", "filepath", "source", "reason")
    failed_series: Iterator[Sample] = ((nothing | dict(zip(place, each, strict=True)), 1) for each in failures)
    yield "x509_cert_error", chain(failed_series, _samples(series, lambda _: 0))
    yield "certkit_last_run_timestamp_seconds", [({}, scan.now.timestamp())]
    yield "certkit_certificates", [({"status": status}, number) for status, number in scan.counts().items()]
    failed = Counter(failure.reason for failure in scan.failures)
    yield "certkit_errors", [({"reason": reason.value}, failed[reason]) for reason in Reason]


def _series(rows: Iterable[Row]) -> Series:
    """Return every sighting by its labels, first to expire first; no two have the same labels.

    Of different certificates that look alike in one place, all but the first have a fingerprint as their discriminator.
    """
    found: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda row: (row.not_after, row.fingerprint)):
        described = _description(row)
        for source in row.sources:
            labels = (*_location(source), *described, "")
            if found.setdefault(labels, row).fingerprint != row.fingerprint:
                found[*labels[:-1], row.fingerprint_sha256] = row
    return found


def _location(source: str) -> tuple[str, str, str]:
    """Return the labels `filename`, `filepath` and `source`; a place other than a file has only the last."""
    shown = printable(source)
    if _NO_FILE.fullmatch(source):
        return "", "", shown
    return shown.rpartition("/")[2], shown, shown


def _description(row: Row) -> tuple[str, ...]:
    """Return the labels from `serial_number` to `crl_number`; a revocation list has no serial number and no subject."""
    found = row.labels or {}
    attributes = [shortened(printable(found.get(name, ""))) for name in _ATTRIBUTES]
    if row.kind is not Kind.CRL:
        return (_decimal(row.serial), *attributes, "")
    issuer = (value if name.startswith("issuer") else "" for name, value in zip(_ATTRIBUTES, attributes, strict=True))
    return ("", *issuer, _decimal(row.serial))


def _decimal(number: int) -> str:
    """Return a number in decimal; in hexadecimal if it is too long for Python to write in decimal."""
    return str(number) if number.bit_length() <= _LONGEST_DECIMAL_BITS else shortened(f"{number:#x}")


def _samples(series: Series, value: Callable[[Row], float]) -> Iterator[Sample]:
    """Yield labels by name and a value; labels that x509-certificate-exporter always writes may be empty."""
    for labels, row in series.items():
        yield {name: each for name, each in zip(_LABELS, labels, strict=True) if each or name in _ALWAYS}, value(row)


def _portion(name: str, samples: Iterable[Sample]) -> str:
    with needs("prometheus-client", what="metrics for Prometheus"):
        from prometheus_client import CollectorRegistry, Metric, generate_latest

    metric = Metric(name, MEANINGS[name], "gauge")
    for labels, value in samples:
        metric.add_sample(name, labels, value)

    class Registry(CollectorRegistry):
        def collect(self) -> Iterator[Metric]:
            yield metric

    return generate_latest(Registry()).decode()
