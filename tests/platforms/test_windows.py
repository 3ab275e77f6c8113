"""Windows: what only reads and judges works without POSIX; everything else says in one line what to use instead."""

from __future__ import annotations

import shlex

import pytest

from certkit.x509.names import SubjectOptions
from tests import pki
from tests.cli.test_help import examples
from tests.csr_of import key_and_csr

ELSEWHERE = "certkit: error: this needs Linux or macOS: Windows has no POSIX file permissions to keep keys private. "

READING = {
    "csr check request.csr --policy wise-sandbox --key request.key": (
        0,
        "file permissions are not checked on Windows",
    ),
    "csr check broken.csr": (3, ""),
    "inspect acme.pem acme.key request.csr crlf.pem": (0, "crlf.pem: certificate"),
    "inspect acme.der": (0, "O=Acme Ltd"),
    "verify acme.pem --ca ca.pem --key acme.key": (0, "acme.pem for general: ok"),
    "expiry acme.pem crlf.pem acme.der": (0, "300 days left"),
    "expiry partners": (0, "1 ok"),
    "expiry part*/*.pem --json": (0, '"status": "ok"'),
    "expiry missing.pem": (3, ""),
    "expiry acme.pem 127.0.0.1:1": (3, ""),
    "policy list": (0, "wise-sandbox"),
    "policy show wise-sandbox": (0, "Developer Hub"),
    "policy which request.csr": (0, "wise-sandbox"),
    "policy validate own.toml": (0, ""),
    "wise webhook verify --environment sandbox --header x request.csr": (2, "not base64"),
    "help csr check": (0, "Usage: certkit csr check"),
    "completion bash": (0, "_certkit_completion"),
    "--version": (0, "certkit "),
}
# The commands whose examples neither write nor use a store.
WORKS = (
    "completion",
    "csr check",
    "expiry",
    "help",
    "inspect",
    "policy",
    "probe",
    "verify",
    "wise authorize-url",
    "wise webhook",
)
EXAMPLES = sorted({line.removeprefix("certkit ") for _, line in examples() if not set("|<>$") & set(line)} - {*READING})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, root):
    """Files to read; with their line ends as Windows has them, too, and with a byte that ends a text there."""
    folder = tmp_path_factory.mktemp("windows")
    now = pki.datetime.now(pki.UTC)
    pair = root.issue(pki.name(O="Acme Ltd"), begin=now - pki.DAY, end=now + 300.5 * pki.DAY)
    pair.write(folder, "acme")
    (folder / "partners").mkdir()
    (folder / "partners" / "acme.pem").write_bytes(pair.pem)
    (folder / "crlf.pem").write_bytes(pair.pem.replace(b"\n", b"\r\n"))
    (folder / "acme.der").write_bytes(pair.value.der)
    (folder / "broken.csr").write_bytes(b"-----BEGIN CERTIFICATE REQUEST-----\x1a\r\n")
    (folder / "ca.pem").write_bytes(root.pem)
    key, csr = key_and_csr(SubjectOptions(organization="Acme Ltd"))
    (folder / "request.csr").write_bytes(csr)
    (folder / "request.key").write_bytes(key)
    (folder / "secret.txt").write_text("secret\n")
    (folder / "own.toml").write_text('extends = "wise-sandbox"\ntitle = "Ours"\n')
    return folder


@pytest.fixture(scope="module")
def ran(folder, as_on):
    """Return what all the commands print, by their words."""
    lines = [*READING, *EXAMPLES]
    return dict(zip(lines, as_on("windows", folder, map(shlex.split, lines)), strict=True))


@pytest.mark.parametrize("line", READING)
def test_what_reads_works(ran, line):
    """The same verdicts and exit codes as anywhere."""
    code, text = READING[line]
    assert (ran[line].code, text in ran[line].out) == (code, True), ran[line]
    assert "Windows" not in ran[line].err
    assert "internal error" not in ran[line].err


@pytest.mark.parametrize("line", EXAMPLES)
def test_everything_else_says_what_to_use_instead(ran, line):
    """In one line, exit 3."""
    if line.startswith(WORKS) and not line.startswith(
        ("policy new", "expiry -q --remind", "expiry partners/ --format")
    ):
        assert ran[line].code in {0, 1, 2, 3}
        assert "internal error" not in ran[line].err
    else:
        assert (ran[line].code, ran[line].err.count("\n")) == (3, 1)
        assert ran[line].err.startswith(ELSEWHERE)
