"""Where certkit runs: other users, containers without /tmp, /proc or a home, Kubernetes volumes, cron jobs of root.

Each situation is a mount namespace of its own, in which the test's folder is /mnt.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import certkit
from tests import pki
from tests.conftest import Ran, require_program

# The checkout, and the virtual environment where that is not within it.
CHECKOUT, PREFIX = Path(certkit.__file__).parents[1], Path(sys.prefix)
OURS = [CHECKOUT] if PREFIX.is_relative_to(CHECKOUT) else [CHECKOUT, PREFIX]
ALICE = 54321
NOW = pki.datetime.now(pki.UTC)
PASSWD = f"root:x:0:0::/root:/bin/sh\nalice:x:{ALICE}:{ALICE}::/mnt:/bin/sh\n"
GROUP = f"root:x:0:\ndaemon:x:1:\nalice:x:{ALICE}:\nteam:x:700:alice,bob\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and be somebody else")


class Situation:
    """A command in a mount namespace: what is mounted first, who runs it, and its whole environment."""

    def __init__(self, folder):
        self.folder = folder
        self.mounts = ["mount --bind . /mnt"]
        self.user = None
        self.variables = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

    def hide(self, path):
        """Put a read-only directory in the place of one, empty but for certkit and its interpreter."""
        ours = dict(zip([each for each in OURS if each.is_relative_to(path)], ("/media", "/srv"), strict=False))
        self.mounts += [f"mount --bind {each} {aside}" for each, aside in ours.items()]
        self.mounts.append(f"mount -t tmpfs none {path}")
        self.mounts += [f"mkdir -p {each} && mount --bind {aside} {each}" for each, aside in ours.items()]
        self.mounts.append(f"mount -o remount,ro {path}")

    def users(self):
        """Give the host users: alice, who is in her own group and in team, in which bob is, too."""
        for name, text in (("passwd", PASSWD), ("group", GROUP)):
            (self.folder / name).write_text(text)
            self.mounts.append(f"mount --bind {name} /etc/{name}")

    def __call__(self, *arguments, cwd="/mnt", **variables):
        """Run certkit."""
        # Where the interpreter is may be closed to others; to read is all that this capability allows.
        who = f"setpriv --reuid={self.user} --regid={self.user} --clear-groups" if self.user is not None else ""
        reads = " --inh-caps=+dac_read_search --ambient-caps=+dac_read_search" if who else ""
        command = shlex.join([sys.executable, "-P", "-m", "certkit", *map(str, arguments)])
        script = " && ".join([*self.mounts, f"cd {cwd}", f"exec {who}{reads} {command}"])
        done = subprocess.run(
            [require_program("unshare"), "-m", "sh", "-c", script],
            cwd=self.folder,
            env={**self.variables, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "internal error" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def situation(tmp_path):
    """A situation without anything special."""
    return Situation(tmp_path)


def give(folder, user=ALICE, group=ALICE, mode=0o755):
    """Give a directory to another user."""
    os.chown(folder, user, group)
    folder.chmod(mode)


def live(run, root, store="file:/mnt/store", **variables):
    """Everything that an identity goes through, where nothing but /mnt may be written to."""
    folder = run.folder
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    certificate, key = pair.write(folder, "acme")
    (folder / "ca.pem").write_bytes(root.pem)
    if run.user is not None:
        os.chown(key, run.user, run.user)
    of = ("--store", store)
    arguments = ("--policy", "general", "--key", key.name, "--cert", certificate.name, "--ca", "ca.pem")
    for command in (
        ("key", "generate", "--out", "new.key"),
        ("identity", "import", "acme", *arguments, *of),
        ("identity", "renew", "acme", "--force", *of),
        ("identity", "export", "acme", "--out", "tls", *of),
        ("expiry", "acme.pem", "--format", "html", "--output", "report.html"),
    ):
        done = run(*command, **variables)
        assert done.code == 0, (command, done.err, done.out)
    for path in ("new.key", "tls/key.pem", "store/acme/active/key.pem"):
        status = (folder / path).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, run.user or 0)


@pytest.mark.parametrize("missing", [("/tmp", "/var/tmp", "/dev/shm"), ("/proc",), ("/root",)])
def test_directories_that_are_missing(situation, root, missing):
    """No place for temporary files, no /proc, no home."""
    if missing == ("/root",) and sys.base_prefix.startswith("/root"):
        pytest.skip("the interpreter is there")
    for path in missing:
        situation.hide(path)
    live(situation, root)


def test_a_read_only_root(situation, root):
    """As in a container with `readOnlyRootFilesystem`: only the volume may be written to."""
    situation.mounts += ["mount --bind / /", "mount -o remount,bind,ro /"]
    live(situation, root)


def test_a_runner_without_a_name(situation, root):
    """A uid without a passwd entry, and no HOME; without --store the error says what to do."""
    situation.user = ALICE
    give(situation.folder)
    live(situation, root)
    lost = situation("identity", "list")
    assert (lost.code, "Name the store with --store, or set CERTKIT_STORE" in lost.err) == (3, True)


def test_a_workspace_of_another_uid(situation):
    """As GitHub's containers have it: refused, until it is declared safe."""
    situation.user = ALICE
    give(situation.folder, 12345, ALICE, 0o775)
    (situation.folder / "work").mkdir()
    give(situation.folder / "work", 12345, ALICE, 0o777)
    enroll = ("identity", "enroll", "acme", "--organization", "Acme Ltd", "--store", "file:work/store")
    refused = situation(*enroll)
    assert (refused.code, "belongs to uid 12345" in refused.err) == (3, True)
    assert situation(*enroll, CERTKIT_SAFE_DIRECTORY="/mnt").code == 0


