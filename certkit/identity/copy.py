"""Copying an identity to another store: every generation and document, verified afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, InputError, StoreError
from certkit.identity import overview
from certkit.identity.done import Done
from certkit.stores.record import Record
from certkit.x509 import describe

if TYPE_CHECKING:
    from certkit.secret import Secret
    from certkit.stores.base import Generation, Store, StoredIdentity


def copy(source: Store, target: Store, name: str) -> Done:
    """Copy an identity with all its generations and documents, and compare both; an interrupted copy is completed.

    The record is written last, so that no generation is active in the target before everything is copied.

    Raises:
        InputError: if the target has another identity of that name, or a key cannot be unlocked; nothing was written.
        StoreError: if a store cannot be used, or the copies differ afterwards.
    """
    original = source.load(name)
    keys = {each.number: source.key(name, each.number) for each in original.generations}
    idle = replace(original.record, active=None, left=())  # without a pointer
    changed = False
    try:
        made = target.create(name, idle)
        changed = True
    except ConflictError:
        made = target.load(name)
        begun = Record(settings=idle.settings)  # a store may write the settings first
        if made.record.without_log() not in (begun, idle.without_log(), original.record.without_log()):
            raise _different(name, target) from None
    there = {each.number: each for each in made.generations}
    for generation in original.generations:
        known = there.get(generation.number)
        if known != generation:
            made = _copy_generation(target, made, generation, known, key=keys[generation.number])
            changed = True
    for document in source.documents(name):
        changed |= _copy_document(source, target, name, document)
    if made.record.without_log() != original.record.without_log():
        history = tuple(source.log(name))
        target.change(target.load(name), lambda _: replace(original.record, log=history))
        changed = True
    return Done(_require_equal(source, target, name), changed)


def _copy_generation(
    target: Store, made: StoredIdentity, generation: Generation, there: Generation | None, *, key: Secret
) -> StoredIdentity:
    """Copy a generation, or its missing parts; if another run copies it too, the result is compared in the end."""
    number = generation.number
    if there is None:
        try:
            made = target.add(made, number, key=key, csr=generation.csr)
        except ConflictError:
            made = target.load(made.name)
            if number not in {each.number for each in made.generations}:
                raise
    elif there.csr != generation.csr or there.issued is not None:
        raise _different(made.name, target)
    if generation.issued is not None and (leaf := overview.certificate(generation)) is not None:
        facts = {**describe.facts(leaf), "policy": made.record.settings.policy}
        made = target.install(made, number, generation.issued, facts=facts)
    return made


def _copy_document(source: Store, target: Store, name: str, document: str) -> bool:
    """Copy a secret document; return whether it was missing. The target's may be newer, and is not overwritten."""
    wanted, there = source.document(name, document), target.document(name, document)
    if wanted is None or (there is not None and there.fields == wanted.fields):
        return False
    if there is not None:
        hint = "both may have been renewed since the copy; remove the one that is no longer used"
        raise InputError(f"{name}: the document {document} in {target.uri} is different", hint=hint)
    target.put_document(name, document, wanted.fields, over=None)
    return True


def _require_equal(source: Store, target: Store, name: str) -> StoredIdentity:
    """Read both again and compare them, keys included; return the copy."""
    first, second = source.load(name), target.load(name)
    same = replace(first.record, log=(), facts={}) == replace(second.record, log=(), facts={})
    if not same or list(first.generations) != list(second.generations):
        raise StoreError(
            f"{name}: the copies in {source.uri} and {target.uri} differ",
            hint="the identity may have changed in the meantime; copy it again",
        )
    for document in {*source.documents(name), *target.documents(name)}:
        ours, theirs = source.document(name, document), target.document(name, document)
        if ours is None or theirs is None or ours.fields != theirs.fields:
            raise StoreError(f"{name}: the document {document} differs between the two stores", hint="copy it again")
    for each in first.generations:
        if source.key(name, each.number) != target.key(name, each.number):
            raise StoreError(
                f"{name}: the key of generation {each.number} differs between the two stores", hint="copy it again"
            )
    return second


def _different(name: str, target: Store) -> InputError:
    return InputError(f"{name}: {target.uri} already has another identity of that name", hint="remove it there first")
