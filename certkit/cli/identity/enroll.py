"""`certkit identity enroll`: create an identity and its first request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import (
    ca_option,
    deploy_option,
    given_policy,
    group_option,
    in_identities,
    name_argument,
    print_identity,
    probe_option,
)
from certkit.cli.key import key_type_option
from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@inputs.policy_option
@inputs.subject_options
@key_type_option(help="Key type.  [default: the policy's first]")
@inputs.filled_option("--client-id", metavar="ID", help="Common name that the partner will put in the certificate.")
@ca_option
@group_option
@click.option(
    "--issuer",
    metavar="ISSUER",
    default="manual",
    show_default=True,
    help="Who signs the request: manual, vault-pki:MOUNT/ROLE, command:PROGRAM or command:NAME.",
)
@inputs.filled_option(
    "--probe", metavar="URL|policy", help="URL to probe before a certificate is activated; `policy`: the policy's URL."
)
@deploy_option("each activation")
@probe_option
@in_identities
def enroll(output: Output, store: IdentityStore, *, name: str, **options: Any) -> int:
    """Create an identity: a private key, and a CSR that follows the partner's rules.

    Prints the next step; with an automatic issuer, the certificate is installed at once. Repeating it with the same
    options, or fewer, changes nothing.

    \b
    Example:
      certkit identity enroll wise-sandbox --policy wise-sandbox \\
          --organization "Acme Ltd" --country GB
    """
    options["ca"], options["policy"] = inputs.data(options["ca"]), given_policy(options.pop("policy_name"))
    return print_identity(output, store.enroll(name, **options))
