"""`certkit policy which`: find the partners that would accept a CSR or certificate."""

from __future__ import annotations

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.findings import Status


@click.command()
@inputs.file_argument("source", metavar="CSR|CERT")
@reporting
def which(output: Output, *, source: str) -> int:
    """Check a CSR or certificate against every shipped policy, and list which partners would accept it.

    Exits 0 if at least one would, 2 if none would.

    \b
    Example:
      certkit policy which acme.csr
    """
    from certkit.api.rules import which_policy
    from certkit.report import policies

    found = which_policy(inputs.data(source))
    if output.as_json:
        output.document(
            [
                {"policy": each.policy, "status": each.status.value, "reasons": [bad.message for bad in each.reasons]}
                for each in found
            ]
        )
    else:
        output.text(policies.compared(found, only_good=output.quiet))
    return 0 if any(each.status in {Status.OK, Status.WARNING} for each in found) else 2
