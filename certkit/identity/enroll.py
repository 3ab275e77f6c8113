"""Enrolment: an identity and its first request."""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from certkit.csr import keyfile
from certkit.errors import ConflictError, InputError
from certkit.findings import Status, critical
from certkit.identity import limits, overview
from certkit.identity.done import Done
from certkit.policy.values import Answer
from certkit.stores.record import CSR, Record, Settings, State, next_generation
from certkit.times import rfc3339
from certkit.x509 import keys, objects
from certkit.x509.keys import KeySpec

if TYPE_CHECKING:
    from datetime import datetime

    from certkit.csr.keyfile import Progress
    from certkit.findings import Finding
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity
    from certkit.x509.spki import KeyFacts

_TRIES = 20
_LOOKS = 10
_PAUSE_SECONDS = 0.2

# Settings that `update` changes; the others are those of the requests, and need another identity.
_CHANGEABLE = {"trust_bundle", "client_id", "issuer", "probe", "deploy_hook", "group"}
# Settings that the command line spells otherwise.
_SPELT = {"key_type": "type", "units": "unit", "trust_bundle": "ca"}


class DifferentError(InputError):
    """An identity exists already, with another value of the field `setting`."""

    def __init__(self, name: str, setting: str) -> None:
        spelt = _SPELT.get(setting, setting).replace("_", "-")
        hint = "leave the option out, or choose another name"
        if setting in _CHANGEABLE:
            hint = f"leave the option out, or change the setting: certkit identity update {name} --{spelt} …"
        super().__init__(f"{name}: already exists with a different --{spelt}", hint=hint)
        self.setting = setting


def enroll(
    store: Store,
    name: str,
    wanted: Settings,
    policy: Policy,
    *,
    now: datetime,
    progress: Progress = contextlib.nullcontext,
) -> Done:
    """Create an identity with a pending request; whatever exists already and matches stays unchanged.

    An identity that has only tokens so far is completed.

    Raises:
        InputError: if the identity exists with other settings.
        RefusedError: if the policy refuses the subject or the type of key, all CAs have expired, or the partner
            accepts no more certificates; nothing was written.
    """
    from certkit.csr.create import default_spec, refuse_early

    identity = store.find(name)
    known = identity.record.settings if identity else None
    neighbours = limits.Neighbours(store, name, policy, identity)
    room: tuple[Finding, ...] | None = None
    findings: tuple[Finding, ...] = ()
    if wanted.trust_bundle is not None and (known is None or known.trust_bundle is None):
        anchors = objects.certificates(wanted.trust_bundle.encode(), name="the trust bundle")
        limits.require_current(name, anchors, now)
        findings = tuple(replace(each, status=Status.WARNING) for each in neighbours.sharing_trust(anchors))
    if identity is None or known is None or known.is_blank:
        room = neighbours.room(now=now)  # before anything is written
        spec = KeySpec(wanted.key_type) if wanted.key_type else default_spec(policy)
        refuse_early(wanted.subject, policy, spec)
        identity = begin(store, name, replace(wanted, key_type=spec.name), known=identity)
    is_trusting = identity.record.settings.trust_bundle is None and wanted.trust_bundle is not None
    if is_trusting:
        require_same(name, replace(identity.record.settings, trust_bundle=wanted.trust_bundle), wanted)
        identity = store.change(identity, lambda record: trusting(record, wanted.trust_bundle))
    require_same(name, identity.record.settings, wanted)
    if overview.in_state(identity, State.PENDING, State.ISSUED, State.ACTIVE, State.PREVIOUS):
        return Done(identity, changed=is_trusting, findings=findings)
    done = add_request(store, identity, policy, now=now, room=room, progress=progress)
    return replace(done, findings=(*findings, *done.findings))


def trusting(record: Record, bundle: str | None, *, before: str | None = None) -> Record:
    """Return the record with a trust bundle in place of the previous one, unless another process has changed it."""
    settings = record.settings
    if settings.trust_bundle != before:
        return record
    return replace(record, settings=replace(settings, trust_bundle=bundle))


def require_probe(probe: str | None, policy: Policy) -> None:
    """Refuse an address that cannot be probed.

    Raises:
        InputError: if it is not a URL to probe, or the policy has none.
    """
    if probe == "policy" and not policy.hosts.probe_url:
        raise InputError(f"policy {policy.name} has no probe URL", hint="give one: --probe https://HOST/PATH")
    if probe is not None and probe != "policy" and not probe.startswith("https://"):
        raise InputError(f"not a probe URL: {probe!r}", hint="give https://HOST/PATH, or policy")


def begin(store: Store, name: str, settings: Settings, *, known: StoredIdentity | None) -> StoredIdentity:
    """Create an identity with these settings, or add those that are missing; existing settings stay.

    Raises:
        InputError: if it has tokens of another environment.
    """
    if known is None:
        with contextlib.suppress(ConflictError):
            return store.create(name, Record(settings=settings))
        known = store.load(name)

    def complete(record: Record) -> Record:
        if not record.settings.is_blank:
            return record
        if record.settings.policy != settings.policy:
            raise DifferentError(name, "policy")
        return replace(record, settings=record.settings.completed(settings))

    return store.change(known, complete)


