"""Activation of a generation: probed before and after the pointer moves, and announced to the programs that use it."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from certkit.errors import CertkitError, InputError, PassphraseError, RefusedError
from certkit.findings import Finding, Status
from certkit.identity import credentials, install, overview
from certkit.identity.done import Done, change
from certkit.identity.hooks import HookError, notify
from certkit.stores.base import SealedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from certkit.identity.programs import Program
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.record import Record

Probe: TypeAlias = "Callable[[StoredIdentity, str], Finding]"
"""The partner's reaction to a generation: ok, critical if it is rejected, unknown if that could not be determined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The programs to run once a generation is active, and their environment.

    `typed` is the hook given for this run only, and `recorded_as` its name in the record, should it fail. `unavailable`
    is an owed hook that cannot be run on this host.
    """

    programs: Sequence[Program] = ()
    environment: Mapping[str, str]
    recorded_as: str | None = None
    typed: str | None = None
    unavailable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """The steps of an activation: the probe, if any, and the programs to run afterwards."""

    probe: Probe | None = None
    deployment: Deployment | None = None


PLAIN = Activation()


def activate(
    store: Store, identity: StoredIdentity, number: str | None = None, *, how: Activation = PLAIN, now: datetime
) -> Done:
    """Activate a generation, by default the one issued last, unless the partner refuses it.

    With a probe, the pair is tried before the pointer moves, and once more through the pointer; if that fails, the
    pointer moves back at once. Then the deploy hooks run; those that fail are run again the next time.

    Raises:
        AbsentError: if there is no such generation.
        InputError: if no generation can be activated, or the partner cannot be reached; the pointer has not moved.
        RefusedError: if its certificate has expired, leads to no CA that the settings trust, or the partner refuses it;
            the active generation has not changed.
        HookError: if a hook failed; the generation is active.
    """
    if number is None:
        issued = [each.number for each in overview.unfinished(identity) if each.is_issued]
        number = issued[-1] if issued else None
    elif number.isdecimal() and number.isascii():
        number = number.zfill(4)
    if number is not None:
        done = _move(store, identity, number, how=how, now=now)
    elif identity.record.active is not None:
        done = deploy(store, Done(identity, changed=False), how.deployment)
    else:
        hint = f"install the issued certificate: certkit identity install {identity.name} CERT"
        raise InputError(f"{identity.name}: no generation is ready to be activated", hint=hint)
    owed = overview.owed_hook(done.identity)
    if how.deployment is not None and owed is not None:  # a hook that failed has not run again
        error = HookError(owed.message, hint=owed.hint)
        error.is_changed = done.changed
        raise error
    return done


def rollback(store: Store, identity: StoredIdentity, *, how: Activation = PLAIN, now: datetime) -> Done:
    """Activate the previous generation, without a probe: it has worked before, and there may be no time.

    Raises:
        InputError: if there is no previous generation.
        RefusedError: if its certificate has expired, or leads to no CA that the settings trust.
        HookError: if a hook failed; the generation is active.
    """
    previous = identity.record.previous
    if previous is None:
        hint = f"see certkit identity show {identity.name}"
        raise InputError(f"nothing to roll back to: no earlier generation of {identity.name} is usable", hint=hint)
    return _move(store, identity, previous, how=replace(how, probe=None), now=now)


def _move(store: Store, identity: StoredIdentity, number: str, *, how: Activation, now: datetime) -> Done:
    earlier = identity.record.active
    _require_usable(identity, number, now)
    if number == earlier:
        return deploy(store, Done(identity, changed=False), how.deployment)
    try:
        credentials.require_trusted(identity, number, now=now)
    except RefusedError as error:
        error.hint += f"; or request another one: certkit identity renew {identity.name} --force"
        raise
    if store.location(identity, number).is_directory:  # in Vault, not every token that may activate may read keys
        with contextlib.suppress(PassphraseError, SealedError):
            credentials.require_pair(identity, number, store.key(identity.name, number))
    findings = _prove(identity, number, how.probe, "the active generation is unchanged")
    before = identity.record
    identity = install.complete(store, identity, overview.generation(identity, number))

    def move(record: Record) -> Record:
        owed = how.deployment if how.deployment is not None and how.deployment.programs else None
        return replace(
            record.activate(number),
            undeployed=number if owed else None,
            undeployed_hook=owed.recorded_as if owed else None,
        )

    done = change(store, identity, move)
    if how.probe is not None and done.changed:
        _prove_in_use(store, done.identity, number, before, how.probe)
    return deploy(store, replace(done, findings=findings), how.deployment)


def _require_usable(identity: StoredIdentity, number: str, now: datetime) -> None:
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


def _prove(identity: StoredIdentity, number: str, probe: Probe | None, outcome: str) -> tuple[Finding, ...]:
    """Probe the partner with a pair."""
    if probe is None:
        return ()
    found = probe(identity, number)
    if found.status is Status.CRITICAL:
        message = f"{identity.name}: the probe of generation {number} failed: {found.message}; {outcome}"
        hint = f"{found.hint}; or request another one: certkit identity renew {identity.name} --force"
        raise RefusedError(message, hint=hint, findings=(found,))
    if found.status is Status.UNKNOWN:
        message = f"{identity.name}: the probe of generation {number} could not be made: {found.message}; {outcome}"
        raise InputError(message, hint=found.hint)
    return (found,)


def _prove_in_use(store: Store, identity: StoredIdentity, number: str, before: Record, probe: Probe) -> None:
    """Probe with the pair that is now active; if that fails, restore the previous state."""
    back = (
        f"rolled back to generation {before.active}"
        if before.active
        else "there is no earlier generation to roll back to"
    )
    try:
        _prove(identity, number, probe, back)
    except CertkitError as error:
        if before.active is None:
            error.is_changed = True
        else:
            same = {each: getattr(before, each) for each in ("active", "left", "undeployed", "undeployed_hook")}
            # Another process may have moved the pointer meanwhile.
            store.change(identity, lambda record: replace(record, **same) if record.active == number else record)
        raise


def deploy(store: Store, done: Done, deployment: Deployment | None) -> Done:
    """Run the hooks of the active generation, if they have not succeeded yet.

    Raises:
        HookError: if a hook failed; the remaining ones are not run, and all are run again the next time.
    """
    identity = done.identity
    number = identity.record.active
    if deployment is None or number is None or identity.record.undeployed != number:
        return done
    try:
        notify(
            deployment.programs,
            deployment.environment,
            name=identity.name,
            certificate=overview.certificate(overview.generation(identity, number)),
            where=store.location(identity, number),
            changed=done.changed,
        )
    except HookError as error:
        same = f" --deploy-hook {shlex.quote(deployment.typed)}" if deployment.typed is not None else ""
        error.hint = (
            f"fix it, and run it again: certkit identity activate {identity.name}{same}; "
            f"or choose another: certkit identity update {identity.name} --deploy-hook PROGRAM|NAME|none"
        )
        raise
    if deployment.unavailable is not None:
        return done

    def deployed(record: Record) -> Record:
        return replace(record, undeployed=None, undeployed_hook=None) if record.undeployed == number else record

    return replace(done, identity=store.change(identity, deployed))
