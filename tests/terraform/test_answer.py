"""The answers to Terraform, from every kind of store, at any point of an identity's life."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes

from certkit.api.external import NOTHING as NONE
from certkit.api.external import Query, about_identity, about_source
from certkit.durations import Duration
from certkit.errors import InputError, StoreError
from certkit.expiry.sources.base import Failure, Reason, ReportedFacts, Searched, Sighting, Skipped
from certkit.identity import retire
from certkit.policy.catalogue import load
from certkit.stores.record import Record
from certkit.x509 import keys
from tests import pki
from tests.identity.conftest import SETTINGS, csr_of, enroll, install, issue, pasted, request_again, use

NOW = pki.NOW


def told(store, *, now=NOW, **thresholds):
    """The answer about the identity acme."""
    query = Query(identity="acme", **{name: Duration.parse(text) for name, text in thresholds.items()})
    return about_identity(query, store, name="acme", policy_of=load, now=now)


def fingerprint(public_key):
    """The fingerprint of a public key."""
    return keys.key_facts(public_key).spki_sha256


# identities


def test_no_identity(store):
    """It is absent, and all else is empty."""
    assert told(store) == {**NONE, "state": "absent"}


def test_an_identity_whose_enrolling_was_killed(store):
    """Without a generation there is nothing yet, and enrolling again completes it."""
    store.create("acme", Record(settings=SETTINGS))
    assert told(store) == {**NONE, "state": "absent"}


def test_a_pending_request(store):
    """The CSR is there to be handed in, and where its key is; no certificate is due."""
    enroll(store)
    location = store.location(store.load("acme"), "0001")
    assert told(store) == {
        **NONE,
        "status": "unknown",
        "state": "pending",
        "ready_for_renewal": "false",
        "spki_sha256": fingerprint(csr_of(store).public_key()),
        "csr": store.load("acme").generations[0].csr.decode(),
        "key_reference": location.key,
        "deploy_hook": "none",
    }


def test_a_certificate_that_is_not_in_use_yet(store):
    """It is issued, and its facts are in the answer; without an active certificate there is no status."""
    enroll(store)
    made = issue(store)
    install(store, pasted(made))
    found = told(store)
    assert (found["status"], found["state"], found["ready_for_renewal"]) == ("unknown", "issued", "false")
    assert found["validity_end_time"] == "2027-11-22T12:00:00Z"
    assert found["csr"] == ""


def test_a_hook_that_failed(store):
    """Is reported until it has run: a plan shows that services do not use the certificate yet."""
    use(store)
    identity = store.load("acme")
    store.change(identity, lambda record: replace(record, undeployed=record.active, undeployed_hook="/bin/false"))
    assert told(store)["deploy_hook"] == "failed"


def test_a_certificate_in_use(store):
    """All of its facts, and where the pair is."""
    [made] = use(store)
    serial = made.certificate.serial_number
    location = store.location(store.load("acme"), "0001")
    assert told(store) == {
        "status": "ok",
        "state": "active",
        "days_left": "364",
        "validity_start_time": "2026-11-22T12:00:00Z",
        "validity_end_time": "2027-11-22T12:00:00Z",
        "ready_for_renewal": "false",
        "fingerprint_sha256": made.certificate.fingerprint(hashes.SHA256()).hex(),
        "spki_sha256": fingerprint(made.certificate.public_key()),
        "subject": "CN=acme-client-id,O=Acme Ltd",
        "issuer": "CN=Partner Issuing CA,O=Partner",
        "serial": serial.to_bytes((serial.bit_length() + 7) // 8).hex(),
        "csr": "",
        "certificate_path": location.certificate,
        "key_reference": location.key,
        "deploy_hook": "none",
    }


def test_a_request_beside_a_certificate_in_use(store):
    """The answer has both: the facts of the active certificate, and the CSR."""
    use(store)
    before = told(store)
    number = request_again(store)
    assert told(store) == {**before, "csr": store.load("acme").generations[-1].csr.decode()}
    assert number == "0002"


def test_a_request_that_was_discarded(store):
    """Nothing is in use and nothing waits: another request is wanted."""
    enroll(store)
    retire.discard(store, store.load("acme"))
    found = told(store)
    assert (found["status"], found["state"], found["ready_for_renewal"]) == ("unknown", "discarded", "true")
    assert found["csr"] == ""


@pytest.mark.parametrize(("days", "ready"), [(320, "true"), (319, "true"), (318.9, "false"), (400, "true")])
def test_a_renewal_is_due_by_the_policy(store, days, ready):
    """Wise's opens 45 days before the end, of which it is 364 days from now; it stays so when it has expired."""
    use(store)
    assert told(store, now=NOW + days * pki.DAY)["ready_for_renewal"] == ready


