"""`certkit wise check`: sandbox and production side by side, before going live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.findings import Finding, exit_code, ok, roll_up, warning

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@click.argument("sandbox", metavar="SANDBOX")
@click.argument("production", metavar="PRODUCTION")
@click.option("--online", is_flag=True, help="Ask Wise, too: certificate, token, and the plain host to fall back to.")
@inputs.timeout_option("For each request, all in all.")
@in_store
def check(output: Output, store: Store, *, sandbox: str, production: str, online: bool, timeout: float) -> int:
    """Compare two identities of a store before going live: what must differ between them, and what must hold.

    Keys and trust bundles have nothing in common; environments and hosts are the right ones; each certificate leads to
    its own trust bundle and has time left; tokens are there; the store is private; this host runs reminders. Nobody is
    asked without --online.

    \b
    Example:
      certkit wise check acme-sandbox acme-production
    """
    from certkit.cli.store import findings_of
    from certkit.report import json
    from certkit.stores.record import require_name
    from certkit.wise import check as going_live

    now = inputs.now()
    one, other = (going_live.side(store, require_name(name)) for name in (sandbox, production))
    findings = going_live.compare(one, other)
    for each in (one, other):
        findings += going_live.look(store, each, now=now)
        if online:
            findings += going_live.ask(store, each, timeout=timeout, now=now)
    findings += [*([] if online else going_live.not_asked()), _reminders(), *findings_of(store)]
    status = roll_up(finding.status for finding in findings)
    title = f"{sandbox} and {production}"
    if output.as_json:
        output.document(json.judged(status, title, findings))
    else:
        output.judged(title, status, findings)
    return exit_code(status)


def _reminders() -> Finding:
    """Whether this host runs certkit again and again; another one may do it instead, which nobody here can see."""
    from certkit.wise import schedules

    found = schedules.reminding()
    if found:
        return ok("reminders", f"certkit runs by {', '.join(found[:3])}")
    hint = "have cron or systemd run certkit expiry, here or on another host: scripts/cron, scripts/systemd"
    return warning("reminders", "nothing on this host runs certkit expiry again and again", hint)
