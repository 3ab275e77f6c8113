"""`certkit.identity.import_`: a pair that was made elsewhere and is in use already."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

import pytest

from certkit.errors import ConflictError, InputError, RefusedError
from certkit.identity.import_ import adopt
from certkit.policy.catalogue import load
from certkit.stores.record import Record, Settings
from certkit.x509 import keys
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.identity.conftest import ISSUING, ROOT, enroll, everything, states

SETTINGS = Settings(policy="wise-sandbox", trust_bundle=ROOT.pem.decode())
PAIR = ISSUING.issue()
KEY = keys.to_pem(PAIR.key)


def run(store, pair=PAIR, *, settings=SETTINGS, key=None, certificates=None, anchors=(ROOT.value,), name="acme"):
    """Adopt a pair, by default with the issuing CA's certificate beside it."""
    return adopt(
        store,
        name,
        settings,
        load(settings.policy),
        key=key or pair.key,
        certificates=certificates or [pair.value, ISSUING.value],
        anchors=list(anchors) if anchors is not None else None,
        now=pki.NOW,
    )


def test_an_adopted_pair(store):
    """Is in use at once, without a CSR, with its key as it was; a renewal will ask for what the certificate says."""
    assert run(store).changed
    identity = store.load("acme")
    [generation] = identity.generations
    assert (identity.record.active, states(store)) == ("0001", {"0001": "active"})
    assert (generation.csr, generation.issued.fullchain) == (None, PAIR.pem + ISSUING.pem)
    assert (generation.issued.trust_bundle, store.key("acme", "0001")) == (ROOT.pem, KEY)
    assert identity.record.settings == replace(
        SETTINGS, key_type="ec-p256", subject=SubjectOptions(organization="Acme Ltd")
    )


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0], [3, 1, 0], [3, 0, 1]])
def test_the_order_of_a_bundle(store, order):
    """Does not matter, nor what else is in it: the certificate is the key's."""
    every = [PAIR.value, ISSUING.value, ROOT.value, ISSUING.issue().value]
    run(store, certificates=[every[at] for at in order])
    assert store.load("acme").generations[0].issued.fullchain == PAIR.pem + ISSUING.pem


def test_without_a_trust_bundle(store):
    """The pair is taken too, with the chain that came with it."""
    run(store, settings=replace(SETTINGS, trust_bundle=None), anchors=None)
    issued = store.load("acme").generations[0].issued
    assert (issued.fullchain, issued.trust_bundle) == (PAIR.pem + ISSUING.pem, b"")


def test_again(store):
    """Nothing changes, also with fewer options."""
    run(store, settings=replace(SETTINGS, client_id="acme-client-id"))
    before = everything(store)
    assert not run(store).changed
    assert not run(store, settings=replace(SETTINGS, trust_bundle=None), anchors=None).changed
    assert everything(store) == before


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        (replace(SETTINGS, policy="wise-production"), "--policy"),
        (replace(SETTINGS, client_id="acme-client-id"), "--client-id"),
        (replace(SETTINGS, group="daemon"), "--group"),
    ],
)
def test_again_with_another_option(store, settings, option):
    """Is an error that names it, and nothing changes."""
    run(store)
    before = everything(store)
    with pytest.raises(InputError, match=f"(?m)with a different {option}$"):
        run(store, settings=settings)
    assert everything(store) == before


def test_another_pair(store):
    """Under a name that is taken, by an adopted pair or a request, is an error."""
    run(store)
    enroll(store, "other")
    before = everything(store)
    for name in ("acme", "other"):
        with pytest.raises(InputError, match="an identity of that name with another certificate already exists"):
            run(store, ISSUING.issue(), name=name)
    assert everything(store) == before


@pytest.mark.parametrize(
    ("pair", "check"),
    [
        (ISSUING.issue(begin=pki.NOW - pki.YEAR, end=pki.NOW - pki.DAY), "validity"),
        (ISSUING.issue(extensions=(pki.SERVER,)), "purpose"),
        (ISSUING.issue(end=pki.NOW + 2 * pki.YEAR), "policy"),
        (pki.Pair(PAIR.certificate, pki.new_key()), "key-match"),
        (ISSUING.issue(pki.name(O="Acme Ltd", CN="another")), "name"),
        (pki.root(pki.name(O="Partner", CN="Another")).issue(), "chain"),
    ],
    ids=["expired", "server", "too long", "other key", "CN", "other CA"],
)
def test_what_is_refused(store, pair, check):
    """Says which check does not hold, and nothing is written."""
    with pytest.raises(RefusedError, match=f"acme: certificate rejected: {check}: "):
        run(store, pair, settings=replace(SETTINGS, client_id="acme-client-id"))
    assert store.names() == []


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_that_was_killed_half_way(store, steps):
    """Is completed by the next one."""
    run(store, name="whole")
    issued = store.load("whole").generations[0].issued
    store.create("acme", Record(settings=store.load("whole").record.settings))
    if steps > 1:
        store.add("acme", "0001", key=KEY, csr=None)
    if steps > 2:
        store.install("acme", "0001", issued, facts={})
    assert run(store).changed
    first, second = store.load("acme"), store.load("whole")
    assert (first.record, first.generations) == (second.record, second.generations)


def test_what_another_pair_had_begun(store):
    """Is not taken for one's own."""
    store.create("acme", Record(settings=replace(SETTINGS, key_type="ec-p256")))
    store.add("acme", "0001", key=keys.to_pem(pki.new_key()), csr=None)
    with pytest.raises(InputError, match="with another certificate"):
        run(store)
    assert states(store) == {"0001": "pending"}


def test_many_at_once(store):
    """Adopt the pair once; one that meets another half-way may fail with an error."""
    begin = threading.Barrier(6)

    def work():
        begin.wait()
        with contextlib.suppress(ConflictError):
            run(store)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not run(store).changed
    assert states(store) == {"0001": "active"}
