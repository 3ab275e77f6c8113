"""`certkit expiry` as its users run it: reminders, formats, interruption, live hosts."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import signal
import stat
import subprocess
from datetime import timedelta

import pytest

from certkit.times import rfc3339
from tests import pki
from tests.conftest import command, environment, require_program

AT = ("--at", "2026-11-23T12:00:00Z")
LIST = "28d,14d,7d,3d,1d,0d"


def at(days: float) -> tuple[str, str]:
    """The option for a moment so many days after `pki.NOW`."""
    return "--at", rfc3339(pki.NOW + timedelta(days=days))


@pytest.fixture
def year(root, tmp_path):
    """A certificate that ends 300 days after `pki.NOW`."""
    (tmp_path / "year.pem").write_bytes(root.issue(begin=pki.NOW - 65 * pki.DAY, end=pki.NOW + 300 * pki.DAY).pem)
    return tmp_path / "year.pem"


def test_a_life_from_ok_to_expired_with_each_reminder_once(certkit, year):
    """Every day twice, from ten weeks before the end until two weeks after it; from then on every run speaks."""
    spoken, codes = [], []
    for day in range(230, 315):
        for hour in (6, 18):
            ran = certkit("expiry", "year.pem", "-q", "--remind", LIST, "--state", "s.json", *at(day + hour / 24))
            codes.append(ran.code)
            if ran.out:
                spoken.append((day, ran.out.split()[0]))
    assert spoken == [
        (272, "warning"),
        (286, "warning"),
        (293, "critical"),
        (297, "critical"),
        (299, "critical"),
        *((day, "critical") for day in range(300, 315) for _ in range(2)),
    ]
    assert codes == [0] * 84 + [1] * 42 + [2] * 44


def test_the_same_with_the_clock_of_the_machine(certkit, root, tmp_path):
    """The whole process lives on other days: faketime moves its clock."""
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    require_program("faketime")
    (tmp_path / "c.pem").write_bytes(root.issue(begin=pki.NOW - 65 * pki.DAY, end=pki.NOW + 300 * pki.DAY).pem)
    told = []
    for days, text in (
        (200, ""),
        (280, "warning"),
        (280.5, ""),
        (294, "critical"),
        (301, "critical"),
        (302, "critical"),
    ):
        moment = (pki.NOW + timedelta(days=days)).strftime("@%Y-%m-%d %H:%M:%S")
        moved = {"LD_PRELOAD": library, "FAKETIME": moment, "TZ": "UTC"}
        ran = certkit("expiry", "c.pem", "-q", "--remind", LIST, "--state", "s", env=moved)
        told.append((ran.code, ran.out.split(" ")[0]))
        assert ran.out.split(" ")[0] == text
    assert [code for code, _ in told] == [0, 1, 1, 2, 2, 2]


def test_machine_formats_tell_the_real_state_whatever_was_spoken(certkit, year):
    """A reminder that was given silences the text only, and a report for machines is no reminder."""
    options = ("--remind", LIST, "--state", "s.json", *at(280))
    told = certkit("expiry", "year.pem", *options, "--json")
    assert (told.code, told.json["status"]) == (1, "warning")
    assert "20 days left" not in certkit("expiry", "year.pem", *options, "--format", "nagios").out
    assert "20 days left" in certkit("expiry", "year.pem", *options).out
    assert certkit("expiry", "year.pem", *options).out == ""
    assert certkit("expiry", "year.pem", *options, "--json").json["status"] == "warning"


def test_errors_are_spoken_on_every_run(certkit, year):
    """A source that could not be checked does not count as a reminder."""
    for _ in range(2):
        ran = certkit("expiry", "year.pem", "nowhere.pem", "-q", "--remind", LIST, "--state", "s.json", *AT)
        assert (ran.code, ran.out) == (3, "")
        assert "cannot read nowhere.pem" in ran.err


def test_a_state_that_cannot_be_written_is_a_warning_and_no_silence(certkit, year, tmp_path):
    """It speaks each time, and the exit is at least 1."""
    (tmp_path / "state").mkdir()
    for _ in range(2):
        ran = certkit("expiry", "year.pem", "--remind", "400d,28d", "--state", "state", *AT)
        assert ran.code == 1
        assert "300 days left" in ran.out
        assert "certkit: warning: " in ran.err


def test_the_state_lives_in_the_user_s_state_directory(certkit, year, tmp_path):
    """As the XDG base directories have it."""
    home = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    assert certkit("expiry", "year.pem", "--remind", LIST, *at(280), env=home).out
    state = tmp_path / "state" / "certkit" / "reminders.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert certkit("expiry", "year.pem", "--remind", LIST, *at(280), env=home).out == ""


def test_the_policy_knows_the_days_of_its_partner(certkit, year):
    """Wise writes 28, 14, 7, 3, 1 and 0 days before; a policy that names no days is bad usage."""
    options = ("--remind", "policy", "--state", "s.json", *at(280))
    assert "20 days left" in certkit("expiry", "year.pem", "--policy", "wise-production", *options).out
    refused = certkit("expiry", "year.pem", "--policy", "circle-mint", *options)
    assert refused.code == 3
    assert refused.err.endswith("policy circle-mint defines no reminders. List them: --remind 28d,14d,7d\n")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be a uid without a passwd entry")
def test_reminders_without_a_home_directory_are_repeated(certkit, year, tmp_path):
    """A uid without a passwd entry and without HOME is told to name a file."""
    alone = {name: value for name, value in environment().items() if name not in {"HOME", "XDG_STATE_HOME"}}
    setpriv = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    ran = subprocess.run(
        [*setpriv, *command(), "expiry", "-", "--remind", LIST, *at(280)],
        input=(tmp_path / "year.pem").read_bytes(),
        cwd="/",
        env=alone,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, b"20 days left" in ran.stdout) == (1, True), ran
    assert ran.stderr.decode() == (
        "certkit: warning: cannot keep reminders: this user has no home directory."
        " Name a file with --state; until then every reminder is repeated\n"
    )


@pytest.fixture
def mixed(root, tmp_path):
    """A directory with a sound certificate, one that ends soon, and a broken file."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "fine.pem").write_bytes(root.issue(end=pki.NOW + 60 * pki.DAY).pem)
    (folder / "soon.pem").write_bytes(root.issue(end=pki.NOW + 20 * pki.DAY).pem)
    (folder / "cut.pem").write_bytes(root.issue().pem[:300])
    return folder


