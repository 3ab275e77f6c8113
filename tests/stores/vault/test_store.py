"""`certkit.stores.vault.store`, on a real OpenBao."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from certkit.errors import ConflictError, StoreError
from certkit.findings import Status
from certkit.secret import Secret
from certkit.stores.base import AbsentError, Generation
from certkit.stores.opening import findings_of
from certkit.stores.record import Journal
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.vault.settings import VaultSettings
from tests import pki
from tests.odd_http import odd_server, reply
from tests.openbao import RefusedError
from tests.stores import vault_roles
from tests.stores.contract import CSR, FIELDS, OTHERS, PAIRS, RECORD, StoreContract, answer, enroll, facts, key
from tests.stores.lossy import Fate, network
from tests.stores.vault_roles import kept_facts

PREFIXES = (f"certkit/{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def operator(openbao):
    """How an operator reaches the server."""
    return vault_roles.settings(openbao, "operator")


@pytest.fixture(scope="module")
def vault(operator):
    """An operator's connection."""
    with Vault.connect(operator) as vault:
        yield vault


@pytest.fixture
def store(vault):
    """An empty store."""
    return VaultStore(vault, "secret", next(PREFIXES))


class TestContract(StoreContract):
    """The contract of every store, with only the rights of an operator."""

    @pytest.fixture
    def open_again(self, store, operator):
        """The store over a connection of its own."""
        opened = []

        def open_again():
            opened.append(Vault.connect(operator))
            return VaultStore(opened[-1], "secret", store.secrets.location.removeprefix("secret/"))

        yield open_again
        for vault in opened:
            vault.close()


def raw(openbao, path):
    """Return what is stored at a path of the API below `secret`, read without certkit."""
    return openbao.api("GET", f"secret/{path}")["data"]


def below(store, path):
    """A path in the mount, from one in the store."""
    return f"{store.secrets.location.removeprefix('secret/')}/{path}"


def refused(work, error=StoreError):
    """The error that some work ends with."""
    with pytest.raises(error) as caught:
        work()
    assert isinstance(caught.value, error)
    return caught.value


# What stands where


def test_where_a_generation_is(store):
    """References by which those who may can read it."""
    enroll(store, issued=1)
    where = store.location(store.load("acme"), "0001")
    assert where.lineage == f"{store.uri}/acme/generations/0001"
    assert (where.key, where.certificate) == (f"{where.lineage}/key", f"{where.lineage}/certificate")
    assert not where.is_directory


def test_the_layout(store, openbao):
    """Paths and fields are a contract: others read them too."""
    enroll(store, issued=1, pending=1)
    store.change("acme", lambda record: record.activate("0001"))
    assert sorted(path for path, _ in store.secrets.kv.walk()) == [
        "acme/generations/0001/certificate",
        "acme/generations/0001/key",
        "acme/generations/0002/certificate",
        "acme/generations/0002/key",
        "acme/pointer",
        "acme/settings",
    ]
    pointer = raw(openbao, f"data/{below(store, 'acme/pointer')}")["data"]
    assert (pointer["active"], pointer["version"], "settings" in pointer) == ("0001", 2, False)
    settings = raw(openbao, f"data/{below(store, 'acme/settings')}")["data"]
    assert (settings["version"], settings["policy"], settings["client_id"]) == (1, "wise-sandbox", "acme-client-id")
    first = raw(openbao, f"data/{below(store, 'acme/generations/0001/certificate')}")
    assert first["data"] == {
        "csr": CSR.decode(),
        "certificate": answer(0).certificate.decode(),
        "ca_chain": answer(0).chain.decode(),
    }
    assert first["metadata"]["custom_metadata"] == facts(0)
    second = raw(openbao, f"data/{below(store, 'acme/generations/0002/certificate')}")
    assert (second["data"], second["metadata"]["custom_metadata"]) == ({"csr": CSR.decode()}, None)
    private = raw(openbao, f"data/{below(store, 'acme/generations/0001/key')}")["data"]
    assert private == {"private_key": PAIRS[0].key_pem.decode()}


