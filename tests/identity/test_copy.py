"""`certkit.identity.copy`: an identity in another store, all of it or an error."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

import pytest

from certkit.errors import ConflictError, InputError, PassphraseError, StoreError
from certkit.identity import retire
from certkit.identity.copy import copy
from certkit.secret import Secret
from certkit.stores.base import AbsentError
from certkit.stores.file.store import FileStore
from certkit.stores.record import Record
from certkit.stores.sealing import PassphraseWrapping
from tests import pki
from tests.identity.conftest import documents, enroll, everything, request_again, use


@pytest.fixture
def target(make_store):
    """Another store, which is empty."""
    return make_store("target")


@pytest.fixture
def rich(store):
    """A store with an identity that has a generation in every state but one."""
    use(store, count=3)
    retire.retire(store, store.load("acme"), "0001")
    request_again(store)
    retire.discard(store, store.load("acme"))
    request_again(store)
    store.put_document("acme", "client_credentials", {"access_token": Secret(b"x")}, over=None)
    return store


def test_all_of_it_is_copied(rich, target):
    """Record, pointer, generations, keys and facts."""
    assert copy(rich, target, "acme").changed
    assert everything(target) == everything(rich)


def test_another_document_there_is_not_overwritten(rich, target):
    """It may be the newer one; nothing is in use there before it is clear."""
    copy(rich, target, "acme")
    known = target.document("acme", "client_credentials").version
    target.put_document("acme", "client_credentials", {"access_token": Secret(b"newer")}, over=known)
    with pytest.raises(InputError, match=r"the document client_credentials in .* is different"):
        copy(rich, target, "acme")
    assert documents(target) == {"client_credentials": {"access_token": Secret(b"newer")}}


def test_again(rich, target):
    """Nothing changes, neither there nor in the store itself."""
    copy(rich, target, "acme")
    before = everything(target)
    assert not copy(rich, target, "acme").changed
    assert not copy(rich, rich, "acme").changed
    assert everything(target) == before == everything(rich)


class LosingStore:
    """A store whose connection is lost before one of its changes."""

    def __init__(self, store, left):
        self._store = store
        self._left = left

    def __getattr__(self, name):
        if name not in {"create", "add", "install", "change", "put_document"}:
            return getattr(self._store, name)
        if self._left == 0:
            raise StoreError("the connection is lost", hint="try again")
        self._left -= 1
        return getattr(self._store, name)


@pytest.mark.parametrize("changes", range(11))
def test_a_copy_that_broke_off(rich, target, changes):
    """Has nothing in use, and is completed by the next one."""
    with pytest.raises(StoreError, match="the connection is lost"):
        copy(rich, LosingStore(target, changes), "acme")
    if target.names():
        assert target.load("acme").record.active is None
    assert copy(rich, target, "acme").changed
    assert everything(target) == everything(rich)


def test_a_copy_that_broke_off_after_the_settings(rich, target):
    """Is completed too: a store may write them before the rest of the record."""
    target.create("acme", Record(settings=rich.load("acme").record.settings))
    assert copy(rich, target, "acme").changed
    assert everything(target) == everything(rich)


def test_another_identity_of_that_name(rich, target):
    """Is not touched."""
    enroll(target)
    before = everything(target)
    with pytest.raises(InputError, match="has another identity of that name"):
        copy(rich, target, "acme")
    assert everything(target) == before


def test_a_copy_with_another_key(store, target):
    """Is found out: keys are compared too."""
    enroll(store)
    [generation] = store.load("acme").generations
    target.create("acme", store.load("acme").record)
    target.add("acme", "0001", key=Secret(pki.root().key_pem), csr=generation.csr)
    with pytest.raises(StoreError, match="the key of generation 0001 differs between the two stores"):
        copy(store, target, "acme")


def test_a_change_meanwhile(store, target):
    """Is noticed: an identity that went on is another one than its copy."""
    use(store)
    copy(store, target, "acme")
    request_again(store)
    with pytest.raises(InputError, match="has another identity of that name"):
        copy(store, target, "acme")


def test_many_at_once(rich, target):
    """Make one copy between them; one that meets another half-way may fail with an error."""
    begin = threading.Barrier(5)

    def work():
        begin.wait()
        with contextlib.suppress(ConflictError):
            copy(rich, target, "acme")

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    copy(rich, target, "acme")
    assert everything(target) == everything(rich)


def test_an_identity_that_is_not_there(store, target):
    """Leaves nothing."""
    with pytest.raises(AbsentError):
        copy(store, target, "acme")
    assert target.names() == []


def test_keys_that_cannot_be_unlocked(target, tmp_path):
    """Leave nothing either: they are read before anything is written."""
    sealed = FileStore(tmp_path / "sealed", PassphraseWrapping(Secret(b"correct horse")))
    enroll(sealed)
    with pytest.raises(PassphraseError):
        copy(replace(sealed, wrapping=None), target, "acme")
    assert target.names() == []


def test_encryption_is_the_business_of_each_store(store, tmp_path):
    """A key is the same key, however it is kept."""
    use(store)
    sealed = FileStore(tmp_path / "sealed", PassphraseWrapping(Secret(b"correct horse")))
    copy(store, sealed, "acme")
    assert (tmp_path / "sealed/acme/generations/0001/key.pem").read_text().startswith("-----BEGIN ENCRYPTED")
    assert not copy(store, sealed, "acme").changed
