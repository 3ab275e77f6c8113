"""The README's first screen: its command prints what it shows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.conftest import command, environment

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_first_command_prints_what_is_shown(tmp_path):
    """All but the installation, with a fingerprint of its own."""
    [(block, shown)] = re.findall(
        r"^<!-- demo -->\n```sh\n(.*?)^```\n\n```\n(.*?)^```$", README, re.DOTALL | re.MULTILINE
    )
    script = block[block.index(".venv/bin/certkit") :].replace(".venv/bin/", "")
    path = f"{Path(command()[0]).parent}{os.pathsep}{os.environ['PATH']}"
    own = {**environment(), "PATH": path, "COLUMNS": "80"}
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=own, capture_output=True, check=True)

    def known(text):
        return re.sub(r"SHA-256 [0-9a-f]+…?", "SHA-256 …", text)

    assert known(done.stdout.decode()) == known(shown)
