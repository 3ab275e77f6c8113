"""Issuers by the words that name them: `manual`, `vault-pki:MOUNT/ROLE`, `command:PROGRAM`."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from certkit.cli.shared.stores import connected
from certkit.identity.issuers.base import IssuerSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.cli.shared.output import Output
    from certkit.identity.issuers.base import Issuer


@contextlib.contextmanager
def issuing(text: str, output: Output) -> Iterator[Issuer | None]:
    """The issuer that the text names; None where a person brings the answer.

    Raises:
        InputError: it names none, or it cannot be reached.
    """
    spec = IssuerSpec.parse(text)
    if spec.kind is Kind.VAULT_PKI:
        with connected(output) as vault:
            from certkit.identity.issuers.vault_pki import VaultPki

            yield VaultPki(vault, spec.where)
    elif spec.kind is Kind.COMMAND:
        from certkit.identity.issuers.command import Command

        yield Command(spec.arguments(), os.environ)
    else:
        yield None
