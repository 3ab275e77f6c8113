"""`certkit wise webhook check`: whether a server really demands a client certificate."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise.webhook import ca_option, timeout_option
from certkit.findings import exit_code, roll_up
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
    from certkit.wise import webhooks

    anchors = inputs.anchors([] if ca is None else [ca])
    findings = webhooks.check(url, now=inputs.now(), anchors=anchors, timeout=timeout)
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        from certkit.report import json

        output.document(json.judged(status, url, findings))
    else:
        output.judged(printable(url), status, findings)
    return exit_code(status)
