"""`certkit csr check`: check a CSR against the rules of one or several partners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import reporting
from certkit.findings import exit_code

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output


@click.command()
@inputs.file_argument("source", metavar="CSR")
@inputs.policies_option
@inputs.file_option("--key", metavar="KEY", help="Check that this private key belongs to the CSR.")
@inputs.passphrase_option
@reporting
def check(
    output: Output, *, source: str, policy_names: tuple[str, ...], key: str | None, passphrase_file: str | None
) -> int:
    """Check the exact bytes of a CSR against a partner's rules, before you send it.

    With several policies, every one is checked, and the worst result decides. Exits 0 if the CSR follows the rules, 1
    for a warning, 2 if a partner would reject it, 3 if there is no CSR to check.

    \b
    Examples:
      certkit csr check acme.csr --policy wise-sandbox --key acme.key
      certkit csr check acme.csr --policy adyen --policy wise-production
    """
    from certkit.api.checks import check_csr

    for name in policy_names:
        inputs.policy(name)  # warns if it is retired
    held = inputs.private_key(key, inputs.passphrase(passphrase_file)) if key else None
    report = check_csr(inputs.data(source), policy=policy_names, key=held)
    if output.as_json:
        output.document(report.as_dict())
    else:
        for each in report.fits:
            output.judged(f"{source} for {each.policy}", each.status, each.findings)
    return exit_code(report.status)
