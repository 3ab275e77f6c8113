"""`certkit.stores.file.store`: where things are, who may read them, what is damaged, and what a check says."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from certkit.errors import ConflictError, StoreError
from certkit.secret import Secret
from certkit.stores.base import AbsentError, Generation
from certkit.stores.file.store import FileStore
from certkit.stores.sealing import PassphraseWrapping
from tests.conftest import openssl, require_program
from tests.stores.contract import CSR, PAIRS, RECORD, ROOT, StoreContract, activate, answer, enroll, key
from tests.stores.legacy import old_form
from tests.stores.places import enroll_for, let_through, some_group, tree, with_group


@pytest.fixture
def store(tmp_path):
    """An empty store, whose directory is still to be made."""
    return FileStore(tmp_path / "store", wait_seconds=10)


class TestContract(StoreContract):
    """The contract of every store."""

    @pytest.fixture
    def open_again(self, store):
        """The store as another process opens it."""
        return lambda: FileStore(store.root)


class TestContractWithPassphrase(StoreContract):
    """The same, where keys are encrypted."""

    @pytest.fixture
    def store(self, tmp_path):
        """An empty store with a passphrase."""
        return FileStore(tmp_path, PassphraseWrapping(Secret(b"correct horse")))


# Where things are


@pytest.fixture(params=[0o000, 0o077, 0o022], ids=["umask 000", "umask 077", "umask 022"])
def umask(request):
    """Return the umask of the process."""
    old = os.umask(request.param)
    yield
    os.umask(old)


def test_the_layout(umask, tmp_path, store):
    """Directories and keys are the owner's alone, whatever the umask; the pointer is relative."""
    enroll(store, issued=1, pending=1)
    activate(store, "0001")
    assert tree(tmp_path) == {
        "store": "d 0700",
        "store/.lock": "f 0600",
        "store/acme": "d 0700",
        "store/acme/.lock": "f 0600",
        "store/acme/active": "generations/0001",
        "store/acme/generations": "d 0700",
        "store/acme/generations/0001": "d 0700",
        "store/acme/generations/0001/ca.pem": "f 0644",
        "store/acme/generations/0001/certificate.pem": "f 0644",
        "store/acme/generations/0001/csr.pem": "f 0644",
        "store/acme/generations/0001/fullchain.pem": "f 0644",
        "store/acme/generations/0001/key.pem": "f 0600",
        "store/acme/generations/0002": "d 0700",
        "store/acme/generations/0002/csr.pem": "f 0644",
        "store/acme/generations/0002/key.pem": "f 0600",
        "store/acme/identity.json": "f 0644",
        "store/acme/settings.json": "f 0644",
    }


def test_what_consumers_read(store):
    """Through the pointer, the files that programs load, as they are."""
    enroll(store, issued=2)
    activate(store, "0002")
    active = store.root / "acme" / "active"
    assert (active / "key.pem").read_bytes() == PAIRS[1].key_pem
    assert (active / "certificate.pem").read_bytes() == PAIRS[1].pem
    assert (active / "fullchain.pem").read_bytes() == answer(1).certificate + answer(1).chain
    assert (active / "ca.pem").read_bytes() == ROOT.pem
    verified = openssl("verify", "-no_check_time", "-CAfile", active / "ca.pem", "-untrusted", active / "fullchain.pem",
                       active / "certificate.pem")  # fmt: skip
    assert verified.stdout.decode() == f"{active}/certificate.pem: OK\n"


def test_where_a_generation_is(store):
    """The pointer names the active one, and the files are where it says."""
    enroll(store, issued=2)
    activate(store, "0002")
    found = store.load("acme")
    in_use, other = store.location(found, "0002"), store.location(found, "0001")
    assert in_use.lineage == str(store.root / "acme" / "active")
    assert other.lineage == str(store.root / "acme" / "generations" / "0001")
    for number, each in ((1, in_use), (0, other)):
        assert [Path(part).read_bytes() for part in (each.key, each.certificate, each.fullchain, each.ca)] == [
            PAIRS[number].key_pem,
            answer(number).certificate,
            answer(number).fullchain,
            ROOT.pem,
        ]
    assert in_use.is_directory


