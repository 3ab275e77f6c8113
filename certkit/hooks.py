"""Programs of the user's that run after something has changed: told by variables, bounded in time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from certkit.errors import InputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_SECONDS = 60.0


class HookError(RefusedError):
    """A hook that failed: what was done stays, and it may be run again."""


def run(program: Path | str, variables: Mapping[str, str], *, timeout: float = TIMEOUT_SECONDS) -> None:
    """Run a program without arguments; what it prints goes where ours goes, on standard error.

    `variables` is its whole environment. After `timeout` seconds it is ended, with all that it has started; what it
    leaves running when it ends by itself, such as a server, goes on.

    Raises:
        HookError: it cannot be run, ends with a code other than 0, or takes too long.
    """
    try:
        process = subprocess.Popen(
            [os.path.abspath(program)] if os.sep in str(program) else [str(program)],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=2,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _failed(program, _reason(error)) from error
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise _failed(program, f"it took longer than {timeout:g} seconds") from None
    except BaseException:
        _end(process)
        raise
    if code:
        raise _failed(program, f"it ended with {code}" if code > 0 else f"signal {-code} ended it")


def executables(directory: Path) -> list[Path]:
    """The hooks in a directory, in the order of their names: executable files; none where there is no directory.

    Hidden files, and those whose names end in `~`, are passed over.

    Raises:
        InputError: the directory cannot be read.
    """
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot read, {directory}: {_reason(error)}", hint="check its permissions") from error
    paths = [directory / name for name in names if not name.startswith(".") and not name.endswith("~")]
    return [path for path in paths if path.is_file() and os.access(path, os.X_OK)]


def _reason(error: Exception) -> str:
    """The system's reason, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failed(program: Path | str, reason: str) -> HookError:
    return HookError(f"hook failed, {program}: {reason}", hint="mend it and run the same command again", findings=())
