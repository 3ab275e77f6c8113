"""`certkit wise webhook check`: check that a server requires a client certificate."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise.webhook import ca_option, timeout_option, trusted
from certkit.findings import exit_code
from certkit.printable import printable


@click.command()
@click.argument("url", metavar="URL")
@ca_option
@timeout_option
@inputs.proxy_option
@reporting
def check(output: Output, *, url: str, ca: str | None, timeout: float) -> int:
    """Check that a webhook's server requires a client certificate that it trusts.

    Connects twice, without a certificate and with an untrusted one. Exits 0 if both are rejected, 2 if one is
    accepted. `certkit wise webhook test` shows whether Wise's certificate is accepted.

    \b
    Example:
      certkit wise webhook check https://hooks.example.com/wise \\
          --ca server-ca.pem
    """
    from certkit.api.webhooks import check_webhook

    report = check_webhook(url, ca=trusted(ca), timeout=timeout)
    if output.as_json:
        output.document(report.as_dict())
    else:
        output.judged(printable(url), report.status, report.findings)
    return exit_code(report.status)
