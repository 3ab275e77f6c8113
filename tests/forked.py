"""Run `certkit`, or Terraform's provider, without its start-up: as a process forked by `tests/forkserver.py`."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Mapping, Sequence

_PROGRAM = """\
#!{python} -IS
import json, os, signal, socket, sys

if {{name: value for name, value in os.environ.items() if name.startswith({read_at_start!r})}} != {early!r}:
    os.execv({argv[0]!r}, [*{argv!r}, *sys.argv[1:]])
umask = os.umask(0)
asked = {{"argv": [*{argv!r}, *sys.argv[1:]], "cwd": os.getcwd(), "env": dict(os.environ), "umask": umask}}
data = json.dumps(asked).encode() + b"\\n"
with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as answers:
    connection.connect({address!r})
    sent = socket.send_fds(connection, [data], [0, 1, 2])
    if sent < len(data):
        connection.sendall(data[sent:])
    child = int(answers.readline())
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: os.kill(child, number))
    code = os.waitstatus_to_exitcode(int(answers.readline()))
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""

# What Python, OpenSSL and the dynamic linker read at start-up, so that a fork comes too late for it.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "OPENSSL", "SSL_", "FAKETIME", "MALLOC", "COVERAGE")


def can_run(env: Mapping[str, str]) -> bool:
    """Return whether a forked command sees that environment as a started one does."""
    return hasattr(os, "pidfd_open") and _early(env) == _early(os.environ)


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_AT_START)}


def program(folder: Path, argv: Sequence[str], *, name: str = "certkit", run: str = "certkit.cli") -> Path:
    """Write a program into a folder, for scripts and for Terraform: it has the command forked if it can.

    `run` is the package whose `main` the command runs. The program's signals are passed on, but for SIGKILL, which
    leaves the command running.
    """
    text = f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n'
    if can_run(os.environ):
        words = {"read_at_start": _READ_AT_START, "early": _early(os.environ), "argv": [*argv]}
        text = _PROGRAM.format(python=sys.executable, address=_server(run), **words)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(
    argv: Sequence[str],
    *,
    stdin: bytes,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    meanwhile: Callable[[int], object] = lambda _: None,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as `subprocess.run` does with `capture_output`; call `meanwhile` before stdin is written.

    Raises:
        subprocess.TimeoutExpired: if the command is killed after that many seconds.
    """
    umask = os.umask(0)
    os.umask(umask)
    request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env), "umask": umask}).encode() + b"\n"
    end = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.connect(_server())
        (stdin_read, stdin_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
        ours = [stack.enter_context(open(stdin_write, "wb", buffering=0))]
        ours += [stack.enter_context(open(number, "rb", buffering=0)) for number in (out_read, err_read)]
        theirs = [stdin_read, out_write, err_write]
        sent = socket.send_fds(connection, [request], theirs)
        if sent < len(request):  # otherwise the command may have ended by now, and with it the connection
            connection.sendall(request[sent:])
        for number in theirs:
            os.close(number)
        answers = stack.enter_context(connection.makefile("rb"))
        child = int(answers.readline())
        meanwhile(child)
        try:
            out, err = _communicate(*ours, stdin, end)
            connection.settimeout(max(0.01, end - time.monotonic()))
            status = int(answers.readline())
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            raise subprocess.TimeoutExpired(argv, timeout) from None
    return subprocess.CompletedProcess(argv, os.waitstatus_to_exitcode(status), out, err)


def _communicate(into: io.FileIO, out: io.FileIO, err: io.FileIO, data: bytes, end: float) -> tuple[bytes, bytes]:
    """Write and read until the command has closed its streams."""
    read = {out: bytearray(), err: bytearray()}
    with selectors.DefaultSelector() as waiting:
        for stream in read:
            waiting.register(stream, selectors.EVENT_READ)
        waiting.register(into, selectors.EVENT_WRITE)
        while waiting.get_map():
            ready = waiting.select(max(0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            for stream in (key.fileobj for key, _ in ready):
                if stream is into:
                    try:
                        data = data[into.write(data[: select.PIPE_BUF]) :] if data else data
                    except BrokenPipeError:
                        data = b""
                    more = bool(data)
                else:
                    chunk = stream.read(1 << 16)
                    read[stream] += chunk
                    more = bool(chunk)
                if not more:
                    waiting.unregister(stream)
                    stream.close()
    return bytes(read[out]), bytes(read[err])


@functools.cache
def _server(run: str = "certkit.cli") -> str:
    """Start the server of a package, once in each process that runs tests; return its address."""
    folder = tempfile.TemporaryDirectory(prefix="certkit-tests-")
    address = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forkserver.py"), address, run], stdin=subprocess.PIPE
    )
    assert server.stdin
    atexit.register(lambda: (server.stdin.close(), server.wait(20), folder.cleanup()))
    end = time.monotonic() + 60
    while not os.path.exists(address):
        assert server.poll() is None, "the forkserver has ended"
        assert time.monotonic() < end, "the forkserver does not start"
        time.sleep(0.01)
    return address