def test_a_renewal_is_due_for_the_last_third_where_no_policy_says_otherwise(tmp_path):
    """As with other tools."""
    pair = pki.root().issue(begin=NOW, end=NOW + 90 * pki.DAY)
    policy = load("general")
    answers = [
        about_source(Query(source="x"), [Seen(Sighting("x", [pair.value]))], policy=policy, now=NOW + days * pki.DAY)
        for days in (59.9, 60)
    ]
    assert [each["ready_for_renewal"] for each in answers] == ["false", "true"]


@pytest.mark.parametrize(("days", "status"), [(0, "ok"), (340, "warning"), (360, "critical"), (365, "critical")])
def test_the_status_is_by_the_thresholds_of_the_policy(store, days, status):
    """28 and 7 days for Wise."""
    use(store)
    assert told(store, now=NOW + days * pki.DAY)["status"] == status


def test_thresholds_of_the_query_win(store):
    """One of them, or both."""
    use(store)
    assert told(store, warn="365d")["status"] == "warning"
    assert told(store, warn="2000d", critical="365d")["status"] == "critical"


def test_a_store_that_is_damaged_is_an_error(tmp_path):
    """Not an identity that is absent."""
    from certkit.stores.file.store import FileStore

    store = FileStore(tmp_path / "store")
    enroll(store)
    (tmp_path / "store" / "acme" / "identity.json").write_text("{")
    with pytest.raises(StoreError):
        told(store)


# sources


class Seen:
    """A source in which this is seen."""

    weight = 0

    def __init__(self, *seen):
        self.seen = seen

    def parts(self):
        """Itself."""
        return (self,)

    def look(self):
        """Yield the sighting."""
        return iter(self.seen)


def told_of(*seen, now=NOW):
    """The answer about a source with this content."""
    return about_source(Query(source="place"), [Seen(*seen)], policy=load("general"), now=now)


def test_the_most_urgent_certificate_of_a_source_is_told(root):
    """A certificate that is not valid yet is the most urgent; of a bundle the leaf counts."""
    soon = root.issue(end=NOW + 40 * pki.DAY)
    later = root.issue(begin=NOW + pki.DAY)
    seen = [Sighting("a", [soon.value, root.issue(end=NOW).value])]
    assert told_of(*seen)["days_left"] == "40"
    assert told_of(*seen, Sighting("b", [later.value]), Skipped("c"))["days_left"] == "364"


def test_facts_of_a_certificate_that_may_not_be_read():
    """As a monitor of Vault sees them: without the public key."""
    known = ReportedFacts(
        subject="CN=x",
        issuer="CN=y",
        serial=255,
        fingerprint=b"\x01" * 32,
        not_before=NOW - pki.DAY,
        not_after=NOW + pki.DAY,
    )
    assert told_of(Sighting("vault://secret/certkit/acme", [known])) == {
        **NONE,
        "status": "critical",
        "days_left": "1",
        "validity_start_time": "2026-11-22T12:00:00Z",
        "validity_end_time": "2026-11-24T12:00:00Z",
        "ready_for_renewal": "false",
        "fingerprint_sha256": "01" * 32,
        "subject": "CN=x",
        "issuer": "CN=y",
        "serial": "ff",
    }


def test_a_part_that_cannot_be_read_is_an_error(root):
    """Also beside certificates that can: the most urgent one may be there."""
    failure = Failure("b", "cannot read b: permission denied", "read it as its owner", Reason.PERMISSION_DENIED)
    with pytest.raises(InputError, match="cannot read b: permission denied"):
        told_of(Sighting("a", [root.issue().value]), failure)


def test_no_certificate_is_an_error():
    """It would be taken for good news."""
    with pytest.raises(InputError, match="place contains no certificate"):
        told_of(Searched("place", has_found=False), Skipped("notes.txt"))
