"""The wheel: what it carries, and that it works from where it is unpacked."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.test_help import commands

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, PROJECT]
    subprocess.run(build, check=True, capture_output=True)
    [path] = folder.glob("certkit-*.whl")
    return path


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