def test_a_change_is_one_write(store, openbao):
    """The pointer and the rest of the record move in the same step; what changes nothing writes nothing."""
    enroll(store, issued=2)
    pointer = f"metadata/{below(store, 'acme/pointer')}"
    before = raw(openbao, pointer)["current_version"]
    for number in ("0001", "0002", "0002"):
        store.change("acme", lambda record, number=number: replace(record.activate(number), names={number: "x"}))
    assert raw(openbao, pointer)["current_version"] == before + 2


def test_marks_of_changes_do_not_pile_up(store, openbao):
    """The secret of the record remembers the last 32 changes."""
    store.create("acme", RECORD)
    for number in range(1, 41):
        store.change("acme", lambda record, number=number: replace(record, names={f"{number:04}": "x"}))
    marks = raw(openbao, f"data/{below(store, 'acme/pointer')}")["data"]["changes"]
    assert len(marks) == len(set(marks)) == 32


def test_what_others_put_there_is_passed_over(store):
    """Secrets beside identities, folders of something else, and names that no identity has."""
    enroll(store, issued=1)
    for path in ("acme", "note", "other/secret", "-odd/pointer", "ü/pointer", "acme/note", "acme/generations/x/key"):
        store.secrets.kv.write(path, {})
    assert [name for name in store.names() if store.find(name) is not None] == ["acme"]
    assert [each.number for each in store.load("acme").generations] == ["0001"]
    assert kept_facts(store) == {"0001": facts(0)}


def test_a_mount_may_have_slashes(vault, openbao):
    """Where the prefix begins, the server knows."""
    openbao.mount("teams/kv")
    with Vault.connect(openbao.settings()) as root:
        store = VaultStore(root, "teams", "kv/certkit/")
        enroll(store, issued=1)
        assert store.uri == "vault://teams/kv/certkit"
        assert openbao.api("GET", "teams/kv/data/certkit/acme/settings")["data"]["data"]["policy"] == "wise-sandbox"


def test_a_mount_may_have_no_prefix(openbao):
    """The identities are its folders."""
    openbao.mount("bare")
    with Vault.connect(openbao.settings()) as root:
        store = VaultStore(root, "bare")
        enroll(store, issued=1)
        assert (store.uri, store.names()) == ("vault://bare", ["acme"])


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("old", "cannot use vault://old/x: the mount old is KV version 1, not KV version 2"),
        ("nowhere", "no secrets engine is mounted at nowhere (vault://nowhere/x)"),
    ],
)
def test_another_kind_of_mount_is_refused(openbao, mount, message):
    """Before anything is written: KV version 1 would take it for something else."""
    if mount == "old":
        openbao.mount("old", version="1")
    with Vault.connect(openbao.settings()) as root:
        store = VaultStore(root, mount, "x")
        for work in (store.names, lambda: store.create("acme", RECORD), lambda: store.load("acme")):
            assert refused(work).message == message


# What Vault does not take as it is


def test_facts_are_made_to_fit(store):
    """Vault takes values of 1 to 512 bytes that can be seen; the rest is left out, cut or escaped."""
    enroll(store, pending=1)
    odd = {"subject": "O=" + "Ü" * 300, "issuer": "", "policy": "a\u3000b\x1b\u202e"}
    store.install("acme", "0001", answer(0), facts={**facts(0), **odd})
    found = kept_facts(store)["0001"]
    assert found["subject"] == "O=" + "Ü" * 253 + "…"
    assert found["issuer"] == ""
    assert found["policy"] == r"a\E3\80\80b\1B\E2\80\AE"
    assert found["not_after"] == facts(0)["not_after"]


