"""The how-to, as written: request, certificate, renewal, another CA and destroy, in a directory and in OpenBao."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from tests import pki
from tests.conftest import require_program
from tests.stores import vault_roles
from tests.terraform.provider.conftest import file_place, vault_place
from tests.terraform.provider.workspace import LIBRARY, Workspace

GUIDE = Path(__file__).parents[3] / "docs/how-to/terraform.md"
BLOCKS = dict(re.findall(r"<!-- terraform-(\w+) -->\n```\w+\n(.*?)```", GUIDE.read_text(), re.DOTALL))
IDENTITY, CERTIFICATE = "certkit_identity.wise", "certkit_certificate.wise"


class Reader:
    """A user who knows Terraform and has the how-to, and a partner who issues certificates."""

    def __init__(self, work, place, ca):
        self.work, self.place, self.ca, self.days = work, place, ca, 0
        self.save("main.tf", BLOCKS["provider"].replace("file:identities", place.uri).encode())

    def save(self, name, data):
        """Save a file beside the configuration."""
        (self.work.folder / name).write_bytes(data)

    def follow(self, step, code=0):
        """Run a step as written; what it plans to do, by address. The plan after it is empty."""
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", BLOCKS[step]],
            cwd=self.work.folder,
            env={**self.work.environment(), "TF_CLI_ARGS": "-no-color"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        with (self.work.folder / "said.log").open("ab") as log:
            log.write(ran.stdout + ran.stderr)
        said = (ran.stdout + ran.stderr).decode()
        assert ran.returncode == code, said
        if code == 0:
            after = self.work.plan("-out=saved.tfplan")
            assert after.code == 0, after.said
        return said

    def issue(self, days):
        """Issue the certificate for `acme.csr`, valid for so many days."""
        request = x509.load_pem_x509_csr((self.work.folder / "acme.csr").read_bytes())
        now = datetime.now(UTC) + self.days * pki.DAY
        pair = self.ca.issue(public_key=request.public_key(), begin=now - pki.DAY, end=now + days * pki.DAY)
        self.save("wise.pem", pair.pem)
        return f"{pair.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"

    def wait(self, days):
        """Let days pass."""
        self.days += days
        self.work.variables |= {"LD_PRELOAD": LIBRARY, "FAKETIME": f"+{self.days}d"}


def planned(said):
    """Return the actions of a plan, by address."""
    return re.findall(r"# (\S+) ((?:will|must) be [\w -]+)", said)


@pytest.fixture(params=[file_place, vault_place], ids=["directory", "openbao"])
def reader(request, certkit, tmp_path, partner):
    """A reader in an empty folder, who has installed the provider where Terraform finds it by itself."""
    require_program("faketime")
    place = request.param(request)
    (tmp_path / "work" / "home").mkdir(parents=True)
    (tmp_path / "terraform.rc").write_text("")
    done = certkit("terraform", "install-provider", env={"HOME": str(tmp_path / "work" / "home")})
    assert done.code == 0, done.err
    return Reader(Workspace(tmp_path / "work", tmp_path / "terraform.rc", place.variables), place, partner.ca)


def test_the_how_to_from_the_request_to_the_end(reader, openbao):
    """Each step does what it says and nothing else; every plan after it is empty; no secret is anywhere."""
    is_vault = "VAULT_TOKEN" in reader.work.variables
    if is_vault:
        reader.save("wise-ca.pem", reader.ca.pem)
    first = reader.follow("request")
    assert planned(first) == [(CERTIFICATE, "will be created"), (IDENTITY, "will be created")]
    assert "submit the CSR of generation 0001" in first

    end = reader.issue(200)
    reader.save("wise-ca.pem", reader.ca.pem)
    second = reader.follow("certificate")
    also = [] if is_vault else [(IDENTITY, "will be updated in-place")]
    assert planned(second) == [(CERTIFICATE, "will be updated in-place"), *also]
    assert second.endswith(end)
    assert reader.place.store.load("wise-sandbox").record.active == "0001"

    shutil.rmtree(reader.work.folder / ".terraform")
    (reader.work.folder / ".terraform.lock.hcl").unlink()
    assert reader.work.run("init").code == 0
    assert reader.work.plan().code == 0

    reader.wait(180)
    third = reader.follow("renewal")
    assert planned(third) == [(IDENTITY, "will be updated in-place")]
    assert "the renewal window is open, so a new request will be made" in third
    end = reader.issue(300)
    third = reader.follow("certificate")
    assert planned(third) == [(CERTIFICATE, "will be updated in-place")]
    assert third.endswith(end)
    assert reader.place.store.load("wise-sandbox").record.active == "0002"

    other = pki.root(begin=datetime.now(UTC) - pki.DAY, end=datetime.now(UTC) + 2 * pki.YEAR)
    reader.save("new-ca.pem", other.pem)
    if is_vault:
        before = (reader.work.folder / "wise-ca.pem").read_bytes()
        refused = reader.follow("ca", code=1)
        assert "may not change the settings of wise-sandbox" in refused
        assert "policies/vault/operator.hcl" in refused
        reader.save("wise-ca.pem", before)
        prefix = reader.place.uri.rpartition("/")[2]
        token = vault_roles.settings(openbao, "operator", prefix=prefix).token.reveal().decode()
        reader.place.variables["VAULT_TOKEN"] = reader.work.variables["VAULT_TOKEN"] = token
    fourth = reader.follow("ca")
    assert planned(fourth) == [(IDENTITY, "will be updated in-place")]
    assert reader.place.store.load("wise-sandbox").record.settings.trust_bundle.count("BEGIN") == 2

    secrets = reader.place.secrets
    ran = subprocess.run(
        ["bash", "-euc", BLOCKS["destroy"]],
        cwd=reader.work.folder,
        env={**reader.work.environment(), "TF_CLI_ARGS": "-no-color"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert planned(ran.stdout) == [(CERTIFICATE, "will be destroyed"), (IDENTITY, "will be destroyed")]
    assert "Terraform forgets the identity; it stays in the store with its keys" in ran.stdout
    assert reader.place.store.load("wise-sandbox").record.active == "0002"
    assert reader.work.holds(secrets) == set()
    assert [each.name for each in (reader.work.folder / "home").iterdir()] == [".terraform.d"]
