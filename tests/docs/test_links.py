"""The pages of the documentation: short where they must be, without dead links, and nothing waits for ever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import certkit

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def test_the_readme_is_short():
    """One screen says what it is; everything else is in docs/."""
    assert len((PROJECT / "README.md").read_text()) <= 10_000


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    """Every link to a file of the project leads to one."""
    dead = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert dead == []


def texts():
    """Return the texts that users read: pages, hints, extras, scripts, actions."""
    for folder in ("certkit", "docs", "policies", "scripts"):
        yield from (path for path in (PROJECT / folder).rglob("*") if path.is_file() and path.suffix != ".png")
    yield from (path for path in PROJECT.iterdir() if path.is_file() and path.name != "CHANGELOG.md")


def test_no_text_sends_to_a_name_that_is_not_ours():
    """`certkit` on PyPI and `certkit/certkit` at Terraform's registry are not ours: nothing is installed from there."""
    commands = r"\b(pip3?|pipx|uv tool|uv pip|uvx)( install| run)?( -\S+)* [\"']?certkit(?!-[\d.]+-py3)\b[^/]"
    sources = r"source\s*=\s*\"(registry\.terraform\.io/)?certkit/certkit\""
    bad = [
        (str(path.relative_to(PROJECT)), found[0])
        for path in texts()
        if "__pycache__" not in path.parts
        for found in re.finditer(f"{commands}|{sources}", path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert bad == []


def test_a_checkout_is_installed_into_an_environment():
    """A system's own pip refuses to install (PEP 668), so the pip of an environment is named."""
    bad = [
        (str(path.relative_to(PROJECT)), found[0])
        for path in texts()
        if path.suffix in {".md", ".tf", ".yml", ".sh"}
        for found in re.finditer(
            r"(?<!venv/bin/)\bpip install( -\S+)* [\"']?\.(?!\w).*", path.read_text(encoding="utf-8")
        )
    ]
    assert bad == []


def test_pages_name_the_wheel_of_this_version():
    """So that their commands can be pasted."""
    named = [name for page in PAGES for name in re.findall(r"certkit-([\d.]+)-py3", page.read_text())]
    assert set(named) == {certkit.__version__}


def test_every_promise_names_a_test():
    """Each test that the page on trust boundaries names exists."""
    page = (PROJECT / "docs" / "explanation" / "trust-boundaries.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (PROJECT / path).exists() or f"def {name}(" not in (PROJECT / path).read_text()
    ]
    assert len(named) > 20
    assert missing == []


def test_every_page_is_in_the_index():
    """The index links to each page."""
    index = (PROJECT / "docs" / "README.md").read_text()
    missing = [str(page.relative_to(PROJECT / "docs")) for page in PAGES[1:] if page.name != "README.md"]
    assert [page for page in missing if page not in index] == []
