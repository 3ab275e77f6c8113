"""`certkit.identity.enroll`: an identity and its first request."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from certkit.errors import InputError, RefusedError
from certkit.identity import install, overview, retire
from certkit.stores.record import Record, Settings
from certkit.x509 import keys, objects
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.identity.conftest import (
    POLICY,
    ROOT,
    SETTINGS,
    SUBJECT,
    csr_of,
    enroll,
    everything,
    request_again,
    states,
    use,
)


def test_the_first_generation(store):
    """Waits for its answer, with a CSR that asks for the subject and a key of the policy's first type."""
    done = enroll(store)
    assert done.changed
    assert states(store) == {"0001": "pending"}
    assert csr_of(store).subject.rfc4514_string() == "O=Acme Ltd,C=GB"
    assert done.identity == store.load("acme")
    assert done.identity.record.settings == replace(SETTINGS, key_type="ec-p256")


def test_the_key_belongs_to_the_csr(store):
    """The stored private key is the one that signed the CSR."""
    enroll(store)
    key = objects.private_key(store.key("acme", "0001").reveal(), name="key").value
    assert keys.key_facts(key.public_key()) == keys.key_facts(csr_of(store).public_key())


def test_a_type_of_key(store):
    """Is the one that was asked for, and the next requests' too."""
    enroll(store, settings=replace(SETTINGS, key_type="ec-p384"))
    assert csr_of(store).public_key().curve.name == "secp384r1"
    assert csr_of(store, request_again(store)).public_key().curve.name == "secp384r1"


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, key_type="ec-p256"),
        Settings(policy="wise-sandbox"),
        replace(SETTINGS, client_id=None),
    ],
)
def test_again_with_the_same_options_or_fewer(store, settings):
    """Nothing changes, not a byte."""
    enroll(store, settings=replace(SETTINGS, client_id="acme-client-id"))
    before = everything(store)
    assert not enroll(store, settings=settings).changed
    assert everything(store) == before


def test_again_where_an_older_version_kept_the_whole_file(store):
    """The CAs are what is compared: version 0.1.0 stored other certificates of the file of --ca beside them."""
    whole = ROOT.pem + ROOT.issue().pem
    enroll(store, settings=replace(SETTINGS, trust_bundle=whole.decode()))
    before = everything(store)
    assert not enroll(store, settings=SETTINGS).changed
    assert not install.trust(store, store.load("acme"), POLICY, SETTINGS.trust_bundle, now=pki.NOW).changed
    assert everything(store) == before
    for bundle in (pki.root().pem, ROOT.pem + pki.root().pem):
        with pytest.raises(InputError, match="already exists with a different --ca"):
            enroll(store, settings=replace(SETTINGS, trust_bundle=bundle.decode()))


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        (replace(SETTINGS, policy="wise-production"), "--policy"),
        (replace(SETTINGS, subject=replace(SUBJECT, organization="Other Ltd")), "--organization"),
        (replace(SETTINGS, subject=replace(SUBJECT, units=("Payments",))), "--unit"),
        (replace(SETTINGS, subject=replace(SUBJECT, common_name="acme")), "--common-name"),
        (replace(SETTINGS, key_type="rsa-2048"), "--type"),
        (replace(SETTINGS, client_id="another"), "--client-id"),
        (replace(SETTINGS, trust_bundle="another"), "--ca"),
        (replace(SETTINGS, group="daemon"), "--group"),
    ],
)
def test_again_with_another_option(store, settings, option):
    """Is an error that names the option, and nothing changes."""
    enroll(store)
    before = everything(store)
    with pytest.raises(InputError, match=f"(?m)acme: already exists with a different {option}$"):
        enroll(store, settings=settings)
    assert everything(store) == before


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (replace(SETTINGS, subject=replace(SUBJECT, organization="")), "O is missing"),
        (replace(SETTINGS, subject=replace(SUBJECT, country="GBR")), "C"),
        (
            Settings(
                policy="circle-mint",
                subject=SubjectOptions(subject=("CN=Acme Ltd", "O=Acme Ltd")),
                key_type="rsa-2048",
            ),
            "rsa-2048",
        ),
        (Settings(policy="general"), "the subject is empty"),
    ],
)
def test_what_the_policy_refuses(store, settings, reason):
    """Leaves nothing, not even a name."""
    with pytest.raises(RefusedError, match=reason):
        enroll(store, settings=settings)
    assert store.names() == []


@pytest.mark.parametrize("names", [{}, {"0001": "acme-2026-01-q"}])
def test_a_run_that_was_killed_half_way(store, names):
    """Is completed by the next one: the record is there, with or without a certificate name, and no generation."""
    store.create("acme", Record(settings=replace(SETTINGS, key_type="ec-p256"), names=names))
    done = enroll(store)
    assert done.changed
    assert states(store) == {"0001": "pending"}
    assert done.identity.record.names == (names or {"0001": "acme-2026-11-a"})


def test_certificate_names_are_never_the_same(store):
    """For the partner refuses a name that was used before, also for a request that it refused."""
    enroll(store)
    for _ in range(2):
        retire.discard(store, store.load("acme"))
        enroll(store)
    retire.discard(store, store.load("acme"))
    enroll(store, now=pki.NOW + timedelta(days=30))
    assert store.load("acme").record.names == {
        "0001": "acme-2026-11-a",
        "0002": "acme-2026-11-b",
        "0003": "acme-2026-11-c",
        "0004": "acme-2026-12-a",
    }


def test_after_a_request_was_discarded(store):
    """There is a new one, with a new key."""
    enroll(store)
    retire.discard(store, store.load("acme"))
    assert enroll(store).changed
    assert states(store) == {"0001": "discarded", "0002": "pending"}
    assert csr_of(store, "0001").public_key() != csr_of(store, "0002").public_key()


def test_an_identity_in_use(store):
    """Gets no other request by being enrolled again."""
    use(store)
    assert not enroll(store).changed
    assert states(store) == {"0001": "active"}


def test_many_at_once(store):
    """Make one request between them, of which one tells that it made it."""
    begin = threading.Barrier(8)
    done = []

    def work():
        begin.wait()
        done.append(enroll(store))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(each.changed for each in done) == [False] * 7 + [True]
    assert states(store) == {"0001": "pending"}
    assert store.load("acme").record.names == {"0001": "acme-2026-11-a"}


def test_what_a_person_does_next(store):
    """Hands in the CSR at the partner's portal under the name, and installs the answer."""
    found = overview.overview(enroll(store).identity, POLICY, now=pki.NOW)
    assert found.status.value == "unknown"
    assert found.next == (
        "in Developer Hub, submit the CSR under the name acme-2026-11-a; then: certkit identity install acme CERT"
    )
    assert found.pending.csr == found.pending.csr.strip() + "\n"
    assert found.pending.csr.encode() == store.load("acme").generations[0].csr


def test_no_key_is_shown(store):
    """Neither by the result nor by its view."""
    done = enroll(store)
    found = overview.overview(done.identity, POLICY, now=pki.NOW)
    assert "PRIVATE" not in repr(done) + repr(found)
