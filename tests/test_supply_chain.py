"""`scripts/audit`: what is said of the vulnerabilities of dependencies."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program

AUDIT = Path(__file__).parents[1] / "scripts" / "audit"
FINE = {"name": "click", "version": "8.2.0", "vulns": []}
SKIPPED = {"name": "tf", "skip_reason": "tf is not known"}
BAD = {"name": "h11", "version": "0.15", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.16", "1.0"]}]}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (json.dumps({"dependencies": [FINE]}), 0, ""),
        (json.dumps({"dependencies": [FINE, SKIPPED]}), 0, "not audited: tf is not known\n"),
        (json.dumps({"dependencies": [SKIPPED]}), 3, "not audited: all 1 packages, tf is not known\n"),
        (json.dumps({"dependencies": [BAD, FINE]}), 2, "vulnerable: h11 0.15: PYSEC-1, fixed in 0.16 or 1.0\n"),
        ("", 3, "not audited: connection refused\n"),
    ],
    ids=["none known", "one skipped", "all skipped", "one vulnerable", "unreachable"],
)
def test_the_audit(tmp_path, answer, code, said):
    """A database that cannot be asked, or does not know a package, is never reported as "no vulnerability"."""
    require_program("jq")
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\necho 'connection refused' >&2\ncat <<'END'\n{answer}\nEND\nexit 1\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([AUDIT], capture_output=True, env={**os.environ, "PATH": path}, check=False)
    assert (done.returncode, done.stdout.decode()) == (code, said)
