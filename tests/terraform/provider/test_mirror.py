"""`certkit terraform install-provider`: the provider where Terraform finds it, without a network."""

from __future__ import annotations

import subprocess
import sys

import pytest

from certkit.terraform.provider import mirror
from tests.terraform.provider.conftest import identity, provider
from tests.terraform.provider.workspace import Workspace

PROGRAM = "certkit.local/certkit/certkit/0.2.0/linux_amd64/terraform-provider-certkit_v0.2.0"


def test_init_works_offline_with_a_lock_file(certkit, file, tmp_path, partner):
    """From the mirror, twice, the second time with nothing but what the lock file knows."""
    done = certkit("terraform", "install-provider", "--mirror", "mirror")
    assert done.code == 0
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(done.out)
    (tmp_path / "work").mkdir()
    work = Workspace(tmp_path / "work", configuration, {**file.variables, "HTTPS_PROXY": "http://127.0.0.1:1"})
    (work.folder / "ca.pem").write_bytes(partner.ca.pem)
    work.write(provider(file) + identity())
    assert work.run("init").code == 0
    assert 'provider "certkit.local/certkit/certkit"' in (work.folder / ".terraform.lock.hcl").read_text()
    again = work.run("init", "-lockfile=readonly")
    assert again.code == 0, again.said
    assert work.plan().code == 2


def test_again_nothing_changes(certkit, tmp_path):
    """The same program is not touched, so that lock files go on knowing it."""
    first = certkit("terraform", "install-provider", "--mirror", "mirror", "--json").json
    program = tmp_path / "mirror" / PROGRAM
    assert (first["changed"], first["version"], first["path"]) == (True, "0.2.0", str(program.parent))
    assert program.stat().st_mode & 0o777 == 0o755
    before = program.stat().st_ino, program.stat().st_mtime_ns
    assert certkit("terraform", "install-provider", "--mirror", "mirror", "--json").json["changed"] is False
    assert (program.stat().st_ino, program.stat().st_mtime_ns) == before


def test_the_configuration_for_a_developer(certkit, tmp_path):
    """`--dev-override` prints what makes Terraform use the provider without init."""
    done = certkit("terraform", "install-provider", "--mirror", "mirror", "--dev-override", "-q")
    directory = (tmp_path / "mirror" / PROGRAM).parent
    assert done.out == (
        "provider_installation {\n  dev_overrides {\n"
        f'    "certkit.local/certkit/certkit" = "{directory}"\n'
        "  }\n  direct {}\n}\n"
    )
    assert done.err == ""


@pytest.mark.parametrize("folder", ["plain", "with a space", "it's", "x" * 150])
def test_any_path_of_an_interpreter_can_start_it(tmp_path, folder):
    """A first line of a program has no spaces, and is short; where the path does not fit, a shell reads it."""
    python = tmp_path / folder / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    installed = mirror.install(tmp_path / "mirror", python=str(python), version="0.2.0rc1")
    [program] = installed.directory.iterdir()
    assert program.name == "terraform-provider-certkit_v0.2.0-rc1"
    ran = subprocess.run([program], capture_output=True, check=False)
    assert ran.returncode == 3
    assert ran.stderr == b"certkit: error: this program is started by Terraform. See `certkit terraform --help`\n"


@pytest.mark.parametrize(
    ("ours", "theirs"), [("0.1.0", "0.1.0"), ("0.2.0rc1", "0.2.0-rc1"), ("1.0.0.dev3", "1.0.0-dev3")]
)
def test_versions_are_spelt_as_terraform_does(ours, theirs):
    """Terraform knows semantic versions only."""
    assert mirror.semantic(ours) == theirs


def test_a_mirror_that_cannot_be_written(certkit, tmp_path):
    """It is reported."""
    (tmp_path / "mirror").write_text("")
    done = certkit("terraform", "install-provider", "--mirror", "mirror")
    assert done.code == 3
    assert done.err.startswith("certkit: error: cannot write ")


def test_a_launcher_of_the_first_release_says_what_to_do(certkit, tmp_path):
    """Terraform quotes the line that it prints: install the provider again, and move the state."""
    done = certkit("terraform", "install-provider", "--mirror", "mirror", "--json")
    old = tmp_path / "mirror" / mirror.SOURCE_OF_0_1_0 / "0.1.0" / mirror.system()
    old.mkdir(parents=True)
    [program] = (tmp_path / "mirror" / PROGRAM).parent.iterdir()
    launcher = old / "terraform-provider-certkit_v0.1.0"
    launcher.write_text(program.read_text().replace("certkit.terraform.provider", "certkit.cli.terraform_provider"))
    launcher.chmod(0o755)
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(done.json["configuration"].replace(mirror.SOURCE, mirror.SOURCE_OF_0_1_0))
    (tmp_path / "work").mkdir()
    work = Workspace(tmp_path / "work", configuration)
    (work.folder / "main.tf").write_text(
        'terraform {\n  required_providers {\n    certkit = { source = "certkit/certkit" }\n  }\n}\n'
        'data "certkit_identity" "acme" {\n  name = "acme"\n}\n'
    )
    assert work.run("init").code == 0
    plan = work.run("plan")
    assert plan.code == 1
    assert (
        "this provider was installed by certkit 0.1.0. Install it again: certkit terraform install-provider"
        in plan.said
    )
