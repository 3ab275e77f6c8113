#!/usr/bin/env python3
"""The same as provision.sh, in Python.

provision.py NAME POLICY ORGANIZATION [ANSWER CA]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def certkit(*arguments: str) -> dict[str, Any]:
    """Return the document that a certkit command prints; errors go to standard error."""
    done = subprocess.run(["certkit", *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main(name: str, policy: str, organization: str, answer: str = "", ca: str = "") -> None:
    """Make sure that the identity exists, and install the certificate once there is one."""
    result = certkit("identity", "enroll", name, "--policy", policy, "--organization", organization)
    changed = result["changed"]
    if answer and Path(answer).exists():
        result = certkit("identity", "install", name, answer, "--ca", ca)
        changed = changed or result["changed"]
    print("changed" if changed else "unchanged")
    if result["pending"] and result["pending"]["csr"]:
        print(result["pending"]["csr"], end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
