"""The active certificate of an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Sighting
from certkit.stores.record import HANGS, State
from certkit.x509 import objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from certkit.expiry.sources.base import Seen
    from certkit.stores.base import Store
    from certkit.stores.record import Record

SCHEME = "identity:"


def look_at_identity(store: Store, name: str, now: datetime) -> Iterator[Seen]:
    """Yield the active certificate of an identity, the CAs above it, and requests that have been pending too long.

    That none is active is a failure, because one is expected.
    """
    source = f"{SCHEME}{name}"
    try:
        identity = store.load(name)
        found = None
        for each in identity.generations:
            if each.number == identity.record.active and each.issued is not None:
                found = objects.certificates(each.issued.fullchain, name=f"generation {each.number}")
    except InputError as error:
        yield Failure(source, f"cannot read {source}: {error.message}", error.hint, Reason.STORE_FAILED)
        return
    if found is None:
        active = identity.record.active
        hint = f"see what is pending: certkit identity show {name}"
        message = f"cannot read {source}: no generation is active"
        if active is not None:
            message = f"cannot read {source}: the certificate of the active generation {active} is missing"
            hint = f"restore it from a backup, or activate another one: certkit identity activate {name}"
        yield Failure(source, message, hint, Reason.NO_CERTIFICATE_FOUND)
        return
    yield Sighting(source, found)
    for generation in identity.generations:
        if identity.record.state(generation.number, has_certificate=generation.is_issued) is State.PENDING:
            yield from hanging(source, name, generation.number, identity.record, now)


def hanging(source: str, name: str, number: str, record: Record, now: datetime) -> Iterator[Failure]:
    """Yield the failure for a request that has been pending so long that it may have been forgotten."""
    waiting = record.waiting(number, now)
    if waiting is not None and waiting >= HANGS:
        message = f"{source}: the request of generation {number} has been pending for {waiting.days} days"
        hint = f"see what is pending: certkit identity show {name}"
        yield Failure(source, message, hint, Reason.REQUEST_WAITING)
