"""Import of a pair that was created elsewhere and is in use already."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, InputError
from certkit.identity import install, limits, overview
from certkit.identity.done import Done
from certkit.identity.enroll import begin, require_same
from certkit.stores.base import AbsentError, Issued
from certkit.stores.record import State, next_generation
from certkit.verify import Question
from certkit.x509 import describe, keys, names
from certkit.x509.certificate import to_pem
from certkit.x509.names import SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from certkit.policy.rules import Policy
    from certkit.secret import Secret
    from certkit.stores.base import Store, StoredIdentity
    from certkit.stores.record import Settings
    from certkit.x509.certificate import Certificate


def adopt(
    store: Store,
    name: str,
    settings: Settings,
    policy: Policy,
    *,
    key: Any,
    certificates: Sequence[Certificate],
    anchors: Sequence[Certificate] | None,
    now: datetime,
) -> Done:
    """Import a pair as the active generation of an identity; repeating it changes nothing.

    Raises:
        InputError: if there is an identity of that name with another pair or other settings.
        RefusedError: if key and certificate do not belong together, or another check fails; nothing was written.
    """
    limits.require_current(name, anchors or (), now)
    facts = keys.key_facts(key.public_key())
    own = (each for each in certificates if install.spki(each) == facts.spki_sha256)
    leaf = next(own, describe.leaf_of(certificates))
    untrusted = [each for each in certificates if each is not leaf]
    question = Question(
        leaf=leaf,
        policy=policy,
        at=now,
        anchors=anchors,
        untrusted=untrusted,
        needs_chain=anchors is not None,
        client_id=settings.client_id,
        key=facts,
    )
    verdict = install.up_to_a_root(question)
    known = store.find(name)
    others = limits.Neighbours(store, name, policy, known)
    foreign = [*others.sharing_key(facts.spki_sha256), *others.sharing_trust(anchors or ())]
    install.refuse(name, [*foreign, *verdict.findings])
    chain = install.above(verdict) if anchors else untrusted
    issued = Issued(certificate=to_pem([leaf]), chain=to_pem(chain), trust_bundle=to_pem(anchors or ()))
    subject = settings.subject if settings.subject.attributes() else _subject(leaf, policy)
    settings = replace(settings, key_type=settings.key_type or facts.type, subject=subject)
    identity = begin(store, name, settings, known=known)
    done = _store(store, identity, settings, issued, leaf, keys.to_pem(key))
    return replace(done, findings=verdict.findings)


def _subject(leaf: Certificate, policy: Policy) -> SubjectOptions:
    """Return the subject of the next request: the certificate's, without what the partner replaces anyway."""
    found = [each for each in names.attributes(leaf.subject) if each.name not in policy.subject.overridden]

    def first(short_name: str) -> str:
        return next(iter(names.values(found, short_name)), "")

    try:
        return SubjectOptions(
            organization=first("O"),
            country=first("C"),
            state=first("ST"),
            locality=first("L"),
            units=names.values(found, "OU"),
            common_name=first("CN"),
            email=first("emailAddress"),
        )
    except InputError:  # it has values that certkit never puts in a CSR
        return SubjectOptions(organization=first("O"))


def _store(
    store: Store, identity: StoredIdentity, settings: Settings, issued: Issued, leaf: Certificate, key: Secret
) -> Done:
    name = identity.name
    active = identity.record.active
    is_active = active is not None and overview.certificate(overview.generation(identity, active)) == leaf
    # A killed run may have created a generation with this key.
    open_ = [each.number for each in overview.in_state(identity, State.PENDING, State.ISSUED) if each.csr is None]
    begun = (each for each in open_ if store.key(name, each) == key)
    number = None if is_active else next(begun, None)
    if not is_active and number is None and identity.generations:
        hint = "choose another name"
        raise InputError(f"{name}: an identity of that name with another certificate already exists", hint=hint)
    require_same(name, identity.record.settings, settings)
    if is_active:
        return Done(identity, changed=False)
    if number is None:
        number = next_generation(())
        identity = _add(store, identity, number, key)
    identity = install.write(store, identity, number, issued, leaf)
    return Done(store.change(identity, lambda record: record.activate(number)), changed=True)


def _add(store: Store, identity: StoredIdentity, number: str, key: Secret) -> StoredIdentity:
    """Add a generation with a key; another process may have added the same one first."""
    try:
        return store.add(identity, number, key=key, csr=None)
    except ConflictError:
        with contextlib.suppress(AbsentError):
            if store.key(identity.name, number) == key:
                return store.load(identity.name)
        raise
