"""The state of a server, which needs no token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from certkit.printable import printable
from certkit.vault.errors import Kind, VaultError, asking
from certkit.vault.fields import pick

if TYPE_CHECKING:
    from certkit.vault.client import Vault

_MAX_VERSION = 64


@dataclass(frozen=True, slots=True)
class Health:
    """The server's version, state and clock, to the second."""

    version: str
    is_initialized: bool
    is_sealed: bool
    is_standby: bool
    clock: datetime


def health(vault: Vault) -> Health | None:
    """Return the state of the server; None if it does not say, as inside a namespace.

    Raises:
        VaultError: if it cannot be reached.
    """
    where = vault.address
    with asking("check the health of", where):
        # The request has the server respond with 200 in any state: another status would be retried.
        document = vault.transport.again.sys.read_health_status(
            method="GET",
            standby_ok="true",
            sealed_code=200,
            uninit_code=200,
            dr_secondary_code=200,
            performance_standby_code=200,
        )
    try:
        seconds = pick(document, "server_time_utc", of=int, where=where)
        return Health(
            version=printable(pick(document, "version", of=str, where=where)[:_MAX_VERSION]),
            is_initialized=pick(document, "initialized", of=bool, where=where),
            is_sealed=pick(document, "sealed", of=bool, where=where),
            is_standby=pick(document, "standby", of=bool, where=where),
            clock=datetime.fromtimestamp(min(max(seconds, 0), 2**35), UTC),
        )
    except VaultError as error:
        if error.kind is Kind.NOT_VAULT:
            return None
        raise
