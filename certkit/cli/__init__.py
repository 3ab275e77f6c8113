"""The command line: options in, one call, a report and an exit code out."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit with its code.

    A command lives for a moment: collecting garbage while it imports, and once more when it ends, would take a
    sixth of its time.
    """
    gc.set_threshold(50_000)
    from certkit.cli.boundary import run

    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)
