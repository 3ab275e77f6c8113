"""The output of commands: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from certkit.cli.boundary import write_result
from certkit.findings import Status, exit_code
from certkit.printable import printable, sentences
from certkit.report.hints import in_document, with_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from certkit.api.checks import Report
    from certkit.errors import CertkitError
    from certkit.findings import Finding

    T = TypeVar("T")

_WRITE_SIZE = 256 * 1024
_REFRESH_SECONDS = 0.2
_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.CRITICAL: "red", Status.UNKNOWN: "magenta"}


class Output(NamedTuple):
    """The output options of a command: JSON, quiet or verbose."""

    as_json: bool
    quiet: bool
    verbose: int
    store: str | None = None  # as given with --store, for the commands in hints

    def result(self, data: str | bytes) -> None:
        """Print the result as it is."""
        write_result(data)

    def text(self, text: str) -> None:
        """Print the result as text for people, wrapped at the terminal's width."""
        from certkit.report.wrapping import with_short_fingerprints, wrapped

        shown = with_store(text if self.verbose > 0 else with_short_fingerprints(text), self.store)
        write_result(wrapped(shown, _columns()))

    def stream(self, parts: Iterable[str], *, write: Callable[[str], None] = write_result) -> None:
        """Print the result in parts, each of whole lines; `write` prints parts that are text for people."""
        waiting: list[str] = []
        size = 0
        for part in parts:
            waiting.append(part)
            size += len(part)
            if size > _WRITE_SIZE:
                write("".join(waiting))
                waiting, size = [], 0
        write("".join(waiting))

    def counted(self, work: Iterable[T], *, of: Callable[[T], int]) -> Iterator[T]:
        """Yield the parts, and show on a terminal how much has been checked; `of` returns the size of a part."""
        if not _has_terminal():
            yield from work
            return
        total, shown = 0, time.monotonic()
        try:
            for part in work:
                yield part
                total += of(part)
                if time.monotonic() - shown > _REFRESH_SECONDS:
                    shown = time.monotonic()
                    _show(f"{total:,} checked")
        finally:
            _show("")

    def document(self, document: object) -> None:
        """Print the result as one JSON document."""
        from certkit.report import json

        write_result(json.render(in_document(document, self.store)))

    def done(self, document: object, text: str) -> int:
        """Print the result of a change as JSON or, unless quiet, as text; return exit code 0."""
        if self.as_json:
            self.document(document)
        elif not self.quiet:
            self.text(text)
        return 0

    def report(self, found: Report, title: str | None = None) -> int:
        """Print the result of a check as JSON or as text with a title (its subject), and return its exit code."""
        if self.as_json:
            self.document(found.as_dict())
        else:
            self.judged(title or found.subject or "", found.status, found.findings)
        return exit_code(found.status)

    def judged(self, title: str, status: Status, findings: Sequence[Finding]) -> None:
        """Print a verdict with its findings as text; with -q, only the findings that are not OK."""
        from certkit.report import text

        if not self.quiet or status is not Status.OK:
            self.text(text.findings(title, status, findings, paint=self.paint, only_bad=self.quiet))

    def warn(self, message: str) -> None:
        """Print a warning on standard error, even when quiet."""
        self.say(f"warning: {message}")

    def fail(self, error: CertkitError, name: str = "") -> None:
        """Print on standard error a failure that did not stop the command; `name` is what failed."""
        is_named = not name or any(form in error.message for form in (f"{name}: ", f"/{name}", f"'{name}'"))
        about = "" if is_named else f"{name}: "
        self.say(f"error: {about}{sentences(error.message, error.hint)}")

    def say(self, message: str) -> None:
        """Print a message on standard error, even when quiet."""
        from certkit.report.wrapping import with_short_fingerprints

        shown = with_store(printable(message), self.store)
        click.echo(f"certkit: {shown if self.verbose > 0 else with_short_fingerprints(shown)}", err=True)

    def warn_of(self, findings: Iterable[Finding]) -> None:
        """Print the findings that are not OK as warnings."""
        for finding in findings:
            if not finding.is_good:
                self.warn(sentences(finding.message, finding.hint))

    def paint(self, text: str, status: Status) -> str:
        """Return a status, coloured if the terminal supports colours."""
        colour = _COLOURS.get(status)
        return click.style(text, fg=colour) if colour and _wants_colour() else text


def reporting(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options --json, -q and -v, and pass it an `Output` as its first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("-q", "--quiet", is_flag=True, help="Print only problems.")
    @click.option(
        "-v",
        "--verbose",
        count=True,
        help="Show the files, policy, store and hosts used, and full fingerprints; -vv shows tracebacks.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, quiet: bool, verbose: int, **kwargs: Any) -> int | None:
        begin, store = time.monotonic(), click.get_current_context().params.get("store_uri")
        with _explained_logs() if verbose else contextlib.nullcontext():
            code = command(Output(as_json, quiet, verbose, store), *args, **kwargs)
        explain(f"finished in {time.monotonic() - begin:.2f} s")
        return code

    return wrapped


def explain(message: str) -> None:
    """With -v, show on standard error what the command uses: files, policies, stores and hosts."""
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("verbose"):
        click.echo(f"certkit: {printable(message)}", err=True)


@contextlib.contextmanager
def _explained_logs() -> Iterator[None]:
    """Explain each message that certkit logs at level INFO, as soon as it is logged."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            explain(record.getMessage())

    logger, handler = logging.getLogger("certkit"), Handler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextlib.contextmanager
def progress(message: str) -> Iterator[None]:
    """Show on a terminal that a long operation is running; do nothing elsewhere."""
    if not _has_terminal():
        yield
        return
    done = threading.Event()
    spinner = threading.Thread(target=_spin, args=(message, done), daemon=True)
    spinner.start()
    try:
        yield
    finally:
        done.set()
        spinner.join()
        _show("")


def _columns() -> int:
    """Return the terminal's width, as `shutil.get_terminal_size` does, whose module is slow to import."""
    with contextlib.suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    with contextlib.suppress(OSError):
        return os.get_terminal_size(1).columns or 80
    return 80


def _spin(message: str, done: threading.Event) -> None:
    for mark in itertools.cycle("|/-\\"):
        _show(f"{message} {mark}")
        if done.wait(0.1):
            return


def _show(words: str) -> None:
    """Replace the status line at the bottom of the terminal."""
    assert sys.stderr is not None  # noqa: S101  there is a terminal
    sys.stderr.write(f"\r\x1b[K{words}")
    sys.stderr.flush()


def _has_terminal() -> bool:
    stream = sys.stderr
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _wants_colour() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()
