"""Attacks by another user of the host on root's runs, all of which succeeded against version 0.1.0.

CERTKIT_UNDER_ATTACK names another command to attack, and CERTKIT_RACES how often races are repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import environment, require_program

MALLORY = 12345
RACES = int(os.environ.get("CERTKIT_RACES", "5"))
COMMAND = shlex.split(os.environ.get("CERTKIT_UNDER_ATTACK", f"{sys.executable} -m certkit"))
KEY = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others")


class Victim:
    """Root, with a store of its own and an identity in it; Mallory has a home beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o755)
        self.marker = folder / "marker"

    def run(self, *arguments, timeout=60, **variables):
        """Run the command; what it did, and how it ended."""
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**environment(), "HOME": str(self.folder), **variables},
            capture_output=True,
            timeout=timeout,
            check=False,
            text=True,
        )

    def script(self, path):
        """Make a program that shows that it ran, and as whom."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nid -u >{self.marker}\nexit 1\n")
        path.chmod(0o755)
        return path

    def identity(self, store, name="acme"):
        """Make an identity in use."""
        key, certificate = store.parent / f"{name}.key", store.parent / f"{name}.pem"
        subject = f"/O=Acme Ltd/CN={name}"
        openssl = require_program("openssl")
        options = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "300", "-subj", subject)
        extensions = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth")
        made = [openssl, "req", "-x509", *options, *extensions, "-keyout", key, "-out", certificate]
        subprocess.run(made, check=True, capture_output=True)
        key.chmod(0o600)
        done = self.run("identity", "import", name, "--key", key, "--cert", certificate, "--store", f"file:{store}")
        assert done.returncode == 0, done.stderr

    def give(self, path):
        """Give a directory with all that is below to Mallory."""
        for each in (path, *path.rglob("*")):
            os.chown(each, MALLORY, MALLORY, follow_symlinks=False)


@pytest.fixture
def victim(tmp_path):
    """Root."""
    return Victim(tmp_path)


@contextlib.contextmanager
def mallory(work, folder):
    """Mallory's process, which does something over and over, in a directory that it need not get to by itself."""
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setresgid(MALLORY, MALLORY, MALLORY)
            os.setresuid(MALLORY, MALLORY, MALLORY)
            while True:
                with contextlib.suppress(OSError):
                    work()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def change_settings(store, **changes):
    """Write other settings into the record of an identity, in the form of this version or of 0.1.0."""
    path = store / "acme/settings.json"
    if path.exists():
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        return
    path = path.with_name("identity.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "settings": {**record["settings"], **changes}}))


# Programs


@pytest.mark.parametrize("command", ["renew", "activate"])
def test_hooks_of_another_user_do_not_run(victim, command):
    """Root works on the store of a user: it is refused, and the refusal says whose it is and what to do."""
    store = victim.home / "store"
    victim.identity(store)
    victim.script(store / "acme/hooks/deploy.d/10-evil")
    record = json.loads((store / "acme/identity.json").read_text())
    record["undeployed"] = "0001"
    if "owed" in record:
        record["owed"] = {"generation": "0001", "hook": None}
    (store / "acme/identity.json").write_text(json.dumps(record))
    victim.give(victim.home)
    done = victim.run("identity", command, "acme", "--store", f"file:{store}", VAULT_TOKEN="secret")
    assert (done.returncode, victim.marker.exists()) == (3, False)
    assert f"{victim.home} belongs to uid {MALLORY}" in done.stderr
    assert "-- certkit" in done.stderr


def test_issuers_of_another_user_do_not_run(victim):
    """Root renews in the store of a user, whose record names a program."""
    store = victim.home / "store"
    victim.identity(store)
    evil = victim.script(victim.home / "evil")
    change_settings(store, issuer=f"command:{evil}")
    victim.give(victim.home)
    done = victim.run("identity", "renew", "acme", "--force", "--store", f"file:{store}")
    assert (done.returncode, victim.marker.exists()) == (3, False)
    assert f"{victim.home} belongs to uid {MALLORY}" in done.stderr


def test_reading_is_always_allowed(victim):
    """Root lists and shows the identities of a user."""
    store = victim.home / "store"
    victim.identity(store)
    victim.give(victim.home)
    assert victim.run("identity", "show", "acme", "--store", f"file:{store}").returncode == 0
    assert victim.run("identity", "list", "--store", f"file:{store}").returncode == 0


def test_a_store_that_is_declared_safe(victim):
    """CERTKIT_SAFE_DIRECTORY lets root work there all the same; `*` does not, and neither does the root directory."""
    store = victim.home / "store"
    victim.identity(store)
    victim.give(victim.home)
    arguments = ("identity", "renew", "acme", "--force", "--store", f"file:{store}")
    for everywhere in ("*", "/", "//", "/home/.."):
        assert victim.run(*arguments, CERTKIT_SAFE_DIRECTORY=everywhere).returncode == 3
    assert victim.run(*arguments, CERTKIT_SAFE_DIRECTORY=f"/nowhere:{victim.home}").returncode == 0


# Reports


def test_a_planted_link_is_not_followed(victim):
    """The report goes to no file that another user chose."""
    spool, target = victim.folder / "spool", victim.folder / "shadow"
    spool.mkdir()
    spool.chmod(0o777)
    target.write_text("root:*:")
    (spool / "report").symlink_to(target)
    (victim.folder / "certs").mkdir()
    victim.identity(victim.folder / "certs" / "store")
    done = victim.run("expiry", "certs", "--output", spool / "report")
    assert target.read_text() == "root:*:"
    assert (done.returncode, f"{spool}/report: it is a symbolic link" in done.stderr) == (3, True)


def test_a_device_is_what_it_is_and_not_where_it_lies():
    """Files below /dev are files: never truncated, and a key is never replaced by a report."""
    folder = Path(f"/dev/shm/certkit-{os.getpid()}")
    folder.mkdir()
    try:
        (folder / "tls.key").write_bytes(KEY)
        (folder / "report").write_text("old\n")
        before = (folder / "report").stat().st_ino
        done = Victim.run(_at(folder), "expiry", "nowhere.pem", "--output", folder / "tls.key")
        assert (folder / "tls.key").read_bytes() == KEY
        assert (done.returncode, "it holds keys or certificates" in done.stderr) == (3, True)
        Victim.run(_at(folder), "expiry", "nowhere.pem", "--output", folder / "report")
        assert (folder / "report").stat().st_ino != before  # replaced, not truncated
    finally:
        subprocess.run(["rm", "-r", folder], check=True)


def _at(folder):
    victim = Victim.__new__(Victim)
    victim.folder = folder
    return victim


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_descriptors_of_the_process_itself(victim, name):
    """They are written to as they are open: a file that output is appended to is not truncated."""
    victim.identity(victim.folder / "store")
    with (victim.folder / "log").open("w") as log:
        log.write("before\n")
        log.flush()
        arguments = ["expiry", victim.folder / "acme.pem", "--format", "jsonl", "--output", name]
        subprocess.run([*COMMAND, *map(str, arguments)], stdout=log, check=True, env=environment())
    first, second = (victim.folder / "log").read_text().splitlines()
    assert (first, json.loads(second)["status"]) == ("before", "ok")


def test_a_pipe_of_another_user_does_not_hold_up_a_report(victim):
    """It is refused at once, whoever reads from it or does not."""
    victim.give(victim.home)
    os.mkfifo(victim.home / "report")
    os.chown(victim.home / "report", MALLORY, MALLORY)
    done = victim.run("expiry", "nowhere.pem", "--output", victim.home / "report", timeout=20)
    assert (done.returncode, "a pipe of another user" in done.stderr) == (3, True)


# Exports


def test_an_export_through_a_link_changes_no_mode(victim):
    """A link in the place of the directory: neither chmod nor chgrp reach what it leads to."""
    victim.identity(victim.folder / "store")
    precious = victim.folder / "precious"
    precious.mkdir(mode=0o700)
    victim.give(victim.home)
    (victim.home / "tls").symlink_to(precious)
    group = _a_group()
    done = victim.run("identity", "export", "acme", "--out", victim.home / "tls", "--group", group, *_of(victim))
    assert done.returncode == 3
    assert (stat.S_IMODE(precious.stat().st_mode), precious.stat().st_gid, list(precious.iterdir())) == (0o700, 0, [])


def test_an_export_into_the_directory_of_another_user(victim):
    """It is refused: the owner could put another pair, or another CA, in its place."""
    victim.identity(victim.folder / "store")
    victim.give(victim.home)
    done = victim.run("identity", "export", "acme", "--out", victim.home / "tls", *_of(victim))
    assert (done.returncode, f"{victim.home} belongs to uid {MALLORY}" in done.stderr) == (3, True)
    assert list(victim.home.iterdir()) == []


def test_a_race_over_the_directory_gives_nothing_away(victim):
    """However often Mallory swaps it for a link while root exports, root's directory keeps its group and mode."""
    with swapped(victim) as (work, precious):
        for _ in range(RACES):
            victim.run("identity", "export", "acme", "--out", work, "--group", _a_group(), *_of(victim))
            assert_untouched(precious)


EXPORTS = """
import grp, sys
from dataclasses import replace
from pathlib import Path
from certkit.errors import CertkitError
from certkit.files.owners import Trust
from certkit.identity.export import WantedExport, export
from certkit.stores.file.store import FileStore
store, directory, group, count, *exceptions = sys.argv[1:]
store, lost = FileStore(Path(store)), 0
identity = store.load("acme")
wanted = WantedExport(directory=Path(directory), group=grp.getgrnam(group).gr_gid, environment={})
wanted = replace(wanted, trust=Trust(tuple(exceptions)))
for _ in range(int(count)):
    try:
        export(store, identity, wanted)
    except CertkitError:
        lost += 1
print(lost)
"""


@pytest.mark.parametrize("is_trusted", [False, True])
def test_a_thousand_races(victim, is_trusted):
    """The same in one process, faster; also where the directory is declared safe, and only descriptors protect it."""
    with swapped(victim) as (work, precious):
        arguments = [victim.folder / "store", work, _a_group(), "1000", *([victim.folder] if is_trusted else [])]
        program = [sys.executable, "-c", EXPORTS, *map(str, arguments)]
        done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=victim.folder, timeout=240)
        assert_untouched(precious)
    assert 0 < int(done.stdout) <= 1000  # Mallory was there