def test_lines_of_json(certkit, mixed):
    """One for each sighting and each failure, and the same exit code."""
    ran = certkit("expiry", "certs", "certs/fine.pem", *AT, "--format", "jsonl")
    entries = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 3
    assert [(entry["source"], entry["status"]) for entry in entries] == [
        ("certs/fine.pem", "ok"),
        ("certs/soon.pem", "warning"),
        ("certs/fine.pem", "ok"),
        ("certs/cut.pem", "unknown"),
    ]
    certkit("expiry", "certs", "certs/fine.pem", *AT, "--format", "jsonl", "--output", "report")
    assert (certkit.folder / "report").read_text() == ran.out


def test_nagios_gets_one_line_and_details(certkit, mixed):
    """The status words are those of the exit codes, and stderr stays silent."""
    ran = certkit("expiry", "certs", *AT, "--format", "nagios")
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.startswith("CERTKIT UNKNOWN - ")
    assert "| 'days_left'=20;28:;7:" in ran.out.splitlines()[0]
    nothing = certkit("expiry", "empty*", *AT, "--format", "nagios")
    assert nothing.code == 3
    assert nothing.out.startswith("CERTKIT UNKNOWN - ")


def test_nagios_hears_of_bad_usage_too(certkit, mixed):
    """A check that is configured wrongly must not be a plugin without output."""
    for options in (("--warn", "soon|er"), ("--bogus",)):
        ran = certkit("expiry", "certs", "--format", "nagios", *options)
        assert ran.code == 3
        assert ran.out.startswith("CERTKIT UNKNOWN - ")
        assert "|" not in ran.out
    assert ran.out == "CERTKIT UNKNOWN - expiry: no such option '--bogus'. Did you mean '--verbose'?\n"


