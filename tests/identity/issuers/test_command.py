"""`certkit.identity.issuers`: a program that signs."""

from __future__ import annotations

import os
import time

import pytest

from certkit.identity import hooks
from certkit.identity.hooks import HookError
from certkit.identity.issuers import MAX_ANSWER_BYTES, Command

CSR = b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"
PATH = {"PATH": os.defpath}


@pytest.fixture
def program(tmp_path):
    """A function that writes a shell script; its path."""

    def write(text):
        path = tmp_path / "sign it"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_it_gets_the_csr_and_answers(program):
    """On standard input and output, with its arguments."""
    line = program('cat; echo "$#:$2"')
    assert Command([line, "--profile", "a b"], PATH).issue(CSR).certificates == CSR + b"2:a b\n"


def test_no_shell_runs_it(program, tmp_path):
    """Characters that a shell would interpret reach the program unchanged."""
    line = program('echo "$1"')
    assert Command([line, f"$(touch {tmp_path}/gone)"], PATH).issue(CSR).certificates.startswith(b"$(touch ")
    assert not (tmp_path / "gone").exists()


def test_one_that_reads_nothing(program):
    """May answer all the same."""
    assert Command([program("echo done")], PATH).issue(CSR * 10_000).certificates == b"done\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "it exited with code 3"),
        ("kill -9 $$", "it was killed by signal 9"),
        ("yes", "it printed more than 1,048,576 bytes"),
    ],
)
def test_one_that_fails(program, text, reason):
    """The error has its reason."""
    with pytest.raises(HookError, match=reason):
        Command([program(text)], PATH).issue(CSR)
    assert MAX_ANSWER_BYTES == 1_048_576


def test_one_that_does_not_end(program):
    """Is ended, whether it holds its output open or not."""
    for text in ("sleep 60", "exec >&-; sleep 60"):
        begun = time.monotonic()
        with pytest.raises(HookError, match=r"it took longer than 0\.5 seconds"):
            hooks.ask([program(text)], CSR, PATH, timeout=0.5, limit=MAX_ANSWER_BYTES)
        assert time.monotonic() - begun < 30


def test_one_that_is_not_there():
    """The error says so."""
    with pytest.raises(HookError, match="program failed: /nonexistent/program: no such file"):
        Command(["/nonexistent/program"], PATH).issue(CSR)
