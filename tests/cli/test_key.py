"""`certkit key generate`: private keys on disk."""

from __future__ import annotations

import os
import pty
import resource
import signal
import stat
import subprocess

import pytest

from tests.conftest import command, environment, openssl


@pytest.mark.parametrize(
    ("key_type", "bits"),
    [("rsa-2048", 2048), ("rsa-3072", 3072), ("rsa-4096", 4096), ("ec-p256", 256), ("ec-p384", 384)],
)
def test_openssl_reads_every_type(certkit, tmp_path, key_type, bits):
    """Each type is PKCS#8 that openssl finds sound, and JSON tells its facts."""
    made = certkit("key", "generate", "--type", key_type, "--out", "k", "--json").json
    assert (made["changed"], made["type"], made["bits"], made["path"]) == (True, key_type, bits, "k")
    assert (tmp_path / "k").read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert openssl("pkey", "-in", tmp_path / "k", "-check", "-noout").returncode == 0


def test_the_fingerprint_is_that_of_the_public_key(certkit, tmp_path):
    """spki_sha256 is the SHA-256 of the SubjectPublicKeyInfo, as openssl has it."""
    made = certkit("key", "generate", "--out", "k", "--json").json
    spki = openssl("pkey", "-in", tmp_path / "k", "-pubout", "-outform", "DER").stdout
    assert openssl("dgst", "-sha256", "-r", stdin=spki).stdout.decode().split()[0] == made["spki_sha256"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_mode_is_0600_whatever_the_umask(certkit, tmp_path, umask):
    """Neither a loose nor a strict umask changes who may read a key."""
    certkit("key", "generate", "--out", "k", preexec_fn=lambda: os.umask(umask))
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
@pytest.mark.parametrize("make", [("key", "generate"), ("csr", "create", "--organization", "Acme", "--key", "k")])
def test_standard_output_has_a_name(certkit, name, make):
    """/dev/stdout and /dev/fd/1 are standard output as - is: the key or CSR alone is written to it."""
    certkit("key", "generate", "--out", "k")
    made = certkit(*make, "--out", name)
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("-----BEGIN ")
    assert made.out.rstrip().endswith("-----")


def test_a_key_and_its_csr_are_written_to_pipes_of_the_shell(tmp_path):
    """The shell's >(PROGRAM) is a descriptor under /dev/fd, which is no file that exists already."""
    script = '"$@" --organization Acme --key-out >(cat >k; echo >>done) --out >(cat >c; echo >>done)'
    bash = ["bash", "-c", f'{script}; until [ "$(wc -l <done)" = 2 ]; do sleep 0.1; done', "-"]
    subprocess.run(
        [*bash, *command(), "csr", "create", "-q"], cwd=tmp_path, env=environment(), check=True, timeout=60,
    )  # fmt: skip
    assert (tmp_path / "k").read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert openssl("req", "-in", tmp_path / "c", "-verify", "-noout").returncode == 0


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (".", "it is the name of a directory. Name a file in it"),
        ("pipe", "not a regular file. Choose another name"),
        ("/etc/passwd/x", "not a directory. Check the path: a part of it is a file"),
    ],
)
def test_no_hint_to_force_what_force_cannot_do(certkit, tmp_path, target, said):
    """A directory or pipe in the way is not replaced with --force, so no message advises it."""
    os.mkfifo(tmp_path / "pipe")
    refused = certkit("key", "generate", "--out", target)
    assert (refused.code, refused.err) == (3, f"certkit: error: cannot write {target}: {said}\n")


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_symbolic_link_is_not_followed(certkit, tmp_path, target):
    """A link in the way is a name that is taken, wherever it leads."""
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "k").symlink_to(target)
    refused = certkit("key", "generate", "--out", "k")
    assert refused.code == 3
    assert "it already exists (a symbolic link)" in refused.err
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_if_absent_accepts_the_type_asked_for_and_no_other(certkit):
    """The same type is no change; another one is exit 3; none named accepts what is there."""
    certkit("key", "generate", "--type", "ec-p384", "--out", "k")
    same = certkit("key", "generate", "--type", "ec-p384", "--out", "k", "--if-absent", "--json")
    assert (same.code, same.json["changed"]) == (0, False)
    assert certkit("key", "generate", "--out", "k", "--if-absent").code == 0
    other = certkit("key", "generate", "--type", "rsa-2048", "--out", "k", "--if-absent")
    assert other.code == 3
    assert "it contains a key of type ec-p384, not rsa-2048" in other.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_passphrase_file_as_windows_saves_it(certkit, tmp_path, encoding):
    """The byte order mark would be part of the passphrase, and openssl would not open the key."""
    (tmp_path / "secret").write_bytes("correct horse\r\n".encode(encoding))
    refused = certkit("key", "generate", "--out", "k", "--passphrase-file", "secret")
    assert (refused.code, (tmp_path / "k").exists()) == (3, False)
    assert refused.err == (
        "certkit: error: the passphrase in secret begins with a byte order mark."
        " Save the file as plain text (PowerShell: Out-File -Encoding ascii)\n"
    )


