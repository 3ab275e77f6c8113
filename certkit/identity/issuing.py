"""Issuance of a certificate for a request: by one run at a time, keeping certificates that were refused."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.errors import CertkitError, InputError, RefusedError, StoreError
from certkit.findings import warning
from certkit.identity import hooks, install, limits, overview
from certkit.identity.done import Done
from certkit.identity.issuers import IssuerAnswer
from certkit.stores.record import ANSWERED, ANSWERS, FINGERPRINT, LEASE
from certkit.times import age, parse_time, rfc3339
from certkit.x509 import describe, objects
from certkit.x509.certificate import to_pem

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.identity.issuers import Issuer
    from certkit.policy.rules import Policy
    from certkit.stores.base import Generation, Store, StoredIdentity
    from certkit.stores.record import Record

AGAIN = timedelta(days=7)
"""The minimum time before another certificate is requested because the first was refused."""

_LEASE = timedelta(minutes=3)
# The longest that another run may take: an issuer that is a program, and some requests to the store.
_WAIT_SECONDS = hooks.TIMEOUT_SECONDS + 15
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 2.0


def may_ask_again(last: str | None, now: datetime, *, force: bool) -> bool:
    """Return whether another certificate may be requested although the last one, of that time, was refused."""
    passed = age(last, now)
    return force or passed is None or passed >= AGAIN


def later(now: datetime, began: float) -> datetime:
    """Return the present time for work that began at `now`, when the monotonic clock showed `began`."""
    return now + timedelta(seconds=time.monotonic() - began)


def issue(
    store: Store,
    identity: StoredIdentity,
    pending: Generation,
    policy: Policy,
    issuer: Issuer,
    *,
    force: bool,
    now: datetime,
) -> Done:
    """Have a certificate issued and installed, unless another run does so meanwhile.

    Certificates refused earlier are tried first; another one is requested at most once in `AGAIN`.

    Raises:
        RefusedError: if a check refuses the certificate, which is kept; or the partner accepts no more certificates.
        InputError: if the issuer cannot be reached, another run is still waiting for it, or there is
            no trust bundle to judge the certificate by, which is kept.
    """
    name, number = identity.name, pending.number
    assert pending.csr is not None  # noqa: S101  the caller has looked
    put = functools.partial(_install, store, policy=policy, began=time.monotonic(), now=now)
    facts = identity.record.facts_of(number)
    if facts.get(ANSWERS):
        refused: CertkitError | None = None
        for kept in reversed(store.answers(name, number)):
            try:
                return put(identity, IssuerAnswer(certificates=kept))
            except StoreError:
                raise
            except (RefusedError, InputError) as error:
                refused = refused or error
        if refused is not None and not may_ask_again(facts.get(ANSWERED), now, force=force):
            _explain(refused, name, facts.get(ANSWERED), now)
            raise refused
        limits.Neighbours(store, name, policy, identity).room(now=now)
    identity, lease = _lease(store, identity, number, now)
    if lease is None:
        return Done(_installed_by_another(store, name, number, now), changed=False)
    try:
        answer = issuer.issue(pending.csr)
        certificates = objects.certificates(answer.certificates, name="the issuer's response")
        try:
            return put(identity, answer)
        except StoreError:
            raise
        except (RefusedError, InputError) as error:
            end = describe.leaf_of(certificates).not_after or now
            noting = functools.partial(_noted, number=number, end=rfc3339(end), now=rfc3339(now))
            store.keep_answer(identity, number, to_pem(certificates), edit=noting)
            _explain(error, name, rfc3339(now), now)
            raise
    except BaseException:
        with contextlib.suppress(CertkitError):  # else the lease expires by itself
            store.change(name, functools.partial(_released, number=number, lease=lease))
        raise


def _install(
    store: Store, identity: StoredIdentity, answer: IssuerAnswer, *, policy: Policy, began: float, now: datetime
) -> Done:
    bundle = None if identity.record.settings.trust_bundle else answer.trust_bundle
    signed = later(now, began)  # the certificate may be valid only from the moment of signing
    done, _ = install.install(store, identity, answer.certificates, policy, trust_bundle=bundle, now=signed)
    warned = [warning("policy", f"the issuer says: {each}", "check what was issued") for each in answer.warnings]
    return replace(done, findings=(*warned, *done.findings))


def _explain(error: CertkitError, name: str, last: str | None, now: datetime) -> None:
    """Add to the hint what happens to the certificate, and when another one is requested."""
    again = rfc3339(now - (age(last, now) or timedelta()) + AGAIN)
    error.hint = (
        f"the certificate was kept: correct the settings (a new CA: certkit identity update {name} --ca FILE), then: "
        f"certkit identity renew {name}; another certificate is requested after {again}, or now: "
        f"certkit identity renew {name} --force"
    )


def _lease(store: Store, identity: StoredIdentity, number: str, now: datetime) -> tuple[StoredIdentity, str | None]:
    """Take the lease on a request and return it; None if another run holds one, or has installed the certificate."""
    lease = f"{rfc3339(now + _LEASE)} {socket.gethostname()} {os.getpid()} {secrets.token_hex(8)}"
    lost = identity.record.facts_of(number).get(FINGERPRINT)  # its file is missing, or the request would not be pending

    def take(record: Record) -> Record:
        is_done = record.facts_of(number).get(FINGERPRINT) != lost
        is_others = is_done or _is_held(record.facts_of(number).get(LEASE, ""), now)
        return record if is_others else record.describe(number, {LEASE: lease})

    identity = store.change(identity, take)
    return identity, lease if identity.record.facts_of(number).get(LEASE) == lease else None


def _released(record: Record, *, number: str, lease: str) -> Record:
    """Return the record without a lease; one that another run took after the end of this one stays."""
    return record.describe(number, {LEASE: ""}) if record.facts_of(number).get(LEASE) == lease else record


def _noted(record: Record, *, number: str, end: str, now: str) -> Record:
    """Return the record with the end of a refused certificate, and when that was issued."""
    ends = [*record.facts_of(number).get(ANSWERS, "").split(), end]
    return record.describe(number, {ANSWERS: " ".join(ends), ANSWERED: now})


def _is_held(lease: str, now: datetime) -> bool:
    """Return whether the run that wrote a lease may still be active."""
    until, _, holder = lease.partition(" ")
    host, _, rest = holder.partition(" ")
    process = rest.partition(" ")[0]
    try:
        if parse_time(until) <= now:
            return False
        if host == socket.gethostname() and int(process) != os.getpid():
            os.kill(int(process), 0)
    except (InputError, ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _installed_by_another(store: Store, name: str, number: str, now: datetime) -> StoredIdentity:
    """Wait until another run has installed the certificate of a request, and return the identity."""
    end, pause = time.monotonic() + _WAIT_SECONDS, _PAUSE_SECONDS
    while True:
        found = store.load(name)
        if overview.generation(found, number).issued is not None:
            return found
        lease = found.record.facts_of(number).get(LEASE, "")
        hint = f"try again later: certkit identity renew {name}"
        if not _is_held(lease, now):  # it has ended, or was killed
            raise InputError(f"{name}: another run did not get the request of generation {number} signed", hint=hint)
        if time.monotonic() > end:
            since = rfc3339(parse_time(lease.partition(" ")[0]) - _LEASE)
            message = f"{name}: another run has been getting the request of generation {number} signed since {since}"
            raise InputError(message, hint=hint)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
