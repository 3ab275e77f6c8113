"""Results as text for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from certkit.findings import Status
from certkit.printable import MAX_CHARACTERS, abridged, brief, printable
from certkit.report import words
from certkit.times import rfc3339
from certkit.x509.items import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.csr.create import MadeRequest
    from certkit.expiry.scan import Row, Scan
    from certkit.findings import Finding
    from certkit.identity.overview import GenerationView, Overview
    from certkit.policy.rules import Policy
    from certkit.probe import Probe
    from certkit.stores.record import Event

    Paint = Callable[[str, Status], str]

MAX_SANS = 20
MAX_OBJECTS = 100

_PLACE_WIDTH = 60
_STATUS_WIDTH = max(map(len, Status))
_ID_WIDTH = len("signature-algorithm")


def plain(text: str, _: Status) -> str:
    """Text without colour."""
    return text


def findings(
    title: str, status: Status, listed: Sequence[Finding], *, paint: Paint = plain, only_bad: bool = False
) -> str:
    """A verdict and its findings, one per line, each followed by its hint unless it is good."""
    lines = [f"{printable(title)}: {paint(status.value, status)}"]
    for finding in listed:
        if only_bad and finding.is_good:
            continue
        label = paint(finding.status.value.ljust(_STATUS_WIDTH), finding.status)
        lines.append(f"  {label}  {finding.id.ljust(_ID_WIDTH)}  {abridged(finding.message)}")
        if finding.hint and not finding.is_good:
            lines.append(f"{' ' * (_STATUS_WIDTH + _ID_WIDTH + 6)}-> {printable(finding.hint)}")
    return _text(lines)


def evidence(
    chain: Sequence[tuple[str, datetime | None, datetime | None]], end: datetime | None, *, at: datetime
) -> str:
    """The chain as a drawing, leaf first, as names with dates, and until when it is or was valid, as of a moment."""
    if end is None or len(chain) < 2:
        return ""
    drawn = []
    for depth, (name, begin, until) in enumerate(chain):
        mark = "   " * (depth - 1) + "└─ " if depth else ""
        drawn.append((mark + (brief(name) or "the certificate"), f"{_day(begin)} to {_day(until)}"))
    width = max(len(label) for label, _ in drawn)
    lines = [f"  {label.ljust(width)}  {dates}" for label, dates in drawn]
    return _text([*lines, f"  The chain {'is' if at <= end else 'was'} valid until {rfc3339(end)}."])


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "unreadable"


def probed(probe: Probe) -> str:
    """Return the certificates and TLS settings of both sides of a connection."""
    server = [brief(each.subject.text) for each in probe.server_chain]
    ends = (("server", probe.server_not_after), ("client", probe.client_not_after))
    lines = (
        [f"  TLS           {', '.join(filter(None, (probe.tls_version, probe.cipher)))}"] if probe.tls_version else []
    )
    lines += [f"  server chain  {' <- '.join(server)}"] if server else []
    lines += [f"  {side} until  {rfc3339(end)}" for side, end in ends if end is not None]
    if probe.accepted_cas is not None:
        shown = [*probe.accepted_cas[:MAX_SANS]] or ["no CA is named"]
        more = len(probe.accepted_cas) - MAX_SANS
        lines += [f"  accepts       {each}" for each in [*shown, *([f"and {more} more"] if more > 0 else [])]]
    return _text(lines)


def created(made: MadeRequest, policy: Policy) -> str:
    """Return what `csr create` did, and what a person does next."""
    if not made.changed:
        return f"{_path(made.key_path)} and {_path(made.csr_path)} already exist and match; nothing changed\n"
    lines = [
        f"key      {_path(made.key_path)}  {made.csr.facts.type}",
        f"CSR      {_path(made.csr_path)}  {printable(made.csr.subject)}",
        f"policy   {policy.name}  {made.status.value}, {sum(check.is_good for check in made.checks)} checks passed",
    ]
    if policy.portal.request_steps:
        lines.append(f"Next, in {printable(policy.portal.name)}:")
        lines += [f"  {number}. {printable(step)}" for number, step in enumerate(policy.portal.request_steps, 1)]
        lines.append("Keep the private key secret: only the CSR is submitted.")
    return _text(lines)


def objects(source: str, described: Sequence[dict[str, Any]], *, show_all: bool) -> str:
    """Return a paragraph for each object that `inspect` found in one source."""
    shown = described if show_all else described[:MAX_OBJECTS]
    lines = []
    for facts in shown:
        lines.append(f"{printable(source)}: {_KINDS[facts['kind']]}")
        lines += _facts(facts, show_all=show_all, indent="  ")
    if len(described) > len(shown):
        lines.append(f"{printable(source)}: and {len(described) - len(shown):,} more (--all)")
    return _text(lines)


_KINDS = {
    "private_key": "private key",
    "public_key": "public key",
    "csr": "CSR",
    "certificate": "certificate",
    "crl": "certificate revocation list",
    "pkcs12": "PKCS#12 bundle",
}
_LABELS = {
    "serial": "serial",
    "not_before": "valid from",
    "not_after": "valid until",
    "fingerprint_sha256": "SHA-256",
    "is_ca": "CA",
    "san": "names",
    "signature_valid": "signature",
    "this_update": "this update",
    "next_update": "next update",
    "revoked_count": "revoked",
    "key_usage": "key usage",
    "extended_key_usage": "purposes",
    "subject_key_identifier": "key id",
    "authority_key_identifier": "issuer key",
    "signature_algorithm": "signed with",
    "organization_identifier": "organization",
    "qualified_types": "qualified",
    "psd2_roles": "PSD2 roles",
    "psd2_authority": "authority",
    "psd2_authority_id": "authority id",
    "problems": "unreadable",
    "warnings": "warning",
    "deviations": "note",
}
_LABEL_WIDTH = 12
_SIGNATURES = {True: "valid", False: "INVALID", None: "cannot be verified"}


def _facts(facts: dict[str, Any], *, show_all: bool, indent: str) -> list[str]:
    lines = []
    for name, value in facts.items():
        if name == "kind" or (name == "key" and value is None and not facts.get("encrypted")):
            continue
        if name == "contents" and value is None:
            lines.append(f"{indent}locked; give its passphrase with --passphrase-file")
        elif name == "contents":
            for entry in value:
                lines.append(f"{indent}{_KINDS[entry['kind']]}")
                lines += _facts(entry, show_all=show_all, indent=indent + "  ")
        else:
            for label, text in _fact(name, value, show_all=show_all):
                lines.append(f"{indent}{label.ljust(_LABEL_WIDTH)} {_cut(text, show_all=show_all)}")
    return lines


def _cut(text: str, *, show_all: bool) -> str:
    return text if show_all or len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… (--all)"


def _fact(name: str, value: Any, *, show_all: bool) -> list[tuple[str, str]]:
    """The labels and texts of one fact about an object."""
    label = _LABELS.get(name, name)
    match name:
        case "key" if value:
            size = f", {value['bits']} bits" if value["bits"] else ""
            return [("key", f"{value['type']}{size}"), ("SPKI SHA-256", value["spki_sha256"])]
        case "key":
            return [("key", "locked; give its passphrase with --passphrase-file")]
        case "subject" | "issuer" if value == "":
            return [(label, "(empty)")]
        case "signature_valid":
            return [(label, _SIGNATURES[value])]
        case "san" | "problems" | "warnings" | "deviations":
            listed = value or []
            shown = listed if show_all else listed[:MAX_SANS]
            if len(listed) > len(shown):
                shown = [*shown, f"and {len(listed) - len(shown):,} more (--all)"]
            return [(label, ", ".join(shown))] if name == "san" and shown else [(label, each) for each in shown]
        case (
            "key_usage"
            | "extended_key_usage"
            | "subject_key_identifier"
            | "authority_key_identifier"
            | "qualified_types"
            | "psd2_roles"
        ):
            text = ", ".join(value) if isinstance(value, list) else value
            return [(label, text)] if text else []
    if isinstance(value, bool):
        return [(label, "yes" if value else "no")]
    return [(label, "" if value is None else str(value))]


def expiry(
    scan: Scan, rows: Sequence[Row], *, paint: Paint = plain, show_all: bool = False, header: bool = True
) -> Iterator[str]:
    """Rows of a scan as a table, a line each, in their order; without rows there is no header either.

    At most `MAX_OBJECTS` rows of each source are shown, unless all are wanted.
    """
    counted: Counter[str] = Counter()
    shown = []
    for row in rows:
        counted[row.sources[0]] += 1
        if show_all or counted[row.sources[0]] <= MAX_OBJECTS:
            shown.append((row, _left(row, scan.now), _places(row)))
    left_width = max((len(left) for _, left, _ in shown), default=0)
    place_width = min(max((len(place) for _, _, place in shown), default=0), _PLACE_WIDTH)
    if shown and header:
        left_width, place_width = max(left_width, len("EXPIRY")), max(place_width, len("SOURCE"))
        begin = f"{'STATUS':{_STATUS_WIDTH}}  {'EXPIRY':{left_width}}  {'VALID UNTIL':{len(rfc3339(scan.now))}}"
        yield f"{begin}  {'SOURCE':{place_width}}  SUBJECT\n"
    for row, left, place in shown:
        label = paint(row.status.value.ljust(_STATUS_WIDTH), row.status)
        when = rfc3339(row.not_after)
        name = _cut(row.subject, show_all=show_all) or f"(no name, serial {row.serial_hex})"
        what = f"revocation list of {name}" if row.kind is Kind.CRL else name
        note = f" ({row.note})" if row.note else ""
        yield f"{label}  {left.ljust(left_width)}  {when}  {place.ljust(place_width)}  {what}{note}\n"
    for source, count in counted.items():
        if count > MAX_OBJECTS and not show_all:
            yield f"{printable(source)}: and {count - MAX_OBJECTS:,} more (--all)\n"


def unseen(scan: Scan) -> str:
    """The sources that could not be checked, for a report in a file."""
    label = Status.UNKNOWN.value.ljust(_STATUS_WIDTH)
    return _text([f"{label}  {printable(failure.message)}" for failure in scan.failures])


def passed_over(scan: Scan) -> str:
    """The files without certificates."""
    return _text(
        [f"skipped   {printable(source)}: no certificate, CRL or PKCS#12 found in it" for source in scan.skipped]
    )


def expiry_summary(scan: Scan) -> str:
    """The number of certificates of each status, in one line."""
    counts = scan.counts()
    unseen = counts.pop(Status.UNKNOWN.value)
    parts = [
        f"{counts[status]:,} {status}" for status in (Status.CRITICAL, Status.WARNING, Status.OK) if counts[status]
    ]
    line = words.counted(sum(counts.values()), "certificate")
    if parts:
        line += f": {', '.join(parts)}"
    if unseen:
        line += f"; {words.counted(unseen, 'source')} could not be checked"
    return line + "\n"


def _left(row: Row, now: datetime) -> str:
    """The time left, in words."""
    if row.days_left < 0 or now < row.not_before:
        return words.outlook(row, now)
    return f"{words.counted(row.days_left, 'day')} left"


def _places(row: Row) -> str:
    more = f" and {len(row.sources) - 1:,} more" if len(row.sources) > 1 else ""
    return printable(row.sources[0]) + more


def identity(found: Overview, *, paint: Paint = plain) -> str:
    """An identity with its generations, and what a person does next."""
    label = found.status.value if found.active is not None else "no active certificate"
    lines = [f"{found.name} for {printable(found.policy)}: {paint(label, found.status)}"]
    lines += [f"  {_generation(each)}" for each in found.generations]
    if found.changed is False:
        lines.append("  nothing changed")
    if found.steps and found.pending is not None:
        called = (
            f", under the name {printable(found.pending.certificate_name)}" if found.pending.certificate_name else ""
        )
        lines.append(f"Next, in {printable(found.portal)}{called}:")
        lines += [f"  {number}. {printable(step)}" for number, step in enumerate(found.steps, 1)]
        lines.append(f"Then: certkit identity install {found.name} CERT")
    elif found.next != "nothing":
        lines.append(f"Next: {printable(found.next)}")
    if found.pending is not None and found.pending.csr:
        lines.append(found.pending.csr.rstrip())
    return _text(lines)


def _generation(found: GenerationView) -> str:
    parts = [found.generation, found.state.value.ljust(len("discarded")), printable(found.key_type or "?")]
    if found.not_after is not None and found.days_left is not None:
        parts += [f"until {rfc3339(found.not_after)}", _days(found)]
    if found.certificate_name:
        parts.append(printable(found.certificate_name))
    return "  ".join(parts)


def _days(found: GenerationView) -> str:
    if found.days_left is None or found.not_before is None:
        return "unreadable"
    if found.is_early:
        return f"not valid before {rfc3339(found.not_before)}"
    return "expired" if found.days_left < 0 else f"{words.counted(found.days_left, 'day')} left"


def identities(listed: Iterable[Overview], *, paint: Paint = plain, header: bool = True) -> str:
    """Identities as a table, a line each; without identities there is no header either."""
    rows = [("STATUS".ljust(_STATUS_WIDTH), "NAME", "POLICY", "CERTIFICATE", "REQUEST")]
    colours: list[Status | None] = [None]
    for found in listed:
        status = Status.WARNING if found.hangs and found.status is Status.OK else found.status
        certificate = "no active certificate" if found.active is None else _days(found.active)
        if found.hook_failed:
            certificate += ", hook failed"
        request = ""
        if found.pending is not None:
            waiting = found.pending.waiting
            since = f" for {words.counted(waiting.days, 'day')}" if waiting is not None and waiting.days else ""
            request = f"{found.pending.generation} {found.pending.state.value}{since}"
        rows.append((status.value, found.name, printable(found.policy), certificate, request))
        colours.append(status)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row, colour in zip(rows, colours, strict=True):
        label, *cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([paint(label, colour) if colour else label, *cells]).rstrip())
    return _text(lines if header and len(lines) > 1 else lines[1:])


def log(events: Iterable[Event]) -> str:
    """Events, a line each: when, what, and who."""
    rows = []
    for each in events:
        called = f" as {each.certificate_name}" if each.certificate_name else ""
        what = "rolled back to" if each.what == "rolled back" else each.what
        rows.append((each.time, f"{what}{f' {each.generation}' if each.generation else ''}{called}", each.who))
    return table(rows)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells, a line each, with aligned columns."""
    shown = [[*map(printable, row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return _text(["  ".join(map(str.ljust, row, widths)).rstrip() for row in shown])


def _path(path: object) -> str:
    return printable(str(path)) if path is not None else "-"


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""
