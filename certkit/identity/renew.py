"""Renewal: a new generation when it is due, taken as far as possible without a person."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certkit.durations import spoken
from certkit.errors import ConflictError, InputError, RefusedError, StoreError, after
from certkit.expiry import thresholds
from certkit.findings import Finding, Status, critical, ok, warning
from certkit.identity import activate, credentials, issuing, limits, overview, retire
from certkit.identity.activate import PLAIN
from certkit.identity.done import Done
from certkit.identity.enroll import add_request, name_requests
from certkit.identity.hooks import HookError
from certkit.policy.values import Answer
from certkit.stores.record import State
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from certkit.csr.keyfile import Progress
    from certkit.identity.activate import Activation
    from certkit.identity.issuers import Issuer
    from certkit.policy.rules import Policy
    from certkit.stores.base import Generation, Store, StoredIdentity
    from certkit.stores.record import Record

_NOTHING = timedelta(0)
_NO_CSR = "generation {} has no CSR: an import did not end"
# The alert of RFC 8446 after which no server will ever accept a certificate, in the words of `certkit.probe.judge`.
_REVOKED = "TLS alert certificate revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The options of a renewal: `issuer` issues at once; None means a person at a portal.

    With `force` it is renewed before it is due; with `reuse_key` the new certificate is for the key in use; with
    `dry_run` nothing is written. The window opens later by a share of `jitter` that is each generation's own, and the
    same on all hosts.
    """

    issuer: Issuer | None = None
    how: Activation = PLAIN
    force: bool = False
    reuse_key: bool = False
    dry_run: bool = False
    jitter: timedelta = _NOTHING


def renew(
    store: Store,
    identity: StoredIdentity,
    policy: Policy,
    *,
    wanted: Renewal,
    now: datetime,
    progress: Progress = contextlib.nullcontext,
) -> Done:
    """Renew an identity if it is due, and continue what an earlier run began.

    There is one request at a time: a pending one is completed if the issuer is automatic; if a person has to fetch the
    certificate, nothing changes, and the status worsens as the active certificate nears its expiry.

    Raises:
        RefusedError: if the policy, the issuer or the partner refuses; the active generation has not changed.
        InputError: if there is nothing to renew, or the issuer or the partner cannot be reached.
        HookError: if a deploy hook failed; the new generation is active.
    """
    began = time.monotonic()
    name = identity.name
    if identity.record.settings.is_blank and not identity.generations:
        hint = f"say what to request: certkit identity enroll {name} --organization ORGANIZATION"
        raise InputError(f"{name}: no certificate was requested yet", hint=hint)
    identity, aside = _set_aside(store, identity, policy, dry_run=wanted.dry_run, now=now)
    identity = identity if wanted.dry_run else name_requests(store, identity, now=now)
    waiting = [each for each in overview.unfinished(identity) if each.number not in aside]
    opens = window(identity, policy, jitter=wanted.jitter)
    if waiting:
        carried = _carry_on(store, identity, waiting[-1], policy, wanted=wanted, now=now)
        if carried is not None:
            return carried
        identity = store.load(name)
        opens = None
    if not wanted.force and opens is not None and now < opens:
        done = activate.deploy(store, Done(identity, changed=False), None if wanted.dry_run else wanted.how.deployment)
        if (owed := overview.owed_hook(done.identity)) is not None:
            return replace(done, outcome=owed)
        return replace(done, outcome=ok("validity", f"{name}: nothing is due before {rfc3339(opens)}"))
    if wanted.dry_run:
        findings = limits.Neighbours(store, name, policy, identity).room(now=now)
        due = "due" if opens is None or now >= opens else f"not due before {rfc3339(opens)}, but --force is given"
        end = ", signed and activated" if wanted.issuer else ""
        message = ok("validity", f"{name}: {due}; a new request would be created{end}")
        return Done(identity, changed=False, findings=findings, outcome=message)
    key, findings = _key(store, identity, policy) if wanted.reuse_key else (None, ())
    done = add_request(store, identity, policy, now=now, key=key, progress=progress)
    done = replace(done, findings=(*findings, *done.findings))
    if wanted.issuer is None:
        return replace(done, outcome=ok("validity", f"{name}: a request was created"))
    return _completed(store, done, policy, wanted=wanted, now=issuing.later(now, began))


