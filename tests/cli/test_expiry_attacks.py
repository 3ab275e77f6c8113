"""`certkit expiry` under attack: hostile names, dates, layouts and places, and machines that refuse to co-operate."""

from __future__ import annotations

import base64
import json
import os
import resource
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from tests import pki
from tests.conftest import command, environment, require_program

AT = ("--at", "2026-11-23T12:00:00Z")
FORMATS = ("text", "json", "jsonl", "prometheus", "nagios", "html", "ics")
BEGIN = b"-----BEGIN CERTIFICATE-----\n"


def pem_of(der: bytes) -> bytes:
    """DER of a certificate as PEM."""
    return BEGIN + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def late(root):
    """A certificate with 5 days left, as PEM."""
    return root.issue(pki.name(CN="late"), begin=pki.NOW - 30 * pki.DAY, end=pki.NOW + 5 * pki.DAY).pem


@pytest.fixture(scope="module")
def gone(root):
    """A certificate that expired yesterday."""
    return root.issue(pki.name(CN="gone"), begin=pki.NOW - 30 * pki.DAY, end=pki.NOW - pki.DAY).certificate


@pytest.fixture
def folder(root, tmp_path):
    """A directory with one certificate that is OK."""
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "fine.pem").write_bytes(root.issue(pki.name(CN="fine")).pem)
    return tmp_path / "certs"


@pytest.fixture(scope="module")
def dated(root):
    """Makes a certificate, as PEM, that says those times, as GeneralizedTime has them."""
    pair = root.issue(begin=pki.NOW + 9000 * pki.DAY, end=pki.NOW + 9001 * pki.DAY)
    der = pair.certificate.public_bytes(serialization.Encoding.DER)

    def made(begin: str, end: str) -> bytes:
        old = (pki.NOW + 9000 * pki.DAY, pki.NOW + 9001 * pki.DAY)
        changed = der
        for before, after in zip(old, (begin, end), strict=True):
            changed = changed.replace(before.strftime("%Y%m%d%H%M%SZ").encode(), after.encode())
        return pem_of(changed)

    return made


