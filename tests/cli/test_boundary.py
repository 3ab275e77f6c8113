"""Whatever goes in: one line, exit 3, nothing half written, nothing that hangs."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import click
import pytest

from certkit.cli.shared.commands import certkit as tree
from certkit.cli.shared.inputs import FileName, OutputName
from tests.conftest import command, environment, openssl

COMMANDS = {
    "inspect": ("inspect", "bad"),
    "csr check": ("csr", "check", "bad"),
    "verify": ("verify", "bad"),
    "expiry": ("expiry", "bad"),
    "csr create": ("csr", "create", "--organization", "A", "--key", "bad", "--out", "new.csr"),
    "key": ("csr", "check", "good.csr", "--key", "bad"),
    "ca": ("verify", "good.pem", "--ca", "bad"),
    "policy": ("policy", "validate", "bad"),
    "batch": ("csr", "create", "--batch", "bad", "--out-dir", "new"),
}

# Made on use: a large process takes long to fork.
INPUTS = {
    "empty": lambda: b"",
    "NULs": lambda: bytes(2_000_000),
    "text": lambda: b"All work and no play makes Jack a dull boy.\n" * 230_000,
    "random": lambda: random.Random(1).randbytes(100_000),
    "random DER": lambda: b"\x30\x82\x10\x00\x30\x82" + random.Random(2).randbytes(4092),
    "begin lines": lambda: b"-----BEGIN CERTIFICATE-----\n" * 100_000,
    "no base64": lambda: b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    "empty block": lambda: b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
    "UTF-16": lambda: "-----BEGIN CERTIFICATE-----\n".encode("utf-16"),
}


@pytest.fixture
def good(certkit, root, tmp_path):
    """good.csr and good.pem."""
    certkit("csr", "create", "--organization", "A", "--key-out", "good.key", "--out", "good.csr")
    (tmp_path / "good.pem").write_bytes(root.issue().pem)


def require_one_line(ran):
    """One line of error with a hint, exit 3, and nothing on standard output."""
    assert ran.code == 3, (ran.code, ran.out, ran.err)
    assert ran.err.startswith("certkit: error: ")
    assert ran.err.count("\n") == 1
    assert ". " in ran.err


@pytest.mark.parametrize("content", INPUTS.values(), ids=INPUTS.keys())
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_bad_files(certkit, good, tmp_path, arguments, content):
    """Every command that reads a file, with every kind of rubbish in it."""
    (tmp_path / "bad").write_bytes(content())
    if arguments[:2] == ("policy", "validate") and content() == b"":
        assert "'title' is missing" in certkit(*arguments).err
    before = sorted(path.name for path in tmp_path.iterdir())
    require_one_line(certkit(*arguments))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_bad_places(certkit, good, tmp_path, arguments):
    """A directory, no file at all, and a file that may not be read."""
    require_one_line(certkit(*arguments))
    (tmp_path / "bad").mkdir()
    ran = certkit(*arguments)
    assert ran.code == 3
    (tmp_path / "bad").rmdir()
    if os.geteuid() != 0:
        (tmp_path / "bad").touch(mode=0o000)
        assert "permission denied" in certkit(*arguments).err


@pytest.mark.parametrize("content", [b"", b"\nsecond line", bytes(2000), b"x" * 1024])
def test_bad_passphrases(certkit, good, tmp_path, content):
    """An empty first line, NULs, or more than OpenSSL takes: exit 3, whether or not it is needed."""
    (tmp_path / "bad").write_bytes(content)
    require_one_line(certkit("key", "generate", "--out", "k", "--passphrase-file", "bad"))
    assert not (tmp_path / "k").exists()


def test_truncated_files(certkit, good, tmp_path):
    """A CSR, a key and a certificate, cut off anywhere: never a traceback, never success."""
    for stem in ("good.csr", "good.key", "good.pem"):
        whole = (tmp_path / stem).read_bytes().rstrip()
        for length in range(0, len(whole), max(1, len(whole) // 5)):
            (tmp_path / "cut").write_bytes(whole[:length])
            assert certkit("inspect", "cut").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nonsense",),
        ("nonsense",),
        ("csr",),
        ("csr", "create"),
        ("csr", "check"),
        ("csr", "create", "--type", "rsa-512"),
        ("key", "generate"),
        ("key", "generate", "--out", "k", "--type", "dsa"),
        ("verify", "x", "--purpose", "world domination"),
        ("expiry", "x", "--warn", "soon"),
        ("expiry", "x", "--at", "yesterday"),
        ("csr", "create", "--organization", "A", "--key-out", "k"),
        ("csr", "create", "--organization", "A", "--out", "c"),
        ("csr", "create", "--organization", "A", "--key", "k", "--key-out", "k", "--out", "c"),
        ("csr", "create", "--organization", "A", "--key-out", "same", "--out", "./same"),
        ("csr", "create", "--organization", "A", "--key-out", "k", "--out", "c", "--force", "--if-absent"),
        ("csr", "create", "--organization", "A\nB", "--key-out", "k", "--out", "c"),
        ("csr", "create", "--organization", os.fsdecode(b"\xff\xfe"), "--key-out", "k", "--out", "c"),
        ("csr", "create", "--organization", "A", "--san", "DNS:-bad-", "--key-out", "k", "--out", "c"),
        ("csr", "create", "--organization", "A", "--key-out", "nowhere/k", "--out", "c"),
    ],
)
def test_bad_usage(certkit, tmp_path, arguments):
    """The exit 2 of click would mean critical: bad usage is 3, and leaves nothing."""
    ran = certkit(*arguments)
    assert ran.code == 3
    assert ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_usage_error_is_one_line(certkit):
    """WHAT, WHERE: WHY. HINT."""
    said = certkit("key", "generate", "--nonsense").err
    assert said.startswith("certkit: error: key generate: no such option")
    assert said.endswith(". See `certkit key generate --help`\n")


def test_an_error_is_json_too(certkit):
    """With --json there is exactly one document, errors included."""
    for arguments in (("key", "generate", "--nonsense", "--json"), ("inspect", "missing", "--json")):
        ran = certkit(*arguments)
        assert ran.code == 3
        assert ran.json["status"] == "unknown"
        assert ran.json["error"].keys() == {"message", "hint"}


@pytest.mark.parametrize("form", ["json", "nagios"])
@pytest.mark.parametrize("last", [("--format", "{}"), ("--format={}",)])
@pytest.mark.parametrize("first", ["--format", "--format="])
def test_of_a_repeated_option_an_error_uses_the_last(certkit, form, last, first):
    """As the command itself does, in whichever spelling: the output format, and the store in a hint."""
    other = {"json": "nagios", "nagios": "json"}[form]
    earlier = [first + other] if first.endswith("=") else [first, other]
    ran = certkit("expiry", "nowhere.pem", "--warn", "x", *earlier, *(each.format(form) for each in last))
    assert ran.out.startswith({"json": "{", "nagios": "CERTKIT UNKNOWN"}[form])
    stores = [each.replace("--format", "--store").replace(other, "file:one") for each in earlier]
    stores += [each.replace("--format", "--store").format("file:two") for each in last]
    assert "certkit identity enroll --store file:two`" in certkit("identity", "show", "a", *stores).err


def test_an_error_in_a_name_stays_on_one_line(certkit):
    """A file name with a line end and an escape sequence cannot forge output."""
    ran = certkit("inspect", "a\n\x1b[31mb")
    require_one_line(ran)
    assert "a\\0A\\1B[31mb" in ran.err


def test_debugging_shows_where_it_happened(tmp_path):
    """CERTKIT_DEBUG=1 and -vv show the traceback that is hidden otherwise."""
    for arguments, env in ((("inspect", "missing"), {"CERTKIT_DEBUG": "1"}), (("inspect", "missing", "-vv"), {})):
        done = subprocess.run(
            [*command(), "verify", "missing", *arguments[2:]],
            capture_output=True,
            env={**environment(), **env},
            cwd=tmp_path,
            check=False,
        )
        assert b"Traceback" in done.stderr
        assert done.returncode == 3


def test_a_full_device(certkit, good):
    """Standard output that cannot be written is exit 3, in one line."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*command(), "inspect", "good.pem"], stdout=full, stderr=subprocess.PIPE, cwd=certkit.folder, check=False
        )
    assert done.returncode == 3
    said = "certkit: error: cannot write to standard output: no space left on device. Free some space or redirect it\n"
    assert done.stderr.decode() == said


