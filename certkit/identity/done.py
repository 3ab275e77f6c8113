"""The result of a use case: the identity as it is afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certkit.findings import Finding
    from certkit.stores.base import Edit, Store, StoredIdentity


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a use case: the identity, whether anything changed, and the findings of the checks made.

    `outcome` is that of a renewal in words, with its status.
    """

    identity: StoredIdentity
    changed: bool
    findings: tuple[Finding, ...] = ()
    outcome: Finding | None = None


def change(store: Store, identity: StoredIdentity, edit: Edit) -> Done:
    """Change the record of an identity, if there is anything to change."""
    if edit(identity.record) == identity.record:
        return Done(identity, changed=False)
    return Done(store.change(identity, edit), changed=True)