@contextlib.contextmanager
def swapped(victim):
    """A directory that Mallory swaps for a link to one of root's, over and over; both directories."""
    victim.identity(victim.folder / "store")
    precious = victim.folder / "precious"
    precious.mkdir(mode=0o700)
    shared = victim.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    work = Path("tls")

    def swap():
        away = Path(f"away-{time.monotonic_ns()}")
        for step in (lambda: work.rename(away), lambda: work.symlink_to(precious), work.unlink):
            with contextlib.suppress(OSError):
                step()
            time.sleep(0.0005)

    with mallory(swap, shared):
        yield shared / work, precious


def assert_untouched(precious):
    """Root's directory is as it was."""
    status = precious.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid, list(precious.iterdir())) == (0o700, 0, [])


def test_a_pipe_in_an_exported_directory_does_not_stop_cron(victim):
    """Root's job ends, whatever stands where its files should."""
    victim.identity(victim.folder / "store")
    arguments = ("identity", "export", "acme", "--out", victim.folder / "tls", *_of(victim))
    assert victim.run(*arguments).returncode == 0
    os.mkfifo(victim.folder / "tls/..mark")
    done = victim.run(*arguments, "--deploy-hook", "/bin/true", timeout=20)
    assert done.returncode == 3


def test_cron_of_root_exports_into_etc(victim):
    """The usual job works: a directory of root's, a group of the service's, repeated."""
    victim.identity(victim.folder / "store")
    etc = victim.folder / "etc" / "wise"
    etc.parent.mkdir()
    for _ in range(2):
        done = victim.run("identity", "export", "acme", "--out", etc, "--group", _a_group(), *_of(victim))
        assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((etc / "key.pem").stat().st_mode) == 0o640


