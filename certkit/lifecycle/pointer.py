"""Moving the pointer of an identity, and putting generations out of use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.core.identity import Record, State
from certkit.errors import InputError, RefusedError
from certkit.lifecycle import view
from certkit.lifecycle.enroll import Done

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.stores.base import Identity, Store


def activate(store: Store, name: str, number: str | None = None, *, now: datetime) -> Done:
    """Put a generation to use: the one named, or the one that was issued last and never used.

    Raises:
        AbsentError: there is no such generation.
        InputError: there is none to activate, or it is put out of use.
        RefusedError: its certificate has expired, or its request is open.
        StoreError: the store cannot be used.
    """
    identity = store.load(name)
    if number is None:
        waiting = view.in_state(identity, State.ISSUED)
        if not waiting:
            if identity.record.active:
                return Done(identity, changed=False)
            hint = f"install the answer to its request: certkit identity install {name} CERT"
            raise InputError(f"{name}: no generation is ready to be activated", hint=hint)
        number = waiting[-1].number
    _require_usable(identity, number, now)
    return _change(store, identity, lambda record: record.activate(number))


def rollback(store: Store, name: str, *, now: datetime) -> Done:
    """Go back to the generation that was in use before.

    Raises:
        InputError: there is none.
        RefusedError: its certificate has expired.
        StoreError: the store cannot be used.
    """
    identity = store.load(name)
    previous = identity.record.previous
    if previous is None:
        raise InputError(f"{name}: no other generation was in use before", hint="`certkit identity show` lists them")
    _require_usable(identity, previous, now)
    return _change(store, identity, lambda record: record.activate(previous))


def retire(store: Store, name: str, number: str) -> Done:
    """Put a generation out of use for good.

    Raises:
        AbsentError: there is no such generation.
        InputError: it is the active one.
        StoreError: the store cannot be used.
    """
    identity = store.load(name)
    view.generation(identity, number)
    return _change(store, identity, lambda record: record.retire(number))


def discard(store: Store, name: str) -> Done:
    """Drop the request that waits for an answer, as when the portal refused it.

    Raises:
        StoreError: the store cannot be used.
    """
    identity = store.load(name)
    numbers = [each.number for each in view.in_state(identity, State.PENDING)]

    def drop(record: Record) -> Record:
        for number in numbers:
            record = record.discard(number)
        return record

    return _change(store, identity, drop)


def _require_usable(identity: Identity, number: str, now: datetime) -> None:
    certificate = view.certificate(view.generation(identity, number))
    if certificate is None:
        raise RefusedError(
            f"refused, {identity.name}: generation {number} has no certificate yet",
            hint=f"install the answer to its request: certkit identity install {identity.name} CERT",
        )
    if certificate.not_valid_after_utc < now:
        raise RefusedError(
            f"refused, {identity.name}: the certificate of generation {number} has expired",
            hint=f"make a new one: certkit identity renew {identity.name}",
        )


def _change(store: Store, identity: Identity, edit: Callable[[Record], Record]) -> Done:
    if edit(identity.record) == identity.record:
        return Done(identity, changed=False)
    store.change(identity.name, edit)
    return Done(store.load(identity.name), changed=True)