def _set_aside(
    store: Store, identity: StoredIdentity, policy: Policy, *, dry_run: bool, now: datetime
) -> tuple[StoredIdentity, set[str]]:
    """Discard generations that were never in use and never will be: expired, superseded, or due for renewal.

    Return the identity, and the numbers of those that were discarded, or would be.
    """
    coming = {each.number for each in overview.unfinished(identity)}
    aside = set()
    for each in overview.in_state(identity, State.ISSUED):
        certificate = overview.certificate(each)
        if certificate is None:  # the record says that it is issued, and it is not
            continue
        begin, end = certificate.dates()
        opens = thresholds.renewal_opens(not_before=begin, not_after=end, opens=policy.renewal.opens)
        is_due = now >= opens and issuing.may_ask_again(identity.record.requested.get(each.number), now, force=False)
        if each.number not in coming or end < now or is_due:
            aside.add(each.number)
    return identity if dry_run else _discard(store, identity, aside), aside


def _discard(store: Store, identity: StoredIdentity, numbers: Collection[str]) -> StoredIdentity:
    """Discard issued generations, unless another run has put them to use meanwhile."""
    if not numbers:
        return identity

    def discard(record: Record) -> Record:
        for number in numbers:
            if record.state(number, has_certificate=True) is State.ISSUED:
                record = record.discard(number)
        return record

    return store.change(identity, discard)


def window(identity: StoredIdentity, policy: Policy, *, jitter: timedelta = _NOTHING) -> datetime | None:
    """Return when the renewal of an identity opens; None if no generation is active, so that it is due at once."""
    if identity.record.active is None:
        return None
    active = overview.generation(identity, identity.record.active)
    certificate = overview.certificate(active)
    if certificate is None:
        return None
    begin, end = certificate.dates()
    opens = thresholds.renewal_opens(not_before=begin, not_after=end, opens=policy.renewal.opens)
    digest = hashlib.sha256(f"{identity.name}\0{active.number}".encode()).digest()
    return opens + jitter * (int.from_bytes(digest[:4], "big") / 2**32)


def carry_through(
    store: Store,
    done: Done,
    policy: Policy,
    *,
    issuer: Issuer,
    how: Activation = PLAIN,
    force: bool = False,
    now: datetime,
) -> Done:
    """Have the issuer complete the pending request, then install and activate the certificate.

    Raises as `renew` does.
    """
    identity = done.identity
    waiting = overview.unfinished(identity)
    if not waiting:
        return activate.deploy(store, done, how.deployment)
    number, findings, changed = waiting[-1].number, done.findings, done.changed
    if waiting[-1].issued is None:
        with after(changed):
            if waiting[-1].csr is None:
                raise InputError(f"{identity.name}: {_NO_CSR.format(number)}", hint=_end_import(identity))
            try:
                installed = issuing.issue(store, identity, waiting[-1], policy, issuer, force=force, now=now)
            except ConflictError:  # another process was first
                installed = Done(store.load(identity.name), changed=False)
        identity = installed.identity
        findings, changed = (*findings, *installed.findings), changed or installed.changed
    with after(changed):
        moved = activate.activate(store, identity, number, how=how, now=now)
    return Done(moved.identity, True, (*findings, *moved.findings))


