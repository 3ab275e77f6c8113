"""Reports of `certkit expiry`: a table, or a format for machines, calendars or browsers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.findings import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from certkit.cli.shared.output import Output
    from certkit.expiry.reminder_file import ReminderFile
    from certkit.expiry.reminders import Reminders
    from certkit.expiry.scan import Found, Judge, Row, Scan


class Reporter:
    """A report in one format, written to a file or to standard output (None).

    `state` is the file that records which reminders were sent, if not the default one.
    """

    def __init__(self, output: Output, form: str, target: str | None, state: str | None, *, show_all: bool) -> None:
        """Keep the options."""
        self.output = output
        self.format = form
        self.target = target
        self.state = state
        self.show_all = show_all
        self._lines: list[str] = []

    @property
    def render(self) -> Callable[[Row], str] | None:
        """Return the function that formats one row, for formats that print rows one by one."""
        if self.format not in {"json", "jsonl"}:
            return None
        from certkit.report import json

        return json.facts_of

    def collect(self, found: Iterable[Found]) -> Iterable[Found]:
        """Yield the finds for the report; JSON lines are printed at once instead of being kept."""
        return self._print_lines(found) if self.format == "jsonl" else found

    def _print_lines(self, found: Iterable[Found]) -> Iterator[Found]:
        from certkit.report import json

        for part in found:
            lines = "".join(json.sightings(part))
            if self.target is None:
                self.output.result(lines)
            else:
                self._lines.append(lines)
            part.condense()
            yield part

    def report(self, scan: Scan, judge: Judge, *, sources: Sequence[str]) -> list[Status]:
        """Report what was found, and on standard error what could not be checked; return the statuses of failures."""
        troubles: list[Status] = []
        if scan.is_interrupted and self.target is not None:
            self.output.say(f"{self.target} was not changed")
        elif self.format != "text":
            self._send(self._rendered(scan, judge))
        elif judge.reminders is None:
            rows = [row for row in scan.by_urgency if not self.output.quiet or row.status is not Status.OK]
            self._send(self._table(scan, rows, show_all=self.show_all, with_summary=not self.output.quiet))
        else:
            troubles = self._remind(scan, judge.reminders)
        self._report_failures(scan, sources)
        return troubles

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

                return prometheus.pieces(scan)
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

    def _remind(self, scan: Scan, reminders: Reminders) -> list[Status]:
        """Report all rows for which a reminder is due, and record that they were reported."""
        with self._opened_state() as state:
            due = state.due(scan.by_urgency, reminders=reminders, now=scan.now)
            self._send(self._table(scan, [each.row for each in due], show_all=True))
            state.record(due)
        for trouble in state.warnings:
            self.output.warn_about(trouble)
        return [Status.WARNING] if state.warnings else []

    def _opened_state(self) -> AbstractContextManager[ReminderFile]:
        from pathlib import Path

        from certkit.expiry.reminder_file import ReminderFile

        if self.state is not None:
            return ReminderFile.open(Path(self.state))
        import platformdirs

        try:
            return ReminderFile.open(platformdirs.user_state_path("certkit") / "reminders.json")
        except RuntimeError:  # this user has no home directory
            forgetful = ReminderFile(Path("reminders.json"))
            hint = "name a file with --state; until then every reminder is repeated"
            forgetful.warnings.append(InputError("cannot keep reminders: this user has no home directory", hint=hint))
            return contextlib.nullcontext(forgetful)

    def _report_failures(self, scan: Scan, sources: Sequence[str]) -> None:
        """Report what could not be checked; a report for Nagios has that already."""
        if self.format == "nagios":
            return
        for failure in scan.failures:
            self.output.fail(InputError(failure.message, hint=failure.hint))
        if scan.is_interrupted or scan.found_nothing:
            message, hint = scan.trouble
            self.output.fail(InputError(f"{message}, {', '.join(sources)}", hint=hint))
