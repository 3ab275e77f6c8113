"""`certkit identity install`: install the certificate issued for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.identity import (
    ca_option,
    deploy_option,
    in_identities,
    name_argument,
    print_identity,
    probe_option,
    untrusted_option,
)
from certkit.cli.shared import inputs

if TYPE_CHECKING:
    from certkit.api.store import IdentityStore
    from certkit.cli.shared.output import Output


@click.command()
@name_argument
@inputs.file_argument("certificate", metavar="CERT")
@ca_option
@untrusted_option
@click.option("--no-activate", is_flag=True, help="Install only; do not activate.")
@deploy_option("this activation only")
@probe_option
@in_identities
def install(
    output: Output,
    store: IdentityStore,
    *,
    name: str,
    certificate: str,
    ca: str | None,
    untrusted: tuple[str, ...],
    **options: Any,
) -> int:
    """Install the certificate issued for a request, and activate it.

    CERT is a file, or - to paste it: PEM, with or without the chain. It is matched to the
    request by its public key, and nothing is written unless every check passes.

    \b
    Example:
      certkit identity install acme acme.pem --ca wise-ca.pem
    """
    found = store.install(
        name,
        inputs.data(certificate),
        ca=inputs.data(ca),
        untrusted=[inputs.data(each) for each in untrusted],
        **options,
    )
    return print_identity(output, found)
