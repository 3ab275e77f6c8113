"""`certkit expiry`: a warning before certificates expire."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, explain, reporting
from certkit.cli.shared.stores import store_option
from certkit.errors import InputError
from certkit.findings import Status, exit_code, roll_up
from certkit.printable import sentences
from certkit.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from certkit.expiry.reminder_file import ReminderFile
    from certkit.expiry.reminders import Reminders
    from certkit.expiry.scan import Found, Judge, Row, Scan
    from certkit.expiry.thresholds import Thresholds
    from certkit.findings import Finding
    from certkit.net.tls import Credentials
    from certkit.policy.rules import ExpiryRules
    from certkit.secret import Secret

FORMATS = ("text", "json", "jsonl", "prometheus", "nagios", "html", "ics")


@click.command()
@inputs.file_argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--warn", metavar="DURATION", help="Warn below this time left: 28d, 2w, 33%.  [default: the policy's, 28d]"
)
@click.option("--critical", metavar="DURATION", help="Critical below this time left.  [default: the policy's, 7d]")
@inputs.policy_option
@click.option("--leaf-only", is_flag=True, help="Check only the first certificate of each bundle.")
@click.option("--at", metavar="TIME", help="Evaluate as of this time: RFC 3339 or a date.  [default: now]")
@click.option(
    "--remind",
    metavar="LIST",
    help="Report once when each of these times is left (28d,14d,7d, or `policy`); text format only.",
)
@inputs.named_output_option(
    "--state",
    metavar="FILE",
    help="File that records which reminders were sent.  [default: reminders.json in the user's state directory]",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="Output format."
)
@inputs.output_option("--output", "target", metavar="FILE", help="Write the report to this file, atomically.")
@click.option("--all", "show_all", is_flag=True, help="Show every certificate of a source, not only the first 100.")
@inputs.file_option("--cert", metavar="FILE", help="Client certificate for live hosts that require one; needs --key.")
@inputs.file_option("--key", metavar="FILE", help="Private key of the client certificate.")
@inputs.timeout_option("Total time allowed per live host.")
@store_option
@inputs.passphrase_option
@reporting
def expiry(output: Output, *, sources: tuple[str, ...], **options: Any) -> int:
    """Check when certificates and revocation lists expire, and warn in time.

    SOURCE is a file, a directory (searched recursively), a glob, -, or @FILE with one source per line; a live host:
    HOST:PORT, or tls://HOST:PORT with ?servername=NAME and &starttls=smtp (imap, pop3, ldap, postgres, mysql);
    identity:NAME, or vault://MOUNT/PREFIX for all identities there. Exits
    0 if everything is OK, 1 for a warning, 2 if anything is critical, expired or not valid yet, 3 if a source
    could not be checked. With -q it prints nothing while everything is OK.

    \b
    Examples:
      certkit expiry --warn 28d --critical 7d acme.pem
      certkit expiry -q --remind policy --policy wise-production partners/
      certkit expiry partners/ --format html --output expiry.html
    """
    from certkit.cli.shared.stores import opener
    from certkit.expiry.scan import Judge, look, scan
    from certkit.expiry.sources.parsing import access, parse
    from certkit.files.reading import is_same

    form = "json" if output.as_json else options["format_"]
    target = None if options["target"] == inputs.STDIN else options["target"]
    if target is not None and options["state"] is not None and is_same(target, options["state"]):
        raise InputError("--output and --state name the same file", hint="give each a file of its own")
    reporter = _Reporter(output, form, target)
    judge = Judge(
        thresholds=_thresholds(options["policy_name"], options["warn"], options["critical"]),
        now=parse_time(options["at"]) if options["at"] is not None else inputs.now(),
        leaf_only=options["leaf_only"],
        only_urgent=output.quiet and form == "text",
        reminders=_reminders(options["remind"], options["policy_name"]),
        with_labels=form == "prometheus",
        render=reporter.render,
    )
    secret = inputs.passphrase(options["passphrase_file"])
    client, findings = _client(options["cert"], options["key"], secret)
    output.warn_of(findings)
    with access(
        lambda: opener(output.warn),
        store=options["store_uri"],
        passphrase=secret,
        now=judge.now,
        timeout=options["timeout"],
        client=client,
        stdin=inputs.chunks,
    ) as access_to:
        found: Iterable[Found] = output.counted(look(parse(sources, access_to), judge), of=lambda part: part.places)
        if form == "jsonl":
            found = reporter.print_lines(found)
        result = scan(found, now=judge.now, findings=findings)
    places = result.quiet + sum(len(row.sources) for row in result.rows)
    explain(f"warning below {judge.thresholds.warn}, critical below {judge.thresholds.critical}")
    explain(f"certificates and CRLs found: {places:,}, files skipped: {len(result.skipped):,}")
    troubles = reporter.report(result, judge, state=options["state"], show_all=options["show_all"])
    reporter.report_failures(result, sources)
    return exit_code(Status.UNKNOWN if result.is_interrupted else roll_up([result.status, *troubles]))


def _thresholds(policy_name: str, warn: str | None, critical: str | None) -> Thresholds:
    """Return the thresholds given, else those of the policy; the default policy's are known without reading it."""
    from certkit.durations import Duration
    from certkit.expiry.thresholds import Thresholds
    from certkit.policy import DEFAULT_CRITICAL, DEFAULT_WARN

    defaults: Thresholds | ExpiryRules = Thresholds(Duration.parse(DEFAULT_WARN), Duration.parse(DEFAULT_CRITICAL))
    if policy_name != inputs.DEFAULT_POLICY:
        defaults = inputs.policy(policy_name).expiry
    return Thresholds.choose(
        warn=Duration.parse(warn) if warn is not None else None,
        critical=Duration.parse(critical) if critical is not None else None,
        defaults=defaults,
    )


