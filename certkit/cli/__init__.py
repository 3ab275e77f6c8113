"""The command line: each command translates its options into one call, and prints the result."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit with its code.

    The process is short-lived, so the garbage collector is off: collecting during the imports and again at exit would
    take a sixth of the run time.
    """
    gc.set_threshold(50_000)
    from certkit.cli.boundary import run

    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)