LAYOUTS = {
    "line ends spelt out": lambda pem: pem.replace(b"\n", rb"\n"),
    "carriage returns and line feeds": lambda pem: pem.replace(b"\n", b"\r\n"),
    "carriage returns alone": lambda pem: pem.replace(b"\n", b"\r"),
    "one line": lambda pem: pem.replace(b"\n", b" "),
    "indented": lambda pem: b"".join(b"    " + line for line in pem.splitlines(keepends=True)),
    "no last line end": lambda pem: pem.rstrip(b"\n"),
    "a byte order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "zeros before it": lambda pem: b"\0" * 100_000 + pem,
    "words before it on the line": lambda pem: b"certificate: " + pem,
    "another label": lambda pem: pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE"),
    "after something broken": lambda pem: BEGIN + pem,
    "behind two megabytes of text": lambda pem: b"text\n" * 400_000 + pem,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_certificate_is_found_whatever_the_layout(certkit, folder, gone, layout):
    """An expired one in a directory is critical, however its PEM came to look like this."""
    pem = gone.public_bytes(serialization.Encoding.PEM)
    (folder / "odd").write_bytes(LAYOUTS[layout](pem))
    assert certkit("expiry", "certs", *AT, "-q").code == 2


def cut_bundle(certificate):
    """A PKCS#7 bundle that ends too soon."""
    return pkcs7.serialize_certificates([certificate], serialization.Encoding.DER)[:100]


BROKEN = {
    "cut PEM": lambda made: made.public_bytes(serialization.Encoding.PEM)[:200],
    "cut DER": lambda made: made.public_bytes(serialization.Encoding.DER)[:200],
    "hardly any DER": lambda made: made.public_bytes(serialization.Encoding.DER)[:12],
    "cut PKCS#7": cut_bundle,
    "cut PKCS#12": lambda _: bytes.fromhex("308203e8020103308203"),
    "DER and more": lambda made: made.public_bytes(serialization.Encoding.DER) + b"\nmore",
    "a quoted mail": lambda made: b"> " + made.public_bytes(serialization.Encoding.PEM).replace(b"\n", b"\n> "),
    "a day that does not exist": lambda made: pem_of(
        made.public_bytes(serialization.Encoding.DER).replace(b"261122", b"260230")
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_begins_to_be_a_certificate_is_never_passed_over(certkit, folder, gone, how):
    """In a directory where everything else is OK, it is one error and exit 3."""
    (folder / "broken").write_bytes(BROKEN[how](gone))
    looked = certkit("expiry", "certs", *AT, "--json")
    assert looked.code == 3
    assert [each["source"] for each in looked.json["errors"]] == ["certs/broken"]
    assert looked.json["counts"]["ok"] == 1


@pytest.mark.parametrize(
    ("begin", "end", "status"),
    [
        ("00010101000000Z", "20300101000000Z", "ok"),
        ("19490101000000Z", "20500101000000Z", "ok"),
        ("20200101000000Z", "99991231235959Z", "ok"),
        ("19000101000000Z", "19690101000000Z", "critical"),
        ("20200101000000Z", "20261123120000Z", "critical"),
        ("20600101000000Z", "20200101000000Z", "critical"),
        ("20200101000000Z", "20100101000000Z", "critical"),
        ("99980101000000Z", "99991231235959Z", "critical"),
    ],
)
def test_dates_at_the_ends_of_time(certkit, dated, tmp_path, begin, end, status):
    """Any dates that can be written are judged; an end before the beginning is never well."""
    (tmp_path / "c.pem").write_bytes(dated(begin, end))
    assert certkit("expiry", "c.pem", *AT, "--json").json["certificates"][0]["status"] == status


def test_a_year_that_does_not_exist(certkit, dated, tmp_path):
    """The year 0 cannot be judged, which is exit 3, also where only what is urgent is described."""
    (tmp_path / "c.pem").write_bytes(dated("00000101000000Z", "20300101000000Z"))
    assert certkit("expiry", "c.pem", *AT, "-q").code == 3


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("moment", ["0001-01-01", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_any_moment_in_any_format(certkit, dated, folder, moment, form):
    """The first day and the last one there is: a report, and no surprise."""
    (folder / "never.pem").write_bytes(dated("20200101000000Z", "99991231235959Z"))
    looked = certkit("expiry", "certs", "--at", moment, "--format", form)
    assert (looked.code, looked.err) == (2, "")
    assert looked.out


NAMES = {
    b"line\nend.pem": r"certs/line\0Aend.pem",
    b"\xff\xfe.pem": r"certs/\FF\FE.pem",
    "x\u202egnp.mep".encode(): r"certs/x\E2\80\AEgnp.mep",
    b"\x1b[31mred.pem": r"certs/\1B[31mred.pem",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_names_of_files_cannot_command_the_terminal(certkit, folder, late, name, locale):
    """Unprintable characters are escaped, in any locale, and a file is one line."""
    (folder / os.fsdecode(name)).write_bytes(late)
    (folder / os.fsdecode(b"broken" + name)).write_bytes(BEGIN)
    looked = certkit("expiry", "certs", *AT, "-q", env=locale)
    assert [line.split()[-2] for line in looked.out.splitlines()] == [NAMES[name]]
    assert looked.err.splitlines()[0].startswith(f"certkit: error: cannot read certs/broken{NAMES[name][6:]}: ")
    assert len(looked.err.splitlines()) == 1


def test_a_name_without_measure_fits_in_a_line_for_nagios(certkit, root, tmp_path):
    """A megabyte of a name is cut, and cannot begin performance data."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.USER_ID, "|'x'=1 " * 150_000)])
    (tmp_path / "c.pem").write_bytes(root.issue(name, end=pki.NOW + 5 * pki.DAY).pem)
    told = certkit("expiry", "c.pem", *AT, "--format", "nagios")
    assert told.code == 2
    assert len(told.out) < 8192
    assert told.out.count("|") == 1


def dig(folder, levels: int):
    """Make directories, each in the one before."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_directory_three_thousand_levels_deep(certkit, folder):
    """Reachable files are reported, and the rest is an error in one line."""
    dig(folder, 3000)
    try:
        looked = certkit("expiry", "certs", *AT)
    finally:
        # pytest's own tidying up would recurse too deeply.
        subprocess.run([require_program("rm"), "-rf", folder], check=True, timeout=60)
    assert looked.code == 3
    assert "1 certificate: 1 ok; 1 source could not be checked" in looked.out
    assert looked.err.endswith("d: file name too long. Check that it is the right file\n")


def test_the_same_file_by_two_names(certkit, folder):
    """A relative and an absolute path are two sightings of one certificate; the same path twice is one."""
    path = str(folder / "fine.pem")
    looked = certkit("expiry", "certs/fine.pem", path, "certs/fine.pem", "certs", *AT, "--json")
    assert [row["sources"] for row in looked.json["certificates"]] == [["certs/fine.pem", path]]


def test_words_after_two_hyphens_are_sources(certkit, folder, late, tmp_path):
    """A file may be called like an option."""
    (tmp_path / "--json").write_bytes(late)
    looked = certkit("expiry", *AT, "-q", "--", "--json")
    assert (looked.code, looked.out.split()[-2]) == (2, "--json")


def test_a_list_may_come_from_standard_input(certkit, folder):
    """@- is a list of sources, a line each, whatever its line ends."""
    assert certkit("expiry", "@-", *AT, "-q", stdin=b"# ours\r\ncerts/fine.pem\r\n").code == 0
    assert certkit("expiry", "@-", *AT, "-q", stdin=b"certs/fine.pem\r\nnowhere\r\n").code == 3


def test_a_password_in_an_address_is_not_repeated(certkit, folder):
    """Neither on the terminal nor in a document."""
    looked = certkit("expiry", "tls://user:sesame@127.0.0.1:1", "certs", *AT, "--json")
    assert looked.code == 3
    assert "sesame" not in looked.out + looked.err


def test_zeros_are_no_certificate(certkit, tmp_path):
    """A file of zeros, as after lost power, named explicitly, in little memory: exit 3."""
    with (tmp_path / "zeros.pem").open("wb") as file:
        file.truncate(100_000_000)
    looked = certkit("expiry", "zeros.pem", *AT, preexec_fn=limit(resource.RLIMIT_AS, 300_000_000))
    assert looked.code == 3
    assert "it contains only whitespace or NULs" in looked.err


def limit(kind: int, value: int):
    """Return a function that sets a limit in a child process, before it becomes the command."""
    return lambda: resource.setrlimit(kind, (value, value))


def test_few_open_files_are_enough(certkit, folder, late):
    """Sixteen, for thousands of files and two processes."""
    for number in range(2100):
        (folder / f"{number:04}.pem").write_bytes(late)
    looked = certkit("expiry", "certs", *AT, preexec_fn=limit(resource.RLIMIT_NOFILE, 16))
    assert looked.out.splitlines()[-1] == "2 certificates: 1 critical, 1 ok"


def test_a_report_that_grows_too_large_leaves_the_old_one(certkit, folder, tmp_path):
    """A limit on the size of files is an error like a full disk."""
    (tmp_path / "report").write_text("old")
    options = ("--format", "html", "--output", "report")
    refused = certkit("expiry", "certs", *AT, *options, preexec_fn=limit(resource.RLIMIT_FSIZE, 4096))
    assert refused.code == 3
    assert (tmp_path / "report").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["certs", "report"]


def code_of(folder, words: str, **options):
    """The exit code of a command line with a shell's redirections."""
    line = [require_program("bash"), "-c", f'"$@" {words}', "bash", *command()]
    return subprocess.run(line, cwd=folder, env=environment(), check=False, timeout=60, **options).returncode


def test_without_any_standard_stream_a_report_is_written(folder, late, tmp_path):
    """As a daemon starts its children: no input, no output, no errors."""
    (folder / "late.pem").write_bytes(late)
    options = "--at 2026-11-23T12:00:00Z --json --output report"
    assert code_of(tmp_path, f"expiry certs nowhere {options} <&- >&- 2>&-") == 2
    counts = {"ok": 1, "warning": 0, "critical": 1, "unknown": 1}
    assert json.loads((tmp_path / "report").read_text())["counts"] == counts


REMINDING = "expiry late.pem --at 2026-11-23T12:00:00Z -q --remind 28d,7d --state s.json"


@pytest.mark.parametrize("redirection", [">/dev/full 2>&-", ">&- 2>&-"])
def test_a_reminder_that_cannot_be_spoken_is_repeated(certkit, late, tmp_path, redirection):
    """A full device, no standard output: what was not spoken is not recorded."""
    (tmp_path / "late.pem").write_bytes(late)
    assert code_of(tmp_path, f"{REMINDING} {redirection}") == 3
    heard = certkit(*REMINDING.split())
    assert (heard.code, heard.out.split()[0]) == (2, "critical")


def test_a_reminder_to_a_reader_that_has_gone_is_repeated(certkit, late, tmp_path):
    """As when the program that should send the mail is missing."""
    (tmp_path / "late.pem").write_bytes(late)
    reader, writer = os.pipe()
    os.close(reader)
    assert code_of(tmp_path, REMINDING, stdout=writer, stderr=subprocess.DEVNULL) == 3
    os.close(writer)
    assert certkit(*REMINDING.split()).out.split()[0] == "critical"


def test_of_many_runs_at_once_one_reminds(folder, late, tmp_path):
    """The exit code of each is the real state all the same."""
    (folder / "late.pem").write_bytes(late)
    words = [*command(), "expiry", "certs", *AT, "-q", "--remind", "28d,7d", "--state", "s.json"]
    started = [
        subprocess.Popen(words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    spoken = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [2] * 6
    assert sorted(len(out.splitlines()) for out, _ in spoken) == [0, 0, 0, 0, 0, 1]
    assert {err for _, err in spoken} == {b""}


KUBECONFIGS = {
    "deep lists": "- " + "[" * 1_000_000,
    "deep mappings": "- {" + "? " * 500_000,
    "deep indents": "? " * 500_000,
    "an alias of nothing": "- *nothing\n",
    "many values": "- {" + "a," * 1_000_000,
    "a long scalar": '- "' + "\\\n" * 1_000_000,
}


@pytest.mark.parametrize("shape", KUBECONFIGS)
def test_hostile_kubeconfigs_are_errors_soon(certkit, folder, shape):
    """Whatever the YAML contains, the certificates beside it are reported, and the file is an error."""
    pytest.importorskip("yaml")
    head = "# client-certificate: x\napiVersion: v1\nkind: Config\nusers:\n"
    (folder / "config").write_text(head + KUBECONFIGS[shape])
    looked = certkit("expiry", "certs", *AT, "--json")
    assert looked.code == 3
    assert looked.json["counts"]["ok"] == 1
    assert {each["reason"] for each in looked.json["errors"]} == {"bad_kubeconfig"}


def test_a_report_of_any_size_replaces_itself(certkit, root, tmp_path):
    """Also one of more than a megabyte, one that begins with a digit, and one with a name like a PEM marker."""
    names = [pki.name(O="x" * 60, CN=f"-----BEGIN {number}") for number in range(2500)]
    (tmp_path / "many.pem").write_bytes(b"".join(root.issue(name, key=root.key).pem for name in names))
    for _ in range(2):
        assert certkit("expiry", "many.pem", *AT, "--json", "--output", "r.json").code == 0
    for source in ("nowhere", "many.pem"):
        certkit("expiry", source, *AT, "--all", "--output", "r.txt")
    assert (tmp_path / "r.txt").read_text().splitlines()[1].startswith("ok ")
    assert (tmp_path / "r.json").stat().st_size > 1 << 20
    (tmp_path / "keys.jks").write_bytes(b"\xfe\xed\xfe\xed" + bytes(100))
    assert certkit("expiry", "many.pem", *AT, "--output", "keys.jks").code == 3


def test_an_empty_place_beside_a_good_one_is_not_well(certkit, root, tmp_path):
    """A directory whose mount failed looks like this, and so does an emptied list."""
    (tmp_path / "fine.pem").write_bytes(root.issue().pem)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    (tmp_path / "list").write_text("# nothing\n")
    for barren in ("empty", "notes", "notes/*", "@list"):
        ran = certkit("expiry", barren, "fine.pem", *AT, "--json")
        assert (barren, ran.code, ran.json["counts"]["ok"], len(ran.json["errors"])) == (barren, 3, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE----\nMIIB\n",
        "\u2014BEGIN CERTIFICATE\u2014\nMIIB\n",
        "-----begin certificate-----\nMIIB\n",
        "MIIB\n-----END CERTIFICATE-----\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_spoilt_marker_in_a_directory_is_an_error(certkit, root, tmp_path, text, encoding):
    """The name says that it is a certificate."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "fine.pem").write_bytes(root.issue().pem)
    (folder / "spoilt.pem").write_bytes(text.encode(encoding))
    if text.startswith("\u2014") and encoding == "utf-16":
        return  # not even an editor does that
    assert certkit("expiry", "certs", *AT).code == 3


def test_loops_of_links_do_not_multiply_what_a_pattern_finds(certkit, root, tmp_path):
    """Each directory is entered once."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.pem").write_bytes(root.issue().pem)
    (folder / "one").symlink_to(".")
    (folder / "two").symlink_to(".")
    ran = certkit("expiry", "d/**/*.pem", *AT, "--json")
    assert (ran.code, ran.json["certificates"][0]["sources"]) == (0, ["d/a.pem"])


@pytest.mark.parametrize("pattern", ["**/*.pem", "*/" * 1200 + "*.pem"])
def test_a_pattern_goes_through_directories_however_deep(certkit, root, tmp_path, pattern):
    """Also where a person has nested more of them than Python nests calls."""
    deepest = tmp_path / ("d/" * 1200)
    try:
        subprocess.run([require_program("mkdir"), "-p", deepest], check=True)
        (deepest / "a.pem").write_bytes(root.issue().pem)
        ran = certkit("expiry", pattern, *AT, "--json")
        assert (ran.code, ran.json["certificates"][0]["sources"]) == (0, ["d/" * 1200 + "a.pem"])
    finally:  # shutil.rmtree of Python 3.11 would not get there
        subprocess.run([require_program("rm"), "-r", tmp_path / "d"], check=True)


@pytest.mark.parametrize("reference", ["config", "/dev/zero", "./config"])
def test_a_kubeconfig_cannot_lead_astray(certkit, root, tmp_path, reference):
    """Neither to itself nor to an endless file; the certificates beside it are reported."""
    (tmp_path / "late.pem").write_bytes(root.issue(end=pki.NOW + pki.DAY).pem)
    (tmp_path / "config").write_text(
        f"apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    client-certificate: {reference}\n"
    )
    ran = certkit("expiry", "config", "late.pem", *AT, "--json")
    assert (ran.code, len(ran.json["certificates"]), len(ran.json["errors"])) == (2, 1, 1)


def test_reminders_without_a_home_are_spoken(root, tmp_path):
    """As in a container with any user id: exit at least 1, and never silence."""
    (tmp_path / "soon.pem").write_bytes(root.issue(end=pki.NOW + 20 * pki.DAY).pem)
    nobody = []
    if os.geteuid() == 0:
        may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        nobody = [require_program("setpriv"), "--reuid=54321", "--regid=54321", "--clear-groups", *may_read]
    environment_without_home = {name: value for name, value in environment().items() if name != "HOME"}
    done = subprocess.run(
        [*nobody, *command(), "expiry", "soon.pem", *AT, "-q", "--remind", "28d"],
        cwd=tmp_path,
        env=environment_without_home,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert b"20 days left" in done.stdout
