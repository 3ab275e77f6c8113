"""Attacks with a provisioner's token on programs, trust and addresses, all of which succeeded against 0.1.0.

CERTKIT_UNDER_ATTACK names another command to attack, and CERTKIT_ACLS the directory of its ACLs.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import openbao as server
from tests import pki
from tests.conftest import environment

NAME = "wise-sandbox"
NOW = pki.datetime.now(pki.UTC)
COMMAND = shlex.split(os.environ.get("CERTKIT_UNDER_ATTACK", f"{sys.executable} -m certkit"))
ACLS = Path(os.environ.get("CERTKIT_ACLS", Path(__file__).parents[2] / "policies" / "vault"))


class Scene:
    """A store in Vault with an identity in use, and the tokens of the roles."""

    def __init__(self, openbao, folder, root):
        self.openbao, self.folder, self.root = openbao, folder, root
        self.prefix = f"attacked/{folder.name}"
        self.tokens = {"root": openbao.token}
        pair = root.issue(begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
        certificate, key = pair.write(folder, "acme")
        (folder / "ca.pem").write_bytes(root.pem)
        arguments = ("--policy", NAME, "--key", key, "--cert", certificate, "--ca", "ca.pem")
        assert self.run("root", "identity", "import", NAME, *arguments).returncode == 0

    def run(self, role, *arguments):
        """Run the command under attack with the token of a role."""
        variables = {"VAULT_ADDR": self.openbao.address, "VAULT_TOKEN": self.token(role)}
        return subprocess.run(
            [*COMMAND, *map(str, arguments), "--store", f"vault://secret/{self.prefix}"],
            env={**environment(), **variables, "HOME": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def token(self, role):
        """A token with the ACL of a role."""
        if role not in self.tokens:
            acl = (ACLS / f"{role}.hcl").read_text().replace("/certkit/", f"/{self.prefix}/")
            self.tokens[role] = self.openbao.token_for(acl)
        return self.tokens[role]

    def plant(self, **settings):
        """Change settings with the provisioner's token, wherever a version keeps them, and as an old record."""
        token, place = self.token("provisioner"), f"secret/data/{self.prefix}/{NAME}"
        pointer = self.openbao.api("GET", f"{place}/pointer", token=token)["data"]["data"]
        known = pointer.get("settings")
        if known is None:
            known = self.openbao.api("GET", f"{place}/settings", token=token)["data"]["data"]
            with pytest.raises(server.RefusedError, match="403"):
                self.openbao.api("POST", f"{place}/settings", {"data": {**known, **settings}}, token=token)
        self.openbao.api(
            "POST", f"{place}/pointer", {"data": {**pointer, "settings": {**known, **settings}}}, token=token
        )


@pytest.fixture
def scene(openbao, tmp_path, root):
    """The identity of an operator, whose provisioner is hostile."""
    return Scene(openbao, tmp_path, root)


def test_the_trust_of_consumers(scene):
    """Every host's ca.pem stays the operator's."""
    assert scene.run("consumer", "identity", "export", NAME, "--out", "tls").returncode == 0
    evil, token = pki.root().pem.decode(), scene.token("provisioner")
    scene.plant(trust_bundle=evil)
    path = f"secret/data/{scene.prefix}/{NAME}/generations/0001/certificate"
    known = scene.openbao.api("GET", path, token=token)["data"]["data"]
    planted = {name: evil if value == scene.root.pem.decode() else value for name, value in known.items()}
    scene.openbao.api("POST", path, {"data": {**planted, "ca": evil, "trust_bundle": evil}}, token=token)
    scene.run("consumer", "identity", "export", NAME, "--out", "tls")
    scene.run("consumer", "identity", "export", NAME, "--out", "another")
    for path in scene.folder.glob("*/ca.pem"):
        assert path.read_bytes() == scene.root.pem


def test_programs_of_the_operator(scene):
    """A renewal of all identities runs nothing that the record names."""
    program, marker = scene.folder / "evil", scene.folder / "marker"
    program.write_text(f"#!/bin/sh\nenv >{marker}\nexit 1\n")
    program.chmod(0o755)
    scene.plant(issuer=f"command:{program}")
    scene.run("operator", "identity", "renew", NAME, "--force")
    scene.run("operator", "identity", "renew", "--all", "--force")
    assert not marker.exists()


def test_addresses(scene):
    """No client connects to a server that the record names."""
    with socket.create_server(("127.0.0.1", 0)) as evil:
        evil.setblocking(False)
        url = f"https://127.0.0.1:{evil.getsockname()[1]}/"
        scene.plant(probe=url, base_url=url.rstrip("/"))
        scene.run("consumer", "wise", "token", "client-credentials", "--identity", NAME, "--client-id", "acme",
                  "--client-secret-file", "ca.pem")  # fmt: skip
        with pytest.raises(BlockingIOError):
            evil.accept()


def test_the_log(scene):
    """Earlier entries stay, whatever is written to the pointer."""
    place, token = f"secret/data/{scene.prefix}/{NAME}", scene.token("provisioner")
    before = scene.run("operator", "identity", "log", NAME).stdout
    pointer = scene.openbao.api("GET", f"{place}/pointer", token=token)["data"]["data"]
    scene.openbao.api("POST", f"{place}/pointer", {"data": {**pointer, "log": []}}, token=token)
    assert scene.run("operator", "identity", "log", NAME).stdout.startswith(before)
