"""Results as JSON documents, by the contract of the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from certkit.findings import Status, exit_code, roll_up
from certkit.times import rfc3339
from certkit.x509 import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.csr.create import MadeRequest
    from certkit.csr.keyfile import MadeKey
    from certkit.errors import CertkitError
    from certkit.expiry.scan import Found, Row, Scan
    from certkit.findings import Finding
    from certkit.identity.overview import GenerationView, Overview, Unread
    from certkit.probe import Probe
    from certkit.x509.spki import KeyFacts

Document = dict[str, Any]


def render(document: object) -> str:
    """Render one JSON document; ASCII only, so that it is safe in every terminal and locale."""
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def error(failure: CertkitError) -> Document:
    """Render a failure, as printed with exit code 3."""
    return {"status": Status.UNKNOWN.value, "error": {"message": failure.message, "hint": failure.hint}}


def checks(findings: Iterable[Finding]) -> list[Document]:
    """Findings as `{"id", "status", "message", "hint"}`."""
    return [asdict(finding) for finding in findings]


def key(facts: KeyFacts) -> Document:
    """A key as `{"type", "bits", "spki_sha256"}`."""
    return asdict(facts)


def judged(status: Status, subject: str | None, findings: Iterable[Finding]) -> Document:
    """The result of `csr check` and `verify`, and part of that of `probe`; an unknown one begins with the reason."""
    listed = list(findings)
    document: Document = {"status": status.value, "subject": subject, "checks": checks(listed)}
    if exit_code(status) == exit_code(Status.UNKNOWN):
        first = next(finding for finding in listed if finding.status is Status.UNKNOWN)
        document["error"] = {"message": f"{first.id}: {first.message}", "hint": first.hint}
    return document


def judged_by(status: Status, subject: str | None, by_policy: Sequence[tuple[str, Sequence[Finding]]]) -> Document:
    """The result of `csr check`; with several policies, each check names its own, and `policies` has their statuses."""
    findings = [finding for _, found in by_policy for finding in found]
    document = judged(status, subject, findings)
    if len(by_policy) > 1:
        named = [name for name, found in by_policy for _ in found]
        document["checks"] = [{**each, "policy": name} for each, name in zip(document["checks"], named, strict=True)]
        document["policies"] = [
            {"policy": name, "status": roll_up(finding.status for finding in found).value} for name, found in by_policy
        ]
    return document


def evidence(chain: Iterable[tuple[str, datetime | None, datetime | None]], end: datetime | None) -> Document:
    """The evidence for a verdict of `verify`: the chain, leaf first, as names with dates, and its end of validity."""
    return {
        "path": [
            {"subject": name, "not_before": _moment(begin), "not_after": _moment(until)} for name, begin, until in chain
        ],
        "holds_until": _moment(end),
    }


def _moment(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def probed(probe: Probe) -> Document:
    """The result of `probe`, with the findings and what both sides presented; null if nothing was presented."""
    return {
        **judged(probe.status, probe.subject, probe.findings),
        "target": str(probe.target),
        "tls_version": probe.tls_version,
        "cipher": probe.cipher,
        "acceptable_cas": None if probe.accepted_cas is None else list(probe.accepted_cas),
        "server_chain": [each.subject.text for each in probe.server_chain],
        "server_not_after": _moment(probe.server_not_after),
        "client_not_after": _moment(probe.client_not_after),
    }


def made_key(made: MadeKey) -> Document:
    """The result of `key generate`."""
    return {
        "changed": made.changed,
        **key(made.facts),
        "path": str(made.path),
        "status": roll_up(finding.status for finding in made.checks).value,
        "checks": checks(made.checks),
    }


def made_request(made: MadeRequest, policy: str) -> Document:
    """The result of `csr create`; in a batch each has its `name`."""
    document = {
        "changed": made.changed,
        "csr_path": str(made.csr_path) if made.csr_path else None,
        "key_path": str(made.key_path) if made.key_path else None,
        "policy": policy,
        "subject": made.csr.subject,
        "key": key(made.csr.facts),
        "status": made.status.value,
        "checks": checks(made.checks),
    }
    return {"name": made.name, **document} if made.name else document


def scanned(scan: Scan) -> Iterator[str]:
    """The result of `expiry`, in parts: a document with a line for each certificate, because there may be many."""
    yield f'{{\n  "status": "{scan.status.value}",\n  "certificates": ['
    separator = "\n"
    for row in scan.rows:
        source, facts = _text(row.sources[0]), row.text or facts_of(row)
        yield f'{separator}    {{"source": {source}, "sources": {json.dumps(row.sources)}, {facts}}}'
        separator = ",\n"
    yield "\n  ]" if scan.rows else "]"
    rest: Document = {
        "errors": [{"source": each.source, "message": each.message, "reason": each.reason} for each in scan.failures],
        "counts": scan.counts(),
    }
    if scan.findings:
        rest["checks"] = checks(scan.findings)
    if scan.status is Status.UNKNOWN:
        message, hint = scan.trouble
        rest["error"] = {"message": message, "hint": hint}
    yield ",\n" + render(rest).removeprefix("{\n")


def sightings(found: Found) -> Iterator[str]:
    """The finds in some places as lines of JSON: one for each sighting and each failure."""
    for row in found.rows:
        yield f'{{"source": {_text(row.sources[0])}, {row.text or facts_of(row)}}}\n'
    for failure in found.failures:
        status = Status.UNKNOWN.value
        entry = {"source": failure.source, "status": status, "message": failure.message, "reason": failure.reason}
        yield json.dumps(entry) + "\n"


def facts_of(row: Row) -> str:
    """The facts of a certificate or CRL as the members of a JSON object; written by hand for speed."""
    return (
        f'"kind": "{row.kind.value}", "subject": {_text(row.subject)}, "issuer": {_text(row.issuer)}, '
        f'"serial": "{names.serial_hex(row.serial)}", "fingerprint_sha256": "{row.fingerprint.hex()}", '
        f'"not_before": "{rfc3339(row.not_before)}", "not_after": "{rfc3339(row.not_after)}", '
        f'"days_left": {row.days_left}, "status": "{row.status.value}"'
    )


_text = json.encoder.encode_basestring_ascii


def identity(found: Overview) -> Document:
    """The result of the commands that change or show one identity."""
    return {
        "name": found.name,
        "policy": found.policy,
        "changed": bool(found.changed),
        "status": found.status.value,
        "active": _generation(found.active),
        "pending": _generation(found.pending),
        "previous": _generation(found.previous),
        "next": found.next,
    }


def unread(found: Unread) -> Document:
    """An identity in a list that could not be loaded, or for which an operation failed."""
    return {
        "name": found.name,
        "changed": found.error.is_changed,
        **error(found.error),
        "status": found.status.value,
    }


def _generation(found: GenerationView | None) -> Document | None:
    if found is None:
        return None
    return {
        "generation": found.generation,
        "state": found.state.value,
        "certificate_name": found.certificate_name,
        "key_type": found.key_type,
        "spki_sha256": found.spki_sha256,
        "csr": found.csr,
        "not_before": _moment(found.not_before),
        "not_after": _moment(found.not_after),
        "days_left": found.days_left,
        "fingerprint_sha256": found.fingerprint_sha256,
    }