def test_metrics_are_readable_for_another_user(certkit, mixed):
    """node_exporter runs as another user, and cron may have a strict umask."""
    before = os.umask(0o077)
    try:
        ran = certkit("expiry", "certs", *AT, "--format", "prometheus", "--output", "certkit.prom")
    finally:
        os.umask(before)
    metrics = certkit.folder / "certkit.prom"
    assert ran.code == 3
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
    assert 'certkit_certificates{status="warning"} 1.0' in metrics.read_text()


def test_a_page_and_a_calendar(certkit, mixed):
    """Each tells what could not be looked at, too."""
    assert "certs/cut.pem" in certkit("expiry", "certs", *AT, "--format", "html").out
    calendar = certkit("expiry", "certs", *AT, "--format", "ics", "--remind", "5d").out
    assert calendar.startswith("BEGIN:VCALENDAR\r\n")
    assert "TRIGGER:-P5D" in calendar


def test_at_most_a_hundred_of_a_source_are_shown(certkit, root, tmp_path):
    """The most urgent ones, and how many more there are; --all shows them."""
    pairs = [
        root.issue(pki.name(CN=str(number)), key=root.key, end=pki.NOW + (90 - number % 50) * pki.DAY)
        for number in range(120)
    ]
    (tmp_path / "bundle.pem").write_bytes(b"".join(pair.pem for pair in pairs))
    shown = certkit("expiry", "bundle.pem", *AT).out.splitlines()
    assert len(shown) == 103
    assert shown[:2] == [
        "STATUS    EXPIRY        VALID UNTIL           SOURCE      SUBJECT",
        "ok        41 days left  2027-01-03T12:00:00Z  bundle.pem  CN=49",
    ]
    assert shown[101:] == ["bundle.pem: and 20 more (--all)", "120 certificates: 120 ok"]
    assert len(certkit("expiry", "bundle.pem", *AT, "--all").out.splitlines()) == 122


def interrupted(arguments, folder, *, server, terminal):
    """Run certkit, with a terminal for stderr or without, and press Ctrl-C once it has connected to a server."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [*command(), *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=writer,
        env={**environment(), "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(writer)
    server.settimeout(60)
    connection, _ = server.accept()
    os.killpg(process.pid, signal.SIGINT)
    out = process.stdout.read().decode()
    code = process.wait(timeout=30)
    said = b""
    while select.select([reader], [], [], 0.2)[0]:
        try:
            chunk = os.read(reader, 65536)
        except OSError:
            break
        if not chunk:
            break
        said += chunk
    os.close(reader)
    process.stdout.close()
    connection.close()
    return code, out, said.decode()


@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_prints_what_is_known_so_far(root, tmp_path, terminal):
    """Interrupted while waiting for a silent host, it reports what it has found, and exits 3."""
    import socket

    (tmp_path / "fine.pem").write_bytes(root.issue(end=pki.NOW + 5 * pki.DAY).pem)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        arguments = ("expiry", "fine.pem", f"127.0.0.1:{port}", *AT, "--timeout", "60")
        code, out, said = interrupted(arguments, tmp_path, server=silent, terminal=terminal)
    assert code == 3
    assert "\ncritical  5 days left" in out
    assert "interrupted: only some of the sources were checked" in said
    assert "Traceback" not in said


def test_a_quiet_run_of_what_is_well_says_nothing_at_all(certkit, year):
    """Neither on standard output nor on standard error, so cron sends no mail."""
    for options in ((), ("--remind", LIST, "--state", "s"), ("--policy", "wise-sandbox")):
        ran = certkit("expiry", "year.pem", "-q", *AT, *options)
        assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_one_of_cert_and_key_is_bad_usage(certkit, year):
    """A client certificate without its key is of no use."""
    refused = certkit("expiry", "127.0.0.1:9", "--cert", "year.pem")
    assert refused.code == 3
    assert "--cert and --key must be given together" in refused.err


def test_an_open_key_file_is_a_warning(certkit, root, tmp_path):
    """As in every command that takes a key."""
    pair = root.issue()
    certificate, key = pair.write(tmp_path, "client")
    key.chmod(0o644)
    ran = certkit("expiry", "client.pem", "--cert", certificate, "--key", key, *AT)
    assert ran.code == 1
    assert "client.key" in ran.err
    asked = ("expiry", "client.pem", "--cert", certificate, "--key", key, *AT)
    assert certkit(*asked, "--format", "nagios").out.startswith("CERTKIT WARNING - ")
    document = certkit(*asked, "--json").json
    assert (document["status"], [each["id"] for each in document["checks"]]) == ("warning", ["key-file"])


def test_an_interrupted_run_leaves_the_old_report(root, tmp_path):
    """Half of the metrics in the place of all of them would look as if certificates had gone."""
    import socket

    (tmp_path / "fine.pem").write_bytes(root.issue().pem)
    (tmp_path / "c.prom").write_text("old")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        options = ("--timeout", "60", "--format", "prometheus", "--output", "c.prom")
        arguments = ("expiry", "fine.pem", f"127.0.0.1:{port}", *options)
        code, _, said = interrupted(arguments, tmp_path, server=silent, terminal=False)
    assert code == 3
    assert "c.prom was not changed" in said
    assert (tmp_path / "c.prom").read_text() == "old"


def test_every_reminder_that_is_recorded_was_spoken(certkit, root, tmp_path):
    """A bundle with more than a hundred certificates is no exception."""
    pairs = [root.issue(pki.name(CN=str(number)), key=root.key, end=pki.NOW + 3 * pki.DAY) for number in range(120)]
    (tmp_path / "bundle.pem").write_bytes(b"".join(pair.pem for pair in pairs))
    options = ("--remind", "7d", "--state", "s", *AT)
    assert len(certkit("expiry", "bundle.pem", *options).out.splitlines()) == 120
    assert certkit("expiry", "bundle.pem", *options).out == ""


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: here
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority: ca.pem
users:
- name: admin
  user:
    client-certificate-data: {client}
    client-key-data: {key}
"""


