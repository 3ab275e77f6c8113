"""Twenty workers on a cluster whose leader is killed again and again: nothing that was acknowledged is lost."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from cryptography import x509

from certkit.errors import CertkitError
from certkit.identity import activate, enroll, install, overview
from certkit.policy.catalogue import load
from certkit.stores.record import Settings, State
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.x509 import objects
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.openbao_cluster import PATIENT

WORKERS = 20
KILLS = 4
OPERATIONS_BETWEEN_KILLS = 60
SHARED = [f"shared-{number}" for number in range(5)]
SUBJECT = SubjectOptions(organization="Acme Ltd")


@dataclass
class Log:
    """The operations that the workers completed, and the number of failures reported to them."""

    enrolled: list[str] = field(default_factory=list)
    installed: list[tuple[str, str, bytes]] = field(default_factory=list)
    activated: list[tuple[str, str]] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def operations(self) -> int:
        """How many operations were acknowledged."""
        return len(self.enrolled) + len(self.installed) + len(self.activated)


def work(store, names, root, log, stop):
    """Enroll, install and activate, one identity after the other, and begin each again until it is done."""
    policy = load("general")
    settings = Settings(policy="general", subject=SUBJECT, trust_bundle=root.pem.decode())
    for name in itertools.cycle(names):
        if stop.is_set():
            return
        try:
            done = enroll.enroll(store, name, settings, policy, now=pki.NOW)
            log.enrolled.append(name)
            if not overview.in_state(done.identity, State.PENDING):
                enroll.add_request(store, done.identity, policy, now=pki.NOW)
            renew(store, name, policy, root, log)
        except CertkitError as error:
            log.failures[type(error).__name__] += 1
            time.sleep(random.uniform(0.05, 0.3))


def renew(store, name, policy, root, log):
    """Answer the open requests of an identity, and put the last of them to use."""
    for generation in overview.in_state(store.load(name), State.PENDING):
        request = x509.load_pem_x509_csr(generation.csr)
        pasted = root.issue(pki.name(O="Acme Ltd"), public_key=request.public_key()).pem
        _, number = install.install(store, store.load(name), pasted, policy, now=pki.NOW)
        log.installed.append((name, number, pasted))
        activate.activate(store, store.load(name), number, now=pki.NOW)
        log.activated.append((name, number))


@pytest.fixture
def stores(openbao_cluster):
    """A store for each worker, through one node or another."""
    found = [Vault.connect(openbao_cluster.nodes[number % 3].settings()) for number in range(WORKERS)]
    yield [VaultStore(vault, "secret", "failover") for vault in found]
    for vault in found:
        vault.close()


def test_nothing_acknowledged_is_lost_while_leaders_die(openbao_cluster, stores, root, capsys):
    """Every acknowledged write is there, no identity has two generations in use, and no key lacks its certificate."""
    log, stop = Log(), threading.Event()
    threads = [
        threading.Thread(target=work, args=(store, [f"own-{number}", *SHARED], root, log, stop))
        for number, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            work_goes_on(log)
            with openbao_cluster.without(openbao_cluster.leader()):
                work_goes_on(log)
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    openbao_cluster.wait()
    with Vault.connect(openbao_cluster.leader().settings(**PATIENT)) as vault:
        lost = list(missing(VaultStore(vault, "secret", "failover"), log))
        orphans = list(keys_alone(vault))
    with capsys.disabled():
        print(f"\n{log.operations} operations, {KILLS} kills, failures told {dict(log.failures)}, lost {len(lost)}")  # noqa: T201  figures for people
    assert lost == []
    assert orphans == []


def work_goes_on(log):
    """Wait until more operations are acknowledged, also while a leader is elected."""
    before, end = log.operations, time.monotonic() + 60
    while log.operations < before + OPERATIONS_BETWEEN_KILLS:
        assert time.monotonic() < end, log.failures
        time.sleep(0.05)


def missing(store, log):
    """Return the acknowledged changes that are missing."""
    identities = {name: store.load(name) for name in set(log.enrolled)}
    for name, number, pasted in log.installed:
        issued = overview.generation(identities[name], number).issued
        # Two workers may have had the same request answered: the first answer stays, the other was refused.
        if issued is None or issued.certificate != pasted:
            yield "install", name, number
    for name, number in log.activated:
        if number not in {identities[name].record.active, *identities[name].record.left}:
            yield "activate", name, number
    for name, identity in identities.items():
        if len(overview.in_state(identity, State.ACTIVE)) > 1:
            yield "two in use", name
        for generation in identity.generations:
            key = objects.private_key(store.key(name, generation.number).reveal(), name=name).value
            if overview.request(generation).public_key() != key.public_key():
                yield "key", name, generation.number


def keys_alone(vault):
    """Keys in the store without the document of their certificate."""
    secrets = vault.kv("secret/failover")
    for name in secrets.list():
        for number in secrets.list(f"{name}generations"):
            entries = secrets.list(f"{name}generations/{number}")
            if "key" in entries and "certificate" not in entries:
                yield name, number