def test_a_reader_that_goes_away(certkit, good, tmp_path):
    """`certkit … | head -1`: exit 3, no traceback, no complaint of the interpreter."""
    (tmp_path / "many.pem").write_bytes((tmp_path / "good.pem").read_bytes() * 500)
    process = subprocess.Popen(
        [*command(), "inspect", "--all", "many.pem"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 3
    assert said.count(b"\n") == 1
    assert b"its reader went away" in said


def test_no_standard_output_at_all(certkit, good):
    """A closed standard output is an error, for the result went nowhere."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command(), "inspect", "good.pem"],
        stderr=subprocess.PIPE,
        cwd=certkit.folder,
        check=False,
    )
    assert done.returncode == 3
    assert b"standard output: it is closed" in done.stderr


def test_a_full_disk_leaves_nothing(certkit, tmp_path):
    """No byte may be written: the key does not appear, not even in part."""

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    ran = certkit("key", "generate", "--out", "k", preexec_fn=no_room)
    require_one_line(ran)
    assert list(tmp_path.iterdir()) == []


# Every option that names a file to write, and those of files and directories that no stream can stand for.
OUTPUTS = {
    "key generate --out": ("key", "generate", "--out"),
    "csr create --out": ("csr", "create", "--organization", "A", "--key", "good.key", "--out"),
    "csr create --key-out": ("csr", "create", "--organization", "A", "--out", "new.csr", "--key-out"),
    "policy new --out": ("policy", "new", "acme", "--out"),
    "wise ca --out": ("wise", "ca", "ca.pem", "--out"),
    "expiry --output": ("expiry", "good.pem", "--output"),
    "expiry --state": ("expiry", "good.pem", "--remind", "1d", "--state"),
    "wise rehearse --ready-file": ("wise", "rehearse", "--dir", "r", "--port", "0", "--ready-file"),
}
NAMED = {
    "csr create --out-dir": ("csr", "create", "--batch", "good.csr", "--out-dir"),
    "identity export --out": ("identity", "export", "acme", "--out"),
    "terraform install-provider --mirror": ("terraform", "install-provider", "--mirror"),
    "wise rehearse --dir": ("wise", "rehearse", "--port", "0", "--dir"),
    "policy validate": ("policy", "validate"),
    **{name: OUTPUTS[name] for name in ("expiry --state", "wise rehearse --ready-file")},
}


@pytest.mark.parametrize("name", ["new/", "new/.", "./", "/"])
@pytest.mark.parametrize("arguments", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_a_name_that_ends_in_a_slash_is_no_file(certkit, good, root, tmp_path, arguments, name):
    """It names a directory, which is not written as a file of that name without the slash."""
    (tmp_path / "ca.pem").write_bytes(root.pem)
    before = sorted(path.name for path in tmp_path.iterdir())
    ran = certkit(*arguments, name)
    require_one_line(ran)
    assert f"cannot write {name}: it is the name of a directory. Name a file in it" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", NAMED.values(), ids=NAMED.keys())
def test_what_is_no_stream_is_not_named_dash(certkit, good, tmp_path, arguments):
    """Nothing called `-` appears; the hint says how to name it all the same."""
    before = sorted(path.name for path in tmp_path.iterdir())
    ran = certkit(*arguments, "-")
    require_one_line(ran)
    assert "needs a name, not -. Give ./- if that is its name" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_every_option_that_writes_is_tested():
    """A new option for a file to write or for a directory is listed above."""

    def paths(command, name):
        if isinstance(command, click.Group):
            for each in command.list_commands(click.Context(command)):
                yield from paths(command.get_command(click.Context(command), each), f"{name} {each}")
            return
        for each in command.params:
            if isinstance(each.type, FileName) and (isinstance(each.type, OutputName) or not each.type.allow_dash):
                yield f"{name} {each.opts[0]}".strip().removesuffix(" path")

    assert {*paths(tree, "")} == {*OUTPUTS, *NAMED}


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "-", "--ca", "-"),
        ("expiry", "-", "-"),
        ("inspect", "-", "-"),
    ],
    ids=" ".join,
)
def test_standard_input_is_read_once(certkit, good, tmp_path, arguments):
    """Given a second time, it would be empty."""
    ran = certkit(*arguments, stdin=(tmp_path / "good.pem").read_bytes())
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "- is given more than once, and standard input can be read only once" in ran.err


@pytest.mark.parametrize("twice", [("-", "-"), ("@-", "-")], ids=" ".join)
def test_standard_input_given_twice_does_not_stop_other_sources(certkit, good, tmp_path, twice):
    """It is the error of one source; the certificates of the others are reported."""
    ran = certkit("expiry", *twice, "good.pem", "--json", stdin=b"good.pem\n")
    assert ran.code == 3
    assert [each["sources"] for each in ran.json["certificates"]] == [["good.pem"]]
    assert "more than once" in ran.json["errors"][-1]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("csr", "check", "-"),
        ("csr", "check", "good.csr", "--key", "good.key", "--passphrase-file", "-"),
        ("csr", "create", "--batch", "-", "--out-dir", "new"),
        ("verify", "-"),
        ("verify", "good.pem", "--ca", "-"),
        ("expiry", "-"),
        ("expiry", "@-"),
        ("inspect", "-"),
    ],
    ids=" ".join,
)
def test_standard_input_is_named(certkit, good, arguments):
    """Where what it holds cannot be used."""
    ran = certkit(*arguments)
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "standard input" in ran.err


@pytest.mark.parametrize(
    "arguments", [("csr", "create", "--organization", "A", "--key", "good.key"), ("policy", "new", "x")]
)
def test_standard_output_holds_one_result(certkit, good, arguments):
    """JSON and the file that `--out -` prints exclude each other."""
    ran = certkit(*arguments, "--out", "-", "--json")
    assert (ran.code, ran.json["error"]["message"]) == (3, "--out - and --json both write to standard output")


@pytest.mark.parametrize("path", ["d/" * 3000 + "x", "x" * 300 + "/y"], ids=["path", "directory"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("key", "generate", "--out", "PATH"),
        ("csr", "create", "--organization", "A", "--key-out", "PATH", "--out", "new.csr"),
        ("csr", "create", "--organization", "A", "--key", "good.key", "--out", "PATH"),
        ("csr", "create", "--batch", "-", "--out-dir", "PATH"),
        ("policy", "new", "acme", "--out", "PATH"),
        ("expiry", "good.pem", "--output", "PATH"),
        ("expiry", "PATH*"),
        ("identity", "enroll", "a", "--organization", "A", "--store", "file:PATH"),
    ],
    ids=" ".join,
)
def test_a_path_that_no_system_allows(certkit, good, arguments, path):
    """Exit 3 with the reason, and not an internal error."""
    ran = certkit(*(word.replace("PATH", path) for word in arguments), stdin=b'{"name": "b", "organization": "B"}')
    assert ran.code == 3
    assert "file name too long" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("key", "generate", "--out", "k"),
        ("policy", "new", "acme"),
        ("terraform", "install-provider", "--mirror", "m"),
        ("wise", "rehearse", "--dir", "r"),
    ],
    ids=lambda words: words[0],
)
def test_a_current_directory_that_was_removed(tmp_path, arguments):
    """It is named as the reason."""
    (tmp_path / "gone").mkdir()
    script = 'cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command(), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        "certkit: error: the current directory was removed. Change to one that exists"
    )


def test_several_options_may_be_meant(certkit):
    """All of them are in the hint."""
    assert certkit("key", "generate", "--ou", "x").err == (
        "certkit: error: key generate: no such option '--ou'. Did you mean one of: '--json', '--out'?\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("activate", "a", ""), ("retire", "a", ""), ("renew", "a", "--jitter", "")],
    ids=lambda words: words[0],
)
def test_an_empty_value_is_bad_usage(certkit, arguments):
    """As from an unset variable."""
    ran = certkit("identity", *arguments, "--store", "file:store")
    require_one_line(ran)
    assert "it is empty" in ran.err


def test_what_cannot_be_written_is_named_as_it_was_asked_for(certkit, root, tmp_path):
    """Where files are made in a temporary directory, an error names the one that it becomes."""

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    made, there = root.issue(), tmp_path / "there"
    made.write(tmp_path, "a")
    (tmp_path / "ca.pem").write_bytes(root.pem)
    there.mkdir()
    store = ("--store", "file:store")
    adopt = ("--cert", "a.pem", "--key", "a.key", "--ca", "ca.pem")
    assert certkit("identity", "import", "a", "--policy", "general", *adopt, *store).code == 0
    batch = ("csr", "create", "--batch", "-", "--out-dir")
    for file, *arguments in (
        (tmp_path / "new/b.key", *batch, "new"),
        (there / "b.key", *batch, "there"),
        ("other/b/settings.json", "identity", "enroll", "b", "--organization", "B", "--store", "file:other"),
        ("other/a/settings.json", "identity", "copy", "a", "--to", "file:other", *store),
        ("tls/key.pem", "identity", "export", "a", "--out", "tls", *store),
    ):
        ran = certkit(*arguments, stdin=b'{"name": "b", "organization": "B"}', preexec_fn=no_room)
        require_one_line(ran)
        assert f"cannot write {file}: file too large" in ran.err, ran.err
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_the_old_state_or_the_new(certkit, tmp_path, number):
    """Killed at any moment: no half file, no left-over, and --if-absent completes it."""
    create = ("csr", "create", "--organization", "A", "--key-out", "k", "--out", "c")
    for step in range(12):
        process = subprocess.Popen([*command(), *create, "--if-absent"], cwd=tmp_path, stdout=subprocess.DEVNULL)
        time.sleep(0.02 * step)
        process.send_signal(number)
        process.wait(timeout=30)
        assert {path.name for path in tmp_path.iterdir()} <= {"k", "c"}
        assert certkit(*create, "--if-absent").code == 0
        assert certkit("csr", "check", "c", "--key", "k").code == 0
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_key_derivation_that_would_take_hours(certkit, tmp_path):
    """PKCS#8 with a giant iteration count is refused by its count, PKCS#12 by the time it takes."""
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tmp_path / "k")
    openssl(
        "pkcs8", "-topk8", "-in", tmp_path / "k", "-passout", "pass:x", "-outform", "DER", "-out", tmp_path / "locked"
    )
    locked = (tmp_path / "locked").read_bytes()
    (tmp_path / "x").write_text("x")
    at = locked.index(b"\x02\x02\x08\x00")
    hostile = locked[:at] + b"\x02\x04\x7f\xff\xff\xff" + locked[at + 4 :]
    (tmp_path / "hostile").write_bytes(grow(hostile, at))
    began = time.monotonic()
    ran = certkit("inspect", "hostile", "--passphrase-file", "x")
    assert time.monotonic() - began < 20
    assert ran.code == 3
    assert "key derivation rounds" in ran.err


def grow(der: bytes, at: int) -> bytes:
    """DER with two bytes more at an offset: the lengths of the sequences around it are corrected."""
    fixed = bytearray(der)

    def walk(start: int) -> None:
        while start < at:
            length, value = fixed[start + 1], start + 2
            size = 0
            if length & 0x80:
                size = length & 0x7F
                length = int.from_bytes(fixed[value : value + size])
                value += size
            if value <= at < value + length and fixed[start] & 0x20:
                grown = (length + 2).to_bytes(size or 1)
                fixed[start + 2 - (0 if size else 1) : value] = grown
                walk(value)
                return
            start = value + length

    walk(0)
    return bytes(fixed)


def test_any_locale(certkit, root, tmp_path):
    """Names beyond the terminal's encoding are escaped, not fatal."""
    certkit("csr", "create", "--organization", "Žluťoučký", "--key-out", "k", "--out", "c")
    for env in (
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ):
        assert certkit("inspect", "c", env=env).code == 0
        assert json.loads(certkit("inspect", "c", "--json", env=env).out)[0]["subject"] == "O=Žluťoučký"


def test_it_runs_as_a_module(tmp_path):
    """`python -m certkit` is the same command."""
    done = subprocess.run([sys.executable, "-m", "certkit", "--version"], capture_output=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith(b"certkit ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("expiry", "x.pem"),
        ("verify", "x.pem"),
        ("probe", "127.0.0.1:1"),
        ("wise", "setup", "acme"),
        ("wise", "check", "a", "b"),
        ("wise", "webhook", "check", "https://127.0.0.1:1/"),
        ("wise", "token", "get", "--identity", "acme"),
    ],
)
def test_a_time_out_that_is_no_number(certkit, arguments):
    """Is exit 3 before anything else, in every command that has one."""
    ran = certkit(*arguments, "--timeout", "nan")
    command = " ".join(each for each in ("certkit", *arguments) if each.isalpha() and each not in {"acme", "a", "b"})
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"certkit: error: {command.removeprefix('certkit ')}: invalid value for '--timeout': not a number."
        f" See `{command} --help`\n"
    )
