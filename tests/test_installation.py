"""Installing certkit, each way in a fresh root file system: this machine's, with all changes kept in memory.

`CERTKIT_WHEELS` names a directory with wheels of what constraints.txt and the build need (`.ci/run` fills one).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import certkit

PROJECT = Path(__file__).parents[1]
BLOCKS = dict(
    re.findall(r"<!-- ([\w ]+) -->\n```sh\n(.*?)```", (PROJECT / "docs/installation.md").read_text(), re.DOTALL)
)
FRESH_ROOT = """
mount -t tmpfs none "$FOLDER"
mkdir "$FOLDER"/changes "$FOLDER"/work "$FOLDER"/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$FOLDER/changes,workdir=$FOLDER/work" "$FOLDER"/root
mount -t proc proc "$FOLDER"/root/proc
mount --rbind /dev "$FOLDER"/root/dev
exec chroot "$FOLDER"/root env -i HOME=/root LANG=C.UTF-8 PATH="$PYTHON:/usr/sbin:/usr/bin:/sbin:/bin" \
    PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS="$CERTKIT_WHEELS" bash -euo pipefail -c "$SCRIPT"
"""

# The interpreter may be in a directory of root's own.
PROLOGUE = f"chmod a+x /root\ncd {PROJECT}\numask 022\n"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a root file system"),
    pytest.mark.skipif("CERTKIT_WHEELS" not in os.environ, reason="CERTKIT_WHEELS names no directory with wheels"),
]


def in_fresh_root(folder, script):
    """Run a script as root of a fresh root file system, with the Python that runs the tests; return what it printed."""
    inner = folder / "fresh-root"
    inner.mkdir()
    python = Path(sys.base_prefix) / "bin"
    own = {**os.environ, "FOLDER": str(inner), "PYTHON": str(python), "SCRIPT": PROLOGUE + script}
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-euc", FRESH_ROOT],
        env=own,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    [path] = folder.iterdir()
    return path


# What an installation may have left behind.
LEFT = "find /opt/certkit /usr /etc /lib/systemd -name '*certkit*' 2>/dev/null || :"


def test_for_all_users(tmp_path):
    """As documented: the command, pages, completion and units work as they are, and go when removed."""
    printed = in_fresh_root(
        tmp_path,
        f"""
rm -rf dist
{BLOCKS["wheel"]}
{BLOCKS["all users"]}
{BLOCKS["all users"]}    # an upgrade
useradd --system certkit
install -d -o certkit -m 0755 /var/lib/node_exporter/textfile_collector
install -d /etc/partners
eval "$(grep ^PATH= scripts/cron/certkit-expiry)"
setpriv --reuid=nobody --regid=nogroup --clear-groups env -i PATH="$PATH" certkit policy list | grep -c wise-
test -e /usr/local/share/man/man1/certkit-csr-create.1
bash -c 'source /usr/local/share/bash-completion/completions/certkit; complete -p certkit' >/dev/null
systemd-analyze verify /etc/systemd/system/certkit-expiry.service
python3 -m pip --python /opt/certkit/bin/python3 check >/dev/null
scripts/packaging/install --remove
{LEFT}
""",
    )
    assert printed == "3\n"


def test_the_debian_package(wheel, tmp_path):
    """It is installed with a command for everybody and units in their place; nothing stays when it is removed."""
    printed = in_fresh_root(
        tmp_path,
        f"""
rm -rf dist
install -D {wheel} dist/{wheel.name}
(
{BLOCKS["debian"]}
) >/dev/null
dpkg-deb --contents dist/certkit.deb | sed -n '1s/ .*//p'
setpriv --reuid=nobody --regid=nogroup --clear-groups env -i PATH=/usr/bin:/bin certkit policy list | grep -c wise-
useradd --system certkit
systemd-analyze verify /lib/systemd/system/certkit-expiry.service
stat -c '%U %a' /opt/certkit/bin/certkit
dpkg --status certkit | grep ^Version
dpkg --verify certkit
apt-get remove --yes certkit >/dev/null
{LEFT}
""",
    )
    assert printed == f"drwxr-xr-x\n3\nroot 755\nVersion: {certkit.__version__}\n"


def dockerfile():
    """The instructions of the Dockerfile, continued lines joined."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image(tmp_path):
    """The Dockerfile's steps, replayed: the image runs for a user without rights on a root that is never written."""
    steps = []
    environment = {}
    settings = {}
    for instruction, value in dockerfile():
        match instruction:
            case "COPY" if not value.startswith("--from"):
                source, target = value.split()
                steps.append(
                    f"mkdir -p {target}; tar -C {source} --exclude-from=.dockerignore -cf - . | tar -C {target} -xf -"
                )
            case "RUN":
                steps.append(value)
            case "ENV":
                environment |= dict(pair.split("=", 1) for pair in shlex.split(value))
            case "USER" | "WORKDIR" | "ENTRYPOINT":
                settings[instruction] = value
    entry = shlex.join(json.loads(settings["ENTRYPOINT"]))
    variables = " ".join(f"{name}={value}" for name, value in environment.items())
    user = settings["USER"]
    run = f"setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs env -i {variables} {entry}"
    printed = in_fresh_root(
        tmp_path,
        "\n".join(steps)
        + f"""
mount -t tmpfs -o mode=0700,uid=10001,gid=10001 none {settings["WORKDIR"]}
mount -o remount,ro /
cd {settings["WORKDIR"]}
touch /file 2>/dev/null && echo "the root can be written"
{run} --version
{run} identity enroll acme --policy wise-sandbox --organization Acme >/dev/null
{run} identity show acme --json | grep -o '"name": "acme"'
{run} csr check .local/share/certkit/identities/acme/generations/0001/csr.pem --policy wise-sandbox >/dev/null
stat -c '%u %a' .local/share/certkit/identities/acme/generations/0001/key.pem
""",
    )
    version, *rest = printed.splitlines()
    assert version.startswith("certkit ")
    assert rest == ['"name": "acme"', "10001 600"]


@pytest.mark.parametrize(
    ("program", "install", "remove"),
    [
        ("pipx", "pipx install --quiet", "pipx uninstall certkit"),
        (
            "uv",
            "uv tool install --quiet",
            "uv tool uninstall certkit",
        ),
    ],
)
def test_for_one_user(program, install, remove, wheel, tmp_path):
    """The wheel and its extras get a place of their own by pipx and by uv, and are removed from it."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    printed = in_fresh_root(
        tmp_path,
        f"""
export HOME=/home/user PATH=/home/user/.local/bin:$PATH:{Path(path).parent} UV_PYTHON_DOWNLOADS=never
export UV_OFFLINE=1 UV_NO_INDEX=1 UV_FIND_LINKS=$PIP_FIND_LINKS
mkdir -p $HOME
{install} '{wheel}[all]' >/dev/null
certkit policy list | grep -c wise-
{remove} >/dev/null
test ! -e /home/user/.local/bin/certkit
""",
    )
    assert printed.splitlines()[0] == "3"
