"""The page on speed: its figures come from `scripts/benchmark`, with machine and day."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
RESULTS = {
    "environment": {"day": "2026-12-01", "machine": "x86_64, 2 CPUs", "Python": "3.11.7"},
    "results": [
        {"name": "a / b", "ours": 0.5, "theirs": 1.0, "runs": 5, "average": "median", "note": "in process"}
        | {"goal": {"kind": "speed", "limit": 1.5}, "ratio": 2.0, "met": True},
        {"name": "c", "ours": 0.005, "theirs": None, "runs": 1, "average": "one", "note": ""}
        | {"goal": None, "ratio": None, "met": None},
    ],
}
PAGE = "before\n<!-- figures -->\n{}<!-- end of figures -->\nafter\n"
WRITTEN = """\
Measured on 2026-12-01: machine x86_64, 2 CPUs, Python 3.11.7.

| name | ours | theirs | ratio | goal | met? | of |
| --- | ---: | ---: | ---: | --- | --- | --- |
| a / b | 500 ms | 1,000 ms | 2.00 x | >= 1.5 x | yes | median of 5; in process |
| c | 5.00 ms | - | - | - | - | one of 1 |
"""


def benchmark(folder, page):
    """Run the benchmark's command on results of an earlier run."""
    (folder / "results.json").write_text(json.dumps(RESULTS))
    (folder / "page.md").write_text(page)
    command = [sys.executable, PROJECT / "scripts/benchmark", "--from", "results.json", "--write", "page.md"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_one_command_replaces_the_figures_of_a_page(tmp_path):
    """And nothing else in it."""
    assert benchmark(tmp_path, PAGE.format("old\n")).returncode == 0
    assert (tmp_path / "page.md").read_text() == PAGE.format(WRITTEN)


def test_a_page_without_a_place_for_figures_stays(tmp_path):
    """It is not guessed where they belong."""
    done = benchmark(tmp_path, "before\n")
    assert (done.returncode, done.stderr.startswith("benchmark: page.md has no place for figures")) == (1, True)
    assert (tmp_path / "page.md").read_text() == "before\n"


def test_the_page_has_figures():
    """With the day and the machine, and the goals beside them."""
    page = (PROJECT / "docs/explanation/speed.md").read_text()
    assert re.search(r"^Measured on \d{4}-\d\d-\d\d: .*\bCPUs\b.*\.$", page, re.MULTILINE)
    assert page.count(" | yes | ") + page.count(" | no | ") > 20


def test_the_api_is_measured(tmp_path):
    """The benchmark uses the API as a program does."""
    command = [sys.executable, PROJECT / "scripts/benchmark", "--quick", "--json", tmp_path / "results.json", "api"]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads((tmp_path / "results.json").read_text())["results"]
    assert [each["name"] for each in found] == ["import certkit / import ssl", "ssl_context() / load_cert_chain"]
    assert all(each["ratio"] > 0 for each in found)