def test_other_custom_metadata_stay(store):
    """A user may have added an owner there."""
    enroll(store, pending=1)
    store.secrets.kv.write_metadata("acme/generations/0001/certificate", {"owner": "payments"})
    store.install("acme", "0001", answer(0), facts=facts(0))
    found = store.secrets.kv.read_metadata("acme/generations/0001/certificate").custom_metadata
    assert found == {"owner": "payments", **facts(0)}
    assert kept_facts(store) == {"0001": facts(0)}


def test_what_is_no_text_is_refused(store):
    """JSON has no bytes, and what came back would be something else."""
    enroll(store, pending=1)
    bad = replace(answer(0), certificate=b"\xff" + answer(0).certificate)
    error = refused(lambda: store.install("acme", "0001", bad, facts=facts(0)))
    assert error.message == "cannot write certificate: it is not UTF-8 text"
    error = refused(lambda: store.add("acme", "0002", key=key(1), csr=b"\xff"))
    assert error.message == "cannot write csr: it is not UTF-8 text"
    assert store.load("acme").generations == (Generation(number="0001", csr=CSR),)


# What people and accidents do


@pytest.mark.parametrize(
    ("path", "work"),
    [
        ("acme/settings", lambda store: store.load("acme")),
        ("acme/pointer", lambda store: store.load("acme")),
        ("acme/pointer", lambda store: store.change("acme", lambda record: record)),
        ("acme/pointer", lambda store: store.add("acme", "0002", key=key(1), csr=CSR)),
        ("acme/generations/0001/certificate", lambda store: store.load("acme").generations[0].issued),
        ("acme/generations/0001/certificate", lambda store: store.install("acme", "0001", answer(0), facts=facts(0))),
        ("acme/generations/0001/key", lambda store: store.key("acme", "0001")),
    ],
)
def test_what_somebody_deleted_is_not_taken_for_absent(store, openbao, path, work):
    """Vault can bring it back, and the error says how."""
    enroll(store, issued=1)
    store.change("acme", lambda record: record.activate("0001"))
    before = store.load("acme").generations[0], store.key("acme", "0001")
    openbao.api("DELETE", f"secret/data/{below(store, path)}")
    error = refused(lambda: work(store))
    assert error.message == f"cannot read {store.uri}/{path}: it was deleted"
    version = error.hint.partition("-versions=")[2][0]
    assert error.hint == f"`bao kv undelete -versions={version}` brings it back, unless it was destroyed"
    assert refused(lambda: store.create("acme", RECORD), ConflictError)
    openbao.api("PUT", f"secret/undelete/{below(store, path)}", {"versions": [int(version)]})
    work(store)
    assert (store.load("acme").generations[0], store.key("acme", "0001")) == before


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("pointer", {}),
        ("pointer", {"version": 2}),
        ("pointer", {"version": 1, "settings": []}),
        ("pointer", {"version": 3}),
        ("pointer", {"version": 2, "active": "../x", "previous": [], "generations": {}, "owed": None}),
        ("settings", {}),
        ("settings", {"version": 2}),
        ("generations/0001/certificate", {"csr": 7}),
        ("generations/0001/certificate", {"certificate": ["x"]}),
        ("generations/0001/certificate", {"certificate": "x", "ca_chain": None}),
        ("generations/0001/key", {}),
        ("generations/0001/key", {"private_key": {"x": "y"}}),
    ],
)
def test_what_is_no_identity_is_an_error(store, openbao, path, data):
    """Whatever is stored there, the error says where."""
    enroll(store, issued=1)
    openbao.api("POST", f"secret/data/{below(store, f'acme/{path}')}", {"data": data})
    error = refused(lambda: (store.load("acme").generations[0].issued, store.key("acme", "0001")))
    assert error.message.replace(", ", " ", 1).startswith(f"cannot read {store.uri}/acme/{path}: ")
    assert error.hint


