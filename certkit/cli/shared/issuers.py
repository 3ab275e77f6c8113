"""Issuers of identities: `manual`, `vault-pki:MOUNT/ROLE`, `command:PROGRAM` or `command:NAME`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from certkit.cli.shared.stores import connected, programs_for
from certkit.identity.issuers.base import IssuerSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.cli.shared.output import Output
    from certkit.identity.issuers.base import Issuer
    from certkit.stores.base import Identity, Store


@contextlib.contextmanager
def issuing(store: Store, identity: Identity, output: Output) -> Iterator[Issuer | None]:
    """Yield the issuer of an identity; None if a person fetches the certificate.

    Raises:
        InputError: if its record names none, one that may not run on this host, or one that cannot be reached.
    """
    spec = IssuerSpec.parse(identity.record.settings.issuer)
    if spec.kind is Kind.VAULT_PKI:
        with connected(output) as vault:
            from certkit.identity.issuers.vault_pki import VaultPki

            yield VaultPki(vault, spec.where)
    elif spec.kind is Kind.COMMAND:
        from certkit.identity.issuers.command import Command

        programs = programs_for(store)
        program = programs.issuer(spec.where, identity=identity.name)
        yield Command(program.arguments, {**programs.variables, **program.variables})
    else:
        yield None