@pytest.mark.parametrize(("group", "code"), [(ALICE, 0), (700, 3)])
def test_a_home_that_its_group_may_write_to(situation, group, code):
    """Debian's and Fedora's umask 002: safe with the user's private group, and refused with one of several people."""
    situation.users()
    situation.user = ALICE
    situation.variables["HOME"] = "/mnt"
    give(situation.folder, ALICE, group, 0o2775)
    enroll = ("identity", "enroll", "new", "--organization", "Acme Ltd")
    done = situation(*enroll)
    assert done.code == code, done.err
    if code:
        assert "CERTKIT_SAFE_DIRECTORY=/mnt" in done.err
        assert situation(*enroll, CERTKIT_SAFE_DIRECTORY="/mnt").code == 0


def test_volumes_of_kubernetes(situation, root):
    """A Secret behind `..data`, readable by the pod's group; an emptyDir that everybody may write to."""
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    secret, scratch = situation.folder / "secret", situation.folder / "scratch"
    version = secret / "..2026_11_30_12_00_00.123456789"
    version.mkdir(parents=True)
    for name, content in (("tls.crt", pair.pem), ("tls.key", pair.key_pem), ("ca.crt", root.pem)):
        (version / name).write_bytes(content)
        give(version / name, 0, ALICE, 0o440)
        (secret / name).symlink_to(f"..data/{name}")
    (secret / "..data").symlink_to(version.name)
    for each in (secret, version):
        give(each, 0, ALICE, 0o2755)
    scratch.mkdir()
    give(scratch, 0, ALICE, 0o2777)
    situation.user = ALICE
    seen = situation("expiry", "/mnt/secret", "--json")
    assert (seen.code, len(seen.json["certificates"])) == (0, 2)
    files = ("--key", "/mnt/secret/tls.key", "--ca", "/mnt/secret/ca.crt")
    told = situation("verify", "/mnt/secret/tls.crt", *files, "--json")
    assert told.checks()["chain"] == told.checks()["key-match"] == "ok"
    assert (told.code, told.checks()["key-file"]) == (1, "warning")  # the group may read it
    files += ("--policy", "general", "--cert", "/mnt/secret/tls.crt")
    adopt = ("identity", "import", "acme", *files, "--store", "file:/mnt/scratch/store")
    refused = situation(*adopt)
    assert (refused.code, "CERTKIT_SAFE_DIRECTORY=/mnt/scratch" in refused.err) == (3, True)
    safe = {"CERTKIT_SAFE_DIRECTORY": "/mnt/scratch"}
    assert situation(*adopt, **safe).code == 0
    export = ("identity", "export", "acme", "--out", "/mnt/scratch/tls", "--store", "file:/mnt/scratch/store")
    assert situation(*export, **safe).code == 0
    assert (scratch / "tls" / "..data").is_symlink()


def test_cron_of_root_exports_into_etc_wise(situation, root):
    """With cron's environment, for the group of a service, twice; the second time nothing changes."""
    etc = situation.folder / "etc"
    etc.mkdir()
    for name, text in (("passwd", PASSWD), ("group", GROUP)):
        (etc / name).write_text(text)
    pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    certificate, key = pair.write(situation.folder, "acme")
    arguments = ("--policy", "general", "--key", key.name, "--cert", certificate.name, "--store", "file:store")
    assert situation("identity", "import", "acme", *arguments).code == 0
    situation.mounts.append("mount --bind etc /etc")
    situation.variables |= {"HOME": "/root", "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    export = (
        "identity",
        "export",
        "acme",
        "--out",
        "/etc/wise",
        "--group",
        "daemon",
        "--store",
        "file:/mnt/store",
        "--json",
    )
    first, second = situation(*export, cwd="/"), situation(*export, cwd="/")
    assert (first.code, first.json["changed"], second.json["changed"]) == (0, True, False)
    status = (etc / "wise" / "key.pem").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 0, 1)


@pytest.mark.parametrize(
    "command",
    [
        ("key", "generate", "--out", "/mnt/ro/k"),
        ("csr", "create", "--organization", "A", "--key-out", "/mnt/ro/k", "--out", "c"),
        ("csr", "create", "--organization", "A", "--key-out", "k", "--out", "/mnt/ro/c"),
        ("csr", "create", "--batch", "batch", "--out-dir", "/mnt/ro/out"),
        ("expiry", "ca.pem", "--output", "/mnt/ro/report"),
        ("expiry", "ca.pem", "--remind", "28d", "--state", "/mnt/ro/state.json"),
        ("identity", "enroll", "acme", "--organization", "A", "--store", "file:/mnt/ro/store"),
        ("policy", "new", "own", "--out", "/mnt/ro/own.toml"),
        ("wise", "ca", "ca.pem", "--out", "/mnt/ro/bundle.pem"),
    ],
)
def test_a_read_only_file_system(situation, root, command):
    """Is named as such by every command that writes, since no permission would help."""
    (situation.folder / "ca.pem").write_bytes(root.pem)
    (situation.folder / "batch").write_text('{"name": "a", "organization": "A"}\n')
    (situation.folder / "ro").mkdir()
    situation.mounts.append("mount -t tmpfs -o ro none /mnt/ro")
    done = situation(*command)
    assert done.code in {1, 3}
    assert "read-only file system. Choose a place that can be written to" in done.err
