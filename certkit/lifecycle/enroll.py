"""Enrolling: an identity and its first request."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from certkit import keyfile
from certkit import request as requests
from certkit.core import csr, keys
from certkit.core.identity import Record, Settings, State, next_generation
from certkit.core.keys import KeySpec
from certkit.errors import InputError
from certkit.lifecycle import view
from certkit.stores.base import AbsentError, ConflictError

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.core.policy import Policy
    from certkit.findings import Finding
    from certkit.keyfile import Progress
    from certkit.stores.base import Identity, Store

_TRIES = 20
_LOOKS = 10
_PAUSE_SECONDS = 0.2

# Settings that the command line spells otherwise.
_SPELT = {"key_type": "type", "units": "unit", "trust_bundle": "ca"}


@dataclass(frozen=True, slots=True)
class Done:
    """What a use case left: the identity, whether anything changed, and the findings if something was judged."""

    identity: Identity
    changed: bool
    findings: tuple[Finding, ...] = ()


def enroll(
    store: Store, name: str, wanted: Settings, policy: Policy, *, now: datetime, progress: Progress = keyfile.silent
) -> Done:
    """An identity with a request that waits for its answer; what is there already and fits stays as it is.

    Raises:
        InputError: the identity is there with other settings.
        RefusedError: the policy refuses the subject or the type of key; nothing was written.
        StoreError: the store cannot be used.
    """
    if not _is_there(store, name, wanted):
        requests.refuse_subject(wanted.subject, policy)
        spec = KeySpec(wanted.key_type) if wanted.key_type else requests.default_spec(policy)
        requests.refuse_spec(spec, policy)
        try:
            store.create(name, Record(settings=replace(wanted, key_type=spec.name)))
        except ConflictError:  # somebody else was faster
            require_same(name, store.load(name).record.settings, wanted)
    identity = store.load(name)
    if view.in_state(identity, State.PENDING, State.ISSUED, State.ACTIVE, State.PREVIOUS):
        return Done(identity, changed=False)
    return add_request(store, identity, policy, now=now, progress=progress)


def add_request(
    store: Store, identity: Identity, policy: Policy, *, now: datetime, progress: Progress = keyfile.silent
) -> Done:
    """A new generation: a new key, and a CSR for it. Where another process is faster with its own, nothing changes.

    Raises:
        RefusedError: the policy refuses the CSR; nothing was written.
        StoreError: the store cannot be used.
    """
    settings = identity.record.settings
    spec = KeySpec(settings.key_type) if settings.key_type else requests.default_spec(policy)
    key = keyfile.new_key(spec, progress)
    facts = keys.key_facts(key.public_key())
    made = requests.check_own(csr.build(settings.subject, key), settings.subject, policy, facts)
    tried: list[str] = []
    for _ in range(_TRIES):
        number = next_generation([*(each.number for each in identity.generations), *tried])
        store.change(identity.name, functools.partial(_named, name=identity.name, number=number, now=now))
        try:
            store.add(identity.name, number, key=keys.to_pem(key), csr=made.pem)
        except ConflictError:
            faster = _pending_soon(store, identity.name)
            if faster is not None:
                return Done(faster, changed=False)
            tried.append(number)  # somebody began it, and never ended
        else:
            return Done(store.load(identity.name), changed=True)
    raise ConflictError(f"{identity.name}: too many processes make requests", hint="try again")


def _pending_soon(store: Store, name: str) -> Identity | None:
    """The identity, once it has the request that another process is about to make; None if it does not come."""
    for _ in range(_LOOKS):
        identity = store.load(name)
        if view.in_state(identity, State.PENDING):
            return identity
        time.sleep(_PAUSE_SECONDS)
    return None


def _named(record: Record, *, name: str, number: str, now: datetime) -> Record:
    """The record with a certificate name for a generation: unique, for partners refuse a name that was used before."""
    if number in record.names:
        return record
    month = f"{name}-{now:%Y-%m}"
    taken = set(record.names.values())
    suffixes = (chr(at) if at <= ord("z") else f"z{at - ord('z')}" for at in range(ord("a"), ord("a") + 1000))
    free = next(f"{month}-{suffix}" for suffix in suffixes if f"{month}-{suffix}" not in taken)
    return replace(record, names={**record.names, number: free})


def _is_there(store: Store, name: str, wanted: Settings) -> bool:
    """Whether there is an identity of that name, which then has to have been enrolled with the same options."""
    try:
        known = store.load(name).record.settings
    except AbsentError:
        return False
    require_same(name, known, wanted)
    return True


def require_same(name: str, known: Settings, wanted: Settings) -> None:
    """Refuse to enroll or import again with other options; what is left out now stays as it is.

    Raises:
        InputError: an option differs.
    """
    left_out = _options(Settings(policy=wanted.policy))
    then = _options(known)
    for option, value in _options(wanted).items():
        if value != then[option] and (value != left_out[option] or option == "policy"):
            raise InputError(
                f"{name}: it is enrolled already, with another --{_SPELT.get(option, option).replace('_', '-')}",
                hint="choose another name, or leave the option out",
            )


def _options(settings: Settings) -> dict[str, object]:
    """The settings one by one, those of the subject too."""
    parts = {each.name: getattr(settings, each.name) for each in fields(Settings) if each.name != "subject"}
    return parts | {each.name: getattr(settings.subject, each.name) for each in fields(settings.subject)}
