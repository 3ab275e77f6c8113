"""The overview of an identity for people and scripts: its generations with their states, and the next step."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError, RefusedError
from certkit.expiry.thresholds import Thresholds, days_left
from certkit.findings import Finding, Status, critical
from certkit.identity.issuers import IssuerSpec
from certkit.stores.base import AbsentError
from certkit.stores.record import CSR, HANGS, State
from certkit.times import parse_time
from certkit.x509 import describe, keys, objects, pem
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from certkit.errors import CertkitError
    from certkit.policy.rules import Policy
    from certkit.stores.base import Generation, StoredIdentity
    from certkit.x509.certificate import Certificate
    from certkit.x509.csr import Csr
    from certkit.x509.spki import KeyFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationView:
    """One generation: `csr` is the PEM text while it is pending, and `waiting` for how long; absent values are None.

    `is_early` is whether its certificate is not valid yet.
    """

    generation: str
    state: State
    certificate_name: str | None
    key_type: str | None
    spki_sha256: str | None
    csr: str | None
    not_before: datetime | None
    not_after: datetime | None
    fingerprint_sha256: str | None
    days_left: int | None
    waiting: timedelta | None = None
    is_early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """An identity at one moment: `status` is that of the active certificate, unknown without one.

    `next` is what a person does now, and `steps` are those at the partner's portal, if a request has to be handed in.
    `changed` is whether the function that returned this has changed anything (None if it only reads), `findings` are
    what it checked, and `outcome` is the result of a renewal. `hook_failed` is True if a deploy hook failed and has not
    succeeded since.
    """

    name: str
    policy: str
    status: Status
    active: GenerationView | None
    pending: GenerationView | None
    previous: GenerationView | None
    generations: tuple[GenerationView, ...]
    next: str
    portal: str = ""
    steps: tuple[str, ...] = ()
    changed: bool | None = None
    findings: tuple[Finding, ...] = ()
    outcome: Finding | None = None
    hook_failed: bool = False

    @property
    def hangs(self) -> bool:
        """Whether a request has been pending so long that it may have been forgotten."""
        waiting = self.pending.waiting if self.pending else None
        return waiting is not None and waiting >= HANGS


@dataclass(frozen=True, slots=True)
class Unread:
    """An identity that could not be loaded, or for which an operation failed: its name, and the error."""

    name: str
    error: CertkitError

    @property
    def status(self) -> Status:
        """Critical if something was refused, else unknown."""
        return Status.CRITICAL if isinstance(self.error, RefusedError) else Status.UNKNOWN


def overview(
    identity: StoredIdentity,
    policy: Policy,
    *,
    now: datetime,
    changed: bool | None = None,
    findings: tuple[Finding, ...] = (),
) -> Overview:
    """Return the overview of an identity."""
    record = identity.record
    views = tuple(_view(identity, each, now) for each in identity.generations)
    by_state = {view.state: view for view in views}
    by_number = {view.generation: view for view in views}
    active = by_state.get(State.ACTIVE)
    coming = [by_number[each.number] for each in unfinished(identity)]
    pending = next((each for each in reversed(coming) if each.state is State.PENDING), coming[-1] if coming else None)
    status = Status.UNKNOWN
    if active is not None and active.not_before is not None and active.not_after is not None:
        status = judged(active.not_before, active.not_after, policy, now)
    is_open = State.PENDING in by_state and IssuerSpec.parse(record.settings.issuer).is_manual
    return Overview(
        name=identity.name,
        policy=record.settings.policy,
        status=Status.CRITICAL if owed_hook(identity) else status,
        hook_failed=owed_hook(identity) is not None,
        active=active,
        pending=pending,
        previous=by_number.get(record.previous) if record.previous else None,
        generations=views,
        next=_next(identity, pending, policy),
        portal=policy.portal.name if is_open else "",
        steps=policy.portal.request_steps if is_open else (),
        changed=changed,
        findings=findings,
    )


def owed_hook(identity: StoredIdentity) -> Finding | None:
    """Return the finding that a deploy hook failed and has not succeeded since; None if none is owed."""
    record = identity.record
    if not record.owes_hook:
        return None
    which = f": {record.undeployed_hook}" if record.undeployed_hook else ""
    hint = f"fix it, and run it again: certkit identity activate {identity.name}"
    message = f"{identity.name} is not deployed: a deploy hook failed and has not succeeded since{which}"
    return critical("deploy-hook", message, hint)


def state_of(identity: StoredIdentity, generation: Generation) -> State:
    """Return the state of a generation of an identity."""
    state = identity.record.state(generation.number, has_certificate=True)
    is_open = state in {State.ISSUED, State.PREVIOUS} and not generation.is_issued
    return State.PENDING if is_open else state


def in_state(identity: StoredIdentity, *states: State) -> list[Generation]:
    """Return the generations in any of some states, oldest first."""
    return [each for each in identity.generations if state_of(identity, each) in states]


def unfinished(identity: StoredIdentity) -> list[Generation]:
    """Return the generations yet to be used, oldest first: pending, or issued and never active.

    An issued one that is older than an activated one is superseded, and left out.
    """
    record = identity.record
    latest = max(map(int, filter(None, (record.active, *record.left))), default=0)
    return [
        each
        for each in in_state(identity, State.PENDING, State.ISSUED)
        if not each.is_issued or int(each.number) > latest
    ]


def generation(identity: StoredIdentity, number: str) -> Generation:
    """Return one generation by its number.

    Raises:
        AbsentError: if the identity has no such generation.
    """
    for each in identity.generations:
        if each.number == number:
            return each
    known = ", ".join(each.number for each in identity.generations) or "none"
    raise AbsentError(f"{identity.name} has no generation {number}", hint=f"generations: {known}")


def waiting_for(identity: StoredIdentity, pending: Generation, now: datetime) -> timedelta | None:
    """Return how long a request has been pending; None if that is unknown, or it has a certificate."""
    return None if pending.is_issued else identity.record.waiting(pending.number, now)


def trust_bundle(identity: StoredIdentity, found: Generation) -> bytes:
    """Return the CAs that a generation trusts: those of the settings; without any, those it was installed with."""
    if identity.record.settings.trust_bundle is not None:
        return identity.record.settings.trust_bundle.encode()
    return found.issued.trust_bundle if found.issued else b""


def certificate(found: Generation) -> Certificate | None:
    """Return the certificate of a generation, or None while its request is pending."""
    return None if found.issued is None else _certificate(found.issued.certificate, found.number)


# A run asks for the same certificate and request several times.
@functools.lru_cache(maxsize=256)
def _certificate(pem: bytes, number: str) -> Certificate:
    return objects.certificates(pem, name=f"generation {number}")[0]


def request(found: Generation) -> Csr | None:
    """Return the CSR of a generation, or None if it was imported."""
    return None if found.csr is None else _request(found.csr, found.number)


@functools.lru_cache(maxsize=256)
def _request(pem: bytes, number: str) -> Csr:
    return objects.csr(pem, name=f"generation {number}")


def facts_of(identity: StoredIdentity, found: Generation) -> Mapping[str, str]:
    """Return what identifies the key and the certificate of a generation, spelt as by `key_facts` and `describe.facts`.

    They come from the certificate or the request if those have been read, else from the record. Facts in a record are a
    hint: they serve for views and counts, and nothing is trusted or activated because of them.

    Raises:
        InputError: if the stored data cannot be read.
    """
    known = identity.record.facts_of(found.number)
    wanted = _FACTS if found.is_issued else _FACTS[:2]
    if not found.is_read and all(map(known.get, wanted)):
        with contextlib.suppress(InputError):
            _ = [parse_time(known[each]) for each in wanted if each in {"not_before", "not_after"}]
            return known
    issued = certificate(found)
    if issued:
        return {**key_facts(keys.key_facts(issued.public_key())), **describe.facts(issued)}
    asked = request(found)
    return key_facts(asked.key.facts) if asked and not isinstance(asked.key, Unreadable) else {}


_FACTS = ("key_type", "spki_sha256", "not_before", "not_after", "fingerprint_sha256")


def key_facts(key: KeyFacts) -> dict[str, str]:
    """Return the facts of a key that a record keeps."""
    return {"key_type": key.type, "spki_sha256": key.spki_sha256}


def _view(identity: StoredIdentity, found: Generation, now: datetime) -> GenerationView:
    state, facts = state_of(identity, found), facts_of(identity, found)
    end = parse_time(facts["not_after"]) if "not_after" in facts else None
    begin = parse_time(facts["not_before"]) if end else None
    csr = None
    if state is State.PENDING:
        known = identity.record.facts_of(found.number).get(CSR)
        stored = known.encode() if known and not found.is_read else found.csr
        if stored is not None:  # without any text around it
            der = _request(stored, found.number).der
            csr = pem.encode(pem.CERTIFICATE_REQUEST, der).decode("ascii")
    return GenerationView(
        generation=found.number,
        state=state,
        certificate_name=identity.record.names.get(found.number),
        key_type=facts.get("key_type"),
        spki_sha256=facts.get("spki_sha256"),
        csr=csr,
        not_before=begin,
        not_after=end,
        fingerprint_sha256=facts.get("fingerprint_sha256"),
        days_left=days_left(end, now) if end else None,
        waiting=waiting_for(identity, found, now) if state is State.PENDING else None,
        is_early=begin is not None and now < begin,
    )


def judged(begin: datetime, end: datetime, policy: Policy, now: datetime) -> Status:
    """Return how near its expiry a certificate is, by its policy."""
    thresholds = Thresholds(policy.expiry.warn, policy.expiry.critical)
    return thresholds.judge(not_before=begin, not_after=end, now=now)


def none_active(identity: StoredIdentity) -> InputError:
    """Return the error for what needs an active generation where there is none, with the next step."""
    name, coming = identity.name, unfinished(identity)
    if not coming:
        hint = _request_one(identity)
    elif any(not each.is_issued for each in coming):
        hint = f"install the issued certificate: certkit identity install {name} CERT"
    else:
        hint = f"activate the newest: certkit identity activate {name}"
    return InputError(f"{name}: no generation is active", hint=hint)


def _request_one(identity: StoredIdentity) -> str:
    command = "enroll" if identity.record.settings.is_blank else "renew"
    return f"create a request: certkit identity {command} {identity.name}"


def _next(identity: StoredIdentity, pending: GenerationView | None, policy: Policy) -> str:
    name, record = identity.name, identity.record
    if owed_hook(identity) is not None:
        return f"a deploy hook failed; fix it, then: certkit identity activate {name}"
    if pending is None:
        return "nothing" if record.active is not None else _request_one(identity)
    if pending.state is not State.PENDING:
        return f"activate it: certkit identity activate {name}"
    if pending.csr is None:
        return f"repeat the import: certkit identity import {name} --key KEY --cert CERT"
    if not IssuerSpec.parse(record.settings.issuer).is_manual:
        return f"have the issuer sign it: certkit identity renew {name}"
    called = f" under the name {pending.certificate_name}" if pending.certificate_name else ""
    where = f"in {policy.portal.name}, submit the CSR{called}" if policy.portal.name else "have the CSR signed"
    return f"{where}; then: certkit identity install {name} CERT"