def test_the_record(store):
    """JSON for people to read: the settings, and the state without what the pointer says."""
    enroll(store, issued=2)
    activate(store, "0001")
    activate(store, "0002")
    settings = json.loads((store.root / "acme" / "settings.json").read_text())
    assert (settings["version"], settings["policy"], settings["client_id"]) == (1, "wise-sandbox", "acme-client-id")
    assert settings["subject"]["units"] == ["Payments", "Ünïté"]
    assert json.loads((store.root / "acme" / "identity.json").read_text()) == {
        "version": 2,
        "previous": ["0001"],
        "generations": {},
        "owed": None,
        "log": [],
    }


def test_a_record_of_before(store):
    """Version 0.1.0 kept the settings in the record: it is read as it is, and the next change splits it."""
    enroll(store, issued=1)
    record = activate(store, "0001")
    (store.root / "acme" / "settings.json").unlink()
    (store.root / "acme" / "identity.json").write_text(json.dumps(old_form(record)))
    assert store.load("acme").record == record
    assert store.migrate("acme")
    assert not store.migrate("acme")
    assert store.load("acme").record == record
    assert (store.root / "acme" / "settings.json").exists()


def test_settings_that_are_gone_are_an_error(store):
    """Never an identity whose trust is unknown."""
    enroll(store, issued=1)
    (store.root / "acme" / "settings.json").unlink()
    with pytest.raises(StoreError, match="the file is missing"):
        store.load("acme")


def test_a_pointer_that_was_moved_by_hand(store):
    """In an emergency: it is the truth, and nothing else of the record changes."""
    enroll(store, issued=3)
    activate(store, "0001")
    store.change("acme", lambda record: replace(record.activate("0002"), names={"0002": "b"}))
    pointer = store.root / "acme" / "active"
    pointer.unlink()
    pointer.symlink_to("generations/0003")
    record = store.load("acme").record
    assert (record.active, record.left, record.names) == ("0003", ("0001",), {"0002": "b"})
    assert activate(store, "0001").left == ("0003",)


def test_a_store_of_others_stays_as_it_is(tmp_path):
    """An existing directory keeps its mode, and may be named through a link."""
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "store").symlink_to("real")
    store = FileStore(tmp_path / "store")
    store.create("acme", RECORD)
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o755
    assert (store.uri, store.names()) == (f"file:{tmp_path}/store", ["acme"])


def test_what_is_no_identity_is_not_listed(tmp_path, store):
    """Files, links, hidden and temporary directories, and directories without a record."""
    enroll(store, issued=1)
    (store.root / "file").write_text("x")
    (store.root / "empty").mkdir()
    (store.root / "link").symlink_to("acme")
    (store.root / ".acme.0123456789ab.tmp").mkdir()
    (store.root / ".acme.0123456789ab.tmp" / "identity.json").write_text("{}")
    (store.root / "not a name").mkdir()
    assert store.names() == ["acme"]


@pytest.mark.parametrize("name", ["file", "empty", "full", "link", "dangling"])
def test_what_is_there_is_not_replaced(store, name):
    """Whatever has the name of a new identity stays."""
    store.root.mkdir()
    (store.root / "file").write_text("x")
    (store.root / "empty").mkdir()
    (store.root / "full").mkdir()
    (store.root / "full" / "x").write_text("x")
    (store.root / "link").symlink_to("empty")
    (store.root / "dangling").symlink_to("nowhere")
    before = tree(store.root)
    with pytest.raises(ConflictError) as refused:
        store.create(name, RECORD)
    assert refused.value.message == f"cannot write {store.root}/{name}: it already exists"
    assert {path: kind for path, kind in tree(store.root).items() if path != ".lock"} == before