@pytest.mark.parametrize("created", [5, None, "x", ["no event"], [["[" * 100_000]]])
def test_a_log_that_is_none_is_an_error(store, openbao, created):
    """Whoever creates settings writes its first events."""
    store.create("acme", RECORD)
    path = f"secret/data/{below(store, 'acme/settings')}"
    document = openbao.api("GET", path)["data"]["data"]
    openbao.api("POST", path, {"data": {**document, "created": created}})
    assert refused(lambda: store.log("acme")).message == f"cannot read {store.uri}/acme/settings: not a log"
    assert store.change("acme", lambda record: replace(record, settings=replace(record.settings, client_id="acme")))


def test_a_generation_in_use_that_is_gone_is_an_error(store):
    """For whoever needs its key, and for a check."""
    enroll(store, issued=2)
    store.change("acme", lambda record: record.activate("0002"))
    store.secrets.kv.delete_all_versions("acme/generations/0002/key")
    assert refused(lambda: store.key("acme", "0002"), AbsentError)
    found = [each.message for each in findings_of(store) if each.status is Status.CRITICAL]
    assert found == ["generation 0002, which is active, is missing"]


def test_only_what_is_there_is_put_in_use(store):
    """A generation that does not exist, or has no key, stays out of the pointer."""
    enroll(store, issued=1)
    store.secrets.kv.write("acme/generations/0002/certificate", {"csr": "x"})
    for number in ("0002", "0003"):
        error = refused(lambda number=number: store.change("acme", lambda record: record.activate(number)), AbsentError)
        assert error.message == f"no generation {number!r} of identity 'acme'"
    error = refused(lambda: store.create("other", RECORD.activate("0001")), AbsentError)
    assert store.names() == ["acme"]
    assert store.load("acme").record.active is None


def test_a_generation_that_never_got_its_key_is_not_there(store):
    """Its number is taken all the same, and the next one is free."""
    enroll(store, issued=1)
    store.secrets.kv.write("acme/generations/0002/certificate", {"csr": "x"})
    assert [each.number for each in store.load("acme").generations] == ["0001"]
    assert kept_facts(store) == {"0001": facts(0)}
    for work in (
        lambda: store.key("acme", "0002"),
        lambda: store.install("acme", "0002", answer(1), facts=facts(1)),
    ):
        refused(work, AbsentError)
    error = refused(lambda: store.add("acme", "0002", key=key(1), csr=CSR), ConflictError)
    assert error.message == "there is a generation 0002 of identity 'acme' already"
    store.add("acme", "0003", key=key(1), csr=CSR)
    assert [each.number for each in store.load("acme").generations] == ["0001", "0003"]


def test_a_removal_leaves_nothing(store, openbao):
    """No version, no metadata, and no token remains; secrets with similar names stay."""
    enroll(store, issued=2, pending=1)
    store.change("acme", lambda record: record.activate("0002"))
    store.secrets.kv.write("acme/tokens/client-credentials", {"access_token": "x"})
    enroll(store, "acme.2", issued=1)
    store.remove("acme")
    assert {path.partition("/")[0] for path, _ in store.secrets.kv.walk()} == {"acme.2"}
    with pytest.raises(RefusedError, match="404"):
        openbao.api("GET", f"secret/metadata/{below(store, 'acme/generations/0001/key')}")


def test_a_document_is_a_secret_of_fields(store, openbao):
    """So that others can read a single one of them; a removal takes every version."""
    enroll(store)
    known = store.put_document("acme", "client_credentials", FIELDS, over=None)
    store.put_document("acme", "client_credentials", OTHERS, over=known)
    path = below(store, "acme/tokens/client_credentials")
    assert raw(openbao, f"data/{path}")["data"] == {"access_token": "second-token" * 20}
    assert raw(openbao, f"data/{path}?version=1")["data"]["scope"] == "überweisungen"
    store.delete_document("acme", "client_credentials")
    with pytest.raises(RefusedError, match="404"):
        openbao.api("GET", f"secret/metadata/{path}")


