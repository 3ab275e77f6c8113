"""`certkit expiry`: a warning before certificates expire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from certkit.cli import inputs
from certkit.cli.output import Output, reporting
from certkit.errors import InputError
from certkit.findings import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certkit.core.durations import Duration
    from certkit.core.expiry import Thresholds
    from certkit.secret import Secret
    from certkit.sources.base import Source


@click.command()
@inputs.file_argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--warn", metavar="DURATION", help="Warn below this time left: 28d, 2w, 33%.  [default: the policy's, 28d]"
)
@click.option("--critical", metavar="DURATION", help="Critical below this time left.  [default: the policy's, 7d]")
@inputs.policy_option
@click.option("--leaf-only", is_flag=True, help="Of a bundle, look at the first certificate only.")
@click.option("--at", metavar="TIME", help="Judge that moment: RFC 3339 or a date.  [default: now]")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="As --json, by name.")
@inputs.file_option("--output", "target", metavar="FILE", help="Write the report to this file, atomically.")
@inputs.passphrase_option
@reporting
def expiry(
    output: Output, *, sources: tuple[str, ...], target: str | None, format_: str, **options: str | bool | None
) -> int:
    """Warn before certificates expire.

    SOURCE is a file, a directory (with all below it), a glob, - or @FILE with a source on each line. Exits 0 if all
    is well, 1 if something is near its end, 2 if it is critical or expired, 3 if something could not be looked at.
    With -q nothing is said while all is well.

    \b
    Example:
      certkit expiry --warn 28d --critical 7d acme.pem
    """
    from certkit import files
    from certkit.core.times import parse_time
    from certkit.scan import scan

    at = options["at"]
    now = parse_time(str(at)) if at is not None else inputs.now()
    secret = inputs.passphrase(_optional(options["passphrase_file"]))
    found = scan(_sources(sources, secret), _thresholds(options), now=now, leaf_only=bool(options["leaf_only"]))
    if output.as_json or format_ == "json":
        from certkit.report import json

        report = json.render(json.scanned(found))
    else:
        from certkit.report import text

        paint = text.plain if target else output.paint
        verbose, in_file = output.verbose > 0, target is not None
        report = text.expiry(found, paint=paint, only_bad=output.quiet, verbose=verbose, with_failures=in_file)
    if target is not None and target != inputs.STDIN:
        files.write_report(Path(target), report.encode())
    else:
        output.result(report)
    for failure in found.failures:
        output.fail(InputError(failure.message, hint=failure.hint))
    if not found.rows and not found.failures:
        hint = "check the sources; -v lists what was passed over, and revocation lists are not watched"
        output.fail(InputError(f"no certificate found, {', '.join(sources)}", hint=hint))
    return exit_code(found.status)


def _thresholds(options: dict[str, str | bool | None]) -> Thresholds:
    from certkit.core.durations import Duration
    from certkit.core.expiry import Thresholds

    warn, critical = _optional(options["warn"]), _optional(options["critical"])
    default_warn, default_critical = _defaults(str(options["policy_name"]))
    return Thresholds.choose(
        warn=Duration.parse(warn) if warn is not None else None,
        critical=Duration.parse(critical) if critical is not None else None,
        default_warn=default_warn,
        default_critical=default_critical,
    )


def _defaults(policy_name: str) -> tuple[Duration, Duration]:
    """The thresholds of a policy; those of the default one are known without reading it."""
    from certkit.core.durations import Duration
    from certkit.core.expiry import DEFAULT_CRITICAL, DEFAULT_WARN

    if policy_name == inputs.DEFAULT_POLICY:
        return Duration.parse(DEFAULT_WARN), Duration.parse(DEFAULT_CRITICAL)
    rules = inputs.policy(policy_name).expiry
    return rules.warn, rules.critical


def _sources(references: Sequence[str], secret: Secret | None) -> Iterator[Source]:
    """The sources that the arguments name, decided in the order of the contract."""
    from certkit import files
    from certkit.sources.files import DirectorySource, FailedSource, FileSource

    for reference in references:
        if files.is_directory(reference):
            yield DirectorySource(reference, secret)
        elif files.exists(Path(reference)):
            yield FileSource(reference, secret)
        elif any(char in reference for char in "*?["):
            yield from _glob(reference, secret)
        elif reference == inputs.STDIN or reference.startswith("@"):
            try:
                yield from _read_source(reference, secret)
            except InputError as error:
                yield FailedSource(reference, error.message, error.hint)
        else:
            yield FailedSource(reference, f"cannot read, {reference}: no such file or directory", "check the path")


def _read_source(reference: str, secret: Secret | None) -> list[Source]:
    from certkit.sources.files import BytesSource

    if reference == inputs.STDIN:
        return [BytesSource(inputs.read(reference), "standard input", secret)]
    return list(_sources(_listed(reference[1:]), secret))


def _glob(pattern: str, secret: Secret | None) -> Iterator[Source]:
    from certkit import files
    from certkit.sources.files import DirectorySource, FailedSource, FileSource

    paths = files.matching(pattern)
    for path in paths:
        yield (
            DirectorySource(path, secret)
            if files.is_directory(path)
            else FileSource(path, secret, may_hold_nothing=True)
        )
    if not paths:
        yield FailedSource(pattern, f"cannot read, {pattern}: no file matches", "check the pattern")


def _listed(reference: str) -> list[str]:
    """The sources in a list, one a line; blank lines and lines that begin with # are passed over."""
    data = inputs.read(reference)
    if b"-----BEGIN" in data or b"\0" in data or data[:1] == b"\x30":
        hint = "to look at the file itself, leave out the @"
        raise InputError(f"cannot read, {reference}: not a list of sources", hint=hint)
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    nested = next((line for line in listed if line.startswith("@")), None)
    if nested:
        raise InputError(
            f"cannot read, {reference}: it names another list, {nested}", hint="name that list on the command line"
        )
    return listed


def _optional(value: str | bool | None) -> str | None:
    return value if isinstance(value, str) else None