def test_an_empty_directory_is_no_generation(store):
    """And is not replaced by one."""
    enroll(store, pending=1)
    found = store.load("acme")
    (store.root / "acme" / "generations" / "0002").mkdir()
    with pytest.raises(ConflictError):
        store.add(found, "0002", key=key(1), csr=CSR)
    assert list((store.root / "acme" / "generations" / "0002").iterdir()) == []


@pytest.mark.parametrize("call", ["change", "add", "install", "remove"])
def test_directories_of_others_are_left_alone(tmp_path, call):
    """Nothing is written into, and nothing deleted of, what is no identity: the store may be the wrong directory."""
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents" / "letter").write_text("x")
    store = FileStore(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(StoreError) as refused:
        {
            "change": lambda: store.change("Documents", lambda record: record),
            "add": lambda: store.add("Documents", "0001", key=key(0), csr=CSR),
            "install": lambda: store.install("Documents", "0001", answer(0), facts={}),
            "remove": lambda: store.remove("Documents"),
        }[call]()
    assert refused.value.message == f"{tmp_path}/Documents is not an identity: it has no identity.json"
    assert {path: kind for path, kind in tree(tmp_path).items() if path != ".lock"} == before


def test_a_pointer_needs_a_generation(store):
    """A change that has another one in use is refused, and nothing changes."""
    enroll(store, issued=1)
    for number in ("0002", "../../x"):
        with pytest.raises(AbsentError):
            store.change("acme", lambda record, number=number: replace(record, active=number))
    with pytest.raises(AbsentError):
        store.create("other", replace(RECORD, active="0001"))
    assert (store.load("acme").record, store.names()) == (RECORD, ["acme"])


def test_what_is_too_large_to_be_read_is_not_written(store):
    """A trust bundle of more than four megabytes is refused before anything is installed."""
    enroll(store, pending=1)
    with pytest.raises(StoreError, match=r"ca\.pem: more than 4,194,304 bytes"):
        store.install("acme", "0001", replace(answer(0), trust_bundle=bytes(4 * 1024 * 1024 + 1)), facts={})
    assert store.load("acme").generations == (Generation(number="0001", csr=CSR),)


# Groups


def test_a_group_may_read(umask, store):
    """And no other user, and no one may write: keys are 0640, directories 0750; locks stay the owner's."""
    group = some_group()
    enroll_for(store, group.gr_name)
    modes = tree(store.root.parent)
    assert {path: mode for path, mode in modes.items() if mode not in {"d 0750", "f 0640"}} == {
        "store/.lock": "f 0600",
        "store/acme/.lock": "f 0600",
        "store/acme/active": "generations/0001",
    }
    strangers = [path for path in store.root.rglob("*") if path.lstat().st_gid != group.gr_gid]
    assert [path.name for path in strangers if path.name not in {".lock", "active"}] == []


def test_a_group_reads_what_its_members_need(store):
    """A member gets through the pointer to the key, and a stranger does not."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    group = some_group()
    enroll_for(store, group.gr_name)
    let_through(store.root.parent)
    for gid, code in ((group.gr_gid, 0), (65534, 1)):
        somebody = [require_program("setpriv"), "--reuid=65534", f"--regid={gid}", "--clear-groups"]
        read = subprocess.run([*somebody, "cat", store.root / "acme/active/key.pem"], capture_output=True, check=False)
        assert (read.returncode, read.stdout) == (code, PAIRS[0].key_pem if code == 0 else b"")


def test_another_group_may_read(umask, store):
    """Existing files are given to it too."""
    ours = {some_group().gr_gid, 65534 if os.geteuid() == 0 else os.getegid()}
    if len(ours) < 2:
        pytest.skip("only root and members of two groups can give a file to another group")
    first, second = sorted(ours)
    enroll_for(store, grp.getgrgid(first).gr_name)
    before = tree(store.root / "acme")
    store.change("acme", lambda record: with_settings(record, group=grp.getgrgid(second).gr_name))
    assert tree(store.root / "acme") == before
    strangers = [path for path in (store.root / "acme").rglob("*") if path.lstat().st_gid != second]
    assert {path.name for path in strangers} <= {".lock", "active"}
    store.change("acme", lambda record: with_settings(record, group=None))
    assert {path.stat().st_mode & 0o777 for path in store.root.rglob("key.pem")} == {0o600}


def with_settings(record, **changes):
    """The record with other settings."""
    return replace(record, settings=replace(record.settings, **changes))


def test_a_group_that_does_not_exist(tmp_path, store):
    """Is refused before anything is made."""
    with pytest.raises(StoreError) as refused:
        store.create("acme", with_group("no-such-group"))
    assert refused.value.message == "this host has no group 'no-such-group'"
    assert refused.value.hint == "create it (groupadd), or use another --group"
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_is_not_ours_to_give_to(tmp_path):
    """Is refused before anything is made."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom certkit.stores.record import Record, Settings\n"
        "from certkit.stores.file.store import FileStore\nfrom certkit.errors import CertkitError\n"
        "record = Record(settings=Settings(policy='p', group=sys.argv[2]))\n"
        "try:\n    FileStore(Path(sys.argv[1])).create('acme', record)\n"
        "except CertkitError as error:\n    print(f'{error.message}. {error.hint}')\n"
    )
    without, name = [], grp.getgrgid(0).gr_name
    if os.geteuid() == 0:
        without, name = [require_program("setpriv"), "--bounding-set=-chown"], some_group().gr_name
    done = subprocess.run(
        [*without, sys.executable, "-c", script, tmp_path / "store", name], capture_output=True, check=True
    )
    assert done.stdout.decode() == (
        f"cannot write {tmp_path}/store: no permission to give it to the group. "
        "be a member of that group, or run it as root\n"
    )
    assert list(tmp_path.iterdir()) == []


