"""A file store whatever happens: runs that are killed or refused at any step, lost power, and many runs at once."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import resource
import shutil
import stat
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from certkit.errors import CertkitError, ConflictError, StoreError
from certkit.findings import Status
from certkit.secret import Secret
from certkit.stores.base import AbsentError
from certkit.stores.file.store import FileStore
from certkit.stores.opening import findings_of
from certkit.stores.record import next_generation
from tests.stores import steps
from tests.stores.contract import CSR, FIELDS, OTHERS, RECORD, activate, answer, enroll, key, named


def switch(store):
    """Go back to the first generation, and do more in the same step."""
    store.change("acme", lambda record: replace(record.activate("0001").retire("0002"), names={"0001": "again"}))


def prepare_switch(store):
    """Two generations that were in use, the second one now, and a third."""
    enroll(store, issued=3)
    for number in ("0003", "0001", "0002"):
        activate(store, number)


def prepare_documents(store):
    """Two secret documents."""
    enroll(store)
    for name in ("x", "y"):
        store.put_document("acme", name, FIELDS, over=None)


def put_over(store, name):
    """Another document in place of one that is known, unless it is there already."""
    known = store.document("acme", name)
    if known.fields != OTHERS:
        store.put_document("acme", name, OTHERS, over=known.version)


# What is there before, and what is done to it.
OPERATIONS = {
    "create the store": (lambda store: None, lambda store: store.create("acme", RECORD)),
    "create": (lambda store: store.create("other", RECORD), lambda store: store.create("acme", RECORD)),
    "add": (lambda store: enroll(store, issued=1), lambda store: store.add("acme", "0002", key=key(1), csr=CSR)),
    "install": (
        lambda store: enroll(store, issued=1, pending=1),
        lambda store: store.install("acme", "0002", answer(1), facts={}),
    ),
    "change": (
        lambda store: enroll(store, issued=1),
        lambda store: store.change("acme", lambda record: replace(record, names={"0001": "a"})),
    ),
    "activate": (lambda store: enroll(store, issued=1), lambda store: activate(store, "0001")),
    "switch": (prepare_switch, switch),
    "first document": (enroll, lambda store: store.put_document("acme", "x", FIELDS, over=None)),
    "document": (prepare_documents, lambda store: put_over(store, "x")),
    "delete document": (prepare_documents, lambda store: store.delete_document("acme", "x")),
    "remove": (prepare_switch, lambda store: store.remove("acme")),
}


@dataclass(frozen=True)
class Case:
    """An operation on a prepared store."""

    folder: Path
    operate: object

    @property
    def prepared(self):
        """The store before the operation."""
        return FileStore(self.folder / "before" / "store")

    def again(self):
        """A copy of the store before the operation."""
        shutil.rmtree(self.folder / "now", ignore_errors=True)
        shutil.copytree(self.folder / "before", self.folder / "now", symlinks=True)
        return FileStore(self.folder / "now" / "store")

    def run(self, store, **injected):
        """Do it in a child process with umask 0."""

        def work():
            os.umask(0)
            self.operate(store)

        return steps.run(work, self.folder, **injected)

    def complete(self, store):
        """Do it here, unless it is done already."""
        with contextlib.suppress(ConflictError):
            self.operate(store)


@pytest.fixture(params=[*OPERATIONS, "add, with named files", "switch, with named files"])
def case(request, tmp_path, monkeypatch):
    """Each operation, on a store that is prepared for it; some where files cannot be made without a name."""
    name, _, is_named = request.param.partition(", ")
    if is_named:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    prepare, operate = OPERATIONS[name]
    (tmp_path / "before").mkdir()
    made = Case(tmp_path, operate)
    prepare(made.prepared)
    return made


def view(store):
    """All of an identity that a store shows, keys included; None where it is not there."""
    if "acme" not in store.names():
        with pytest.raises(AbsentError):
            store.load("acme")
        return None
    found = store.load("acme")
    documents = {name: store.document("acme", name) for name in store.documents("acme")}
    return found, [store.key("acme", each.number) for each in found.generations], documents


def below(folder):
    """Every file and directory, hidden ones included."""
    return [Path(top, name) for top, folders, files in os.walk(folder) for name in (*folders, *files)]


def exposed(folder):
    """Return what others might read: directories that are open to them, and keys."""
    modes = [(path, path.lstat().st_mode) for path in below(folder)]
    folders = [path for path, mode in modes if stat.S_ISDIR(mode) and mode & 0o077]
    files = [path for path, mode in modes if stat.S_ISREG(mode) and mode & 0o077]
    return folders + [path for path in files if re.search(rb"PRIVATE KEY|-token", path.read_bytes())]


def unfinished(folder):
    """Return the files with temporary names."""
    return [path for path in below(folder) if path.name.endswith(".tmp")]


def troubles(store):
    """Return the findings of a check, apart from what a killed run may leave and the next one repairs."""
    expected = re.compile("by interrupted runs|was interrupted|does not exist|is not fully deleted")
    return [each for each in findings_of(store) if each.status is not Status.OK and not expected.search(each.message)]


def test_a_run_killed_at_any_step(case):
    """The old state or the new one, keys always private, nothing half done in sight; the next run completes it."""
    old, store = view(case.prepared), case.again()
    done = case.run(store)
    assert (done.code, len(done.calls) > 2) == (0, True)
    new = view(store)
    assert old != new
    seen = []
    for call in done.calls:
        store = case.again()
        ended = case.run(store, inject=f"{call.name}:signal=SIGKILL:when={call.count}")
        assert ended.code == -9, call
        seen.append(view(store))
        assert seen[-1] in (old, new), call
        assert (exposed(case.folder / "now"), troubles(store)) == ([], []), call
        case.complete(store)
        assert (view(store), unfinished(case.folder / "now")) == (new, []), call
    assert seen == sorted(seen, key=lambda state: state == new)


def test_a_disk_that_is_full_at_any_step(case):
    """An error that says so, the old state or the new one, nothing left over that the next run does not remove."""
    old, store = view(case.prepared), case.again()
    done = case.run(store)
    new = view(store)
    for call in done.calls:
        store = case.again()
        ended = case.run(store, inject=f"{call.name}:error=ENOSPC:when={call.count}")
        assert ended.code in (0, steps.REFUSED), call
        assert view(store) in ((new,) if ended.code == 0 else (old, new)), call
        assert (exposed(case.folder / "now"), troubles(store)) == ([], []), call
        assert unfinished(case.folder / "now") == [] or call.name in {"fsync", "unlinkat"}, call
        case.complete(store)
        assert (view(store), unfinished(case.folder / "now")) == (new, []), call


def test_a_change_after_one_that_was_killed(tmp_path):
    """Is made to the existing record, whether old or new."""
    (tmp_path / "before").mkdir()
    case = Case(tmp_path, switch)
    prepare_switch(case.prepared)
    for call in case.run(case.again()).calls:
        store = case.again()
        case.run(store, inject=f"{call.name}:signal=SIGKILL:when={call.count}")
        before = store.load("acme").record
        after = store.change("acme", lambda record: record.activate("0003")).record
        assert after == before.activate("0003"), call
        assert store.load("acme").record == after, call


def test_any_change_removes_what_others_left(tmp_path):
    """Also the keys of an identity whose removal was killed."""
    (tmp_path / "before").mkdir()
    case = Case(tmp_path, lambda store: store.remove("acme"))
    enroll(case.prepared, issued=1)
    enroll(case.prepared, "other")
    store = case.again()
    assert case.run(store, inject="unlinkat:signal=SIGKILL:when=1").code == -9
    assert [path.name for path in below(case.folder / "now") if path.name == "key.pem"] == ["key.pem"]
    store.change("other", lambda record: record)
    assert [path.name for path in below(case.folder / "now") if path.name == "key.pem"] == []
    assert unfinished(case.folder / "now") == []


def test_a_removal_that_cannot_delete_everything(tmp_path):
    """One file does not keep the others; and while any is left, every further removal is refused and a check fails."""
    (tmp_path / "before").mkdir()
    case = Case(tmp_path, lambda store: store.remove("acme"))
    enroll(case.prepared, issued=2)
    store = case.again()
    assert case.run(store, inject="unlinkat:error=EPERM:when=1").code == 0
    assert below(case.folder / "now" / "store") == [case.folder / "now" / "store" / ".lock"]
    store = case.again()
    for _ in range(2):
        assert case.run(store, inject="unlinkat:error=EPERM:when=1+").code == steps.REFUSED
        [finding] = [each for each in findings_of(store) if each.status is Status.WARNING]
        assert "a removed identity is not fully deleted" in finding.message
    case.run(store)
    assert below(case.folder / "now" / "store") == [case.folder / "now" / "store" / ".lock"]


def test_a_file_that_would_be_too_large(case):
    """The error names the limit of the process, and nothing has changed."""
    old = view(case.prepared)
    store = case.again()

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            case.operate(store)
        except StoreError as error:
            expected = ("file too large", "raise the limit on file sizes (ulimit -f) and try again")
            if (error.message.rpartition(": ")[2], error.hint) == expected:
                raise

    [code] = at_once([limited])
    if case.operate in (OPERATIONS["remove"][1], OPERATIONS["delete document"][1]):  # they need no file
        assert code == 0
    else:
        assert (code, view(store), unfinished(case.folder / "now")) == (steps.REFUSED, old, [])


# The order in which things reach the disk, as strace tells it.


@dataclass
class Disk:
    """The data that a power failure would lose: bytes and names that were written and not synced."""

    lost: set
    faults: list

    def take(self, call):
        """One call more. A name that counts may only come once everything before it is on the disk."""
        paths = call.paths
        match call.name:
            case "write":
                self.lost.add(Path(re.search("<([^>]*)>", call.rest)[1]))
            case "fsync":
                self.lost.discard(Path(paths[0]))
            case "mkdirat":
                self.appear(Path(paths[0]))
            case "linkat" | "renameat":
                self.name(Path(paths[0]), Path(paths[-1]))

    def name(self, source, target):
        """Something gets another name."""
        is_final = not any(part.endswith(".tmp") for part in target.parts)
        if is_final and self.lost:
            self.faults.append((target, set(self.lost)))
        self.appear(target)

    def appear(self, path):
        """A directory has one more name in it; temporary ones may be lost."""
        if not path.name.endswith(".tmp"):
            self.lost.add(path.parent)


def test_what_counts_is_on_the_disk_before(case):
    """No name appears before the bytes behind it, nor before the names that came first; in the end all is synced."""
    done = case.run(case.again())
    disk = Disk(set(), [])
    for call in done.calls:
        disk.take(call)
    assert (disk.faults, disk.lost) == ([], set())
    assert any(call.name == "fsync" for call in done.calls)


def test_modes_are_right_from_the_first_byte(case):
    """Files and directories are made for their owner alone, whatever the umask; a mode is set before any byte."""
    done = case.run(case.again(), calls=("openat", *steps.CALLS))
    opened = [call.rest for call in done.calls if call.name == "openat" and re.search("O_CREAT|O_TMPFILE", call.rest)]
    made = [call.rest for call in done.calls if call.name in {"mkdir", "mkdirat"}]
    assert [rest for rest in opened if ", 0600)" not in rest] == []
    assert [rest for rest in made if ", 0700)" not in rest] == []
    order = [call.name for call in done.calls if call.name in {"openat", "fchmod", "write"}]
    assert all(order[at - 1] == "fchmod" for at, name in enumerate(order) if name == "write")


# Many runs at once


def at_once(works, *, keep=lambda: None):
    """Do each in a child of its own, all at the same time; their exit codes."""
    children = []
    for work in works:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work()
                code = 0
            except CertkitError:
                code = steps.REFUSED
                traceback.print_exc(file=sys.__stderr__)
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
                raise
            finally:
                os._exit(code)
        children.append(child)
    keep()
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_many_runs_add_and_activate(tmp_path):
    """Of those who want a number one gets it; every change is kept; readers see whole states."""
    store = FileStore(tmp_path / "store")
    store.create("acme", RECORD)

    def work(at):
        chance = random.Random(at)
        for turn in range(3):
            secret = Secret(f"-----BEGIN PRIVATE KEY-----\n{at:04}{turn:04}\n-----END PRIVATE KEY-----\n".encode())
            while True:
                number = next_generation(each.number for each in store.load("acme").generations)
                try:
                    store.add("acme", number, key=secret, csr=f"{at} {turn}".encode())
                    break
                except ConflictError:
                    assert store.key("acme", number) != secret
            store.install("acme", number, answer(chance.randrange(4)), facts={})
            store.change("acme", functools.partial(use, number, f"{at} {turn}"))

    def read():
        before = 0
        for _ in range(200):
            found = store.load("acme")
            numbers = {each.number: each for each in found.generations}
            used = {found.record.active, *found.record.left} - {None}
            assert used == set(found.record.names)
            assert all(numbers[number].issued for number in used)
            assert before <= len(used)
            before = len(used)

    assert at_once([lambda at=at: work(at) for at in range(20)], keep=read) == [0] * 20
    found = store.load("acme")
    assert [each.number for each in found.generations] == [f"{number:04}" for number in range(1, 61)]
    assert len({found.record.active, *found.record.left}) == 60
    for each in found.generations:
        at, turn = map(int, each.csr.split())
        assert found.record.names[each.number] == f"{at} {turn}"
        assert f"{at:04}{turn:04}" in repr_of(store.key("acme", each.number))


def use(number, name, record):
    """The record with a generation in use, under a certificate name."""
    return named(record.activate(number), number, name)


def repr_of(secret):
    """The text of a secret."""
    return secret.reveal().decode()


READING = ("openat", "readlinkat", "readlink")


@pytest.mark.parametrize("what", ["activate", "activate what is new", "remove", "remove and enrol"])
def test_a_reader_who_is_overtaken(tmp_path, what):
    """Wherever it is stopped while others change what it reads: it sees the state before, or the one after."""

    def change():
        if what.startswith("activate"):
            if what.endswith("new"):
                store.add("acme", "0004", key=key(3), csr=CSR)
                store.install("acme", "0004", answer(3), facts={})
            store.change("acme", lambda record: use("0004" if what.endswith("new") else "0003", "x", record))
        else:
            store.remove("acme")
            if what.endswith("enrol"):
                enroll(store, issued=1)

    def look():
        try:
            seen = repr(store.load("acme"))
        except AbsentError:
            seen = "absent"
        (tmp_path / "seen").write_text(seen)

    case = Case(tmp_path, None)
    (tmp_path / "before").mkdir()
    prepare_switch(case.prepared)
    store = case.again()
    reads = steps.run(look, tmp_path, calls=READING).calls
    old = (tmp_path / "seen").read_text()
    for call in reads:
        store = case.again()
        stop = f"{call.name}:signal=SIGSTOP:when={call.count}"
        assert steps.run(look, tmp_path, inject=stop, calls=READING, meanwhile=change).code == 0
        new = repr(store.load("acme")) if store.names() else "absent"
        assert (tmp_path / "seen").read_text() in (old, new, *(["absent"] if what.startswith("remove") else [])), call


def test_one_of_many_creates(tmp_path):
    """Twenty at once create a store and an identity: one succeeds, the others get an error."""
    store = FileStore(tmp_path / "a" / "b" / "store")
    codes = at_once([lambda: store.create("acme", RECORD)] * 20)
    assert sorted(codes) == [0] + [steps.REFUSED] * 19
    assert store.names() == ["acme"]


def test_creating_and_removing_at_once(tmp_path):
    """Each finds an identity whole, or none; whatever is left at the end is sound."""
    store = FileStore(tmp_path / "store")

    def make():
        for at in range(10):
            with contextlib.suppress(ConflictError, AbsentError):
                store.create("acme", RECORD)
                store.add("acme", "0001", key=key(0), csr=CSR)
                store.install("acme", "0001", answer(0), facts={})
            if at % 3 == 2:
                store.remove("acme")

    def read():
        for _ in range(200):
            with contextlib.suppress(AbsentError):
                found = store.load("acme")
                assert found.record == RECORD
                assert len(found.generations) <= 1

    assert at_once([make] * 6, keep=read) == [0] * 6
    assert (troubles(store), unfinished(tmp_path)) == ([], [])
