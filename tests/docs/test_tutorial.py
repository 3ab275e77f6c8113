"""The tutorial, as written: from nothing to a call that is answered 200, in a directory and in OpenBao."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests import pki
from tests.conftest import command, environment, require_program
from tests.openbao import ROOT_TOKEN

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "tutorial.md").read_text() + (DOCS / "how-to/vault.md").read_text()
BLOCKS = dict(re.findall(r"<!-- (\w+) -->\n```sh\n(.*?)```", PAGES, re.DOTALL))


def walk(folder, *names, **variables):
    """Return what blocks, by name, and other lines print in one shell, with certkit first on the path."""
    for program in ("bash", "curl"):
        require_program(program)
    own = {name: value for name, value in environment().items() if not name.startswith(("BAO_", "VAULT_"))}
    path = f"{Path(command()[0]).parent}{os.pathsep}{own['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(BLOCKS.get(name, name) for name in names)],
        cwd=folder,
        env={**own, "PATH": path, "HOME": str(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_in_a_directory(tmp_path):
    """Without a store named, everything is in the directory where it is tried."""
    out = walk(tmp_path, "rehearse", "python")
    assert out.count("  done   call         answered 200\n") == 2
    assert out.endswith("\n200\n")
    assert (tmp_path / "store/acme/active/key.pem").stat().st_mode & 0o777 == 0o600


def test_again_after_it_was_aborted(tmp_path):
    """Once there is a token, the first step has no address to visit, and the block still comes to its end."""
    aborted = BLOCKS["rehearse"][: BLOCKS["rehearse"].index("# 4.")] + "}"
    walk(tmp_path, aborted)
    out = walk(tmp_path, "set +eo pipefail", "rehearse")  # as in a shell that a person types into
    assert out.count("  done   call         answered 200\n") == 2


def test_on_a_terminal(tmp_path):
    """Pasted into a terminal, no command asks for something, which would read the lines that follow."""
    require_program("script")
    (tmp_path / "block.sh").write_text(BLOCKS["rehearse"])
    done = subprocess.run(
        ["script", "-qec", "bash -euo pipefail block.sh", "/dev/null"],
        cwd=tmp_path,
        env={
            **environment(),
            "PATH": f"{Path(command()[0]).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.count(b"answered 200") == 2
    assert b"Enter alone" not in done.stdout


def test_in_vault(tmp_path, openbao):
    """The same commands, with CERTKIT_STORE; key and token are in OpenBao, and in no file."""
    openbao.mount("walk")
    place = {"CERTKIT_STORE": "vault://walk/wise", "VAULT_ADDR": openbao.address, "VAULT_TOKEN": ROOT_TOKEN}
    out = walk(tmp_path, "vault", "rehearse", "python", **place)
    assert out.count("  done   call         answered 200\n") == 2
    [warning] = re.findall(r"^  warning +\w+ +(.*)", out, re.MULTILINE)
    assert BLOCKS["vault"].count(f"# a warning: {warning.split(',')[0]}\n") == 1
    assert out.endswith("\n200\n")
    key = openbao.api("GET", "walk/data/wise/acme/generations/0001/key")["data"]["data"]["private_key"]
    token = openbao.api("GET", "walk/data/wise/acme/tokens/authorization_code.10000001")["data"]["data"]
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert key.splitlines()[1].encode() not in written
    assert token["access_token"].encode() not in written


def test_a_store_in_vault(tmp_path, openbao):
    """The how-to's first block: an identity of a directory is copied, another one is created in Vault."""
    openbao.mount("how-to")
    (tmp_path / "wise-ca.pem").write_bytes(pki.root().pem)
    first = "certkit identity enroll acme --policy wise-sandbox --organization Acme --ca wise-ca.pem"
    block = BLOCKS["store"].replace("vault://secret/", "vault://how-to/")
    block = block.replace("store check ", "store check || test $? = 1 ")  # a warning: the server has no TLS
    walk(tmp_path, first, block, VAULT_ADDR=openbao.address, VAULT_TOKEN=ROOT_TOKEN)
    assert sorted(openbao.api("LIST", "how-to/metadata/certkit")["data"]["keys"]) == ["acme/", "other/"]
