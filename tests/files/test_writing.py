"""Writing: atomic, synced, private from the first byte, and never over what is there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from certkit.errors import InputError
from certkit.files import reading, writing
from certkit.files.folder import Folder
from certkit.secret import Secret
from tests.conftest import require_program

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["nameless", "named"])
def either_way(request, monkeypatch):
    """Both ways of writing: with files that have no name (Linux), and with temporary names beside the target."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no nameless files")


def mode(path):
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_private(either_way, tmp_path):
    """Mode 0600, its bytes, and nothing else in the directory."""
    writing.publish(tmp_path / "k", Secret(b"secret"))
    assert (mode(tmp_path / "k"), (tmp_path / "k").read_bytes()) == (0o600, b"secret")
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_what_is_public_follows_the_umask(either_way, tmp_path):
    """A CSR is 0644 less the umask, never writable by others."""
    old = os.umask(0o002)
    try:
        writing.publish(tmp_path / "c", b"public")
    finally:
        os.umask(old)
    assert mode(tmp_path / "c") == 0o644


@pytest.mark.parametrize("target", ["file", "directory", "link", "dangling"])
def test_nothing_is_overwritten(either_way, tmp_path, target):
    """A file, a directory, a link, a link to nowhere: all of them are there to stay."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"it already exists|it is a directory"):
        writing.publish(tmp_path / target, b"new")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "old"


def test_replacing_a_link_leaves_what_it_leads_to(either_way, tmp_path):
    """The link becomes a file; its target is not written to."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    writing.publish(tmp_path / "link", b"new", replace=True)
    assert not (tmp_path / "link").is_symlink()
    assert ((tmp_path / "link").read_bytes(), (tmp_path / "file").read_text()) == (b"new", "old")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_an_old_key_is_set_aside(tmp_path):
    """The old bytes under a name with the time, 0600; a second one in the same second gets a number."""
    (tmp_path / "k").write_bytes(b"one")
    (tmp_path / "k").chmod(0o644)
    first = writing.set_aside(tmp_path / "k", NOW)
    writing.publish(tmp_path / "k", Secret(b"two"), replace=True)
    second = writing.set_aside(tmp_path / "k", NOW)
    assert first == tmp_path / "k.old-20261123T120000Z"
    assert second == tmp_path / "k.old-20261123T120000Z-1"
    assert (first.read_bytes(), second.read_bytes(), mode(first)) == (b"one", b"two", 0o600)


@pytest.mark.parametrize("data", [b"-----BEGIN RSA PRIVATE KEY-----\n", bytes.fromhex("3081870201003013")])
def test_a_report_never_replaces_a_private_key(tmp_path, data):
    """In PEM and in DER."""
    (tmp_path / "k").write_bytes(data)
    with pytest.raises(InputError, match="it holds keys or certificates"):
        writing.write_report(tmp_path / "k", ["report"])
    assert (tmp_path / "k").read_bytes() == data


def test_many_files_appear_at_once(tmp_path):
    """A new directory is private and whole."""
    with writing.Staging(tmp_path / "new") as staging:
        staging.write("a.key", Secret(b"a"))
        staging.write("a.csr", b"b")
        assert not (tmp_path / "new").exists()
        staging.publish()
    assert (mode(tmp_path / "new"), mode(tmp_path / "new" / "a.key")) == (0o700, 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_many_files_beside_others(tmp_path):
    """One name that is taken, and none of them is written."""
    (tmp_path / "b").write_text("old")
    with writing.Staging(tmp_path) as staging:
        staging.write("a", b"new")
        staging.write("b", b"new")
        with pytest.raises(InputError, match="it already exists"):
            staging.publish()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b", "old")]


def test_reading_is_bounded(tmp_path):
    """Larger files are refused, endless devices included."""
    (tmp_path / "f").write_bytes(bytes(101))
    assert len(reading.read(tmp_path / "f", limit=101)) == 101
    for path in (tmp_path / "f", "/dev/zero"):
        with pytest.raises(InputError, match="larger than 100 bytes"):
            reading.read(path, limit=100)


@pytest.mark.parametrize("way", ["nameless", "named"])
def test_the_kernel_agrees(tmp_path, way):
    """The file is made 0600, synced, and only then gets its name; so says strace."""
    strace = require_program("strace")
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        f"if {way!r} == 'named' and hasattr(os, 'O_TMPFILE'): del os.O_TMPFILE\n"
        "from certkit.files import writing as files\nfrom certkit.secret import Secret\n"
        "os.umask(0)\nfiles.publish(Path(sys.argv[1]), Secret(b'secret'))\n"
    )
    calls = "trace=openat,write,fsync,fchmod,link,linkat,rename,unlink,unlinkat"
    traced = [strace, "-f", "-qq", "-y", "-o", tmp_path / "trace", "-e", calls, sys.executable, "-c", code]
    (tmp_path / "out").mkdir()
    done = subprocess.run([*traced, tmp_path / "out" / "k"], capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    trace = [line.split(" ", 1)[1].strip() for line in (tmp_path / "trace").read_text().splitlines()]
    wrote = next(at for at, line in enumerate(trace) if line.startswith("write(") and "secret" in line)
    opened = next(line for line in reversed(trace[:wrote]) if line.startswith("openat("))
    after = [line.split("(")[0] for line in trace[wrote + 1 :]]
    assert ", 0600)" in opened
    assert after.index("fsync") < after.index("linkat")
    assert "fsync" in after[after.index("linkat") :]  # the directory


def test_a_directory_goes_away_though_others_wait_for_its_lock(tmp_path):
    """Each of them may put one new lock file into it."""
    (tmp_path / "going").mkdir()
    code = (
        "import os\n"
        "file, left = os.open('going', os.O_RDONLY), 10\n"
        "os.write(1, b'x')\n"
        "while left:\n"
        "    try:\n"
        "        os.close(os.open('.lock', os.O_CREAT | os.O_EXCL, dir_fd=file))\n"
        "        left -= 1\n"
        "    except FileExistsError:\n"
        "        pass\n"
        "    except FileNotFoundError:\n"
        "        break\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) as others:
        others.stdout.read(1)
        try:
            with Folder.open(tmp_path) as folder:
                folder.remove("going")
        finally:
            others.kill()
    assert not (tmp_path / "going").exists()


def test_a_file_that_another_run_removes_meanwhile_is_not_there(tmp_path, monkeypatch):
    """As if it had never been; but a link that leads nowhere is an error."""
    (tmp_path / "mark").write_bytes(b"due")
    (tmp_path / "link").symlink_to("nowhere")
    genuine = os.open

    def late(name, *arguments, **options):
        if name == "mark":
            (tmp_path / "mark").unlink()
        return genuine(name, *arguments, **options)

    with Folder.open(tmp_path) as folder:
        assert folder.read_if_there("mark") == b"due"
        with pytest.raises(InputError, match="it is a symbolic link"):
            folder.read_if_there("link")
        monkeypatch.setattr(os, "open", late)
        assert folder.read_if_there("mark") is None
