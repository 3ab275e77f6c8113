"""`certkit.identity.hooks`: programs that run after a change, with variables and a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from certkit.identity import hooks
from certkit.identity.hooks import HookError
from certkit.identity.programs import Program
from certkit.stores.base import Location

PATH = {"PATH": os.defpath}


@pytest.fixture
def script(tmp_path):
    """A function that writes a shell script; its path."""

    def write(text, name="hook"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


def run(program, variables, **options):
    """Run a program without arguments."""
    hooks.run(Program((str(program),)), variables, **options)


def lives(pid):
    """Return whether a process is running; a zombie is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid):
    """Return whether a process ends within a few seconds."""
    for _ in range(100):
        if not lives(pid):
            return True
        time.sleep(0.05)
    return False


def read_pid(path):
    """The process id that a script wrote."""
    return int(path.read_text())


def test_variables_are_the_whole_environment(tmp_path, script):
    """Nothing else is inherited."""
    program = script('/usr/bin/env > "$OUT"')
    run(program, {"CERTKIT_NAME": "acme", "OUT": str(tmp_path / "out")})
    told = set((tmp_path / "out").read_text().splitlines())
    assert told - {line for line in told if line.split("=")[0] in {"PWD", "SHLVL", "_", "OLDPWD"}} == {
        "CERTKIT_NAME=acme",
        f"OUT={tmp_path / 'out'}",
    }


def test_what_it_says(script, capfd):
    """Goes to standard error, for standard output is for one document; and it reads nothing."""
    run(script("echo said; echo complained >&2; cat"), PATH)
    assert capfd.readouterr() == ("", "said\ncomplained\n")


def test_a_relative_path(tmp_path, script, monkeypatch):
    """Is one from where we are; a bare name is looked for in PATH."""
    script(': > "$OUT"', "reload")
    monkeypatch.chdir(tmp_path)
    run("./reload", {**PATH, "OUT": "first"})
    run("reload", {"PATH": str(tmp_path), "OUT": "second"})
    assert (tmp_path / "first").exists()
    assert (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 7", "it exited with code 7"),
        ("kill -TERM $$", "it was killed by signal 15"),
        ("exec nothing", "it exited with code 127"),
    ],
)
def test_a_hook_that_fails(script, text, reason):
    """Is an error that says how it ended, and what to do."""
    program = script(text)
    with pytest.raises(HookError) as failed:
        run(program, PATH)
    assert failed.value.message == f"hook failed: {program}: {reason}"
    assert failed.value.hint == "fix it and run the same command again"


def test_what_cannot_be_run(tmp_path, script):
    """A missing program, a file that is not a program, one that may not be executed, a directory, a name with NUL."""
    (tmp_path / "data").write_text("no program\n")
    (tmp_path / "data").chmod(0o755)
    script("exit 0", "locked").chmod(0o644)
    for name, reason in (
        ("absent", "no such file or directory"),
        ("data", "exec format error"),
        ("locked", "permission denied"),
        (".", "permission denied"),
        ("a\0b", "embedded null byte"),
    ):
        with pytest.raises(HookError, match=f"(?m): {reason}$"):
            run(f"{tmp_path}/{name}", PATH)
    with pytest.raises(HookError, match="hook failed: absent: no such file or directory"):
        run("absent", PATH)


def test_a_hook_that_hangs(tmp_path, script):
    """Is ended, with all that it has started."""
    program = script('sleep 600 & echo $! > "$OUT"; wait')
    began = time.monotonic()
    with pytest.raises(HookError, match=r"(?m)it took longer than 0\.5 seconds$"):
        run(program, {**PATH, "OUT": str(tmp_path / "pid")}, timeout=0.5)
    assert time.monotonic() - began < 30
    assert ends(read_pid(tmp_path / "pid"))


def test_an_interrupt(tmp_path, script):
    """Ends it too."""
    program = script('echo $$ > "$OUT"; sleep 0.3; kill -INT $PPID; exec sleep 600')
    with pytest.raises(KeyboardInterrupt):
        run(program, {**PATH, "OUT": str(tmp_path / "pid")})
    assert ends(read_pid(tmp_path / "pid"))


@pytest.mark.parametrize("code", [0, 3])
def test_what_a_hook_leaves_running(tmp_path, script, code):
    """Such as the server that it restarted, goes on, also where the hook itself fails."""
    with pytest.raises(HookError) if code else contextlib.nullcontext():
        run(script(f'sleep 600 & echo $! > "$OUT"; exit {code}'), {**PATH, "OUT": str(tmp_path / "pid")})
    pid = read_pid(tmp_path / "pid")
    try:
        time.sleep(0.2)
        assert lives(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_the_variables_of_an_entry(tmp_path, script):
    """Take the place of those of every program, as for an issuer, but not of those about the generation."""
    program = Program((str(script('echo "$PATH $CERTKIT_NAME $OWN" >"$OUT"')),), {"PATH": "/own", "CERTKIT_NAME": "x"})
    environment = {"PATH": "/usr/bin", "OUT": str(tmp_path / "out"), "OWN": "y"}
    where = Location(lineage="", key="", certificate="", fullchain="", ca="", is_directory=True)
    hooks.notify([program], environment, name="acme", certificate=None, where=where, changed=True)
    assert (tmp_path / "out").read_text() == "/own acme y\n"
