"""The provider's documentation, in the registry's form."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certkit.identity import enroll
from certkit.policy.catalogue import load
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.x509.names import SubjectOptions
from tests.terraform.provider.conftest import Place
from tests.terraform.provider.workspace import HEADER, Workspace

PROJECT = Path(__file__).parents[3]
DOCS = PROJECT / "scripts" / "terraform" / "provider" / "docs"


def test_pages_list_exactly_what_the_schemas_have():
    """scripts/make_provider_docs.py writes that part of each page from the schemas; run it after a change."""
    spec = importlib.util.spec_from_file_location("make_provider_docs", PROJECT / "scripts" / "make_provider_docs.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    wanted = dict(make.pages())
    assert {str(path.relative_to(DOCS)): path.read_text() for path in DOCS.rglob("*.md")} == wanted


@pytest.mark.parametrize("pages", [("index.md", "data-sources/*.md"), ("resources/*.md",)])
def test_examples_are_valid(tmp_path, cli_configuration, partner, pages):
    """Terraform accepts every example, together with the others."""
    texts = [path.read_text() for page in pages for path in sorted(DOCS.glob(page))]
    examples = "\n".join(each for text in texts for each in re.findall("```terraform\n(.*?)```", text, re.DOTALL))
    for name in ("wise-ca.pem", "wise.pem", "internal-ca.pem"):
        (tmp_path / name).write_bytes(partner.ca.pem)
    (tmp_path / "acme.csr").write_bytes(partner.csr())
    has_header = "required_providers" in examples
    (tmp_path / "main.tf").write_text(examples if has_header else HEADER + examples)
    ran = Workspace(tmp_path, cli_configuration).run("validate")
    assert ran.code == 0, ran.said


@pytest.fixture
def example(certkit, tmp_path):
    """A function that copies an example into an empty folder, with the provider in a mirror."""

    def copy(name):
        (tmp_path / "terraform.rc").write_text(certkit("terraform", "install-provider", "--mirror", "mirror").out)
        shutil.copytree(PROJECT / "scripts" / "terraform" / "examples" / name, tmp_path / "work")
        return Workspace(tmp_path / "work", tmp_path / "terraform.rc")

    return copy


def test_the_pipeline_waits_for_the_person(example, partner):
    """It exits 75 with the request in a file until the certificate is there, then 0."""
    work = example("pipeline")

    def step():
        return subprocess.run(
            ["./pipeline.sh"], cwd=work.folder, env=work.environment(), capture_output=True, check=False
        )

    waiting = step()
    assert waiting.returncode == 75, waiting.stderr
    assert b"submit the CSR of generation 0001" in waiting.stderr
    (work.folder / "wise.pem").write_bytes(partner.answer((work.folder / "request.csr").read_text()).pem)
    (work.folder / "wise-ca.pem").write_bytes(partner.ca.pem)
    done = step()
    assert done.returncode == 0, done.stderr
    assert step().returncode == 0


@pytest.mark.parametrize(("days", "code", "said"), [(200, 0, ""), (20, 0, "expires in 19 days"), (3, 1, "about to")])
def test_a_plan_warns_and_fails_near_the_end(example, partner, days, code, said):
    """A check block warns, and a precondition fails the plan once the status is critical."""
    work = example("expiry")
    place = Place(FileStore(work.folder / "identities"), "", {})
    settings = Settings(policy="wise-sandbox", subject=SubjectOptions(organization="Acme Ltd"))
    settings = replace(settings, trust_bundle=partner.ca.pem.decode())
    now = datetime.now(UTC)
    enroll.enroll(place.store, "wise-sandbox", settings, load("wise-sandbox"), now=now)
    partner.install(place, "wise-sandbox", days=days)
    assert work.run("init").code == 0
    ran = work.run("plan")
    assert (ran.code, said in ran.said) == (code, True), ran.said
