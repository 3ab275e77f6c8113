"""`certkit csr check`: check a CSR against the rules of one or several partners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from certkit.cli.shared import inputs
from certkit.cli.shared.output import Output, reporting
from certkit.findings import exit_code, roll_up

if TYPE_CHECKING:
    from certkit.cli.shared.output import Output
    from certkit.findings import Finding
    from certkit.policy.rules import Policy


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
    from certkit.csr import check as csr_check
    from certkit.report import json
    from certkit.x509 import keys, names, objects

    policies = [inputs.policy(name) for name in policy_names]
    data = inputs.read(source)
    held = inputs.private_key(key, inputs.passphrase(passphrase_file)) if key else None
    facts = keys.key_facts(held.key.public_key()) if held else None
    found: list[tuple[Policy, list[Finding]]] = []
    for policy in policies:
        findings = csr_check.check(data, policy, key=facts, name=source)
        findings += csr_check.key_file(policy, held)
        found.append((policy, findings))
    status = roll_up(finding.status for _, findings in found for finding in findings)
    if output.as_json:
        subject = names.subject_or_none(objects.csr_value(data, name=source))
        output.document(json.judged_by(status, subject, [(policy.name, findings) for policy, findings in found]))
    else:
        for policy, findings in found:
            each = roll_up(finding.status for finding in findings)
            output.judged(f"{source} for {policy.name}", each, findings)
    return exit_code(status)