def _carry_on(
    store: Store, identity: StoredIdentity, waiting: Generation, policy: Policy, *, wanted: Renewal, now: datetime
) -> Done | None:
    """Continue what an earlier run began, or judge how long it can wait; None if a new request is to be made."""
    done = Done(identity, changed=False)
    if wanted.issuer is not None and not wanted.dry_run:
        try:
            return _completed(store, done, policy, wanted=wanted, now=now)
        except HookError:
            raise
        except RefusedError as error:
            if not waiting.is_issued or not _gives_up(store, identity, waiting.number, error, wanted=wanted, now=now):
                raise
            return None
    if waiting.is_issued and wanted.force and not wanted.dry_run:
        return None
    if waiting.is_issued:
        what = f"generation {waiting.number} is installed but not active"
        hint = (
            f"activate it: certkit identity activate {identity.name}; "
            f"or request another one: certkit identity renew {identity.name} --force"
        )
    elif wanted.issuer is not None:
        what = f"the request of generation {waiting.number} would be signed and activated"
        return replace(done, outcome=ok("validity", f"{identity.name}: {what}"))
    elif waiting.csr is None:
        what, hint = _NO_CSR.format(waiting.number), _end_import(identity)
    else:
        age = overview.waiting_for(identity, waiting, now)
        state = "is pending"
        if age is not None:
            is_new = age < timedelta(minutes=1)
            state = "is pending, created just now" if is_new else f"has been pending for {spoken(age)}"
        where = f" in {policy.portal.name}" if policy.portal.name else ""
        what = f"the request of generation {waiting.number} {state}"
        hint = f"submit the CSR{where}, then run: certkit identity install {identity.name} CERT"
    return replace(done, outcome=_judged(identity, policy, what, hint, now))


def _end_import(identity: StoredIdentity) -> str:
    name = identity.name
    return (
        f"repeat it: certkit identity import {name} --key KEY --cert CERT; or drop it: certkit identity discard {name}"
    )


def _gives_up(
    store: Store, identity: StoredIdentity, number: str, error: RefusedError, *, wanted: Renewal, now: datetime
) -> bool:
    """Return whether to request another certificate in place of one that failed the probe.

    One that is revoked is set aside, and replaced at once if it is the first one in seven days.
    """
    record = identity.record
    is_revoked = any(_REVOKED in each.message for each in error.findings)
    before = record.discarded if is_revoked else [number]
    times = [record.requested.get(each) for each in before]
    gives_up = all(issuing.may_ask_again(each, now, force=wanted.force) for each in times)
    if is_revoked and gives_up:
        _discard(store, store.load(identity.name), [number])
    return gives_up


def _judged(identity: StoredIdentity, policy: Policy, what: str, hint: str, now: datetime) -> Finding:
    """Return the pending request, with the status of the active certificate."""
    active = identity.record.active
    certificate = overview.certificate(overview.generation(identity, active)) if active else None
    if certificate is None:
        return Finding("validity", Status.OK, f"{identity.name}: {what}", hint)
    begin, end = certificate.dates()
    status = overview.judged(begin, end, policy, now)
    verb = "expired on" if end < now else "expires on"
    return Finding("validity", status, f"{identity.name}: {what}; the active certificate {verb} {rfc3339(end)}", hint)


def _completed(store: Store, done: Done, policy: Policy, *, wanted: Renewal, now: datetime) -> Done:
    assert wanted.issuer is not None  # noqa: S101  who calls this has one
    carried = carry_through(store, done, policy, issuer=wanted.issuer, how=wanted.how, force=wanted.force, now=now)
    if policy.renewal.keep is not None:
        try:
            pruned, _ = retire.prune(store, carried.identity, keep=policy.renewal.keep)
            carried = replace(carried, identity=pruned.identity)
        except StoreError as error:
            failed = warning("policy", f"past generations were not deleted: {error.message}", error.hint)
            carried = replace(carried, findings=(*carried.findings, failed))
    number = carried.identity.record.active
    return replace(carried, outcome=ok("validity", f"{carried.identity.name}: generation {number} is active"))


def _key(store: Store, identity: StoredIdentity, policy: Policy) -> tuple[Any, tuple[Finding, ...]]:
    """Return the active key, for another certificate, unless the partner accepts each key only once."""
    name, active = identity.name, identity.record.active
    if active is None:
        raise InputError(f"{name}: there is no active key to reuse", hint="leave out --reuse-key")
    if policy.renewal.reuse_key is Answer.NO:
        message, hint = f"{policy.title} accepts each key only once", "leave out --reuse-key"
        raise RefusedError(f"{name}: {message}", hint=hint, findings=(critical("policy", message, hint),))
    found = credentials.private_key(store, name, active)
    if policy.renewal.reuse_key is Answer.YES:
        return found, ()
    message = f"policy {policy.name} does not say whether a key may be reused"
    return found, (warning("policy", message, "leave out --reuse-key to create a new key"),)
