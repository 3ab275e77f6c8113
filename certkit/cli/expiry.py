"""`certkit expiry`: a warning before certificates expire."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.shared.stores import store_option
from certkit.errors import InputError
from certkit.findings import Status, exit_code, roll_up

if TYPE_CHECKING:
    from certkit.cli.expiry_report import Reporter
    from certkit.durations import Duration
    from certkit.expiry.reminders import Reminders
    from certkit.expiry.scan import Judge
    from certkit.expiry.thresholds import Thresholds
    from certkit.findings import Finding
    from certkit.net.tls import Credentials

FORMATS = ("text", "json", "jsonl", "prometheus", "nagios", "html", "ics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the options say."""

    sources: tuple[str, ...]
    warn: str | None
    critical: str | None
    policy_name: str
    leaf_only: bool
    at: str | None
    remind: str | None
    state: str | None
    format_: str
    target: str | None
    show_all: bool
    cert: str | None
    key: str | None
    timeout: float
    store_uri: str | None
    passphrase_file: str | None


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
@inputs.file_option(
    "--state",
    metavar="FILE",
    help="File that records which reminders were sent.  [default: reminders.json in the user's state directory]",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="Output format."
)
@inputs.file_option("--output", "target", metavar="FILE", help="Write the report to this file, atomically.")
@click.option("--all", "show_all", is_flag=True, help="Show every certificate of a source, not only the first 100.")
@inputs.file_option("--cert", metavar="FILE", help="Client certificate for live hosts that require one; needs --key.")
@inputs.file_option("--key", metavar="FILE", help="Private key of the client certificate.")
@inputs.timeout_option("Total time allowed per live host.")
@store_option
@inputs.passphrase_option
@reporting
def expiry(output: Output, **options: Any) -> int:
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
    from certkit.cli.expiry_report import Reporter
    from certkit.cli.shared.stores import opener
    from certkit.expiry.scan import look, scan
    from certkit.expiry.sources.parsing import SourceAccess, parse

    asked = Asked(**options)
    reporter = Reporter(
        output=output,
        format="json" if output.as_json else asked.format_,
        target=None if asked.target == inputs.STDIN else asked.target,
        state=asked.state,
        show_all=asked.show_all,
    )
    judge = _judge(asked, reporter)
    client, findings = _client(asked, output)
    opening = opener(output.warn)
    with contextlib.ExitStack() as stack:
        secret = inputs.passphrase(asked.passphrase_file)
        access = SourceAccess(
            passphrase=secret,
            timeout=asked.timeout,
            client=client,
            store=functools.cache(lambda: stack.enter_context(opening.open(asked.store_uri, passphrase=secret))),
            vault=functools.cache(lambda: stack.enter_context(opening.connect())),
            stdin=inputs.chunks,
            now=judge.now,
        )
        found = output.counted(look(parse(asked.sources, access), judge), of=lambda part: part.places)
        result = scan(reporter.told(found), now=judge.now, findings=findings)
    troubles = reporter.report(result, judge, sources=asked.sources)
    return exit_code(Status.UNKNOWN if result.is_interrupted else roll_up([result.status, *troubles]))


def _judge(asked: Asked, reporter: Reporter) -> Judge:
    from certkit.expiry.scan import Judge
    from certkit.times import parse_time

    return Judge(
        thresholds=_thresholds(asked),
        now=parse_time(asked.at) if asked.at is not None else inputs.now(),
        leaf_only=asked.leaf_only,
        only_urgent=reporter.wants_only_urgent,
        reminders=_reminders(asked),
        with_labels=reporter.wants_labels,
    )


def _reminders(asked: Asked) -> Reminders | None:
    if asked.remind is None:
        return None
    from certkit.expiry.reminders import Reminders

    if asked.remind != "policy":
        return Reminders.parse(asked.remind)
    days = inputs.policy(asked.policy_name).renewal.reminders
    if not days:
        hint = "list them: --remind 28d,14d,7d"
        raise InputError(f"policy {asked.policy_name}: it defines no reminders", hint=hint)
    return Reminders.of_days(days)


def _client(asked: Asked, output: Output) -> tuple[Credentials | None, list[Finding]]:
    """The certificate for live hosts, and what is wrong with its key file."""
    if asked.cert is None and asked.key is None:
        return None, []
    if asked.cert is None or asked.key is None:
        raise InputError("--cert and --key must be given together", hint="give both, or none")
    client, file = inputs.credentials(asked.cert, asked.key, inputs.passphrase(asked.passphrase_file))
    output.warn_of([file])
    return client, [] if file.is_good else [file]


def _thresholds(asked: Asked) -> Thresholds:
    from certkit.durations import Duration
    from certkit.expiry.thresholds import Thresholds

    default_warn, default_critical = _defaults(asked.policy_name)
    return Thresholds.choose(
        warn=Duration.parse(asked.warn) if asked.warn is not None else None,
        critical=Duration.parse(asked.critical) if asked.critical is not None else None,
        default_warn=default_warn,
        default_critical=default_critical,
    )


def _defaults(policy_name: str) -> tuple[Duration, Duration]:
    """The thresholds of a policy; those of the default one are known without reading it."""
    from certkit.durations import Duration
    from certkit.policy.defaults import DEFAULT_CRITICAL, DEFAULT_WARN

    if policy_name == inputs.DEFAULT_POLICY:
        return Duration.parse(DEFAULT_WARN), Duration.parse(DEFAULT_CRITICAL)
    rules = inputs.policy(policy_name).expiry
    return rules.warn, rules.critical
