"""The contract of every store of identities, tested through `certkit.stores.base.Store` alone.

A store passes when a class of its own inherits `StoreContract` where there is a fixture `store`, an empty one. Where a
second process opens the store again, the class has a fixture `open_again` too.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from certkit.errors import ConflictError, InputError, StoreError
from certkit.findings import Finding
from certkit.secret import Secret
from certkit.stores.base import AbsentError, Document, Generation, Issued, StoredIdentity
from certkit.stores.opening import findings_of
from certkit.stores.record import Record, Settings, State
from certkit.x509 import describe
from certkit.x509.names import SubjectOptions
from tests import pki

ROOT = pki.root()
ISSUER = ROOT.intermediate()
SETTINGS = Settings(
    policy="wise-sandbox",
    subject=SubjectOptions(organization="Acme Ltd", country="GB", units=("Payments", "Ünïté"), san=("DNS:a.example",)),
    key_type="ec-p256",
    client_id="acme-client-id",
    probe="https://127.0.0.1/",
    trust_bundle=ROOT.pem.decode(),
)
RECORD = Record(settings=SETTINGS)
CSR = b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"

PAIRS = [ISSUER.issue(pki.name(O="Acme Ltd", CN=f"client {number}"), serial=number + 1) for number in range(4)]

FIELDS = {"access_token": Secret(b"first-token" * 20), "scope": Secret("überweisungen".encode())}
OTHERS = {"access_token": Secret(b"second-token" * 20)}

UNKNOWN_NAMES = ["absent", "ACME", "acme.", "x" * 64]
BAD_NAMES = ["", ".", "..", ".hidden", "a/b", "/etc", "a\0b", "a b", "a\n", "é", "x" * 65, "-a", "acme/../acme"]
BAD_DOCUMENTS = ["", ".", "..", ".hidden", "a/b", "../pointer", "a\0b", "a b", "a\n", "é", "x" * 129, "-a"]
BAD_NUMBERS = ["", "1", "..", "../0001", "0001/..", "0001\n", "x" * 300, "0002\0", "0001.tmp"]


def key(number: int) -> Secret:
    """The private key of one of the pairs."""
    return Secret(PAIRS[number].key_pem)


def answer(number: int) -> Issued:
    """The answer to its request."""
    return Issued(certificate=PAIRS[number].pem, chain=ISSUER.pem, trust_bundle=ROOT.pem)


def facts(number: int) -> dict[str, str]:
    """The facts of its certificate."""
    return {**describe.facts(PAIRS[number].value), "policy": "wise-sandbox"}


def enroll(store, name="acme", *, issued=0, pending=0):
    """An identity with so many generations that are issued, and then so many that are pending."""
    store.create(name, RECORD)
    for at in range(issued + pending):
        store.add(name, f"{at + 1:04}", key=key(at), csr=CSR)
        if at < issued:
            store.install(name, f"{at + 1:04}", answer(at), facts=facts(at))


def activate(store, number, name="acme"):
    """Have a generation in use."""
    return store.change(name, lambda record: record.activate(number)).record


def named(record, number, name):
    """The record with one more certificate name."""
    return replace(record, names={**record.names, number: name})


def states(found):
    """The states of all generations of an identity."""
    record = found.record
    return [record.state(each.number, has_certificate=each.issued is not None) for each in found.generations]


class StoreContract:
    """One promise each."""

    @pytest.fixture
    def open_again(self, store):
        """The store, opened by another process."""
        return lambda: store

    # Identities

    def test_an_empty_store(self, store):
        """Holds nothing, and says so."""
        assert store.names() == []

    def test_a_new_identity_is_there(self, store, open_again):
        """With its record, and without generations; for everybody."""
        store.create("acme", RECORD)
        assert store.load("acme") == StoredIdentity("acme", RECORD, ())
        assert open_again().load("acme") == StoredIdentity("acme", RECORD, ())

    def test_names_are_in_order(self, store):
        """However they came, and up to the longest."""
        names = ["b", "A", "a", "0", "a.b", "a_b", "a-b", "x" * 64, "a.tmp", "a.lock"]
        for name in names:
            store.create(name, RECORD)
        assert store.names() == sorted(names)

    def test_identities_are_apart(self, store):
        """Changing one does not affect another, however similar their names."""
        for name in ("acme", "acme.tmp", "acm", "Acme"):
            enroll(store, name, issued=1)
        activate(store, "0001", "acm")
        store.remove("acme")
        assert store.names() == ["Acme", "acm", "acme.tmp"]
        assert [store.load(name).record.active for name in store.names()] == [None, "0001", None]

    def test_an_identity_is_created_once(self, store):
        """The second time is a conflict, and changes nothing."""
        enroll(store, issued=1)
        with pytest.raises(ConflictError):
            store.create("acme", Record(settings=Settings(policy="general")))
        assert store.load("acme").record == RECORD
        assert len(store.load("acme").generations) == 1

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_what_is_no_name_is_refused(self, store, name):
        """By every method, before anything is done."""
        for call in (
            lambda: store.create(name, RECORD),
            lambda: store.load(name),
            lambda: store.change(name, lambda record: record),
            lambda: store.add(name, "0001", key=key(0), csr=CSR),
            lambda: store.install(name, "0001", answer(0), facts=facts(0)),
            lambda: store.key(name, "0001"),
            lambda: store.documents(name),
            lambda: store.document(name, "x"),
            lambda: store.put_document(name, "x", FIELDS, over=None),
            lambda: store.delete_document(name, "x"),
            lambda: store.remove(name),
        ):
            with pytest.raises(InputError):
                call()
        assert store.names() == []

    @pytest.mark.parametrize("name", UNKNOWN_NAMES)
    def test_an_identity_that_is_not_there(self, store, name):
        """Is absent for every method, and is not made by asking."""
        enroll(store, issued=1)
        for call in (
            lambda: store.load(name),
            lambda: store.change(name, lambda record: record.retire("0001")),
            lambda: store.add(name, "0001", key=key(0), csr=CSR),
            lambda: store.install(name, "0001", answer(0), facts=facts(0)),
            lambda: store.key(name, "0001"),
            lambda: store.documents(name),
            lambda: store.document(name, "x"),
            lambda: store.put_document(name, "x", FIELDS, over=None),
            lambda: store.delete_document(name, "x"),
        ):
            with pytest.raises(AbsentError) as refused:
                call()
            assert (refused.value.message != "", refused.value.hint != "") == (True, True)
        assert store.names() == ["acme"]

    # Generations

    def test_a_pending_generation(self, store):
        """Its key and its request come back byte by byte."""
        enroll(store, pending=1)
        assert store.load("acme").generations == (Generation(number="0001", csr=CSR),)
        assert store.key("acme", "0001") == key(0)

    def test_an_issued_generation(self, store, open_again):
        """Its answer comes back byte by byte, and the facts of its certificate."""
        enroll(store, issued=1)
        assert open_again().load("acme").generations == (Generation(number="0001", csr=CSR, issued=answer(0)),)

    def test_an_imported_generation(self, store):
        """Has no request, and may have no chain."""
        issued = replace(answer(0), chain=b"")
        store.create("acme", RECORD)
        store.add("acme", "0001", key=key(0), csr=None)
        store.install("acme", "0001", issued, facts=facts(0))
        assert store.load("acme").generations == (Generation(number="0001", csr=None, issued=issued),)

    def test_generations_are_in_order(self, store):
        """By their number, however many digits it takes."""
        store.create("acme", RECORD)
        for number in ("10000", "0002", "9999", "0001"):
            store.add("acme", number, key=key(0), csr=CSR)
        assert [each.number for each in store.load("acme").generations] == ["0001", "0002", "9999", "10000"]

    def test_a_generation_is_added_once(self, store):
        """The second time is a conflict, and the first key stays."""
        enroll(store, pending=1)
        with pytest.raises(ConflictError):
            store.add("acme", "0001", key=key(1), csr=CSR)
        assert store.key("acme", "0001") == key(0)
        assert len(store.load("acme").generations) == 1

    @pytest.mark.parametrize("number", BAD_NUMBERS)
    def test_what_is_no_number_is_refused(self, store, number):
        """Nothing is written, and nothing is found."""
        enroll(store, pending=1)
        for call in (
            lambda: store.add("acme", number, key=key(1), csr=CSR),
            lambda: store.install("acme", number, answer(0), facts=facts(0)),
            lambda: store.key("acme", number),
        ):
            with pytest.raises(StoreError):
                call()
        assert store.load("acme").generations == (Generation(number="0001", csr=CSR),)

    def test_a_generation_that_is_not_there(self, store):
        """Has no key, and takes no answer."""
        enroll(store, pending=1)
        for call in (
            lambda: store.key("acme", "0002"),
            lambda: store.install("acme", "0002", answer(0), facts=facts(0)),
        ):
            with pytest.raises(AbsentError):
                call()
        assert store.load("acme").generations == (Generation(number="0001", csr=CSR),)

    def test_the_same_answer_once_more(self, store):
        """Changes nothing."""
        enroll(store, issued=1)
        store.install("acme", "0001", answer(0), facts=facts(0))
        assert store.load("acme").generations[0].issued == answer(0)

    @pytest.mark.parametrize("part", ["certificate", "chain"])
    def test_another_answer(self, store, part):
        """Is a conflict, whichever part of it differs."""
        enroll(store, issued=1)
        other = replace(answer(0), **{part: PAIRS[1].pem})
        with pytest.raises(ConflictError):
            store.install("acme", "0001", other, facts=facts(1))
        assert store.load("acme").generations[0].issued == answer(0)

    def test_bytes_are_kept_as_they_are(self, store):
        """A certificate without a line end, with CR LF, with text around it."""
        certificate = b"Subject: x\r\n" + PAIRS[0].pem.rstrip().replace(b"\n", b"\r\n")
        issued = Issued(certificate=certificate, chain=b"\n\n# next\n" + ISSUER.pem, trust_bundle=ROOT.pem)
        enroll(store, pending=1)
        store.install("acme", "0001", issued, facts=facts(0))
        assert store.load("acme").generations[0].issued == issued

    # The record

    def test_a_change_is_kept(self, store, open_again):
        """The changed record is returned, and stored."""
        enroll(store, issued=2)
        changed = activate(store, "0001")
        assert changed == RECORD.activate("0001")
        assert store.load("acme").record == changed
        assert open_again().load("acme").record == changed

    def test_changes_build_upon_one_another(self, store):
        """Through every kind of change, to the state of each generation."""
        enroll(store, issued=3, pending=1)
        for edit in (
            lambda record: record.activate("0001"),
            lambda record: record.activate("0002"),
            lambda record: record.activate("0003"),
            lambda record: record.activate("0002"),
            lambda record: record.retire("0001"),
            lambda record: record.discard("0004"),
            lambda record: replace(record, names={"0002": "acme-2", "0003": "über"}),
            lambda record: replace(record, settings=replace(record.settings, client_id=None, probe="policy")),
        ):
            changed = store.change("acme", edit).record
        found = store.load("acme")
        assert found.record == changed
        assert (found.record.active, found.record.previous) == ("0002", "0003")
        assert states(found) == [State.RETIRED, State.ACTIVE, State.PREVIOUS, State.DISCARDED]

    def test_a_change_may_do_several_things(self, store):
        """All of them in the same step."""
        enroll(store, issued=2)
        activate(store, "0001")
        changed = store.change("acme", lambda record: named(record.activate("0002").retire("0001"), "0002", "x")).record
        assert store.load("acme").record == changed
        assert (changed.active, changed.retired, changed.names) == ("0002", ("0001",), {"0002": "x"})

    def test_no_generation_need_be_in_use(self, store):
        """A change may put the active one out of use."""
        enroll(store, issued=1)
        activate(store, "0001")
        changed = store.change("acme", lambda record: replace(record, active=None, left=("0001",))).record
        assert store.load("acme").record == changed
        assert activate(store, "0001").active == "0001"

    def test_a_change_that_changes_nothing(self, store):
        """Leaves the record as it was."""
        enroll(store, issued=1)
        before = activate(store, "0001")
        assert activate(store, "0001") == before
        assert store.load("acme").record == before

    def test_a_change_that_is_refused(self, store):
        """Raises what the change raised, and leaves everything as it was."""
        enroll(store, issued=1)
        before = activate(store, "0001")
        with pytest.raises(InputError, match="generation 0001 is active"):
            store.change("acme", lambda record: record.retire("0001"))
        with pytest.raises(ZeroDivisionError):
            store.change("acme", lambda record: 1 / 0)
        assert store.load("acme").record == before
        assert store.change("acme", lambda record: record).record == before

    def test_changes_at_once(self, store, open_again):
        """All of them are kept, for each is made upon the others."""
        enroll(store)

        def work(at):
            own = open_again()
            for number in range(at * 3 + 1, at * 3 + 4):
                own.change("acme", lambda record, number=number: named(record, f"{number:04}", "x"))

        threads = [threading.Thread(target=work, args=(at,)) for at in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(store.load("acme").record.names) == [f"{number:04}" for number in range(1, 19)]

    def test_one_of_many_adds_a_generation(self, store, open_again):
        """Of those that take the same number at once, one wins with its key, and the others get an error."""
        enroll(store)
        won, told = [], []

        def work(at):
            try:
                open_again().add("acme", "0001", key=key(at), csr=CSR)
                won.append(at)
            except ConflictError:
                told.append(at)

        threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(won), len(told)) == (1, 3)
        assert store.key("acme", "0001") == key(won[0])

    # Secret documents

    def test_a_document_is_kept(self, store, open_again):
        """Text by text, for everybody, and beside the generations."""
        enroll(store, issued=1)
        version = store.put_document("acme", "authorization_code.123", FIELDS, over=None)
        assert open_again().document("acme", "authorization_code.123") == Document(fields=FIELDS, version=version)
        assert store.documents("acme") == ["authorization_code.123"]
        assert len(store.load("acme").generations) == 1

    def test_no_documents(self, store):
        """Are none, and none to delete."""
        enroll(store)
        store.delete_document("acme", "x")
        assert (store.documents("acme"), store.document("acme", "x")) == ([], None)

    def test_documents_are_in_order(self, store):
        """By their names, up to the longest."""
        enroll(store)
        names = ["b", "A", "a.1", "0", "a_b", "a-b", "x" * 128, "a.tmp", "a.json"]
        for name in names:
            store.put_document("acme", name, FIELDS, over=None)
        assert store.documents("acme") == sorted(names)

    @pytest.mark.parametrize("name", BAD_DOCUMENTS)
    def test_what_is_no_name_of_a_document(self, store, name):
        """Is refused, and nothing is written."""
        enroll(store)
        for call in (
            lambda: store.document("acme", name),
            lambda: store.put_document("acme", name, FIELDS, over=None),
            lambda: store.delete_document("acme", name),
        ):
            with pytest.raises(InputError):
                call()
        assert store.documents("acme") == []
        assert store.load("acme").record == RECORD

    def test_a_document_is_written_over_what_is_known(self, store):
        """Whole: fields that the new one lacks are gone."""
        enroll(store)
        first = store.put_document("acme", "x", FIELDS, over=None)
        second = store.put_document("acme", "x", OTHERS, over=first)
        assert store.document("acme", "x") == Document(fields=OTHERS, version=second)

    def test_a_document_is_not_written_over_what_is_not_known(self, store):
        """Be there one where none is expected, another one, or none; that is a conflict, and changes nothing."""
        enroll(store)
        first = store.put_document("acme", "x", FIELDS, over=None)
        with pytest.raises(ConflictError):
            store.put_document("acme", "x", OTHERS, over=None)
        second = store.put_document("acme", "x", OTHERS, over=first)
        with pytest.raises(ConflictError):
            store.put_document("acme", "x", FIELDS, over=first)
        with pytest.raises(ConflictError):
            store.put_document("acme", "y", FIELDS, over=first)
        assert store.document("acme", "x") == Document(fields=OTHERS, version=second)
        assert store.documents("acme") == ["x"]

    def test_a_document_is_deleted(self, store, open_again):
        """For every process; a new identity of the same name starts empty."""
        enroll(store)
        store.put_document("acme", "x", FIELDS, over=None)
        store.put_document("acme", "y", FIELDS, over=None)
        store.delete_document("acme", "x")
        assert (open_again().documents("acme"), open_again().document("acme", "x")) == (["y"], None)
        store.put_document("acme", "x", OTHERS, over=None)
        assert store.document("acme", "x").fields == OTHERS

    def test_one_of_many_writes_over_a_document(self, store, open_again):
        """Of those that know the same version, one wins, and the others get an error."""
        enroll(store)
        known = store.put_document("acme", "x", FIELDS, over=None)
        won, told = [], []

        def work(at):
            try:
                open_again().put_document("acme", "x", {"access_token": Secret(b"%d" % at)}, over=known)
                won.append(at)
            except ConflictError:
                told.append(at)

        threads = [threading.Thread(target=work, args=(at,)) for at in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(won), len(told)) == (1, 5)
        assert store.document("acme", "x").fields == {"access_token": Secret(b"%d" % won[0])}

    # Removal

    def test_what_is_removed_is_gone(self, store, open_again):
        """Its name, its record, its generations, its keys and its documents."""
        enroll(store, issued=2)
        activate(store, "0002")
        store.put_document("acme", "x", FIELDS, over=None)
        store.remove("acme")
        assert open_again().names() == []
        for call in (
            lambda: store.load("acme"),
            lambda: store.key("acme", "0001"),
            lambda: store.document("acme", "x"),
        ):
            with pytest.raises(AbsentError):
                call()

    def test_nothing_to_remove(self, store):
        """Is no error, either time."""
        store.remove("acme")
        enroll(store, issued=1)
        store.remove("acme")
        store.remove("acme")
        assert store.names() == []

    def test_a_removed_identity_leaves_nothing_to_the_next(self, store):
        """One of the same name starts empty, and may use the same numbers."""
        enroll(store, issued=2)
        activate(store, "0002")
        store.put_document("acme", "x", FIELDS, over=None)
        store.remove("acme")
        enroll(store, pending=1)
        assert store.documents("acme") == []
        assert store.load("acme") == StoredIdentity("acme", RECORD, (Generation(number="0001", csr=CSR),))

    # Secrets and checks

    def test_no_key_is_shown(self, store):
        """Whatever is printed of a store, or said in an error."""
        enroll(store, issued=1)
        with pytest.raises(ConflictError) as refused:
            store.add("acme", "0001", key=key(1), csr=CSR)
        store.put_document("acme", "x", FIELDS, over=None)
        with pytest.raises(ConflictError) as told:
            store.put_document("acme", "x", OTHERS, over=None)
        shown = f"{store!r} {store.load('acme')!r} {refused.value!r} {refused.value.hint}"
        shown += f"{store.document('acme', 'x')!r} {told.value!r} {told.value.hint}"
        assert [word for word in ("PRIVATE KEY", "first-token", "second-token") if word in shown] == []

    def test_a_sound_store(self, store):
        """Is checked without a complaint, and says what it is."""
        enroll(store, issued=1)
        store.put_document("acme", "x", FIELDS, over=None)
        found = findings_of(store)
        assert [finding for finding in found if not finding.is_good] == []
        assert any(isinstance(finding, Finding) and finding.id == "store" for finding in found)
        assert store.uri.startswith(("file:", "vault://"))
