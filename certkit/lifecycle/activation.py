"""Putting a generation to use: proved before the pointer moves and after, and told to the programs that use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from certkit.errors import CertkitError, InputError, RefusedError
from certkit.findings import Finding, Status
from certkit.hooks import HookError
from certkit.lifecycle import answer, pointer, view
from certkit.lifecycle.enroll import Done
from certkit.lifecycle.notify import notify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from certkit.core.identity import Record
    from certkit.stores.base import Identity, Store

Probe: TypeAlias = "Callable[[Identity, str], Finding]"
"""What the partner says to a generation: ok, critical where it refuses it, unknown where nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The programs that are run once a generation is in use, and the environment that they inherit."""

    programs: Sequence[Path | str] = ()
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """How a generation is put to use: with what it is proved, if at all, and what is run then."""

    probe: Probe | None = None
    deployment: Deployment | None = None


PLAIN = Activation()


def activate(store: Store, name: str, number: str | None = None, *, how: Activation = PLAIN, now: datetime) -> Done:
    """Put a generation to use, the one named or the one that was issued last, unless the partner refuses it.

    With a probe, the pair is tried before the pointer moves, and once more through the pointer; where that fails the
    pointer moves back at once. Then the deploy hooks run; those that failed are run again the next time.

    Raises:
        AbsentError: there is no such generation.
        InputError: there is none to activate, or the partner cannot be asked; nothing moved.
        RefusedError: its certificate has expired or the partner refuses it; what was in use is in use.
        HookError: a hook failed; the generation is in use.
        StoreError: the store cannot be used.
    """
    identity = store.load(name)
    chosen = pointer.choose(identity, number)
    if chosen is None:
        return deploy(store, Done(identity, changed=False), how.deployment)
    return _move(store, identity, chosen, how=how, now=now)


def rollback(store: Store, name: str, *, how: Activation = PLAIN, now: datetime) -> Done:
    """Go back to the generation that was in use before, without a probe: it has proved itself, and there is haste.

    Raises:
        InputError: there is none.
        RefusedError: its certificate has expired.
        HookError: a hook failed; the generation is in use.
        StoreError: the store cannot be used.
    """
    identity = store.load(name)
    return _move(store, identity, pointer.before(identity), how=replace(how, probe=None), now=now)


def _move(store: Store, identity: Identity, number: str, *, how: Activation, now: datetime) -> Done:
    earlier = identity.record.active
    pointer.require_usable(identity, number, now)
    if number == earlier:
        return deploy(store, Done(identity, changed=False), how.deployment)
    findings = _prove(identity, number, how.probe, "it stays as it was")
    answer.complete(store, identity, view.generation(identity, number))

    def move(record: Record) -> Record:
        moved = record.activate(number)
        return replace(moved, undeployed=number if _has_hooks(how.deployment) else None)

    done = pointer.change(store, identity, move)
    if how.probe is not None and done.changed:
        _prove_in_use(store, done.identity, number, earlier, how.probe)
    return deploy(store, replace(done, findings=findings), how.deployment)


def _prove(identity: Identity, number: str, probe: Probe | None, outcome: str) -> tuple[Finding, ...]:
    """What the partner says to a pair.

    Raises:
        RefusedError: it refuses it.
        InputError: it cannot be asked.
    """
    if probe is None:
        return ()
    found = probe(identity, number)
    if found.status is Status.CRITICAL:
        message = f"refused, {identity.name}: the probe of generation {number} failed: {found.message}; {outcome}"
        raise RefusedError(message, hint=found.hint, findings=(found,))
    if found.status is Status.UNKNOWN:
        message = f"cannot tell, {identity.name}: the probe of generation {number} failed: {found.message}; {outcome}"
        raise InputError(message, hint=found.hint)
    return (found,)


def _prove_in_use(store: Store, identity: Identity, number: str, earlier: str | None, probe: Probe) -> None:
    """Try the pair as it is in use now; where that fails, go back to what was in use.

    Raises:
        CertkitError: it failed.
    """
    back = f"rolled back to generation {earlier}" if earlier else "there is none to roll back to"
    try:
        _prove(identity, number, probe, back)
    except CertkitError as error:
        if earlier is None:
            error.is_changed = True
        else:
            store.change(identity.name, lambda record: _back(record, number, earlier))
        raise


def _back(record: Record, number: str, earlier: str) -> Record:
    """The record with what was in use before, unless somebody has moved the pointer meanwhile."""
    return replace(record.activate(earlier), undeployed=None) if record.active == number else record


def deploy(store: Store, done: Done, deployment: Deployment | None) -> Done:
    """Run the hooks of what is in use, if they have not succeeded yet.

    Raises:
        HookError: one failed; the rest is not run, and all are run again the next time.
        StoreError: the store cannot be used.
    """
    identity = done.identity
    number = identity.record.active
    if deployment is None or number is None or identity.record.undeployed != number or not _has_hooks(deployment):
        return done
    generation, where = view.generation(identity, number), store.location(identity, number)
    try:
        notify(
            deployment.programs,
            deployment.environment,
            name=identity.name,
            generation=generation,
            where=where,
            changed=done.changed,
        )
    except HookError as error:
        error.hint = f"mend it, and have it run again: certkit identity activate {identity.name}, with the same hook"
        raise

    def deployed(record: Record) -> Record:
        return replace(record, undeployed=None) if record.undeployed == number else record

    store.change(identity.name, deployed)
    return replace(done, identity=store.load(identity.name))


def _has_hooks(deployment: Deployment | None) -> bool:
    return deployment is not None and bool(deployment.programs)
