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

# The suites start certkit by the interpreter that the command names. This one has imported what the commands of the
# cases import on use, so that the thousands of forks need not.
INTERPRETER = """\
#!/bin/sh
exec {python} -c '
import runpy, sys
import certkit.api.checks, certkit.cli.csr, certkit.cli.expiry, certkit.cli.inspect, certkit.cli.verify
import certkit.csr.check, certkit.expiry.sources.files, certkit.net.ocsp, certkit.policy.catalogue
import certkit.policy.format, certkit.processes, certkit.report.json, certkit.report.nagios, certkit.report.text
import certkit.verify.anchors, certkit.x509.containers, certkit.x509.describe, encodings.utf_8_sig
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
' "$@"
"""


@pytest.mark.timeout(SECONDS)
@pytest.mark.skipif(not SUITES.is_file(), reason="the suites are not beside the repository")
def test_no_plain_case_is_wrong(tmp_path: Path) -> None:
    """No case that other projects' suites are plain about is judged otherwise, and nothing crashes."""
    interpreter, command = tmp_path / "python-with-certkit", tmp_path / "certkit"
    interpreter.write_text(INTERPRETER.format(python=sys.executable))
    interpreter.chmod(0o755)
    command.write_text(f"#!{interpreter}\n")
    ran = subprocess.run(
        [sys.executable, str(SUITES), str(command), "-v"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=lambda: os.nice(5),
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
