"""`certkit.files.release`: a directory whose files change all at once, whoever reads and whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest

from certkit.errors import InputError
from certkit.files import release
from certkit.files.content import Access
from certkit.secret import Secret
from tests.stores import steps
from tests.stores.places import some_group, tree

OLD = {"key.pem": Secret(b"PRIVATE KEY 1"), "certificate.pem": b"certificate 1", "curl.conf": b"conf"}
NEW = {"key.pem": Secret(b"PRIVATE KEY 2"), "certificate.pem": b"certificate 2", "nginx.conf": b"conf"}


def switch(folder, contents=OLD, *, group=None, **options):
    """Let a directory hold these files."""
    return release.switch(folder, contents, Access(group), **options)


def seen(folder):
    """The files in use, by their names; None where nothing is."""
    try:
        current = (folder / "..data").resolve(strict=True)
    except FileNotFoundError:
        return None
    return {path.name: path.read_bytes() for path in current.iterdir()}


def plain(contents):
    """Contents as bytes."""
    return {name: each.reveal() if isinstance(each, Secret) else each for name, each in contents.items()}


def stamps(folder):
    """Return the number, mode and times of every file, which differ after any change."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        found[path] = (status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)
    return found


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    """Whatever files are made with."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_the_layout(umask, tmp_path):
    """Names lead through the pointer to the version; keys are for the owner alone."""
    assert switch(tmp_path / "tls")
    version = os.readlink(tmp_path / "tls" / "..data")
    assert tree(tmp_path) == {
        "tls": "d 0700",
        "tls/..data": version,
        f"tls/{version}": "d 0700",
        f"tls/{version}/certificate.pem": "f 0644",
        f"tls/{version}/curl.conf": "f 0644",
        f"tls/{version}/key.pem": "f 0600",
        "tls/.lock": "f 0600",
        "tls/certificate.pem": "..data/certificate.pem",
        "tls/curl.conf": "..data/curl.conf",
        "tls/key.pem": "..data/key.pem",
    }
    assert (tmp_path / "tls" / "key.pem").read_bytes() == b"PRIVATE KEY 1"


def test_what_is_there_is_not_touched(tmp_path):
    """Not the bytes, not the times, not the directories."""
    switch(tmp_path)
    before = stamps(tmp_path)
    assert not switch(tmp_path)
    assert stamps(tmp_path) == before


def test_a_change(tmp_path):
    """Brings new names, takes away old ones, and keeps the version before for those who read it."""
    switch(tmp_path)
    first = (tmp_path / "..data").resolve()
    assert switch(tmp_path, NEW)
    second = (tmp_path / "..data").resolve()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"..data", first.name, second.name, ".lock", "key.pem", "certificate.pem", "nginx.conf"}
    assert (first / "key.pem").read_bytes() == b"PRIVATE KEY 1"
    switch(tmp_path)
    assert not first.exists()
    assert second.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda version: (version / "key.pem").write_bytes(b"changed"),
        lambda version: (version / "key.pem").chmod(0o644),
        lambda version: (version / "key.pem").unlink(),
        lambda version: (version / "more").touch(),
        lambda version: ((version / "key.pem").unlink(), (version / "key.pem").symlink_to("certificate.pem")),
        shutil.rmtree,
    ],
    ids=["bytes", "mode", "missing", "more", "link", "all"],
)
def test_what_was_changed_by_hand(tmp_path, spoil):
    """Is made right."""
    switch(tmp_path)
    spoil((tmp_path / "..data").resolve())
    assert switch(tmp_path)
    assert seen(tmp_path) == plain(OLD)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_name_that_was_taken_away(tmp_path):
    """Comes again."""
    switch(tmp_path)
    (tmp_path / "key.pem").unlink()
    switch(tmp_path)
    assert (tmp_path / "key.pem").read_bytes() == b"PRIVATE KEY 1"


@pytest.mark.parametrize("name", ["x", "key.pem", ".hidden", "..2026_11_23", "..v-1"])
def test_a_directory_with_files_of_others(tmp_path, name):
    """Is refused, and nothing is written."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="it contains files that certkit did not write"):
        switch(tmp_path)
    assert tree(tmp_path) == {name: "f 0644"}


def test_files_of_others_that_came_later(tmp_path):
    """Are refused too, and stay."""
    switch(tmp_path)
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(InputError, match="such as notes"):
        switch(tmp_path, NEW)
    assert seen(tmp_path) == plain(OLD)
    assert (tmp_path / "notes").read_text() == "mine"


def test_what_is_no_directory(tmp_path):
    """A file, what is below one, a link that leads nowhere, and where there is no parent."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    before = tree(tmp_path)
    for name in ("file", "file/below", "link", "a/b"):
        with pytest.raises(InputError, match="cannot write"):
            switch(tmp_path / name)
    assert tree(tmp_path) == before


def test_a_link_to_a_directory(tmp_path):
    """Is not followed: it may have been planted."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(InputError, match="link: it is a symbolic link"):
        switch(tmp_path / "link")
    assert list((tmp_path / "real").iterdir()) == []