def test_kubeconfig_files_hold_certificates(certkit, root, tmp_path):
    """Embedded ones, and those in files beside it; the key in it is nothing to show."""
    (tmp_path / "kube").mkdir()
    (tmp_path / "kube" / "ca.pem").write_bytes(root.pem)
    pair = root.issue(pki.name(CN="admin"), end=pki.NOW + 5 * pki.DAY)
    secret = base64.b64encode(pair.key_pem).decode()
    text = KUBECONFIG.format(client=base64.b64encode(pair.pem).decode(), key=secret)
    (tmp_path / "kube" / "config").write_text(text)
    ran = certkit("expiry", "kube/config", *AT, "--json")
    assert ran.code == 2
    assert [(row["source"], row["subject"]) for row in ran.json["certificates"]] == [
        ("kube/config", "CN=admin"),
        ("kube/ca.pem", "CN=Partner Root CA,O=Partner"),
    ]
    (tmp_path / "kube" / "broken").write_text(text.replace("client-certificate-data: ", "client-certificate-data: *"))
    broken = certkit("expiry", "kube", *AT)
    assert (broken.code, secret in broken.out + broken.err) == (2, False)
    assert "kube/broken" in broken.err


def test_what_may_not_be_read_is_an_error(root, tmp_path):
    """A file or a whole directory, also for root, if it has no power over permissions."""
    (tmp_path / "certs" / "shut").mkdir(parents=True)
    for name in ("certs/fine.pem", "certs/locked.pem", "certs/shut/inside.pem"):
        (tmp_path / name).write_bytes(root.issue().pem)
    (tmp_path / "certs" / "locked.pem").chmod(0)
    (tmp_path / "certs" / "shut").chmod(0)
    powerless = [require_program("setpriv"), "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    certkit = [*(powerless if os.geteuid() == 0 else []), *command()]
    sources = ("certs", "certs/shut/inside.pem")
    ran = subprocess.run([*certkit, "expiry", *sources, *AT, "--json"], cwd=tmp_path, capture_output=True, check=False)
    (tmp_path / "certs" / "shut").chmod(0o700)
    found = json.loads(ran.stdout)
    assert ran.returncode == 3
    assert found["counts"]["ok"] == 1
    assert [(each["source"], each["reason"]) for each in sorted(found["errors"], key=lambda each: each["source"])] == [
        ("certs/locked.pem", "permission_denied"),
        ("certs/shut", "permission_denied"),
        ("certs/shut/inside.pem", "permission_denied"),
    ]
