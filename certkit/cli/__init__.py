"""The command line: options in, one call, a report and an exit code out."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    from certkit.cli.boundary import run

    sys.exit(run(sys.argv[1:]))
