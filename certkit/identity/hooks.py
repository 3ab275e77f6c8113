"""Programs of the user: hooks, which receive a change in variables, and programs that return a result.

Their run time and the size of their output are bounded.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING

from certkit.errors import RefusedError, after
from certkit.identity import overview
from certkit.identity.programs import Program
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from certkit.stores.base import Generation, Location

TIMEOUT_SECONDS = 60.0


class HookError(RefusedError):
    """A hook failed: the change stays, and the hook may be run again."""


def run(program: Program | Path | str, variables: Mapping[str, str], *, timeout: float = TIMEOUT_SECONDS) -> None:
    """Run a program, or a path without arguments; its output goes to standard error.

    `variables` is its whole environment. After `timeout` seconds it is ended, with all its child processes; what it
    leaves running when it ends by itself, such as a server, goes on.

    Raises:
        HookError: if it cannot be run, ends with a code other than 0, or takes too long.
    """
    arguments = program.arguments if isinstance(program, Program) else [str(program)]
    if isinstance(program, Program):
        variables = {**program.variables, **variables}
    with (
        _naming_program("hook", str(program), timeout),
        _started(arguments, variables, stdin=subprocess.DEVNULL, stdout=2) as process,
    ):
        _require_success(process.wait(timeout))


def ask(
    arguments: Sequence[str], question: bytes, variables: Mapping[str, str], *, timeout: float, limit: int
) -> bytes:
    """Run a program with arguments and data on its standard input, and return its standard output.

    `variables` is its whole environment. It has `timeout` seconds and may print `limit` bytes; then it is ended, with
    every process that it started.

    Raises:
        HookError: if it cannot be run, ends with a code other than 0, takes too long, or prints too much.
    """
    with (
        _naming_program("program", arguments[0], timeout),
        _input_file(question) as asked,
        _started(arguments, variables, stdin=asked, stdout=subprocess.PIPE) as process,
    ):
        answer = _read(process, time.monotonic() + timeout, limit)
        _require_success(process.wait(timeout))
    return answer


@contextlib.contextmanager
def _input_file(question: bytes) -> Iterator[IO[bytes]]:
    """Yield a file with the input; in memory if possible, because there may be no directory for temporary files."""
    import tempfile

    in_memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("question"), "w+b") if in_memory else tempfile.TemporaryFile() as stream:
        stream.write(question)
        stream.seek(0)
        yield stream


class _Failure(Exception):  # noqa: N818  it becomes a HookError, with the program's name
    """The failure of a program, with its reason."""


@contextlib.contextmanager
def _naming_program(what: str, program: str, timeout: float) -> Iterator[None]:
    """Name the program in the error if it fails."""
    try:
        yield
    except (_Failure, subprocess.TimeoutExpired) as error:
        is_late = isinstance(error, subprocess.TimeoutExpired)
        reason = f"it took longer than {timeout:g} seconds" if is_late else str(error)
        hint = "fix it and run the same command again"
        raise HookError(f"{what} failed: {program}: {reason}", hint=hint) from error


@contextlib.contextmanager
def _started(
    arguments: Sequence[str], variables: Mapping[str, str], *, stdin: int | IO[bytes], stdout: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a running program; an exception ends it."""
    program, *rest = arguments
    path = os.path.abspath(program) if os.sep in program else program
    try:
        process = subprocess.Popen(
            [path, *rest], env=dict(variables), stdin=stdin, stdout=stdout, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise _Failure((getattr(error, "strerror", None) or str(error)).lower()) from error
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # with every process that it started
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[bytes], deadline: float, limit: int) -> bytes:
    """Return what a program prints until it closes its output."""
    assert process.stdout is not None  # noqa: S101  it is a pipe
    output, answer = process.stdout.fileno(), b""
    waiting = select.poll()  # `select.select` knows the first 1,024 descriptors only
    waiting.register(output)
    while len(answer) <= limit:
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise subprocess.TimeoutExpired(process.args, left)
        chunk = os.read(output, limit + 1)
        if not chunk:
            return answer
        answer += chunk
    raise _Failure(f"it printed more than {limit:,} bytes")


def _require_success(code: int) -> None:
    if code:
        raise _Failure(f"it exited with code {code}" if code > 0 else f"it was killed by signal {-code}")


def notify(
    programs: Iterable[Program | Path | str],
    environment: Mapping[str, str],
    *,
    name: str,
    generation: Generation,
    where: Location,
    changed: bool,
) -> None:
    """Run programs, one after the other, with variables in addition to the environment that they inherit.

    `changed` is whether anything was done before them.

    Raises:
        HookError: if a program failed; the remaining ones are not run.
    """
    variables = {**environment, **_variables(name, generation, where)}
    with after(changed):
        for program in programs:
            run(program, variables)


def _variables(name: str, generation: Generation, where: Location) -> dict[str, str]:
    """Return a hook's variables, under certkit's names and certbot's; never a secret."""
    certificate = overview.certificate(generation)
    key = "CERTKIT_KEY_PATH" if where.is_directory else "CERTKIT_KEY_REFERENCE"
    return {
        "CERTKIT_NAME": name,
        "CERTKIT_LINEAGE": where.lineage,
        "RENEWED_LINEAGE": where.lineage,
        "CERTKIT_CERT_PATH": where.certificate,
        key: where.key,
        "CERTKIT_CHAIN_PATH": where.fullchain,
        "CERTKIT_NOT_AFTER": rfc3339(certificate.dates()[1]) if certificate else "",
    }
