"""The year of the tutorial, as written, against the rehearsal."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.conftest import command, environment, require_program

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()


def test_a_rehearsed_year(tmp_path):
    """A newcomer goes from the first certificate to the second one, and back and forth, without a failure."""
    for program in ("bash", "curl", "jq"):
        require_program(program)
    [block] = re.findall(r"<!-- year -->\n```sh\n(.*?)```", TUTORIAL, re.DOTALL)
    path = f"{Path(command()[0]).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env={**environment(), "PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "warning   24 days left" in done.stdout
    assert "the request of generation 0002 is pending" in done.stderr
    assert "accepted CN=rehearsal-client" in " ".join(done.stdout.split())
    events = re.findall(r"^\d{4}-\S+Z  (.*?)(?: as \S+)?  +\S+@", done.stdout, re.MULTILINE)
    assert events == [
        "created",
        "requested 0001",
        "installed 0001",
        "activated 0001",
        "requested 0002",
        "installed 0002",
        "activated 0002",
        "rolled back to 0001",
        "activated 0002",
        "retired 0001",
    ]
