"""Taking generations out of use: `retire` and `discard`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.identity import overview
from certkit.identity.enroll import Done
from certkit.stores.record import Record, State

if TYPE_CHECKING:
    from collections.abc import Callable

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


def change(store: Store, identity: StoredIdentity, edit: Callable[[Record], Record]) -> Done:
    """Change the record of an identity, if there is anything to change."""
    if edit(identity.record) == identity.record:
        return Done(identity, changed=False)
    return Done(store.change(identity, edit), changed=True)