# Locks


def test_readers_need_no_lock(store):
    """While an identity is changed, it can be read, and others can be changed."""
    enroll(store, issued=1)
    enroll(store, "other")

    def edit(record):
        assert store.load("acme").record == record
        assert store.key("acme", "0001") == key(0)
        store.change("other", lambda record: replace(record, names={"0001": "x"}))
        return record.activate("0001")

    assert store.change("acme", edit).record.active == "0001"


@pytest.mark.parametrize("name", ["acme", "."])
def test_the_wait_for_another_run_is_bounded(store, name):
    """One that waited too long gets an error that names the lock, and has changed nothing."""
    enroll(store, issued=1)
    hasty = FileStore(store.root, wait_seconds=0.2)
    lock = store.root / name / ".lock"
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(StoreError) as refused:
            activate(hasty, "0001") if name == "acme" else hasty.create("other", RECORD)
        assert 0.2 <= time.monotonic() - began < 20
    assert refused.value.message == f"cannot lock {lock}: another certkit process has held the lock for 0.2 seconds"
    assert refused.value.hint == "check whether that run is stuck, and try again"
    assert (store.names(), store.load("acme").record) == (["acme"], RECORD)


def test_a_dead_run_holds_nobody_up(store):
    """Its lock goes with it."""
    enroll(store, issued=1)
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom certkit.stores.file.store import FileStore\n"
        "def edit(record):\n    print('held', flush=True)\n    time.sleep(60)\n"
        "FileStore(Path(sys.argv[1])).change('acme', edit)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, store.root], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="another certkit process has held the lock for 0 seconds"):
            activate(FileStore(store.root, wait_seconds=0), "0001")
        other.kill()
    assert activate(FileStore(store.root, wait_seconds=0), "0001").active == "0001"


