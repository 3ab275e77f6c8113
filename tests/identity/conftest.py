"""Fixtures of the use cases: stores, a partner who answers requests, and identities at any point of their life."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import pytest
from cryptography import x509

from certkit.identity import activate, overview
from certkit.identity import enroll as enrolling
from certkit.identity import install as answer
from certkit.policy.catalogue import load
from certkit.stores.file.store import FileStore
from certkit.stores.record import Journal, Settings
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.x509.names import SubjectOptions
from tests import pki

PREFIXES = itertools.count()
ROOT = pki.root()
ISSUING = ROOT.intermediate()
POLICY = load("wise-sandbox")
SUBJECT = SubjectOptions(organization="Acme Ltd", country="GB")
SETTINGS = Settings(policy="wise-sandbox", subject=SUBJECT, trust_bundle=ROOT.pem.decode())


def file_store(request, name):
    """A store in a directory of its own, which is still to be made."""
    return FileStore(request.getfixturevalue("tmp_path") / name, wait_seconds=10)


def vault_store(request, name):
    """A store at a prefix of its own on a real server."""
    vault = Vault.connect(request.getfixturevalue("openbao").settings())
    request.addfinalizer(vault.close)
    return VaultStore(vault, "secret", f"lifecycle/{next(PREFIXES)}/{name}", wait_seconds=10)


def journaled(store, who, clock):
    """The same store for a user whose changes it logs."""
    journal = Journal(who, clock)
    if isinstance(store, FileStore):
        return replace(store, journal=journal)
    store.journal = journal
    return store


# Every promise about a use case is kept over each kind of store; to add one, name what makes an empty store.
STORES = {"file": file_store, "vault": vault_store}


@pytest.fixture(params=STORES)
def make_store(request):
    """A function that makes an empty store of a name."""
    return functools.partial(STORES[request.param], request)


@pytest.fixture
def store(make_store):
    """An empty store."""
    return make_store("store")


def enroll(store, name="acme", settings=SETTINGS, *, now=pki.NOW):
    """Enroll an identity by the rules of its policy."""
    return enrolling.enroll(store, name, settings, load(settings.policy), now=now)


def request_again(store, name="acme"):
    """One more request for an identity; its generation's number."""
    done = enrolling.add_request(store, store.load(name), POLICY, now=pki.NOW)
    return done.identity.generations[-1].number


def csr_of(store, number="0001", name="acme"):
    """The CSR of a generation."""
    return x509.load_pem_x509_csr(overview.generation(store.load(name), number).csr)


def issue(store, number="0001", name="acme", *, subject=None, issuer=ISSUING, **options):
    """Return the partner's certificate for the key of a request, by default with a CN of its choice."""
    subject = subject or pki.name(O="Acme Ltd", CN="acme-client-id")
    return issuer.issue(subject, public_key=csr_of(store, number, name).public_key(), **options)


def pasted(pair):
    """The answer as the portal shows it: the certificate and the issuing CA."""
    return pair.pem + ISSUING.pem


def install(store, data, name="acme", *, policy=POLICY, **options):
    """Take in an answer; what was done, and the number of its generation."""
    return answer.install(store, store.load(name), data, policy, now=pki.NOW, **options)


def use(store, name="acme", *, count=1, **options):
    """Have so many generations issued and put to use, one after the other; their certificates."""
    certificates = []
    for turn in range(count):
        if turn == 0:
            enroll(store, name)
        number = f"{turn + 1:04}" if turn == 0 else request_again(store, name)
        made = issue(store, number, name, **options)
        install(store, pasted(made), name)
        activate.activate(store, store.load(name), number, now=pki.NOW)
        certificates.append(made)
    return certificates


def states(store, name="acme"):
    """The state of each generation, by its number."""
    identity = store.load(name)
    return {each.number: overview.state_of(identity, each).value for each in identity.generations}


def everything(store):
    """All that a store shows of all its identities, keys and documents included."""
    found = [store.load(name) for name in store.names()]
    return [
        (each, [store.key(each.name, one.number) for one in each.generations], documents(store, each.name))
        for each in found
    ]


def documents(store, name="acme"):
    """The fields of each secret document of an identity."""
    return {each: store.document(name, each).fields for each in store.documents(name)}
