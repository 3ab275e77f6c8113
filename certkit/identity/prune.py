"""Deleting the keys and certificates of generations that are no longer used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.identity import overview
from certkit.identity.enroll import Done
from certkit.stores.record import State

if TYPE_CHECKING:
    from certkit.stores.base import Store, StoredIdentity

KEPT = 3
"""The number of past generations to keep besides those in use."""


def prunable(identity: StoredIdentity, *, keep: int = KEPT) -> list[str]:
    """Return the generations to delete: all but the active one, the one to roll back to, open ones, and the newest."""
    needed = {identity.record.active, identity.record.previous}
    needed |= {each.number for each in overview.in_state(identity, State.PENDING, State.ISSUED)}
    others = [each.number for each in identity.generations if each.number not in needed]
    return others[: max(len(others) - keep, 0)]


def prune(store: Store, identity: StoredIdentity, *, keep: int = KEPT) -> tuple[Done, list[str]]:
    """Delete the keys and certificates of past generations; return their numbers.

    Raises:
        StoreError: if the store cannot be used, or its token may not delete.
    """
    numbers = prunable(identity, keep=keep)
    if not numbers:
        return Done(identity, changed=False), []
    return Done(store.prune(identity, numbers), changed=True), numbers
