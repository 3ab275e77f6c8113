"""A store in a cluster of three OpenBao servers, of which the leader dies."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

import pytest

from certkit.errors import ConflictError, InputError
from certkit.secret import Secret
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from tests.openbao_cluster import PATIENT
from tests.stores.contract import CSR, RECORD, answer, enroll, facts, key
from tests.stores.vault_roles import kept_facts


@pytest.fixture
def stores(openbao_cluster, request):
    """The store as each of the three servers shows it."""
    with contextlib.ExitStack() as stack:
        vaults = [stack.enter_context(Vault.connect(node.settings(**PATIENT))) for node in openbao_cluster.nodes]
        yield [VaultStore(vault, "secret", request.node.originalname) for vault in vaults]


@contextlib.contextmanager
def together(work, count):
    """Run a function in threads at once; it gets the number of its thread."""
    threads = [threading.Thread(target=work, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


def test_what_was_written_is_seen_at_once(stores):
    """Through a follower too, by the one who wrote it."""
    for at, store in enumerate(stores):
        name = f"acme-{at}"
        enroll(store, name, issued=1)
        store.change(name, lambda record: record.activate("0001"))
        assert store.load(name).record.active == "0001"
        assert list(kept_facts(store, name)) == ["0001"]


def test_what_another_host_has_just_made_is_there(stores):
    """A process that knows that an identity exists can load it, even through a follower without it."""
    for number in range(10):
        stores[number % 3].create(f"acme-{number}", RECORD)
        for store in stores:
            with pytest.raises(ConflictError):
                store.create(f"acme-{number}", RECORD)
            assert store.load(f"acme-{number}").record == RECORD


def test_of_those_who_add_one_wins(stores):
    """Through whichever server; the key is that of the request, as the winner sees it (another host may be behind)."""
    enroll(stores[0])
    for number in ("0001", "0002", "0003", "0004"):
        won = []

        def work(at, number=number, won=won):
            with contextlib.suppress(ConflictError):
                stores[at].add("acme", number, key=Secret(b"key %d" % at), csr=b"csr %d" % at)
                won.append(at)

        with together(work, 3):
            pass
        assert len(won) == 1
        winner = stores[won[0]]
        found = {each.number: each for each in winner.load("acme").generations}[number]
        assert found.csr == b"csr %d" % won[0]
        assert winner.key("acme", number) == Secret(b"key %d" % won[0])


def count(record):
    """A change that shows if it is made twice."""
    return replace(record, names={"0001": str(int(record.names.get("0001", "0")) + 1)})


def test_changes_are_made_once_while_the_leader_dies(stores, openbao_cluster):
    """Changes reported as made are made, and failed ones are not; only uncertain ones may be either."""
    leader = openbao_cluster.nodes.index(openbao_cluster.leader())
    living = [store for at, store in enumerate(stores) if at != leader]
    enroll(living[0], issued=1)
    done, doubtful, failed = [], [], []

    def change(store, edit, what):
        try:
            store.change("acme", edit)
            done.append(what)
        except InputError as error:
            (doubtful if "cannot tell" in error.message else failed).append(what)

    def work(at):
        for _ in range(15):
            change(living[at % 2], count, "counted")

    with together(work, 6), openbao_cluster.without(openbao_cluster.nodes[leader]):
        change(living[0], lambda record: record.activate("0001"), "activated")
    # Others may be behind.
    record = stores[openbao_cluster.nodes.index(openbao_cluster.leader())].load("acme").record
    counted = int(record.names["0001"])
    assert done.count("counted") <= counted <= done.count("counted") + doubtful.count("counted")
    assert "activated" not in failed
    assert record.active == "0001" or "activated" in doubtful
    assert len(done) > 60


def test_a_generation_survives_the_death_of_the_leader(stores, openbao_cluster):
    """Begun under one leader, it is completed under the next."""
    leader = openbao_cluster.nodes.index(openbao_cluster.leader())
    store = next(store for at, store in enumerate(stores) if at != leader)
    store.create("acme", RECORD)
    with openbao_cluster.without(openbao_cluster.nodes[leader]):
        store.add("acme", "0001", key=key(0), csr=CSR)
        store.install("acme", "0001", answer(0), facts=facts(0))
        assert store.change("acme", lambda record: record.activate("0001")).record.active == "0001"
    assert (store.key("acme", "0001"), store.load("acme").generations[0].issued) == (key(0), answer(0))
