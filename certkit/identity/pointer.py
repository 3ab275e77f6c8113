"""Moving the pointer of an identity, and taking generations out of use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import InputError, RefusedError
from certkit.identity import overview
from certkit.identity.enroll import Done
from certkit.stores.record import Record, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.stores.base import Store, StoredIdentity


def choose(identity: StoredIdentity, number: str | None) -> str | None:
    """Return the generation to activate; None if none is waiting and one is active.

    Raises:
        InputError: if no generation qualifies.
    """
    if number is not None:
        return number.zfill(4) if number.isdecimal() and number.isascii() else number
    issued = [each.number for each in overview.unfinished(identity) if each.is_issued]
    if issued:
        return issued[-1]
    if identity.record.active:
        return None
    hint = f"install the issued certificate: certkit identity install {identity.name} CERT"
    raise InputError(f"{identity.name}: no generation is ready to be activated", hint=hint)


def before(identity: StoredIdentity) -> str:
    """Return the generation that was active before.

    Raises:
        InputError: if no generation qualifies.
    """
    previous = identity.record.previous
    if previous is None:
        hint = f"see certkit identity show {identity.name}"
        raise InputError(f"nothing to roll back to: no earlier generation of {identity.name} is usable", hint=hint)
    return previous


def retire(store: Store, identity: StoredIdentity, number: str) -> Done:
    """Retire a generation, even one that was discarded or pruned: its certificate may still be live.

    Raises:
        AbsentError: if there is no such generation.
        InputError: if the generation is active.
        StoreError: if the store cannot be used.
    """
    number = number.zfill(4) if number.isdecimal() and number.isascii() else number
    if number not in identity.record.facts:
        overview.generation(identity, number)
    return change(store, identity, lambda record: record.retire(number))


def discard(store: Store, identity: StoredIdentity) -> Done:
    """Discard the pending request, for example if the portal refused it.

    Raises:
        StoreError: if the store cannot be used.
    """
    numbers = [each.number for each in overview.in_state(identity, State.PENDING)]

    def drop(record: Record) -> Record:
        for number in numbers:
            record = record.discard(number)
        return record

    return change(store, identity, drop)


def require_usable(identity: StoredIdentity, number: str, now: datetime) -> None:
    """Refuse a generation that cannot be used.

    Raises:
        AbsentError: if there is no generation of that number.
        RefusedError: if its certificate has expired, or its request is pending.
    """
    certificate = overview.certificate(overview.generation(identity, number))
    if certificate is None:
        raise RefusedError(
            f"cannot activate generation {number} of {identity.name}: it has no certificate yet",
            hint=f"install the issued certificate: certkit identity install {identity.name} CERT",
        )
    if certificate.dates()[1] < now:
        raise RefusedError(
            f"cannot activate generation {number} of {identity.name}: its certificate has expired",
            hint=f"request a new one: certkit identity renew {identity.name}",
        )


def change(store: Store, identity: StoredIdentity, edit: Callable[[Record], Record]) -> Done:
    """Change the record of an identity, if there is anything to change.

    Raises:
        StoreError: if the store cannot be used.
    """
    if edit(identity.record) == identity.record:
        return Done(identity, changed=False)
    return Done(store.change(identity, edit), changed=True)
