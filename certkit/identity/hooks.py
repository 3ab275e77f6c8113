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
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from certkit.identity.programs import Program
    from certkit.stores.base import Location
    from certkit.x509.certificate import Certificate

TIMEOUT_SECONDS = 60.0


class HookError(RefusedError):
    """A hook failed: the change stays, and the hook may be run again."""


def run(program: Program, variables: Mapping[str, str], *, timeout: float = TIMEOUT_SECONDS) -> None:
    """Run a program; its output goes to standard error.

    `variables` is its whole environment. After `timeout` seconds it is ended, with all its child processes; what it
    leaves running when it ends by itself, such as a server, goes on.

    Raises:
        HookError: if it cannot be run, ends with a code other than 0, or takes too long.
    """
    what = f"hook failed: {program}"
    with _running(what, program.arguments, variables, timeout=timeout, stdin=subprocess.DEVNULL, stdout=2):
        pass


def ask(
    arguments: Sequence[str], question: bytes, variables: Mapping[str, str], *, timeout: float, limit: int
) -> bytes:
    """Run a program with arguments and data on its standard input, and return its standard output.

    `variables` is its whole environment. It has `timeout` seconds and may print `limit` bytes; then it is ended, with
    every process that it started.

    Raises:
        HookError: if it cannot be run, ends with a code other than 0, takes too long, or prints too much.
    """
    import tempfile

    what = f"program failed: {arguments[0]}"
    # In memory if possible, because there may be no directory for temporary files.
    in_memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("question"), "w+b") if in_memory else tempfile.TemporaryFile() as asked:
        asked.write(question)
        asked.seek(0)
        with _running(what, arguments, variables, timeout=timeout, stdin=asked, stdout=subprocess.PIPE) as process:
            answer = _read(process, time.monotonic() + timeout, limit)
            if len(answer) > limit:
                raise _failure(what, f"it printed more than {limit:,} bytes")
    return answer


@contextlib.contextmanager
def _running(
    what: str,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    timeout: float,
    stdin: int | IO[bytes],
    stdout: int,
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a running program and wait for its success; an exception ends it. Errors begin with `what`."""
    program, *rest = arguments
    path = os.path.abspath(program) if os.sep in program else program
    try:
        process = subprocess.Popen(
            [path, *rest], env=dict(variables), stdin=stdin, stdout=stdout, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise _failure(what, (getattr(error, "strerror", None) or str(error)).lower()) from error
    try:
        yield process
        code = process.wait(timeout)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # with every process that it started
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise _failure(what, f"it took longer than {timeout:g} seconds") from error
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    if code:
        raise _failure(what, f"it exited with code {code}" if code > 0 else f"it was killed by signal {-code}")


def _failure(what: str, reason: str) -> HookError:
    return HookError(f"{what}: {reason}", hint="fix it and run the same command again")


def _read(process: subprocess.Popen[bytes], deadline: float, limit: int) -> bytes:
    """Return what a program prints until it closes its output, or has printed more than the limit."""
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
            break
        answer += chunk
    return answer


def notify(
    programs: Iterable[Program],
    environment: Mapping[str, str],
    *,
    name: str,
    certificate: Certificate | None,
    where: Location,
    changed: bool,
) -> None:
    """Run programs, one after the other, with variables about a generation in addition to their environment.

    The variables have certkit's names and certbot's, and never a secret; a program's own take the place of those of
    every program (`environment`). `changed` is whether anything was done before.

    Raises:
        HookError: if a program failed; the remaining ones are not run.
    """
    key = "CERTKIT_KEY_PATH" if where.is_directory else "CERTKIT_KEY_REFERENCE"
    variables = {
        "CERTKIT_NAME": name,
        "CERTKIT_LINEAGE": where.lineage,
        "RENEWED_LINEAGE": where.lineage,
        "CERTKIT_CERT_PATH": where.certificate,
        key: where.key,
        "CERTKIT_CHAIN_PATH": where.fullchain,
        "CERTKIT_NOT_AFTER": rfc3339(certificate.dates()[1]) if certificate else "",
    }
    with after(changed):
        for program in programs:
            run(program, {**environment, **program.variables, **variables})
