"""Running commands as if on another system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Ran, environment

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def as_on():
    """Run commands (lists of words), one after the other, as if on "windows" or "macos"."""

    def run(system, folder, commands):
        done = subprocess.run(
            [sys.executable, "-m", "tests.platforms.simulated", system],
            input=json.dumps([[list(map(str, each)), ""] for each in commands]).encode(),
            cwd=folder,
            env={**environment(), "PYTHONPATH": str(PROJECT), "HOME": str(folder)},
            capture_output=True,
            check=True,
        )
        return [Ran(*each) for each in json.loads(done.stdout)]

    return run
