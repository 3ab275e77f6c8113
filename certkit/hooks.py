"""Programs of the user's: hooks, which are told by variables that something has changed, and programs that are asked.

They are bounded in time, and what they answer is bounded in size.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING

from certkit.errors import InputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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
    process = _started([str(program)], variables, stdin=subprocess.DEVNULL, stdout=2)
    with _ending(process, program, timeout):
        code = process.wait(timeout)
    _require_success(program, code)


def ask(
    arguments: Sequence[str], question: bytes, variables: Mapping[str, str], *, timeout: float, limit: int
) -> bytes:
    """What a program with arguments answers on standard output to a question on its standard input.

    `variables` is its whole environment. It has `timeout` seconds and may answer `limit` bytes; then it is ended, with
    all that it has started.

    Raises:
        HookError: it cannot be run, ends with a code other than 0, takes too long, or answers too much.
    """
    import tempfile

    program = arguments[0]
    with tempfile.TemporaryFile() as asked:
        asked.write(question)
        asked.seek(0)
        process = _started(arguments, variables, stdin=asked, stdout=subprocess.PIPE)
    with _ending(process, program, timeout):
        answer = _read(process, time.monotonic() + timeout, limit)
        code = process.wait(timeout)
    if len(answer) > limit:
        raise _failed(program, f"it answers more than {limit:,} bytes")
    _require_success(program, code)
    return answer


def _read(process: subprocess.Popen[bytes], deadline: float, limit: int) -> bytes:
    """What it prints until it closes its output; the end of a program that prints more than the limit."""
    assert process.stdout is not None  # noqa: S101  it is a pipe
    answer = b""
    with process.stdout as output:
        while len(answer) <= limit:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise subprocess.TimeoutExpired(process.args, left)
            chunk = os.read(output.fileno(), limit + 1)
            if not chunk:
                return answer
            answer += chunk
    _end(process)
    return answer


def _started(
    arguments: Sequence[str], variables: Mapping[str, str], *, stdin: int | IO[bytes], stdout: int
) -> subprocess.Popen[bytes]:
    program, *rest = arguments
    path = os.path.abspath(program) if os.sep in program else program
    try:
        return subprocess.Popen([path, *rest], env=dict(variables), stdin=stdin, stdout=stdout, start_new_session=True)
    except (OSError, ValueError) as error:
        raise _failed(program, _reason(error)) from error


@contextlib.contextmanager
def _ending(process: subprocess.Popen[bytes], program: Path | str, timeout: float) -> Iterator[None]:
    """The program is ended where the wait for it ends otherwise."""
    try:
        yield
    except subprocess.TimeoutExpired:
        _end(process)
        raise _failed(program, f"it took longer than {timeout:g} seconds") from None
    except BaseException:
        _end(process)
        raise


def _require_success(program: Path | str, code: int) -> None:
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