@pytest.mark.parametrize("value", [1, None, ["x"], {"a": "b"}])
def test_what_is_no_document_is_an_error(store, openbao, value):
    """Whatever is stored there; it is not shown."""
    enroll(store)
    openbao.api("POST", f"secret/data/{below(store, 'acme/tokens/x')}", {"data": {"access_token": value}})
    error = refused(lambda: store.document("acme", "x"))
    assert error.message == f"cannot read {store.uri}/acme/tokens/x: it has no string access_token"


def test_a_document_that_somebody_deleted_is_not_taken_for_absent(store, openbao):
    """It can be brought back."""
    enroll(store)
    store.put_document("acme", "x", FIELDS, over=None)
    openbao.api("DELETE", f"secret/data/{below(store, 'acme/tokens/x')}")
    assert refused(lambda: store.document("acme", "x")).hint.startswith("`bao kv undelete -versions=1` brings it back")


# Lost requests and answers


@pytest.fixture
def lossy(store, openbao, operator):
    """The store over a network that loses what it is told to lose; in so many seconds it gives up."""
    opened = []
    with network(openbao.address) as made:

        def lossy(fate, *, seconds=5.0, **settings):
            made.lines.clear()
            made.fate = fate
            changes = {"address": made.address, "pause": 0.01, **settings}
            opened.append(Vault.connect(replace(operator, **changes)))
            over = VaultStore(
                opened[-1], "secret", store.secrets.location.removeprefix("secret/"), wait_seconds=seconds
            )
            return over, made

        yield lossy
        for vault in opened:
            vault.close()


def begin(store, made):
    """An identity with so much of it made."""
    if made:
        enroll(store, issued=1, pending=1)
        store.put_document("acme", "x", FIELDS, over=None)


WORK = {
    "create": (False, lambda store: store.create("acme", RECORD)),
    "add": (True, lambda store: store.add("acme", "0003", key=key(2), csr=CSR)),
    "import": (True, lambda store: store.add("acme", "0003", key=key(2), csr=None)),
    "install": (True, lambda store: store.install("acme", "0002", answer(1), facts=facts(1))),
    "change": (True, lambda store: store.change("acme", lambda record: record.activate("0001"))),
    "first document": (True, lambda store: store.put_document("acme", "y", FIELDS, over=None)),
    "document": (True, lambda store: store.put_document("acme", "x", OTHERS, over="1")),
    "delete document": (True, lambda store: store.delete_document("acme", "x")),
    "remove": (True, lambda store: store.remove("acme")),
}
LOSSES = [Fate.REQUEST_IS_LOST, Fate.ANSWER_IS_LOST, Fate.ANSWER_IS_500]


def snapshot(store):
    """All that can be seen of the store."""
    if not store.names():
        return None
    found = store.load("acme")
    documents = {name: store.document("acme", name) for name in store.documents("acme")}
    return found, [store.key("acme", each.number) for each in found.generations], kept_facts(store), documents


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("work", WORK)
def test_a_loss_is_made_good_or_told(store, lossy, work, loss, retries):
    """Whichever request or answer is lost, what is said to be done is done, once; what is not can be done again."""
    has_begun, act = WORK[work]
    begin(store, has_begun)
    act(store)
    after = snapshot(store)
    for number in range(1, 40):
        store.remove("acme")
        begin(store, has_begun)
        over, made = lossy(lambda at, _, number=number: loss if at == number else Fate.ARRIVES, max_retries=retries)
        try:
            act(over)
        except ConflictError:
            raise
        except StoreError:
            assert retries == 0
            act_again(store, work, act)
        assert snapshot(store) == after
        if len(made.lines) < number:
            return
    raise AssertionError("the work does not end")


def act_again(store, work, act):
    """Do it once more; what is there already is a conflict that a caller knows."""
    try:
        act(store)
    except ConflictError:
        assert work in {"create", "add", "import", "first document", "document"}


