"""Fixtures: the installed command, and a certification authority."""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import forked, pki

# A shell's job in the background is told to ignore Ctrl-C, and what it starts would ignore it, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Nothing counts that whoever runs the tests has set for themselves: neither variables (the tests' own servers are on
# this machine, where no proxy leads) nor files of the home directory, such as the token of `bao login`.
_THEIR_OWN = ("VAULT_", "BAO_", "XDG_", "CERTKIT_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_OF_TESTS = {
    f"CERTKIT_{name}" for name in ("ACLS", "CI", "RACES", "SOAK_RELOADS", "SOAK_SECONDS", "UNDER_ATTACK", "WHEELS")
}
for name in [each for each in os.environ if each.upper().startswith(_THEIR_OWN) and each not in _OF_TESTS]:
    del os.environ[name]
if "PYTEST_XDIST_WORKER" not in os.environ:  # its workers have the directory of the process that starts them
    os.environ["HOME"] = tempfile.mkdtemp(prefix="certkit-home-")
    atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)

# Of nine thousand collected tests nothing is garbage: looking for it takes a fifth of the time of the quick ones.
gc.disable()

# Compiled modules are kept, or every command that a test starts would be compiled again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says something about the machine, not about certkit.
hypothesis.settings.register_profile("certkit", deadline=None)
hypothesis.settings.load_profile("certkit")

# Servers that many tests share.
pytest_plugins = ["tests.openbao", "tests.openbao_cluster"]


def pytest_collection_finish() -> None:
    """Leave out what is collected whenever garbage is looked for from now on."""
    gc.collect()
    gc.freeze()
    gc.enable()


@dataclass(frozen=True)
class Ran:
    """A finished command: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    def checks(self) -> dict[str, str]:
        """The status of each check, the worst one where an id is there more than once."""
        order = ["skipped", "ok", "warning", "unknown", "critical"]
        found: dict[str, str] = {}
        for check in self.json["checks"]:
            found[check["id"]] = max(found.get(check["id"], "skipped"), check["status"], key=order.index)
        return found


@dataclass(frozen=True)
class Command:
    """The installed command `certkit`, run in a folder of its own.

    It is forked without the start-up where that makes no difference (`tests/forked.py`), unless `start` asks for that.
    """

    folder: Path
    start: bool = False

    def __call__(
        self, *arguments: object, stdin: bytes = b"", env: dict[str, str] | None = None, **options: Any
    ) -> Ran:
        """Run it; what it prints must be text."""
        argv = [*command(), *map(str, arguments)]
        width = {"COLUMNS": "80"} if {"--help", "-h", "help"} & set(argv) or len(argv) == len(command()) else {}
        variables = {**environment(), **width, **(env or {})}
        if self.start or options or not forked.can_run(variables):
            done = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                cwd=self.folder,
                env=variables,
                timeout=60,
                check=False,
                **options,
            )
        else:
            done = forked.run(argv, stdin=stdin, cwd=self.folder, env=variables, timeout=60)
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ran.err, ran.err
        return ran


def command() -> list[str]:
    """The command `certkit` beside the interpreter that runs the tests."""
    script = Path(sys.executable).with_name("certkit")
    return [str(script)] if script.exists() else [sys.executable, "-m", "certkit"]


def environment() -> dict[str, str]:
    """The caller's environment without what would change certkit's behaviour.

    Texts are wrapped at the terminal's width; tests look for whole phrases, and those of the width set their own.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith("CERTKIT_")} | {"COLUMNS": "4000"}


def require_program(name: str) -> str:
    """The path of a program that pip cannot install; without it the test is skipped, but fails where CI runs."""
    program = shutil.which(name)
    if program is None:
        missing = pytest.fail if os.environ.get("CERTKIT_CI") else pytest.skip
        missing(f"{name} is not installed")
    assert program is not None
    return program


def openssl(*arguments: object, stdin: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run the openssl command."""
    return subprocess.run(
        [require_program("openssl"), *map(str, arguments)], input=stdin, capture_output=True, check=check, timeout=60
    )


def openssl_verifies(csr: bytes, form: str = "PEM") -> bool:
    """Return whether openssl verifies the signature of a CSR; it says so on stderr, and OpenSSL 3.6 on stdout."""
    done = openssl("req", "-inform", form, "-verify", "-noout", stdin=csr, check=False)
    return b"verify OK" in done.stdout + done.stderr


@pytest.fixture
def certkit(tmp_path: Path) -> Command:
    """The installed command, run in the test's own folder."""
    return Command(tmp_path)


@pytest.fixture(scope="session")
def root() -> pki.CA:
    """A partner's root CA."""
    return pki.root()
