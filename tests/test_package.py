"""The wheel: what it carries, and that it works from where it is unpacked."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.cli.test_help import commands

PROJECT = Path(__file__).parents[1]
UNTRACKED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__")
CONSTRAINTS = (PROJECT / "constraints.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, PROJECT]
    subprocess.run(build, check=True, capture_output=True)
    [path] = folder.glob("certkit-*.whl")
    return path


def build(kind, folder, project=PROJECT):
    """Build a wheel or an sdist by the build back end; return its path."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder],
        cwd=project,
        check=True,
        capture_output=True,
    )
    [path] = folder.iterdir()
    return path


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_build_is_reproducible(kind, tmp_path):
    """Another copy of the same files, made at another time under another umask, becomes the same bytes."""
    copied = tmp_path / "elsewhere"
    shutil.copytree(PROJECT, copied, copy_function=shutil.copyfile, ignore=UNTRACKED)
    for path in copied.rglob("*"):
        if path.is_file():
            path.chmod(0o700 if os.access(PROJECT / path.relative_to(copied), os.X_OK) else 0o600)
    first = build(kind, tmp_path / "first")
    second = build(kind, tmp_path / "second", copied)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_its_bill_of_materials(wheel):
    """It names what certkit needs, with the version that was tested, in CycloneDX's format."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/sboms/certkit.cdx.json")]
        bill = json.loads(archive.read(name))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    parts = {each["name"]: each for each in bill["components"]}
    assert {"click", "cryptography", "pyopenssl"} <= {
        name for name, each in parts.items() if each["scope"] == "required"
    }
    assert parts["hvac"]["scope"] == "optional"
    assert parts["click"]["purl"] == f"pkg:pypi/click@{parts['click']['version']}"
    assert bill["dependencies"] == [{"ref": "certkit", "dependsOn": [each["bom-ref"] for each in bill["components"]]}]


def test_the_constraints_cover_what_it_needs(wheel):
    """Every dependency has a tested version within its bounds, with hashes. Write them by scripts/make_constraints."""
    pinned = dict(
        re.findall(r"^([a-z0-9-]+)==([^\s;]+).*(?:\\\n +--hash=sha256:[0-9a-f]{64} ?)+$", CONSTRAINTS, re.MULTILINE)
    )
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    needed = [Requirement(each) for each in metadata.get_all("Requires-Dist")]
    for requirement in needed:
        if 'extra == "dev"' not in str(requirement.marker):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
    # An index may have another project that is called certkit.
    assert "certkit" not in {requirement.name for requirement in needed}


def test_the_extra_all_is_all_of_them():
    """`all` repeats what the others name."""
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {each for extra, needed in extras.items() if extra not in {"all", "dev"} for each in needed}
    assert set(extras["all"]) == named
    assert named < set(extras["dev"])


def test_it_carries_policies_pages_and_types(wheel):
    """Everything that a user needs, and no tests."""
    names = zipfile.ZipFile(wheel).namelist()
    policies = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "policies").rglob("*") if path.is_file()}
    assert {name.removeprefix("certkit/") for name in names if name.startswith("certkit/policies/")} == policies
    pages = {f"{'-'.join(path)}.1" for path, _ in commands()}
    assert {Path(name).name for name in names if "/share/man/man1/" in name} == pages
    assert "certkit/py.typed" in names
    assert not [name for name in names if "tests" in Path(name).parts]


def test_a_page_says_what_the_help_says(wheel):
    """The manual pages are made from the help texts when the wheel is built."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith("/certkit-key-generate.1")]
        page = archive.read(name).decode().splitlines()
    assert page[0].startswith('.TH "CERTKIT-KEY-GENERATE" "1" "" "certkit ')
    assert page[page.index(".SH SYNOPSIS") + 1] == r"\fBcertkit key generate\fR [OPTIONS]"
    assert {".SH NAME", ".SH DESCRIPTION", ".SH OPTIONS", ".SH EXIT STATUS"} < set(page)
    assert r"\fB\-\-out KEY\fR" in page


def test_it_finds_its_policies_where_it_is_unpacked(wheel, tmp_path):
    """The policies come from the package itself, not from a checkout."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from certkit.cli import main; main()"
    for arguments in (("policy", "list"), ("policy", "show", "wise-sandbox")):
        done = subprocess.run([sys.executable, "-I", "-c", code, *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"wise-sandbox" in done.stdout


def test_a_checkout_works_without_being_installed(tmp_path):
    """`python -m certkit` in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "certkit", "policy", "list"], cwd=PROJECT, capture_output=True, check=True
    )
    assert b"wise-production" in done.stdout