# Keys that others can read


def _acl(*entries):
    """An ACL as the kernel takes it: tag, permissions, number (acl(5), linux/posix_acl_xattr.h)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in entries)


def _give_default_acl(folder):
    none = 0xFFFFFFFF
    acl = _acl((1, 7, none), (2, 4, MALLORY), (4, 5, none), (0x10, 5, none), (0x20, 0, none))
    try:
        os.setxattr(folder, "system.posix_acl_default", acl)
    except OSError as error:
        pytest.skip(f"this file system has no ACLs: {error}")


def test_an_inherited_acl_does_not_let_others_read_a_key(victim):
    """With a group the mode opens what the ACL names; the key is not written."""
    victim.identity(victim.folder / "store")
    outer = victim.folder / "outer"
    outer.mkdir()
    _give_default_acl(outer)
    done = victim.run("identity", "export", "acme", "--out", outer / "tls", "--group", _a_group(), *_of(victim))
    assert (done.returncode, f"an inherited ACL lets user uid {MALLORY} read it" in done.stderr) == (3, True)
    assert [path for path in outer.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()] == []


def test_an_inherited_acl_is_closed_by_mode_0600(victim):
    """Without a group nothing is open, so the key is written."""
    folder = victim.folder / "keys"
    folder.mkdir()
    _give_default_acl(folder)
    assert victim.run("key", "generate", "--out", folder / "key.pem").returncode == 0
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600


@pytest.fixture(params=["vfat", "exfat", "ntfs"])
def without_modes(request, tmp_path):
    """A directory on a file system that keeps no modes: files are 0755 or 0777, and chmod changes nothing or fails."""
    is_ntfs = request.param == "ntfs"
    make = [require_program("mkntfs"), "-F", "-Q", "-q"] if is_ntfs else [f"mkfs.{request.param}"]
    mount = {"vfat": "mount -o loop -t vfat", "exfat": "mount.exfat-fuse", "ntfs": require_program("ntfs-3g")}
    if shutil.which(make[0]) is None:
        pytest.skip("NTFS stands for it")
    image, place = tmp_path / "image", tmp_path / "usb"
    place.mkdir()
    with image.open("wb") as stream:
        stream.truncate(8 * 1024 * 1024)
    subprocess.run([*make, image], check=True, capture_output=True)
    device = image
    if request.param == "exfat":  # its driver takes nothing but a block device
        found = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
        device = found.stdout.strip()
    try:
        if subprocess.run([*mount[request.param].split(), device, place], capture_output=True, check=False).returncode:
            assert not is_ntfs, "NTFS needs FUSE only"
            pytest.skip("it cannot be mounted here; NTFS stands for it")
        yield place
        subprocess.run([require_program("umount"), place], check=True)
    finally:
        if device and device != image:
            subprocess.run(["losetup", "--detach", device], check=True)


def test_a_file_system_without_modes(victim, without_modes):
    """Where every key would be open to others, no command writes one, and nothing of one remains."""
    victim.identity(victim.folder / "store")
    for command in (
        ("key", "generate", "--out", without_modes / "key.pem"),
        ("csr", "create", "--organization", "Acme Ltd", "--key-out", without_modes / "k", "--out", without_modes / "c"),
        ("identity", "enroll", "new", "--organization", "Acme Ltd", "--store", f"file:{without_modes}/store"),
        ("identity", "export", "acme", "--out", without_modes / "tls", *_of(victim)),
        ("identity", "copy", "acme", "--to", f"file:{without_modes}/copy", *_of(victim)),
    ):
        done = victim.run(*command, CERTKIT_SAFE_DIRECTORY=str(without_modes))
        assert done.returncode == 3, command
        assert "could read it" in done.stderr or "no permissions" in done.stderr, (command, done.stderr)
    kept = [path for path in without_modes.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert kept == []


# Data that holds up or deceives


@pytest.mark.parametrize("command", [("list",), ("renew", "--all")])
def test_a_pipe_as_a_policy_does_not_stop_a_store(victim, command):
    """A record names it; the commands for the whole store end all the same, and not well."""
    store = victim.folder / "store"
    victim.identity(store)
    os.mkfifo(victim.folder / "policy.toml")
    change_settings(store, policy=str(victim.folder / "policy.toml"))
    began = time.monotonic()
    done = victim.run("identity", *command, "--store", f"file:{store}", timeout=20)
    assert (done.returncode, time.monotonic() - began < 20) == (3, True)


def test_the_log_names_the_real_user(victim):
    """Whatever the variables say."""
    victim.identity(victim.folder / "store")
    forged = {"LOGNAME": "alice", "USER": "alice", "USERNAME": "alice", "LNAME": "alice"}
    done = victim.run("identity", "renew", "acme", "--force", *_of(victim), **forged)
    assert done.returncode == 0, done.stderr
    assert "alice" not in victim.run("identity", "log", "acme", *_of(victim)).stdout


def test_tracebacks_have_no_escapes(victim):
    """A file's name does not reach the terminal raw, not even with -vv."""
    done = victim.run("csr", "check", "-vv", "\x1b]0;owned\x07nowhere")
    assert done.returncode == 3
    assert not {"\x1b", "\x07"} & set(done.stderr)


def test_the_provider_is_not_writable_by_others(victim):
    """Terraform runs what lies there; the umask of whoever installs it does not matter."""
    before = os.umask(0)
    try:
        done = victim.run("terraform", "install-provider", "--mirror", victim.folder / "plugins")
    finally:
        os.umask(before)
    if done.returncode:
        pytest.skip(done.stderr)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (victim.folder / "plugins").rglob("*")}
    assert [path for path, mode in modes.items() if mode & 0o022] == []


def _of(victim):
    return "--store", f"file:{victim.folder}/store"


def _a_group():
    import grp

    return next(each.gr_name for each in grp.getgrall() if each.gr_gid not in {0, os.getgid()})
