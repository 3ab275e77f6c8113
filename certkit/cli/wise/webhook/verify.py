"""`certkit wise webhook verify`: check the signature of a delivery."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise import ENVIRONMENTS
from certkit.findings import exit_code


@click.command()
@click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Use Wise's published key of this environment.")
@click.option("--policy", "policy_name", metavar="POLICY", help="Use the key of this policy, such as a rehearsal's.")
@inputs.file_option("--key", metavar="FILE", help="Use this public key (PEM).")
@click.option("--header", metavar="VALUE", required=True, help="Value of the X-Signature-SHA256 header.")
@inputs.file_argument("body", metavar="BODY")
@reporting
def verify(
    output: Output,
    *,
    environment: str | None,
    policy_name: str | None,
    key: str | None,
    header: str,
    body: str,
) -> int:
    """Verify the signature of a delivery: that Wise sent exactly these bytes. BODY is a file, or - for standard input.

    Exits 0 if it was signed with the key, 2 if not.

    \b
    Example:
      certkit wise webhook verify --policy wise-sandbox --header "$SIGNATURE" \\
          body.json
    """
    from certkit.api.webhooks import verify_webhook
    from certkit.report import json

    if policy_name is not None:
        inputs.policy(policy_name)  # warns if it is retired
    report = verify_webhook(
        inputs.read(body), header, environment=environment, policy=policy_name, key=inputs.data(key)
    )
    if output.as_json:
        output.document(json.judged(report.status, body, report.findings))
    else:
        output.judged(body, report.status, report.findings)
    return exit_code(report.status)
