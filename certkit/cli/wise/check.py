"""`certkit wise check`: sandbox and production side by side, before going live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_store
from certkit.cli.shared import inputs
from certkit.findings import exit_code, roll_up

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.stores.base import Store


@click.command()
@click.argument("sandbox", metavar="SANDBOX")
@click.argument("production", metavar="PRODUCTION")
@click.option("--online", is_flag=True, help="Also check certificate, token and the plain host with Wise itself.")
@inputs.timeout_option("Total time allowed per request.")
@in_store
def check(output: Output, store: Store, *, sandbox: str, production: str, online: bool, timeout: float) -> int:
    """Compare the sandbox and the production identity before going live.

    Checks that keys and trust bundles differ, that environments and hosts are right, that each certificate chains to
    its own trust bundle and does not expire soon, that tokens are stored, that the store is private, and that this
    host runs reminders. Wise is contacted only with --online.

    \b
    Example:
      certkit wise check acme-sandbox acme-production
    """
    from certkit.report import json
    from certkit.stores.opening import findings_of
    from certkit.stores.record import require_name
    from certkit.wise import check as going_live

    now = inputs.now()
    one, other = (going_live.side(store, require_name(name)) for name in (sandbox, production))
    findings = going_live.compare(one, other)
    for each in (one, other):
        findings += going_live.look(store, each, now=now)
        if online:
            findings += going_live.ask(store, each, timeout=timeout, now=now)
    findings += [*([] if online else going_live.not_asked()), going_live.reminders(), *findings_of(store)]
    status = roll_up(finding.status for finding in findings)
    title = f"{sandbox} and {production}"
    if output.as_json:
        output.document(json.judged(status, title, findings))
    else:
        output.judged(title, status, findings)
    return exit_code(status)