@pytest.mark.parametrize("last", [Fate.REQUEST_IS_LOST, Fate.ANSWER_IS_LOST])
@pytest.mark.parametrize("work", WORK)
def test_a_run_that_ends_at_any_moment(store, lossy, work, last):
    """Leaves the old state or the new one, and the next run completes it."""
    has_begun, act = WORK[work]
    begin(store, has_begun)
    old = snapshot(store)
    act(store)
    new = snapshot(store)
    for number in range(2, 40):  # the first is the question for the mount
        store.remove("acme")
        begin(store, has_begun)

        def fate(at, _, number=number):
            return Fate.ARRIVES if at < number else last if at == number else Fate.REQUEST_IS_LOST

        over, made = lossy(fate, seconds=0.05, max_retries=0)
        try:
            act(over)
        except StoreError:
            look_after(store, work, act, old, new)
        assert snapshot(store) == new
        if len(made.lines) < number:
            return
    raise AssertionError("the work does not end")


def look_after(store, work, act, old, new):
    """See what a run has left, and complete it."""
    if work == "remove" and "acme" in store.names():
        with contextlib.suppress(StoreError):
            assert set(store.load("acme").generations) <= set(old[0].generations)
    elif work == "install":
        found = store.load("acme")
        assert found in (old[0], new[0])
        issued = {each.number for each in found.generations if each.issued}
        assert set(kept_facts(store)) <= issued
    else:
        assert snapshot(store) in (old, new)
    act_again(store, work, act)


def test_a_change_that_was_made_is_not_made_twice(store, lossy):
    """Its answer is lost, and others change the record before we can look."""
    enroll(store, issued=3)
    edits = []

    def fate(_, line):
        if line.startswith("POST") and "pointer" in line and len(edits) == 1:
            edits.append("lost")
            return Fate.ANSWER_IS_LOST
        if len(edits) == 2:
            edits.append("others")
            for number in ("0002", "0003"):
                store.change("acme", lambda record, number=number: record.activate(number))
        return Fate.ARRIVES

    def edit(record):
        edits.append("edit")
        return record.activate("0001")

    over, _ = lossy(fate, max_retries=0)
    assert over.change("acme", edit).record.active == "0001"
    assert edits == ["edit", "lost", "others"]
    record = store.load("acme").record
    assert (record.active, record.left) == ("0003", ("0001", "0002"))


def test_a_change_that_was_not_made_is_made_upon_the_newer_record(store, lossy):
    """Its request is lost, and others change the record before we can look."""
    enroll(store, issued=2)
    edits = []

    def fate(_, line):
        if line.startswith("POST") and "pointer" in line and len(edits) == 1:
            store.change("acme", lambda record: record.activate("0002"))
            return Fate.REQUEST_IS_LOST
        return Fate.ARRIVES

    def edit(record):
        edits.append(record.active)
        return record.activate("0001")

    over, _ = lossy(fate, max_retries=0)
    over.change("acme", edit)
    assert edits == [None, "0002"]
    record = store.load("acme").record
    assert (record.active, record.left) == ("0001", ("0002",))


def test_a_request_of_another_is_not_taken_for_our_own(store, lossy):
    """We import a pair and the request is lost; before we can look, another one takes the number for his CSR."""
    store.create("acme", RECORD)
    taken = []

    def fate(_, line):
        if line.startswith("POST") and not taken:
            taken.append(line)
            store.add("acme", "0001", key=key(1), csr=CSR)
            return Fate.REQUEST_IS_LOST
        return Fate.ARRIVES

    over, _ = lossy(fate, max_retries=0)
    refused(lambda: over.add("acme", "0001", key=key(0), csr=None), ConflictError)
    assert store.key("acme", "0001") == key(1)


