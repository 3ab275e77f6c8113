"""`tests.forked`: a forked command is as one that was started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import forked
from tests.conftest import command, environment

PROJECT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not forked.can_run(environment()), reason="nothing can be forked here")


def run_started(argv, *, stdin, cwd, env, timeout, meanwhile=lambda _: None):
    """Run the command as `forked.run` does, from its start."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=cwd, env=env, **pipes) as process:
        meanwhile(process.pid)
        out, err = process.communicate(stdin, timeout)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


@pytest.fixture(params=[forked.run, run_started], ids=["forked", "started"])
def run(request, tmp_path):
    """Run the command in the folder of the test, either way."""

    def with_defaults(*arguments, stdin=b"", env=None, **options):
        variables = {**environment(), **(env or {})}
        return request.param([*command(), *arguments], stdin=stdin, cwd=tmp_path, env=variables, timeout=60, **options)

    return with_defaults


def wait_until_it_reads(process):
    """Wait until the process sleeps in a read from its standard input."""
    end = time.monotonic() + 60
    while not Path(f"/proc/{process}/syscall").read_text().startswith(("0 0x0 ", "63 0x0 ")):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_output_and_exit_code(run):
    """Standard input is read, standard output and error are separate, and the exit code is the command's."""
    done = run("inspect", "-", "missing.pem", stdin=b"x" * 300_000)
    assert done.returncode == 3
    assert done.stdout == b""
    assert b"missing.pem" in done.stderr
    assert done.stderr.endswith(b"\n")


@pytest.mark.parametrize("run", [forked.run, run_started])
def test_a_command_without_its_script(run, tmp_path):
    """The module is the command, where no script is beside the interpreter."""
    argv = [sys.executable, "-m", "certkit", "inspect", "missing.pem"]
    done = run(argv, stdin=b"", cwd=tmp_path, env=environment(), timeout=60)
    assert (done.returncode, done.stderr.split()[:2]) == (3, [b"certkit:", b"error:"])
    assert b"missing.pem" in done.stderr


def test_the_environment_of_each_call(run, tmp_path):
    """It is the call's alone: a variable of one call is gone in the next."""
    assert b"file:elsewhere" in run("identity", "list", env={"CERTKIT_STORE": "file:elsewhere"}).stderr
    assert f"file:{tmp_path}/".encode() in run("identity", "list", env={"XDG_DATA_HOME": str(tmp_path)}).stderr


@pytest.mark.parametrize("has_early", [False, True], ids=["forked", "started"])
def test_a_program(tmp_path, has_early):
    """It reads, prints and ends as the command does, in a directory and an environment of its own."""
    path = forked.program(tmp_path, command())
    env = {**environment(), **({"LC_ALL": "C"} if has_early else {})}
    done = run_started([path, "inspect", "-", "missing.pem"], stdin=b"x" * 300_000, cwd=tmp_path, env=env, timeout=60)
    assert (done.returncode, done.stdout, b"missing.pem" in done.stderr) == (3, b"", True)
    env["CERTKIT_STORE"] = "file:elsewhere"
    done = run_started([path, "identity", "list"], stdin=b"", cwd=tmp_path, env=env, timeout=60)
    assert (done.returncode, b"file:elsewhere" in done.stderr) == (3, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_command_of_a_program(tmp_path, number):
    """They end it as they end the command."""
    codes = []
    for words in ([forked.program(tmp_path, command())], command()):
        ready = tmp_path / f"ready-{len(codes)}"
        rehearse = [*words, "wise", "rehearse", "--dir", tmp_path / "rehearsal", "--port", "0", "--ready-file", ready]
        with subprocess.Popen(rehearse, env=environment(), stdout=subprocess.DEVNULL) as process:
            while not ready.exists():
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            codes.append(process.wait(60))
    assert codes[0] == codes[1]
    assert codes[0] != -number


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what a process waits for")
def test_the_process(run, tmp_path):
    """It has the caller's directory and umask, three descriptors, its signals, and a pid that a signal reaches."""
    ignored = int(re.search(r"SigIgn:\t(.*)", Path("/proc/self/status").read_text())[1], 16)

    def look(process):
        wait_until_it_reads(process)
        assert os.readlink(f"/proc/{process}/cwd") == str(tmp_path)
        assert sorted(os.listdir(f"/proc/{process}/fd")) == ["0", "1", "2"]
        status = dict(re.findall(r"(\w+):\t(.*)", Path(f"/proc/{process}/status").read_text()))
        assert status["Umask"] == "0027"
        # Signals 32 and 33 are the C library's own.
        assert (int(status["SigIgn"], 16) & 0x7FFFFFFF, int(status["SigBlk"], 16)) == (ignored & 0x7FFFFFFF, 0)
        assert (int(status["SigCgt"], 16), status["Threads"]) == (0x4003 & ~ignored, "1")  # HUP, INT and TERM
        os.kill(process, signal.SIGINT)

    before = os.umask(0o027)
    try:
        done = run("inspect", "-", meanwhile=look)
    finally:
        os.umask(before)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"\ncertkit: interrupted\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what a process waits for")
def test_a_command_that_is_killed(run):
    """Its exit code names the signal."""

    def kill(process):
        wait_until_it_reads(process)
        os.kill(process, signal.SIGKILL)

    assert run("inspect", "-", meanwhile=kill).returncode == -signal.SIGKILL


def test_a_command_that_hangs(run):
    """It is killed when its time is over."""
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(
            [*command(), "inspect", "-"],
            stdin=b"",
            cwd=Path("/"),
            env=environment(),
            timeout=0.2,
            meanwhile=lambda process: os.kill(process, signal.SIGSTOP),
        )


@pytest.mark.parametrize("ending", ["sys.exit(3)", "forkserver.finish(3)"])
def test_the_end(ending):
    """A forked command waits for its threads, runs what is registered for the end, and writes all it said."""
    code = (
        "import atexit, sys, threading, time\n"
        "from tests import forkserver\n"
        "atexit.register(print, 'registered')\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), print('thread'))).start()\n"
        f"print('command')\n{ending}\n"
    )
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=buffered, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (3, b"command\nthread\nregistered\n")