def test_a_directory_that_is_there_already(tmp_path):
    """Keeps its mode where no group is asked for."""
    tmp_path.chmod(0o755)
    switch(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("before", ["nothing", "a directory", "another group"])
def test_a_group(tmp_path, before):
    """May read all of it and get into it, whoever could before."""
    group, folder = some_group(), tmp_path / "tls"
    if before == "a directory":
        folder.mkdir(mode=0o700)
    elif before == "another group":
        switch(folder)
    assert switch(folder, group=group.gr_gid)
    current = (folder / "..data").resolve()
    found = {path.name: (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) for path in current.iterdir()}
    assert found == dict.fromkeys(OLD, (group.gr_gid, 0o640))
    for path in (folder, current):
        assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (group.gr_gid, 0o750)
    assert not switch(folder, group=group.gr_gid)


def test_a_mark(tmp_path):
    """Is there after a change, until that change is dealt with; a later one has its own."""
    switch(tmp_path, task="hook")
    first = release.mark(tmp_path)
    switch(tmp_path, task="hook")
    assert release.mark(tmp_path) == first
    switch(tmp_path, NEW, task="hook")
    second = release.mark(tmp_path)
    release.unmark(tmp_path, first)
    assert release.mark(tmp_path) == second != first
    release.unmark(tmp_path, second)
    assert release.mark(tmp_path) is None
    assert not switch(tmp_path, NEW, task="hook")
    assert release.mark(tmp_path) is None


def test_a_change_without_a_mark(tmp_path):
    """Leaves the one that is there."""
    switch(tmp_path, task="hook")
    mark = release.mark(tmp_path)
    switch(tmp_path, NEW)
    assert release.mark(tmp_path) == mark


def test_readers_see_pairs(tmp_path):
    """A reader that resolves the pointer once gets files that belong together, however often they change."""
    switch(tmp_path)
    done = threading.Event()

    def write():
        try:
            for turn in range(100):
                switch(tmp_path, NEW if turn % 2 == 0 else OLD)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    pairs = []
    while not done.is_set():
        current = tmp_path / os.readlink(tmp_path / "..data")
        with contextlib.suppress(FileNotFoundError):  # two changes later it is gone
            pairs.append(((current / "key.pem").read_bytes()[-1:], (current / "certificate.pem").read_bytes()[-1:]))
        time.sleep(0.0001)
    writer.join()
    assert set(pairs) == {(b"1", b"1"), (b"2", b"2")}
    assert len(pairs) > 100


def test_names_are_never_missing(tmp_path):
    """A file that both old and new have can always be opened."""
    switch(tmp_path)
    done = threading.Event()

    def write():
        try:
            for turn in range(50):
                switch(tmp_path, NEW if turn % 2 == 0 else OLD)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    found = set()
    while not done.is_set():
        found.add((tmp_path / "key.pem").read_bytes())
        time.sleep(0.0001)
    writer.join()
    assert found == {b"PRIVATE KEY 1", b"PRIVATE KEY 2"}


def test_many_at_once(tmp_path):
    """Wait for each other: one changes something, and nothing is left over."""
    changed = []
    threads = [threading.Thread(target=lambda: changed.append(switch(tmp_path / "tls"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changed) == [False] * 19 + [True]
    assert len(list((tmp_path / "tls").iterdir())) == 3 + len(OLD)


# A run that is killed, or cannot write at any step

BEFORE = {"nothing": {}, "another": OLD}


@pytest.fixture(params=BEFORE)
def again(request, tmp_path):
    """A function that restores the directory to its first state."""
    if request.param == "another":
        switch(tmp_path / "before", OLD)

    def make():
        shutil.rmtree(tmp_path / "now", ignore_errors=True)
        if request.param == "another":
            shutil.copytree(tmp_path / "before", tmp_path / "now", symlinks=True)
        return tmp_path / "now"

    return make


def run(folder, **injected):
    """Change the directory in a child process with umask 0."""

    def work():
        os.umask(0)
        switch(folder, NEW, task="hook")

    return steps.run(work, folder.parent, **injected)


def exposed(folder):
    """Keys that others might read, and directories that they get into."""
    found = [Path(top, name) for top, folders, names in os.walk(folder) for name in (*folders, *names)]
    open_to_others = [path for path in (folder, *found) if path.lstat().st_mode & 0o077 and not path.is_symlink()]
    return [path for path in open_to_others if path.is_dir() or b"PRIVATE" in path.read_bytes()]


@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=ENOSPC"])
def test_a_run_that_ends_at_any_step(again, fault):
    """Leaves the old files or the new ones, and a mark; the next run completes it and removes what is left."""
    before = seen(again())
    done = run(again())
    assert (done.code, len(done.calls) > 20) == (0, True)
    states = []
    for call in done.calls:
        folder = again()
        ended = run(folder, inject=f"{call.name}:{fault}:when={call.count}")
        assert ended.code in ((-9,) if "KILL" in fault else (0, steps.REFUSED)), call
        states.append(seen(folder))
        assert states[-1] in (before, plain(NEW)), call
        if folder.exists():
            assert exposed(folder) == [], call
        if states[-1] == plain(NEW) and before != plain(NEW):
            assert release.mark(folder) is not None, call
        switch(folder, NEW, task="hook")
        assert seen(folder) == plain(NEW), call
        assert release.mark(folder) is not None, call
        assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == set(NEW), call
        assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == [], call
        assert (folder / "key.pem").read_bytes() == b"PRIVATE KEY 2", call
    if "KILL" in fault:
        assert states == sorted(states, key=lambda state: state == plain(NEW))