def test_where_nobody_can_tell_nothing_is_said_to_be_done(store, lossy):
    """The answer is lost, and then the server."""
    enroll(store, issued=1)
    over, made = lossy(lambda *_: Fate.ARRIVES, seconds=0.2, max_retries=0)
    over.names()
    gone = []

    def fate(_, line):
        if gone or (line.startswith("POST") and "pointer" in line):
            gone.append(line)
            return Fate.ANSWER_IS_LOST if len(gone) == 1 else Fate.REQUEST_IS_LOST
        return Fate.ARRIVES

    made.fate = fate
    error = refused(lambda: over.change("acme", lambda record: record.activate("0001")))
    assert error.message.startswith(f"cannot tell whether {made.address}/v1/secret/data/")
    assert error.hint == "check what is stored there before writing again"


def count(record):
    """A change that differs from the same change made twice."""
    return replace(record, names={"0001": str(int(record.names.get("0001", "0")) + 1)})


def test_many_changes_over_a_bad_network_are_each_made_once(store, lossy):
    """As many as were said to be done are there, though every fifth answer or request is lost."""
    enroll(store, issued=1)

    def fate(at, _):
        return LOSSES[at // 5 % 3] if at > 10 and at % 5 == 0 else Fate.ARRIVES

    over, _ = lossy(fate, seconds=30, max_retries=1)
    over.names()
    done, doubtful = [], []

    def work():
        for _ in range(6):
            try:
                over.change("acme", count)
                done.append(1)
            except StoreError as error:
                (doubtful if "cannot tell" in error.message else done[:0]).append(error)

    run_together(work, 5)
    assert len(done) <= int(store.load("acme").record.names["0001"]) <= len(done) + len(doubtful)
    assert len(done) >= 10


def run_together(work, threads):
    """Do some work in several threads at once."""
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    assert not any(thread.is_alive() for thread in running)


def test_few_requests_are_enough(store, lossy):
    """Two for the identity, however many generations it has."""
    enroll(store, issued=3)
    store.change("acme", lambda record: record.activate("0001"))
    over, made = lossy(lambda *_: Fate.ARRIVES)
    over.names()
    made.lines.clear()
    over.load("acme")
    assert len(made.lines) == 2


def test_no_key_is_read_but_by_key(store, lossy):
    """The names of secrets show whether there is one."""
    over, made = lossy(lambda *_: Fate.ARRIVES)
    enroll(over, issued=2)
    over.load("acme")
    over.change("acme", lambda record: record.activate("0001"))
    findings_of(over)
    over.remove("acme")
    assert [line for line in made.lines if line.startswith("GET") and "/key" in line] == []


def test_keys_are_removed_first_and_what_names_the_identity_last(store, lossy):
    """A removal that was interrupted is seen, and can be ended."""
    over, made = lossy(lambda *_: Fate.ARRIVES)
    enroll(over, issued=2)
    over.remove("acme")
    removed = [line.partition("/acme/")[2] for line in made.lines if line.startswith("DELETE")]
    assert removed == [
        "generations/0001/key",
        "generations/0002/key",
        "generations/0001/certificate",
        "generations/0002/certificate",
        "pointer",
        "settings",
    ]


def test_the_log_names_the_token_once():
    """Also where two threads ask for it at the same moment."""
    both = threading.Barrier(2)
    data = {"display_name": "t", "policies": [], "ttl": 0, "renewable": True, "accessor": "a1", "entity_id": "e1"}

    def late(connected):
        both.wait(10)
        connected.sendall(reply(200, {"data": data}))

    with odd_server(late) as server, ThreadPoolExecutor(2) as pool:
        settings = VaultSettings(address=server.address, token=Secret(b"t"), max_retries=0)
        with Vault(settings) as vault:
            store = VaultStore(vault, "secret", journal=Journal("alice@host", lambda: pki.NOW))
            noted = [*pool.map(lambda _: store._noted(None, RECORD), range(2)), store._noted(None, RECORD)]
    assert {event.who for record in noted for event in record.log} == {"alice@host (token accessor a1 entity e1)"}
