"""Results as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certkit.findings import Status
from certkit.printable import printable
from certkit.report import words
from certkit.times import rfc3339
from certkit.x509 import names
from certkit.x509.objects import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from certkit.csr.create import MadeRequest
    from certkit.expiry.scan import Row, Scan
    from certkit.findings import Finding
    from certkit.identity.overview import GenerationView, Overview
    from certkit.policy.rules import Policy
    from certkit.probe import Probe
    from certkit.verify import Verdict

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
    """A verdict and its findings, a line each, with what to do under those that are not good."""
    lines = [f"{printable(title)}: {paint(status.value, status)}"]
    for finding in listed:
        if only_bad and finding.is_good:
            continue
        lines += _finding(finding, paint)
    return _text(lines)


def _finding(finding: Finding, paint: Paint) -> list[str]:
    label = paint(finding.status.value.ljust(_STATUS_WIDTH), finding.status)
    lines = [f"  {label}  {finding.id.ljust(_ID_WIDTH)}  {printable(finding.message)}"]
    if finding.hint and not finding.is_good:
        lines.append(f"{' ' * (_STATUS_WIDTH + _ID_WIDTH + 6)}-> {printable(finding.hint)}")
    return lines


def evidence(verdict: Verdict) -> str:
    """The path as a drawing, leaf first, with dates, and until when the verdict holds."""
    if verdict.holds_until is None or len(verdict.path) < 2:
        return ""
    drawn = []
    for depth, each in enumerate(verdict.path):
        mark = "   " * (depth - 1) + "└─ " if depth else ""
        drawn.append((mark + names.distinguished_name(each.subject), each))
    width = max(len(label) for label, _ in drawn)
    lines = [
        f"  {label.ljust(width)}  {each.not_valid_before_utc:%Y-%m-%d} to {each.not_valid_after_utc:%Y-%m-%d}"
        for label, each in drawn
    ]
    return _text([*lines, f"  The chain holds until {rfc3339(verdict.holds_until)}."])


def probed(probe: Probe) -> str:
    """What was seen of both sides of a connection."""
    server = [names.subject_or_none(each) or "unreadable" for each in probe.server_chain]
    ends = (("server", probe.server_not_after), ("client", probe.client_not_after))
    lines = [f"  TLS           {probe.tls_version}, {probe.cipher}"] if probe.tls_version else []
    lines += [f"  server chain  {' <- '.join(server)}"] if server else []
    lines += [f"  {side} until  {rfc3339(end)}" for side, end in ends if end is not None]
    if probe.accepted_cas is not None:
        shown = [*probe.accepted_cas[:MAX_SANS]] or ["it names none"]
        more = len(probe.accepted_cas) - MAX_SANS
        lines += [f"  accepts       {each}" for each in [*shown, *([f"and {more} more"] if more > 0 else [])]]
    return _text(lines)


def created(made: MadeRequest, policy: Policy) -> str:
    """What `csr create` did, and what a person does next."""
    if not made.changed:
        return f"{_path(made.key_path)} and {_path(made.csr_path)} are there and fit; nothing changed\n"
    lines = [
        f"key      {_path(made.key_path)}  {made.csr.facts.type}",
        f"CSR      {_path(made.csr_path)}  {printable(made.csr.subject)}",
        f"policy   {policy.name}  {made.status.value}, {sum(check.is_good for check in made.checks)} checks hold",
    ]
    if policy.portal.request_steps:
        lines.append(f"Next, in {printable(policy.portal.name)}:")
        lines += [f"  {number}. {printable(step)}" for number, step in enumerate(policy.portal.request_steps, 1)]
        lines.append("Keep the key where it is; it is never sent to anyone.")
    return _text(lines)


def batch(made: Sequence[MadeRequest], directory: str) -> str:
    """What a batch did, in one line."""
    new = sum(one.changed for one in made)
    return f"{printable(directory)}: {new:,} made, {len(made) - new:,} were there\n"


def objects(source: str, described: Sequence[dict[str, Any]], *, show_all: bool) -> str:
    """What `inspect` found in one source: a paragraph for each object."""
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
}
_LABEL_WIDTH = 12
_SIGNATURES = {True: "valid", False: "INVALID", None: "cannot be verified"}


def _facts(facts: dict[str, Any], *, show_all: bool, indent: str) -> list[str]:
    lines = []
    for name, value in facts.items():
        if name == "kind":
            continue
        if name == "contents":
            lines += _contents(value, show_all=show_all, indent=indent)
            continue
        for label, text in _fact(name, value, show_all=show_all):
            lines.append(f"{indent}{label.ljust(_LABEL_WIDTH)} {text}")
    return lines


def _fact(name: str, value: Any, *, show_all: bool) -> list[tuple[str, str]]:
    label = _LABELS.get(name, name)
    match name:
        case "key" if value:
            return [("key", f"{value['type']}, {value['bits']} bits"), ("SPKI SHA-256", value["spki_sha256"])]
        case "key":
            return [("key", "locked; give its passphrase with --passphrase-file")]
        case "san":
            return [(label, _names(value, show_all=show_all))] if value else []
        case "signature_valid":
            return [(label, _SIGNATURES[value])]
        case "problems":
            return [("unreadable", problem) for problem in value]
    if isinstance(value, bool):
        return [(label, "yes" if value else "no")]
    return [(label, "" if value is None else str(value))]


def _names(sans: Sequence[str], *, show_all: bool) -> str:
    shown = sans if show_all else sans[:MAX_SANS]
    more = f", and {len(sans) - len(shown):,} more (--all)" if len(sans) > len(shown) else ""
    return ", ".join(shown) + more


def _contents(contents: Sequence[dict[str, Any]] | None, *, show_all: bool, indent: str) -> list[str]:
    if contents is None:
        return [f"{indent}locked; give its passphrase with --passphrase-file"]
    lines = []
    for entry in contents:
        lines.append(f"{indent}{_KINDS[entry['kind']]}")
        lines += _facts(entry, show_all=show_all, indent=indent + "  ")
    return lines


def expiry(scan: Scan, rows: Sequence[Row], *, paint: Paint = plain, show_all: bool = False) -> Iterator[str]:
    """Some rows of a scan as a table, a line each, in their order.

    At most `MAX_OBJECTS` rows of each source are shown, unless all are wanted.
    """
    shown, hidden = (rows, {}) if show_all else _first_of_each(rows)
    left_width = max((len(_left(row, scan.now)) for row in shown), default=0)
    place_width = min(max((len(_places(row)) for row in shown), default=0), _PLACE_WIDTH)
    for row in shown:
        label = paint(row.status.value.ljust(_STATUS_WIDTH), row.status)
        when = f"{'since' if row.not_after < scan.now else 'until'} {rfc3339(row.not_after)}"
        left, place = _left(row, scan.now).ljust(left_width), _places(row).ljust(place_width)
        yield f"{label}  {left}  {when}  {place}  {_what(row)}\n"
    for source, count in hidden.items():
        yield f"{printable(source)}: and {count:,} more (--all)\n"


def _first_of_each(rows: Sequence[Row]) -> tuple[list[Row], dict[str, int]]:
    """The first rows of each source, and how many more there are of those that have more."""
    shown: list[Row] = []
    counted: dict[str, int] = {}
    for row in rows:
        source = row.sources[0]
        counted[source] = counted.get(source, 0) + 1
        if counted[source] <= MAX_OBJECTS:
            shown.append(row)
    return shown, {source: count - MAX_OBJECTS for source, count in counted.items() if count > MAX_OBJECTS}


def unseen(scan: Scan, *, paint: Paint = plain) -> str:
    """What could not be looked at, for a report that stands alone."""
    label = paint(Status.UNKNOWN.value.ljust(_STATUS_WIDTH), Status.UNKNOWN)
    return _text([f"{label}  {printable(failure.message)}" for failure in scan.failures])


def passed_over(scan: Scan) -> str:
    """The files in which there is nothing to watch."""
    return _text([f"skipped   {printable(source)}: nothing to watch in it" for source in scan.passed])


def expiry_summary(scan: Scan) -> str:
    """How many certificates are well and how many are not, in one line."""
    counts = scan.counts()
    unseen = counts.pop(Status.UNKNOWN.value)
    parts = [
        f"{counts[status]:,} {status}" for status in (Status.CRITICAL, Status.WARNING, Status.OK) if counts[status]
    ]
    line = words.counted(sum(counts.values()), "certificate")
    if parts:
        line += f": {', '.join(parts)}"
    if unseen:
        line += f"; {words.counted(unseen, 'place')} could not be looked at"
    return line + "\n"


def _left(row: Row, now: datetime) -> str:
    """How much time is left, in words."""
    if row.days_left < 0 or now < row.not_before:
        return words.outlook(row, now)
    return f"{words.counted(row.days_left, 'day')} left"


def _places(row: Row) -> str:
    more = f" and {len(row.sources) - 1:,} more" if len(row.sources) > 1 else ""
    return printable(row.sources[0]) + more


def _what(row: Row) -> str:
    return f"revocation list of {row.issuer}" if row.kind is Kind.CRL else row.subject


def identity(found: Overview, *, changed: bool | None, paint: Paint = plain) -> str:
    """An identity with its generations, and what a person does next; `changed` is None where nothing was to change."""
    label = found.status.value if found.active is not None else "no active certificate"
    lines = [f"{found.name} for {printable(found.policy)}: {paint(label, found.status)}"]
    lines += [f"  {_generation(each)}" for each in found.generations]
    if changed is False:
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
    parts = [found.generation, found.state.value.ljust(len("discarded")), found.key.type if found.key else "?"]
    if found.certificate is not None and found.days_left is not None:
        end = found.certificate.not_valid_after_utc
        left = "expired" if found.days_left < 0 else f"{words.counted(found.days_left, 'day')} left"
        parts += [f"until {rfc3339(end)}", left]
    if found.certificate_name:
        parts.append(printable(found.certificate_name))
    return "  ".join(parts)


def identities(listed: Iterable[Overview], *, paint: Paint = plain) -> str:
    """Identities, a line each."""
    found = list(listed)
    width = max((len(each.name) for each in found), default=0)
    return _text([_identity_line(each, width, paint) for each in found])


def _identity_line(found: Overview, width: int, paint: Paint) -> str:
    status = Status.WARNING if found.hangs and found.status is Status.OK else found.status
    label = paint(status.value.ljust(_STATUS_WIDTH), status)
    left = found.active.days_left if found.active else None
    parts = [label, found.name.ljust(width), printable(found.policy)]
    parts.append("no active certificate" if left is None else f"{words.counted(left, 'day')} left")
    if found.pending is not None:
        waiting = found.pending.waiting
        since = f" for {words.counted(waiting.days, 'day')}" if waiting is not None and waiting.days else ""
        parts.append(f"{found.pending.state.value}{since}: {found.pending.generation}")
    return "  ".join(parts)


def policies(listed: Iterable[Policy]) -> str:
    """The policies, a line each."""
    rows = [(policy.name, printable(policy.title)) for policy in listed]
    width = max(len(name) for name, _ in rows)
    return _text([f"{name.ljust(width)}  {title}" for name, title in rows])


def document(data: dict[str, Any], *, indent: str = "") -> str:
    """Nested data as indented `name: value` lines; lists of text as bullets."""
    lines = []
    for name, value in data.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            inner = document(value, indent=indent + "  ")
            lines += [label, inner.rstrip("\n")] if inner.strip() else []
        elif isinstance(value, list):
            lines += _list(label, value, indent)
        elif value not in (None, ""):
            lines.append(f"{label} {_scalar(value)}")
    return _text(lines)


def _list(label: str, value: list[Any], indent: str) -> list[str]:
    if not value:
        return []
    if all(isinstance(item, dict) for item in value):
        return [label, *(f"{indent}  - {', '.join(_scalar(part) for part in item.values())}" for item in value)]
    if any(len(str(item)) > 24 for item in value):
        return [label, *(f"{indent}  - {printable(str(item))}" for item in value)]
    return [f"{label} {', '.join(map(_scalar, value))}"]


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def _path(path: object) -> str:
    return printable(str(path)) if path is not None else "-"


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""
