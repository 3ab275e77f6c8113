"""Other projects' test suites, where they are at hand beside the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITES = Path(__file__).parents[3] / "shared" / "suites" / "run_suites.py"
# The cases are judged in a few minutes; a run that takes longer hangs.
SECONDS = 1800


@pytest.mark.skipif(not SUITES.is_file(), reason="the suites are not beside the repository")
def test_no_plain_case_is_wrong() -> None:
    """No case that other projects' suites are plain about is judged otherwise, and nothing crashes."""
    command = [sys.executable, str(SUITES), str(Path(sys.executable).with_name("certkit")), "-v"]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, preexec_fn=lambda: os.nice(10)
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
