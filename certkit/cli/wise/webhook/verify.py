"""`certkit wise webhook verify`: check the signature of a delivery."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.cli.wise import ENVIRONMENTS
from certkit.errors import InputError
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
    from certkit.report import json
    from certkit.wise import addresses, deliveries

    if [environment, policy_name, key].count(None) != 2:
        hint = "--environment sandbox, for example"
        raise InputError("give one of --environment, --policy and --key", hint=hint)
    if key is not None:
        pem = inputs.read(key)
    else:
        policy = inputs.policy(policy_name or addresses.ENVIRONMENTS[environment or ""])
        pem = policy.webhooks.signing_key.encode()
        if not pem:
            raise InputError(f"policy {policy.name}: it has no webhooks.signing_key", hint="give --key FILE")
    found = deliveries.verify(inputs.read(body), header, pem)
    if output.as_json:
        output.document(json.judged(found.status, body, [found]))
    else:
        output.judged(body, found.status, [found])
    return exit_code(found.status)
