"""`certkit.stores.record.Journal`: who did what, kept with the identity in both stores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certkit.errors import ConflictError, InputError
from certkit.identity import activate, copy, enroll, retire
from certkit.identity import install as answer
from certkit.stores.base import Issued
from certkit.stores.record import MAX_EVENTS, Event
from certkit.x509 import describe
from tests import pki
from tests.identity.conftest import ISSUING, POLICY, ROOT, SETTINGS, install, issue, journaled, pasted
from tests.identity.conftest import make_store as make_store
from tests.identity.conftest import store as store

AT = "2026-11-23T12:00:00Z"


@pytest.fixture
def audited(store):
    """An empty store that remembers what alice does."""
    return journaled(store, "alice@host", lambda: pki.NOW)


def log(store, name="acme"):
    """Return the events with their generations."""
    return [(each.what, each.generation) for each in store.log(name)]


def test_a_life(audited):
    """Every change leaves its event, in order, with who did it and when."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    made = issue(audited)
    install(audited, pasted(made))
    activate.activate(audited, audited.load("acme"), now=pki.NOW)
    enroll.add_request(audited, audited.load("acme"), POLICY, now=pki.NOW)
    install(audited, pasted(issue(audited, "0002")))
    activate.activate(audited, audited.load("acme"), now=pki.NOW)
    activate.rollback(audited, audited.load("acme"), now=pki.NOW)
    retire.retire(audited, audited.load("acme"), "0002")
    enroll.add_request(audited, audited.load("acme"), POLICY, now=pki.NOW)
    retire.discard(audited, audited.load("acme"))
    assert log(audited) == [
        ("created", None),
        ("requested", "0001"),
        ("installed", "0001"),
        ("activated", "0001"),
        ("requested", "0002"),
        ("installed", "0002"),
        ("activated", "0002"),
        ("rolled back", "0001"),
        ("retired", "0002"),
        ("requested", "0003"),
        ("discarded", "0003"),
    ]
    events = audited.log("acme")
    assert {(each.who.partition(" (token")[0], each.time) for each in events} == {("alice@host", AT)}
    spki = answer.spki(made.value)
    fingerprint = made.certificate.fingerprint(pki.hashes.SHA256()).hex()
    assert events[1].document() == {
        "time": AT,
        "who": events[0].who,
        "what": "requested",
        "generation": "0001",
        "certificate_name": "acme-2026-11-a",
        "spki_sha256": spki,
    }
    assert (events[2].spki_sha256, events[2].fingerprint_sha256) == (spki, fingerprint)


def test_what_changes_nothing(audited):
    """Leaves no event, and writes nothing."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    install(audited, pasted(made := issue(audited)))
    before = audited.load("acme")
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    install(audited, pasted(made))
    retire.discard(audited, audited.load("acme"))
    assert audited.load("acme") == before


def test_an_installation_that_was_not_told(store, audited):
    """By a run that was killed, is logged by the next one."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    made = issue(audited)
    issued = Issued(certificate=made.pem, chain=ISSUING.pem, trust_bundle=ROOT.pem)
    store.install("acme", "0001", issued, facts=describe.facts(made.value))
    assert log(audited) == [("created", None), ("requested", "0001")]
    install(audited, pasted(made))
    assert log(audited)[-1] == ("installed", "0001")


def test_what_is_refused(audited):
    """Leaves no event."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    before = log(audited)
    with pytest.raises(ConflictError):
        audited.create("acme", enroll.Record(settings=SETTINGS))
    with pytest.raises(InputError):
        audited.change("acme", lambda record: record.discard("0001").activate("0001"))
    assert log(audited) == before


def test_a_copy_takes_it_along(audited, make_store):
    """Earlier events are in the copy, and later ones do not affect the original."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    install(audited, pasted(issue(audited)))
    activate.activate(audited, audited.load("acme"), now=pki.NOW)
    target = journaled(make_store("target"), "bob@host", lambda: pki.NOW)
    assert copy.copy(audited, target, "acme").changed
    assert set(log(audited)) <= set(log(target))
    assert target.log("acme")[-1].who.startswith("bob@host")
    assert not copy.copy(audited, target, "acme").changed


def test_hooks_that_succeed_late(audited):
    """Are logged, too."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    install(audited, pasted(issue(audited)))
    audited.change("acme", lambda record: replace(record.activate("0001"), undeployed="0001"))
    audited.change("acme", lambda record: replace(record, undeployed=None))
    assert log(audited)[-2:] == [("activated", "0001"), ("deployed", "0001")]


def test_a_log_is_bounded(audited):
    """The latest events stay; in Vault an entry stays until an operator removes it."""
    enroll.enroll(audited, "acme", SETTINGS, POLICY, now=pki.NOW)
    event = Event(time=AT, who="alice@host", what="looked at")
    audited.change("acme", lambda record: replace(record, log=(event,) * MAX_EVENTS, names={"0001": "x"}))
    audited.change("acme", lambda record: record.discard("0001"))
    assert log(audited)[-MAX_EVENTS:] == [*[("looked at", None)] * (MAX_EVENTS - 1), ("discarded", "0001")]
    assert len(log(audited)) == MAX_EVENTS or audited.uri.startswith("vault:")