def test_an_identity_that_goes_while_one_waits(tmp_path, store):
    """Is absent, and what is left of it is not written to."""
    enroll(store, issued=1)
    script = (
        "import sys\nfrom pathlib import Path\nfrom certkit.stores.file.store import FileStore\n"
        "from certkit.stores.base import AbsentError\nprint('waiting', flush=True)\n"
        "try:\n    FileStore(Path(sys.argv[1])).change('acme', lambda record: record.activate('0001'))\n"
        "except AbsentError as error:\n    print(error.message)\n"
    )
    with (store.root / "acme" / ".lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen([sys.executable, "-c", script, store.root], stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"waiting\n"
            time.sleep(0.3)
            (store.root / "acme").rename(tmp_path / "gone")
            fcntl.flock(held, fcntl.LOCK_UN)
            assert other.stdout.read().decode() == f"no identity 'acme' in file:{store.root}\n"
    assert not (tmp_path / "gone" / "active").exists()


# Permissions of others

SCRIPT = """
import sys
from pathlib import Path
from certkit.stores.record import Record, Settings
from certkit.errors import CertkitError
from certkit.stores.opening import findings_of
from certkit.secret import Secret
from certkit.stores.base import Issued
from certkit.stores.file.store import FileStore

store = FileStore(Path(sys.argv[1]), wait_seconds=1)
for call in (
    lambda: store.names(),
    lambda: store.load("acme").name,
    lambda: store.key("acme", "0001"),
    lambda: store.create("other", Record(settings=Settings(policy="p"))).name,
    lambda: store.add("acme", "0009", key=Secret(b"x"), csr=None),
    lambda: store.change("acme", lambda record: record.activate("0001")).record.active,
    lambda: store.remove("acme"),
    lambda: [finding.status.value for finding in findings_of(store) if not finding.is_good],
):
    try:
        print(call())
    except CertkitError as error:
        print(f"{error.message.replace(sys.argv[1], 'STORE')}")
"""


def unprivileged(store):
    """Return what every method reports to a user without permissions."""
    without = []
    if os.geteuid() == 0:
        without = [require_program("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run([*without, sys.executable, "-c", SCRIPT, store.root], capture_output=True, check=False)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


@contextlib.contextmanager
def modes(mode, *paths):
    """Directories with another mode for a while."""
    old = [stat.S_IMODE(path.stat().st_mode) for path in paths]
    for path in reversed(paths):
        path.chmod(mode)
    try:
        yield
    finally:
        for path, before in zip(paths, old, strict=True):
            path.chmod(before)


def test_a_store_that_may_not_be_written_to(store):
    """Can be read, and says what cannot be changed."""
    enroll(store, issued=1)
    folders = [store.root, *(path for path in store.root.rglob("*") if path.is_dir())]
    (store.root / ".lock").unlink()
    (store.root / "acme" / ".lock").unlink()
    with modes(0o500, *folders):
        assert unprivileged(store) == [
            "['acme']",
            "acme",
            "Secret(hidden)",
            "cannot lock STORE/.lock: permission denied",
            "cannot lock STORE/acme/.lock: permission denied",
            "cannot lock STORE/acme/.lock: permission denied",
            "cannot lock STORE/.lock: permission denied",
            "['warning']",
        ]


def test_an_identity_of_somebody_else(store):
    """Is there, and may not be looked at, nor who may read its keys; others can be made beside it."""
    enroll(store, issued=1)
    with modes(0o000, store.root / "acme"):
        assert unprivileged(store) == [
            "['acme']",
            "cannot read STORE/acme: permission denied",
            "cannot read STORE/acme: permission denied",
            "other",
            "cannot read STORE/acme: permission denied",
            "cannot read STORE/acme: permission denied",
            "cannot read STORE/acme: permission denied",
            "['unknown', 'unknown']",
        ]


def test_a_store_of_somebody_else(store):
    """May not be looked at, which is never well."""
    enroll(store, issued=1)
    with modes(0o000, store.root):
        said = unprivileged(store)
        assert said[:-1] == ["cannot read STORE: permission denied"] * 7
        assert said[-1] == "['unknown']"
