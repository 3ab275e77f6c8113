"""Taking generations out of use: `retire`, `discard` and `prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.identity import overview
from certkit.identity.done import Done, change
from certkit.stores.record import Record, State

if TYPE_CHECKING:
    from certkit.stores.base import Store, StoredIdentity


def retire(store: Store, identity: StoredIdentity, number: str) -> Done:
    """Retire a generation, even one that was discarded or pruned: its certificate may still be live.

    Raises:
        AbsentError: if there is no such generation.
        InputError: if the generation is active.
    """
    number = number.zfill(4) if number.isdecimal() and number.isascii() else number
    if number not in identity.record.facts:
        overview.generation(identity, number)
    return change(store, identity, lambda record: record.retire(number))


def discard(store: Store, identity: StoredIdentity) -> Done:
    """Discard the pending request, for example if the portal refused it."""
    numbers = [each.number for each in overview.in_state(identity, State.PENDING)]

    def drop(record: Record) -> Record:
        for number in numbers:
            record = record.discard(number)
        return record

    return change(store, identity, drop)


def prunable(identity: StoredIdentity, *, keep: int) -> list[str]:
    """Return the generations to delete: all but the active one, the one to roll back to, open ones, and the newest."""
    needed = {identity.record.active, identity.record.previous}
    needed |= {each.number for each in overview.in_state(identity, State.PENDING, State.ISSUED)}
    others = [each.number for each in identity.generations if each.number not in needed]
    return others[: max(len(others) - keep, 0)]


def prune(store: Store, identity: StoredIdentity, *, keep: int) -> tuple[Done, list[str]]:
    """Delete the keys and certificates of past generations; return their numbers.

    Raises:
        StoreError: if the store cannot be used, or its token may not delete.
    """
    numbers = prunable(identity, keep=keep)
    if not numbers:
        return Done(identity, changed=False), []
    return Done(store.prune(identity, numbers), changed=True), numbers
