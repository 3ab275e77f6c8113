"""`certkit wise check`: compare sandbox and production before going live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.identity import in_identities
from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@click.argument("sandbox", metavar="SANDBOX")
@click.argument("production", metavar="PRODUCTION")
@click.option("--online", is_flag=True, help="Also check certificate, token and the plain host with Wise itself.")
@inputs.timeout_option("Total time allowed per request.")
@in_identities
def check(output: Output, store: IdentityStore, *, sandbox: str, production: str, online: bool, timeout: float) -> int:
    """Compare the sandbox and the production identity before going live.

    Checks that keys and trust bundles differ, that environments and hosts are right, that each certificate chains to
    its own trust bundle and does not expire soon, that tokens are stored, that the store is private, and that this
    host runs reminders. Wise is contacted only with --online.

    \b
    Example:
      certkit wise check acme-sandbox acme-production
    """
    report = store.wise_check(sandbox, production, online=online, timeout=timeout)
    return output.report(report, report.subject or "")
