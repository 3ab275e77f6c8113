"""`certkit identity update`: change the settings of an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import ca_option, in_identities, name_argument, print_identity
from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@ca_option
@click.option(
    "--replace-ca", is_flag=True, help="Replace the trust bundle with the CAs in --ca instead of adding them."
)
@inputs.filled_option("--client-id", metavar="ID", help="Common name that certificates must have.")
@inputs.filled_option("--issuer", metavar="ISSUER", help="manual, vault-pki:MOUNT/ROLE or command:NAME.")
@inputs.filled_option("--probe", metavar="URL|policy|none", help="URL to probe before activating.")
@inputs.filled_option("--deploy-hook", metavar="PROGRAM|NAME|none", help="Program to run after each activation.")
@inputs.filled_option("--group", metavar="G", help="Group that may read the keys, including existing ones.")
@click.option("--force", is_flag=True, help="Change the CAs even if the active certificate no longer verifies.")
@in_identities
def update(output: Output, store: IdentityStore, *, name: str, ca: str | None, **options: Any) -> int:
    """Change the settings of an identity: CAs, client id, issuer, probe URL, hooks, group.

    CAs are added to the trust bundle; --replace-ca replaces it, unless the active certificate would no longer verify.

    \b
    Example:
      certkit identity update acme --ca wise-ca.pem
    """
    return print_identity(output, store.update(name, ca=inputs.data(ca), **options))
