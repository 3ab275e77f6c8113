"""Moving an identity from one store to another: every generation and document, and proof that all of it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, InputError, StoreError
from certkit.identity import overview
from certkit.identity.enroll import Done
from certkit.stores.facts import certificate_facts

if TYPE_CHECKING:
    from certkit.secret import Secret
    from certkit.stores.base import Generation, Identity, Store
    from certkit.stores.record import Record


def copy(source: Store, target: Store, name: str) -> Done:
    """Copy an identity with all its generations and documents, and compare both; what was copied before is completed.

    The record is written last, so that nothing is in use there before all of it is.

    Raises:
        InputError: the target has another identity of that name, or a key cannot be unlocked; nothing was written.
        StoreError: a store cannot be used, or both are not equal afterwards.
    """
    original = source.load(name)
    keys = {each.number: source.key(name, each.number) for each in original.generations}
    idle = _idle(original.record)
    changed = False
    try:
        target.create(name, idle)
        changed = True
    except ConflictError:
        if target.load(name).record.without_log() not in (idle.without_log(), original.record.without_log()):
            raise _different(name, target) from None
    there = {each.number: each for each in target.load(name).generations}
    for generation in original.generations:
        key = keys[generation.number]
        changed |= _copy_generation(target, original, generation, there.get(generation.number), key=key)
    for document in source.documents(name):
        changed |= _copy_document(source, target, name, document)
    if target.load(name).record.without_log() != original.record.without_log():
        target.change(name, lambda _: original.record)
        changed = True
    _require_equal(source, target, name)
    return Done(target.load(name), changed)


def _idle(record: Record) -> Record:
    """The record without a pointer."""
    return replace(record, active=None, left=())


def _copy_generation(
    target: Store, identity: Identity, generation: Generation, there: Generation | None, *, key: Secret
) -> bool:
    """Copy one generation, or what is missing of it; whether anything was missing."""
    name, number, issued = identity.name, generation.number, generation.issued
    if there == generation:
        return False
    if there is None:
        _add(target, name, generation, key)
    elif there.csr != generation.csr or there.issued is not None:
        raise _different(name, target)
    if issued is not None:
        leaf = overview.certificate(generation)
        assert leaf is not None  # noqa: S101  it is issued
        target.install(name, number, issued, facts=certificate_facts(leaf, policy=identity.record.settings.policy))
    return True


def _add(target: Store, name: str, generation: Generation, key: Secret) -> None:
    """Add a generation, unless another run has copied it too; what it wrote is compared in the end."""
    try:
        target.add(name, generation.number, key=key, csr=generation.csr)
    except ConflictError:
        if generation.number not in {each.number for each in target.load(name).generations}:
            raise


def _copy_document(source: Store, target: Store, name: str, document: str) -> bool:
    """Copy a secret document; whether it was missing. What the target has may be newer, and is not overwritten.

    Raises:
        InputError: the target has another one.
    """
    wanted, there = source.document(name, document), target.document(name, document)
    if wanted is None or (there is not None and there.fields == wanted.fields):
        return False
    if there is not None:
        hint = "both may have been renewed since; remove the one that is no longer used"
        raise InputError(f"{name}: {target.uri} has another document {document}", hint=hint)
    target.put_document(name, document, wanted.fields, over=None)
    return True


def _require_equal(source: Store, target: Store, name: str) -> None:
    """Read both again and compare them, keys included.

    Raises:
        StoreError: they are not equal.
    """
    first, second = source.load(name), target.load(name)
    if first.record.without_log() != second.record.without_log() or list(first.generations) != list(second.generations):
        raise StoreError(
            f"{name}: what is in {target.uri} is not what is in {source.uri}",
            hint="somebody may have changed it meanwhile; copy it again",
        )
    for document in {*source.documents(name), *target.documents(name)}:
        ours, theirs = source.document(name, document), target.document(name, document)
        if ours is None or theirs is None or ours.fields != theirs.fields:
            raise StoreError(f"{name}: the document {document} is not the same in both", hint="copy it again")
    for each in first.generations:
        if source.key(name, each.number) != target.key(name, each.number):
            raise StoreError(
                f"{name}: the key of generation {each.number} is not the same in both", hint="copy it again"
            )


def _different(name: str, target: Store) -> InputError:
    return InputError(f"{name}: {target.uri} has another identity of that name", hint="remove it there first")
