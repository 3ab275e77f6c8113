"""Work in a child process, step by step: which calls of the system change something, and ending or failing at each."""

from __future__ import annotations

import collections
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass

import pytest

from certkit.errors import CertkitError
from tests.conftest import require_program

# What may change a file system. Not every machine has each of them.
CALLS = (
    *("mkdir", "mkdirat", "write", "writev", "pwrite64", "ftruncate", "fsync", "fdatasync", "flock"),
    *("chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "link", "linkat", "symlink", "symlinkat"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
)
REFUSED = 3
_PR_SET_PTRACER = 0x59616D61


@dataclass(frozen=True)
class Call:
    """One call: its name, what follows it in strace's words, and how many of that name came before it, and itself."""

    name: str
    rest: str
    count: int

    @property
    def paths(self):
        """The directories and names that it was given, put together; open files by their paths."""
        parts = re.findall(r'\d+<([^>]*)>, "([^"]*)"|\d+<([^>]*)>', self.rest)
        return [f"{folder}/{name}" if name else folder or alone for folder, name, alone in parts]


@dataclass(frozen=True)
class Ended:
    """How the child ended, and the calls that it made."""

    status: int
    calls: list[Call]

    @property
    def code(self):
        """Its exit code: 0 done, 3 refused with an error of certkit's own; negative: the signal that ended it."""
        return os.waitstatus_to_exitcode(self.status)


def run(work, folder, *, inject="", calls=CALLS, meanwhile=None):
    """Run some work in a child under strace, whose file is kept in the folder; what `inject` says happens to it.

    Where that stops it, something is done `meanwhile`, and then it goes on.
    """
    strace = require_program("strace")
    gate, opener = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(opener)
        _work_and_exit(work, gate)
    os.close(gate)
    options = ["-f", "-y", "-s", "32", "-o", folder / "trace", "-e", "trace=" + ",".join(f"?{name}" for name in calls)]
    injection = ["-e", f"inject={inject}"] if inject else []
    with subprocess.Popen([strace, *options, *injection, "-p", str(child)], stderr=subprocess.PIPE) as tracer:
        said = tracer.stderr.readline()
        if b"attached" not in said:
            os.close(opener)
            os.waitpid(child, 0)
            pytest.skip(f"strace may not trace here: {said.decode()}")
        os.write(opener, b"x")
        os.close(opener)
        if meanwhile is not None and _stops(child, folder / "trace"):
            meanwhile()
            os.kill(child, signal.SIGCONT)
        _, status = os.waitpid(child, 0)
        tracer.communicate(timeout=60)
    return Ended(status, _calls((folder / "trace").read_text()))


def _stops(child, trace):
    """Wait until the child is stopped; False if it has ended."""
    for _ in range(3000):
        said = trace.read_text()
        if "stopped by SIGSTOP" in said:
            return True
        if "exited with" in said:
            return False
        time.sleep(0.01)
    raise TimeoutError(child)


def _work_and_exit(work, gate):
    code = 1
    try:
        # Where only a parent may trace (Yama), anybody may trace this one.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        if os.read(gate, 1):
            work()
        code = 0
    except CertkitError:
        code = REFUSED
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        raise
    finally:
        os._exit(code)


def _calls(trace):
    seen = collections.Counter()
    found = []
    for line in trace.splitlines():
        match = re.fullmatch(r"\d+ +(\w+)\((.*)", line)
        if match:
            seen[match[1]] += 1
            found.append(Call(match[1], match[2], seen[match[1]]))
    return found
