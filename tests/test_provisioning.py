"""The scripts of `scripts/provisioning`, which stand for those that others write over `--json`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from tests import forked, pki
from tests.conftest import command, environment, require_program

SCRIPTS = Path(__file__).parents[1] / "scripts" / "provisioning"
ASKED = ("acme", "wise-sandbox", "Acme Ltd; $(exit 1)")


@pytest.fixture(params=["shell", "python"])
def provision(request, tmp_path):
    """A function that runs one of the scripts; its exit code, and what it says."""
    (tmp_path / "bin").mkdir()
    program = forked.program(tmp_path / "bin", command())
    require_program("jq")
    script = [SCRIPTS / "provision.sh"] if request.param == "shell" else [sys.executable, SCRIPTS / "provision.py"]
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    env = {**environment(), "PATH": path, "CERTKIT_STORE": "file:identities"}

    def run(*arguments):
        done = subprocess.run(
            [*script, *arguments], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout

    return run


def test_a_script_knows_whether_it_changed_anything(provision, tmp_path, root):
    """The request is made once, the answer is taken once, and the CSR is there while it waits."""
    code, said = provision(*ASKED)
    word, csr = said.split("\n", 1)
    assert (code, word) == (0, "changed")
    assert provision(*ASKED, "answer.pem", "ca.pem") == (0, f"unchanged\n{csr}")

    request = x509.load_pem_x509_csr(csr.encode())
    now = pki.datetime.now(pki.UTC)
    subject = pki.name(O=ASKED[2], CN="acme-client-id")
    pair = root.issue(subject, public_key=request.public_key(), begin=now - pki.DAY, end=now + 300 * pki.DAY)
    (tmp_path / "answer.pem").write_bytes(pair.pem)
    (tmp_path / "ca.pem").write_bytes(root.pem)
    assert provision(*ASKED, "answer.pem", "ca.pem") == (0, "changed\n")
    assert provision(*ASKED, "answer.pem", "ca.pem") == (0, "unchanged\n")


def test_a_script_ends_as_certkit_does(provision):
    """With its exit code: refused, or not understood."""
    assert provision("acme", "wise-sandbox", "") == (2, "")
    assert provision("acme", "no-such-policy", "Acme Ltd") == (3, "")
