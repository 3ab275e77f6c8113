"""The shell blocks of each page run as written, one after the other, in a fresh directory."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from certkit.testing import CA, serving
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.conftest import command, environment
from tests.csr_of import key_and_csr

# Pages that tests of their own run, some of them with servers: these, and the examples of the help pages.
OWN_TESTS = {"how-to/terraform.md", "how-to/vault.md", "how-to/python.md", "how-to/consume.md", "reference/commands.md"}
DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"(?:^<!-- ([^\n]+) -->\n)?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Blocks that a test of their own runs, by the comment before them.
ELSEWHERE = {"rehearse", "python", "vault", "year", "wheel", "all users", "debian"}
ROOT = pki.root()


def blocks(page):
    """The shell blocks of a page, with the comment before each."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def pages():
    """The pages with blocks that this test runs."""
    found = [page for page in sorted(DOCS.rglob("*.md")) if str(page.relative_to(DOCS)) not in OWN_TESTS]
    return [page for page in found if any(is_run(mark) for mark, _ in blocks(page))]


def is_run(mark):
    """Return whether this test runs a block."""
    return mark not in ELSEWHERE and not mark.startswith("not run: ")


def answer(csr, ca=ROOT, **names):
    """The partner's certificate for a CSR."""
    request, now = x509.load_pem_x509_csr(csr), pki.datetime.now(pki.UTC)
    subject = pki.name(**names) if names else request.subject
    pair = ca.issue(subject, public_key=request.public_key(), begin=now - pki.DAY, end=now + 364 * pki.DAY)
    return pair.pem


def give(mark, folder, server):
    """Bring about what a page takes for granted before a block."""
    (folder / "wise-ca.pem").write_bytes(ROOT.pem)
    match mark:
        case "the partner's CA":
            pass
        case "acme.csr":
            (folder / "acme.csr").write_bytes(key_and_csr(SubjectOptions(organization="Acme Ltd"))[1])
        case "acme.pem for acme.csr":
            (folder / "acme.pem").write_bytes(answer((folder / "acme.csr").read_bytes(), O="Acme Ltd", CN="client-id"))
        case "issued.pem for the identity acme, and old.key with old.pem":
            [csr] = (folder / ".local/share/certkit/identities/acme").rglob("csr.pem")
            (folder / "issued.pem").write_bytes(answer(csr.read_bytes()))
            key, request = key_and_csr(SubjectOptions(organization="Acme Ltd"))
            other = pki.root(pki.name(O="Partner", CN="Production CA"))
            (folder / "old.pem").write_bytes(answer(request, other))
            (folder / "old.key").touch(mode=0o600)
            (folder / "old.key").write_bytes(key)
            (folder / "wise-production-ca.pem").write_bytes(other.pem)
        case "the identity acme":
            run(folder, 'certkit identity enroll acme --policy general --organization "Acme Ltd" --ca wise-ca.pem')
            [csr] = (folder / ".local/share/certkit/identities/acme").rglob("csr.pem")
            (folder / "answer.pem").write_bytes(answer(csr.read_bytes()))
            run(folder, "certkit identity install acme answer.pem")
        case "partners":
            (folder / "partners").mkdir()
            now = pki.datetime.now(pki.UTC)
            ROOT.issue(begin=now - pki.DAY, end=now + 364 * pki.DAY).write(folder / "partners", "acme")
        case "a server":
            (folder / "partner-ca.pem").write_bytes(server.ca)
        case "" | "user":
            pass
        case _:
            pytest.fail(f"who gives this: {mark}?")


def run(folder, script):
    """Run a script as a reader would, with certkit first on the path."""
    own = {name: value for name, value in environment().items() if not name.startswith(("BAO_", "VAULT_"))}
    path = f"{Path(command()[0]).parent}{os.pathsep}{own['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**own, "PATH": path, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (script, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def server():
    """The partner's server; it takes clients of the partner's CA."""
    ca = CA()
    with serving(ca, client_ca=ROOT.pem) as running:
        running_ca = ca.pem
        yield type("Partner", (), {"url": running.url, "ca": running_ca})


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_the_blocks_run_in_sequence(page, tmp_path, server):
    """Nothing fails, waits for ever, or is overwritten by a later block."""
    for mark, script in blocks(page):
        if is_run(mark):
            give(mark.removeprefix("given: "), tmp_path, server)
            run(tmp_path, script.replace("https://partner.example.com", server.url))
