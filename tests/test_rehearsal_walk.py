"""The way from nothing to a call by mTLS that is answered 200, as README shows it: in a file store, and in OpenBao."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import command, environment, require_program
from tests.openbao import ROOT_TOKEN

HERE = Path(__file__).parent


def walk(folder, **variables):
    """What the walk prints, with certkit first on the path."""
    for program in ("bash", "curl"):
        require_program(program)
    own = {name: value for name, value in environment().items() if not name.startswith(("BAO_", "VAULT_"))}
    path = f"{Path(command()[0]).parent}{os.pathsep}{own['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", HERE / "rehearsal_walk.sh"],
        cwd=folder,
        env={**own, "PATH": path, "HOME": str(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout.decode()


def test_in_a_directory(tmp_path):
    """Without a store named, it is a directory of the user's."""
    out = walk(tmp_path)
    assert out.count("  done   call         answered 200\n") == 2
    assert (tmp_path / ".local/share/certkit/identities/acme/active/key.pem").stat().st_mode & 0o777 == 0o600


def test_in_vault(tmp_path, openbao):
    """The same commands, with CERTKIT_STORE; key and token are in OpenBao, and in no file."""
    openbao.mount("walk")
    out = walk(tmp_path, CERTKIT_STORE="vault://walk/wise", VAULT_ADDR=openbao.address, VAULT_TOKEN=ROOT_TOKEN)
    assert out.count("  done   call         answered 200\n") == 2
    key = openbao.api("GET", "walk/data/wise/acme/generations/0001/key")["data"]["data"]["private_key"]
    token = openbao.api("GET", "walk/data/wise/acme/tokens/authorization_code.10000001")["data"]["data"]
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert key.splitlines()[1].encode() not in written
    assert token["access_token"].encode() not in written


@pytest.mark.skipif("<!-- rehearse -->" not in (HERE.parent / "README.md").read_text(), reason="not in README yet")
def test_it_is_what_the_readme_says():
    """Word by word."""
    shown = (HERE.parent / "README.md").read_text().split("<!-- rehearse -->\n", 1)[1].split("\n```\n", 1)[0]
    assert shown.split("\n", 1)[1] + "\n" == (HERE / "rehearsal_walk.sh").read_text()