def add_request(
    store: Store,
    identity: StoredIdentity,
    policy: Policy,
    *,
    now: datetime,
    key: Any = None,
    room: tuple[Finding, ...] | None = None,
    progress: Progress = contextlib.nullcontext,
) -> Done:
    """Add a generation with a CSR for a new key, or for `key`. If another process was first, nothing changes.

    `room` is the result of `Neighbours.room`, if the caller has it already.

    Raises:
        RefusedError: if the policy refuses the CSR, or the partner allows no more certificates; nothing was written.
    """
    from certkit.csr.create import default_spec, new_csr, refuse

    taken = [*(each.number for each in identity.generations), *identity.record.discarded, *identity.record.retired]
    if room is None and next_generation(taken) in identity.record.facts:
        room = ()  # another run, for which there was room, is adding it
    findings = limits.Neighbours(store, identity.name, policy, identity).room(now=now) if room is None else room
    settings = identity.record.settings
    if policy.key.encrypted is Answer.YES and not store.protects_keys:
        hint = "add --passphrase-file FILE, or keep the identity in Vault"
        found = critical("key-file", f"{policy.title} requires a passphrase on the private key", hint)
        refuse([found], policy)
    if key is None:
        spec = KeySpec(settings.key_type) if settings.key_type else default_spec(policy)
        key = keyfile.new_key(spec, progress)
    made = new_csr(settings.subject, key, policy)
    tried: list[str] = []
    for _ in range(_TRIES):
        number = next_generation([*taken, *tried])
        naming = functools.partial(_name, name=identity.name, number=number, key=made.facts, csr=made.pem, now=now)
        try:
            added = store.add(identity, number, key=keys.to_pem(key), csr=made.pem, edit=naming)
        except ConflictError:
            faster = _wait_for_generation(store, identity.name, number)
            if faster is not None:
                return Done(faster, changed=False)
            given_up = store.change(store.load(identity.name), functools.partial(_without_request, number=number))
            if number not in given_up.record.discarded:
                return Done(given_up, changed=False)
            tried.append(number)
        else:
            is_late = number in added.record.discarded
            return Done(added, changed=not is_late, findings=findings)
    raise ConflictError(f"{identity.name}: too many processes are creating requests", hint="try again")


def name_requests(store: Store, identity: StoredIdentity, *, now: datetime) -> StoredIdentity:
    """Give a certificate name to a request whose run was killed before naming it."""
    record = identity.record
    for each in overview.in_state(identity, State.PENDING):
        if each.csr is not None and each.number not in record.names and (request := overview.request(each)) is not None:
            key = keys.key_facts(request.public_key())
            naming = functools.partial(_name, name=identity.name, number=each.number, key=key, csr=each.csr, now=now)
            identity = store.change(identity, naming)
    return identity


def _wait_for_generation(store: Store, name: str, number: str) -> StoredIdentity | None:
    """Wait for a generation that another process is creating, and return the identity; None if it does not appear."""
    for _ in range(_LOOKS):
        identity = store.load(name)
        if any(each.number == number for each in identity.generations):
            return identity
        time.sleep(_PAUSE_SECONDS)
    return None


def _without_request(record: Record, *, number: str) -> Record:
    """Return the record without a request that another process left unfinished: it can no longer be completed."""
    return record if number == record.active or number in record.left else record.discard(number)


def _name(record: Record, *, name: str, number: str, key: KeyFacts, csr: bytes, now: datetime) -> Record:
    """Return the record with a request and its certificate name: unique, as partners refuse names used before."""
    if number in record.names:
        return record
    month = f"{name}-{now:%Y-%m}"
    taken = set(record.names.values())
    suffixes = (chr(at) if at <= ord("z") else f"z{at - ord('z')}" for at in range(ord("a"), ord("a") + 1000))
    free = next(f"{month}-{suffix}" for suffix in suffixes if f"{month}-{suffix}" not in taken)
    requested = {**record.requested, number: rfc3339(now)}
    named = replace(record, names={**record.names, number: free}, requested=requested)
    return named.describe(number, {**overview.key_facts(key), CSR: csr.decode("utf-8", "replace")})


def require_same(name: str, known: Settings, wanted: Settings) -> None:
    """Refuse to enroll or import again with other options; omitted options stay unchanged.

    Raises:
        InputError: if an option differs.
    """
    left_out = _options(Settings(policy=wanted.policy))
    then = _options(known)
    for option, value in _options(wanted).items():
        if value != then[option] and (value != left_out[option] or option == "policy"):
            if option == "trust_bundle" and has_same_cas(known.trust_bundle, wanted.trust_bundle):
                continue
            raise DifferentError(name, option)


def has_same_cas(one: str | None, other: str | None) -> bool:
    """Return whether two trust bundles (PEM) name the same CAs; version 0.1.0 kept whatever else was in the file."""
    from certkit.verify.path import is_anchor

    if one == other or one is None or other is None:
        return one == other
    try:
        both = [objects.certificates(each.encode(), name="the trust bundle") for each in (one, other)]
    except InputError:
        return False
    first, second = ([each for each in found if is_anchor(each)] for found in both)
    return bool(first) and first == second


def _options(settings: Settings) -> dict[str, object]:
    """Return the settings one by one, including those of the subject."""
    parts = {each.name: getattr(settings, each.name) for each in fields(Settings) if each.name != "subject"}
    return parts | {each.name: getattr(settings.subject, each.name) for each in fields(settings.subject)}
