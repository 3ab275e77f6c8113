"""The process that Terraform starts, without Terraform."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys

import pytest
from cryptography import x509

from certkit.terraform.provider import mirror
from certkit.terraform.provider.server import MAGIC
from tests.terraform.provider.workspace import wait_for

PARENT = "import subprocess, sys; subprocess.run(sys.argv[1:])"


@pytest.fixture
def program(tmp_path):
    """The program, laid down in a mirror."""
    [path] = mirror.install(tmp_path / "mirror", python=sys.executable, version="0.1.0").directory.iterdir()
    return path


def started(tmp_path, *command):
    """A process with the environment that Terraform gives, and the words of the line by which it is found."""
    own = dict([MAGIC], PATH=os.environ["PATH"], HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path))
    process = subprocess.Popen(command, env=own, stdout=subprocess.PIPE, start_new_session=True)
    return process, process.stdout.readline().decode().strip().split("|")


def test_it_starts_without_the_command_line():
    """Terraform starts it several times for each command, so it imports nothing that only commands need."""
    script = "import sys; from certkit.terraform.provider import main, provider, server; print('click' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"False\n"


def test_it_says_where_it_is(program, tmp_path):
    """The line of go-plugin; the socket is in a directory that no other user may enter, and ends with the process."""
    process, line = started(tmp_path, program)
    version, protocol, network, socket, kind, certificate = line
    assert (version, protocol, network, kind) == ("1", "6", "unix", "grpc")
    folder = os.path.dirname(socket)
    assert os.stat(folder).st_mode & 0o777 == 0o700
    shown = x509.load_der_x509_certificate(base64.b64decode(certificate + "=="))
    assert shown.public_key().curve.name == "secp256r1"
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()
    assert not os.path.exists(folder)
    assert not (tmp_path / "home").exists()


def test_it_ends_with_the_terraform_that_started_it(program, tmp_path):
    """Also when that one was killed, and cannot say that it is done."""
    process, line = started(tmp_path, sys.executable, "-c", PARENT, program)
    assert os.path.exists(line[3])
    process.kill()
    process.wait(60)
    process.stdout.close()
    wait_for(lambda: not os.path.exists(line[3]))


def test_the_terminals_interrupt_is_for_terraform(program, tmp_path):
    """Terraform ends what it has begun, and for that it needs the provider."""
    process, _ = started(tmp_path, program)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.poll() is None
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()