def _reminders(listed: str | None, policy_name: str) -> Reminders | None:
    if listed is None:
        return None
    from certkit.expiry.reminders import Reminders

    if listed != "policy":
        return Reminders.parse(listed)
    days = inputs.policy(policy_name).renewal.reminders
    if not days:
        hint = "list them: --remind 28d,14d,7d"
        raise InputError(f"policy {policy_name} defines no reminders", hint=hint)
    return Reminders.of_days(days)


def _client(cert: str | None, key: str | None, secret: Secret | None) -> tuple[Credentials | None, list[Finding]]:
    """Return the client certificate for live hosts, and the finding about its key file."""
    if cert is None and key is None:
        return None, []
    if cert is None or key is None:
        raise InputError("--cert and --key must be given together", hint="give both, or none")
    from certkit.net.tls import Credentials
    from certkit.x509 import objects

    chain, held = inputs.pair(cert, key, secret)
    return Credentials.of(held.key, objects.certificates(chain, name=cert)), [] if held.file.is_good else [held.file]


class _Reporter:
    """A report in one format, written to a file or to standard output (None)."""

    def __init__(self, output: Output, form: str, target: str | None) -> None:
        self.output = output
        self.format = form
        self.target = target
        self._lines: list[str] = []

    @property
    def render(self) -> Callable[[Row], str] | None:
        """Return the function that formats one row, for formats that print rows one by one."""
        if self.format not in {"json", "jsonl"}:
            return None
        from certkit.report import json

        return json.facts_of

    def print_lines(self, found: Iterable[Found]) -> Iterator[Found]:
        """Print each part as lines of JSON as soon as it is found; those for a file are kept until the end."""
        from certkit.report import json

        for part in found:
            lines = "".join(json.sightings(part))
            if self.target is None:
                self.output.result(lines)
            else:
                self._lines.append(lines)
            part.condense()
            yield part

    def report(self, scan: Scan, judge: Judge, *, state: str | None, show_all: bool) -> list[Status]:
        """Report what was found; return the statuses of failures. `state` records which reminders were sent."""
        troubles: list[Status] = []
        if scan.is_interrupted and self.target is not None:
            self.output.say(f"{self.target} was not changed")
        elif self.format != "text":
            self._send(self._rendered(scan, judge))
        elif judge.reminders is None:
            rows = [row for row in scan.by_urgency if not self.output.quiet or row.status is not Status.OK]
            self._send(self._table(scan, rows, show_all=show_all, with_summary=not self.output.quiet))
        else:
            troubles = self._remind(scan, judge.reminders, state)
        return troubles

    def report_failures(self, scan: Scan, sources: Sequence[str]) -> None:
        """Print on standard error what could not be checked; a report for Nagios has that already."""
        if self.format == "nagios":
            return
        for failure in scan.failures:
            self.output.fail(InputError(failure.message, hint=failure.hint))
        if scan.is_interrupted or scan.found_nothing:
            message, hint = scan.trouble
            self.output.fail(InputError(f"{message}, {', '.join(sources)}", hint=hint))

    def _send(self, parts: Iterable[str]) -> None:
        if self.target is None:
            self.output.stream(parts, write=self.output.text if self.format == "text" else self.output.result)
            return
        from pathlib import Path

        from certkit.files import writing

        # Another user reads the metrics, so their mode must not depend on the umask.
        writing.write_report(Path(self.target), parts, is_public=self.format == "prometheus")

    def _rendered(self, scan: Scan, judge: Judge) -> Iterable[str]:
        match self.format:
            case "jsonl":
                return self._lines
            case "json":
                from certkit.report import json

                return json.scanned(scan)
            case "prometheus":
                from certkit.report import prometheus

                return prometheus.render(scan)
            case "nagios":
                from certkit.report import nagios

                return [nagios.render(scan, thresholds=judge.thresholds)]
            case "html":
                from certkit.report import html

                return [html.render(scan)]
        from certkit.report import ics

        return [ics.render(scan, reminders=judge.reminders.thresholds) if judge.reminders else ics.render(scan)]

    def _table(self, scan: Scan, rows: Sequence[Row], *, show_all: bool, with_summary: bool = False) -> Iterator[str]:
        from certkit.report import text

        paint = self.output.paint if self.target is None else text.plain
        yield from text.expiry(scan, rows, paint=paint, show_all=show_all, header=with_summary)
        if with_summary:
            yield text.expiry_summary(scan)
        if self.target is not None:
            yield text.unseen(scan)
        if self.output.verbose:
            yield text.passed_over(scan)

    def _remind(self, scan: Scan, reminders: Reminders, state: str | None) -> list[Status]:
        """Report all rows for which a reminder is due, and record that they were reported."""
        with _reminder_file(state) as file:
            due = file.due(scan.by_urgency, reminders=reminders, now=scan.now)
            self._send(self._table(scan, [each.row for each in due], show_all=True))
            file.record(due)
        for trouble in file.warnings:
            self.output.warn(sentences(trouble.message, trouble.hint))
        return [Status.WARNING] if file.warnings else []


def _reminder_file(path: str | None) -> AbstractContextManager[ReminderFile]:
    from pathlib import Path

    from certkit.expiry.reminder_file import ReminderFile

    if path is not None:
        return ReminderFile.open(Path(path))
    import platformdirs

    try:
        return ReminderFile.open(platformdirs.user_state_path("certkit") / "reminders.json")
    except RuntimeError:  # this user has no home directory
        forgetful = ReminderFile(Path("reminders.json"))
        hint = "name a file with --state; until then every reminder is repeated"
        forgetful.warnings.append(InputError("cannot keep reminders: this user has no home directory", hint=hint))
        return contextlib.nullcontext(forgetful)
