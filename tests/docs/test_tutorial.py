"""The tutorial, as written: from nothing to a call that is answered 200, in a directory and in OpenBao."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.conftest import command, environment, require_program
from tests.openbao import ROOT_TOKEN

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
[WALK] = re.findall(r"<!-- rehearse -->\n```sh\n(.*?)```", TUTORIAL, re.DOTALL)


def walk(folder, **variables):
    """What the walk prints, with certkit first on the path."""
    for program in ("bash", "curl"):
        require_program(program)
    own = {name: value for name, value in environment().items() if not name.startswith(("BAO_", "VAULT_"))}
    path = f"{Path(command()[0]).parent}{os.pathsep}{own['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", WALK],
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
    config = tmp_path / ".config" / "certkit" / "certkit.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[hosts]\nallow = ["127.0.0.1"]\n')
    out = walk(tmp_path, CERTKIT_STORE="vault://walk/wise", VAULT_ADDR=openbao.address, VAULT_TOKEN=ROOT_TOKEN)
    assert out.count("  done   call         answered 200\n") == 2
    key = openbao.api("GET", "walk/data/wise/acme/generations/0001/key")["data"]["data"]["private_key"]
    token = openbao.api("GET", "walk/data/wise/acme/tokens/authorization_code.10000001")["data"]["data"]
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert key.splitlines()[1].encode() not in written
    assert token["access_token"].encode() not in written
