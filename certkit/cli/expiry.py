"""`certkit expiry`: a warning before certificates expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, explain, reporting
from certkit.cli.shared.stores import store_option
from certkit.errors import InputError
from certkit.findings import Status, exit_code, roll_up
from certkit.times import parse_time

if TYPE_CHECKING:
    from certkit.expiry.reminders import Reminders
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
    from certkit.cli.expiry_report import Reporter
    from certkit.cli.shared.stores import opener
    from certkit.expiry.scan import Judge, look, scan
    from certkit.expiry.sources.parsing import access, parse

    form = "json" if output.as_json else options["format_"]
    target = None if options["target"] == inputs.STDIN else options["target"]
    reporter = Reporter(output, form, target, options["state"], show_all=options["show_all"])
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
        found = output.counted(look(parse(sources, access_to), judge), of=lambda part: part.places)
        result = scan(reporter.collect(found), now=judge.now, findings=findings)
    places = result.quiet + sum(len(row.sources) for row in result.rows)
    explain(f"warning below {judge.thresholds.warn}, critical below {judge.thresholds.critical}")
    explain(f"certificates and CRLs found: {places:,}, files skipped: {len(result.skipped):,}")
    troubles = reporter.report(result, judge, sources=sources)
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
    client, file = inputs.credentials(cert, key, secret)
    return client, [] if file.is_good else [file]
