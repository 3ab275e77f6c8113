"""The answers of certkit to some 150 mistakes and questions, as one text for review.

`transcript.txt` has each command with its output and exit code; after a change of wording, write it again with
`TRANSCRIPT=write pytest tests/cli/test_transcript.py`, and read the difference.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from tests import pki
from tests.conftest import openssl
from tests.test_english import commands as every_command
from tests.test_english import options

FILE = Path(__file__).with_name("transcript.txt")
WIDTH = 80


@pytest.fixture
def folder(tmp_path, root):
    """The files that the commands name."""
    other = pki.root(subject=pki.name(O="Other", CN="Other Root CA"))
    middle = root.intermediate()
    valid = {"begin": pki.NOW - 10 * pki.DAY, "end": pki.NOW + 300 * pki.DAY}
    client = middle.issue(**valid)
    client.write(tmp_path, "client")
    root.issue(**valid).write(tmp_path, "direct")
    root.issue(begin=pki.NOW - 90 * pki.DAY, end=pki.NOW - pki.DAY).write(tmp_path, "expired")
    root.issue(begin=pki.NOW - 90 * pki.DAY, end=pki.NOW + 5 * pki.DAY).write(tmp_path, "soon")
    root.issue(extensions=[pki.SERVER], **valid).write(tmp_path, "server")
    for stem, each in (("root", root), ("other", other), ("middle", middle)):
        (tmp_path / f"{stem}.pem").write_bytes(each.pem)
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("nothing to see here\n")
    (tmp_path / "cut.pem").write_bytes(client.pem[:200])
    (tmp_path / "odd.toml").write_text('format = 2\ntitle = "Odd"\nchoices = ["key"]\n[key]\ntyps = ["ec-p256"]\n')
    (tmp_path / "pw").write_text("secret\n")
    (tmp_path / "hooks.toml").write_text('[hooks.reload]\ncommand = ["/no such/program"]\n')
    (tmp_path / "misspelt.toml").write_text('[hooks.reload]\ncomand = ["/bin/true"]\n')
    (tmp_path / "misspelt2.toml").write_text('[hooks.reload]\ncommand = "/bin/true"\n')
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "a.pem").write_bytes(client.pem)
    (tmp_path / "certs" / "empty.crt").write_bytes(b"")
    locked = (
        "pkey",
        "-in",
        tmp_path / "client.key",
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        tmp_path / "locked.key",
    )
    openssl(*locked)
    asked = ("-subj", "/O=Acme Ltd", "-addext", "subjectAltName=DNS:acme.example")
    openssl("req", "-new", "-key", tmp_path / "client.key", *asked, "-out", tmp_path / "names.csr")
    bundle = ("-inkey", tmp_path / "client.key", "-in", tmp_path / "client.pem", "-out", tmp_path / "client.p12")
    openssl("pkcs12", "-export", *bundle, "-passout", "pass:secret")
    return tmp_path


def normal(text: str, folder: Path) -> str:
    """The text without what differs from run to run."""
    text = text.replace(str(folder), "DIR")
    text = re.sub(
        r"-----BEGIN CERTIFICATE REQUEST-----.*?-----END CERTIFICATE REQUEST-----", "CSR", text, flags=re.DOTALL
    )
    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\b[a-z0-9-]+-\d{4}-\d\d-([a-z])\b", r"NAME-\1", text)
    text = re.sub(r"\b(?:[0-9a-f]{2}){8,32}\b", "HEX", text)
    text = re.sub(r"&state=[\w-]+", "&state=STATE", text)
    text = re.sub(r"\bfinished in \d+\.\d\d s", "finished in N s", text)
    text = re.sub(r"\bafter \d+\.\d{3} s", "after N s", text)
    return re.sub(r"\bsince \d{4}-\d\d-\d\d\b", "since DATE", text)


def commands() -> list[str]:
    """The commands of the transcript, in its order."""
    return [line.removeprefix("$ ") for line in FILE.read_text().splitlines() if line.startswith("$ certkit ")]


def played(certkit, folder: Path) -> str:
    """The transcript as it is today."""
    parts = []
    for command in commands():
        words, _, stdin = command.partition(" < ")
        given = (folder / stdin).read_bytes() if stdin else b""
        # The user's own store, which some commands look in, is an empty one.
        env = {"COLUMNS": str(WIDTH), "XDG_DATA_HOME": str(folder / "data")}
        ran = certkit(*shlex.split(words)[1:], stdin=given, env=env)
        said = normal(ran.out + ran.err, folder)
        parts.append(f"$ {command}\n{said}exit {ran.code}\n")
    return "\n".join(parts)


def test_the_transcript(certkit, folder):
    """Every answer is the one that was reviewed; and no line of a result is wider than the terminal."""
    found = played(certkit, folder)
    if os.environ.get("TRANSCRIPT") == "write":
        FILE.write_text(found)
    assert found == FILE.read_text()
    assert found.count("\nexit ") >= 100
    results = [line for line in found.splitlines() if not line.startswith(("$ ", "certkit: ", "https://"))]
    assert not [line for line in results if len(line) > WIDTH]


def test_hints_name_options_of_their_command():
    """An option in an answer is one of the command in hand, unless the answer names the command to give it to."""
    known = {path: options(context.command) for path, context in every_command()}
    wrong = []
    for block in FILE.read_text().split("\n\n$ "):
        command, _, answer = block.removeprefix("$ ").partition("\n")
        words = command.split()
        path = next(path for n in (4, 3, 2, 1) if (path := " ".join(words[:n])) in known)
        text = re.sub(r"[\s\\]+", " ", answer)
        text = re.sub(r"(?<!/)\b(?:certkit|openssl) [a-z][^;`]*(?:`[^;`]*)?", "", text)
        named = re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)
        wrong += [f"{command}: {each}" for each in named if each not in known[path] and each not in words]
    assert not wrong, "\n".join(wrong)