def test_if_absent_wants_a_passphrase_to_protect_the_key(certkit, tmp_path):
    """A plain key does not fit a request for an encrypted one."""
    (tmp_path / "secret").write_text("x")
    certkit("key", "generate", "--out", "k")
    assert certkit("key", "generate", "--out", "k", "--if-absent", "--passphrase-file", "secret").code == 3


def test_if_absent_warns_of_a_key_that_others_can_read(certkit, tmp_path):
    """A changing command exits 0, and warns on standard error and in `status`."""
    certkit("key", "generate", "--out", "k")
    (tmp_path / "k").chmod(0o644)
    again = certkit("key", "generate", "--out", "k", "--if-absent", "--json")
    assert (again.code, again.json["status"]) == (0, "warning")
    assert "k is readable by its group or other users" in again.err


def test_a_key_is_printed_only_when_asked_and_never_as_json(certkit):
    """--out - prints the key; --json refuses to."""
    assert certkit("key", "generate", "--out", "-").out.startswith("-----BEGIN PRIVATE KEY-----\n")
    refused = certkit("key", "generate", "--out", "-", "--json")
    assert refused.code == 3
    assert "PRIVATE KEY" not in refused.out


def test_progress_is_shown_on_a_terminal_only(certkit, tmp_path):
    """RSA-4096 takes a while: a person sees that work goes on, a script sees nothing."""
    assert certkit("key", "generate", "--type", "rsa-4096", "--out", "k").err == ""
    assert "creating a key of type rsa-4096" in on_terminal(
        "key", "generate", "--type", "rsa-4096", "--out", tmp_path / "t"
    )


def test_a_key_is_not_printed_on_a_terminal(tmp_path):
    """Standard output that is a terminal gets no key."""
    said = on_terminal("key", "generate", "--out", "-")
    assert "refusing to print a private key on a terminal" in said
    assert "BEGIN" not in said


def test_a_passphrase_from_a_terminal_is_not_shown(tmp_path):
    """`-` prompts for it, and does not wait for the end of a text."""
    said = on_terminal("key", "generate", "--out", tmp_path / "k", "--passphrase-file", "-", answer=b"hush-hush\n")
    assert "Passphrase:" in said
    assert "hush-hush" not in said
    openssl("pkey", "-in", tmp_path / "k", "-passin", "pass:hush-hush", "-noout")


def on_terminal(*arguments: object, answer: bytes = b"") -> str:
    """Return what certkit prints on a terminal; the answer is typed at its first prompt."""
    child, terminal = pty.fork()
    if child == 0:
        argv = [*command(), *map(str, arguments)]
        os.execvpe(argv[0], argv, {**environment(), "TERM": "xterm"})
    said = _read(terminal)
    os.write(terminal, answer)
    while chunk := _read(terminal):
        said += chunk
    os.waitpid(child, 0)
    os.close(terminal)
    return said.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_failed_force_changes_nothing(certkit, tmp_path):
    """The disk is full: the old key is there as it was, and no other name."""
    certkit("key", "generate", "--out", "k")
    (tmp_path / "k").chmod(0o640)
    before = (tmp_path / "k").read_bytes()

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    assert certkit("key", "generate", "--out", "k", "--force", preexec_fn=no_room).code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["k"]
    assert (tmp_path / "k").read_bytes() == before
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o640
