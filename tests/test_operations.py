"""`scripts/` for cron, systemd, Kubernetes, Prometheus and Grafana: they work unchanged."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certkit.report import prometheus
from tests import forked, pki
from tests.conftest import command, require_program

SCRIPTS = Path(__file__).parents[1] / "scripts"
CRONTAB = SCRIPTS / "cron" / "certkit-expiry"
UNITS = SCRIPTS / "systemd"
RULES = SCRIPTS / "prometheus" / "certkit.rules.yml"
DASHBOARD = SCRIPTS / "grafana" / "certkit.json"

TEXTFILES = "/var/lib/node_exporter/textfile_collector"


@dataclass(frozen=True)
class Host:
    """A folder that stands for a host: /etc/partners and the other paths of the scripts are below it."""

    folder: Path
    mails: Path

    def run(self, line, **replaced):
        """Run a line of shell as cron would, in the environment of cron, with its paths below the folder."""
        for there, here in {**self.paths(), **replaced}.items():
            line = line.replace(there, str(here))
        variables = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"}
        done = subprocess.run(["/bin/sh", "-c", line], env=variables, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    def paths(self):
        """The paths of the scripts, and where they are."""
        return {
            "/etc/partners": self.folder / "partners",
            TEXTFILES: self.folder / "textfiles",
            "/var/lib/certkit": self.folder,
            "/usr/local/bin/certkit": self.folder / "bin" / "certkit",
        }

    def put(self, name, *, days):
        """A certificate with that many days left, from now on."""
        begin = datetime.now(UTC) - 300 * pki.DAY
        pair = pki.root(begin=begin).issue(begin=begin, end=datetime.now(UTC) + days * pki.DAY + pki.DAY / 2)
        (self.folder / "partners" / name).write_bytes(pair.pem)


@pytest.fixture
def host(tmp_path):
    """A host with certkit, a mail program that keeps the mails, and a certificate that is OK."""
    for name in ("bin", "partners", "textfiles"):
        (tmp_path / name).mkdir()
    forked.program(tmp_path / "bin", command())
    script(tmp_path / "bin" / "mail", f'{{ printf "%s\\n" "$*"; cat; }} >> {tmp_path}/mails')
    made = Host(tmp_path, tmp_path / "mails")
    made.put("fine.pem", days=60)
    return made


def script(path, text):
    """A shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@dataclass
class Hook(http.server.ThreadingHTTPServer):
    """A web server that keeps what it is sent, as `(method, path, content type, body)`."""

    received: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)

    @property
    def url(self):
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes anything in."""

    def do_POST(self):
        """Keep it, and be content."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.command, self.path, self.headers.get("Content-Type"), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  the server's own name for it

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def hook():
    """A running web server."""
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


# cron


def entries(*, commented=False):
    """The lines of the crontab that run something, or those that are commented out."""
    mark = "# " if commented else ""
    found = re.findall(rf"^{mark}((?:[\d*,/-]+ +){{5}})(\S+) +(.+)$", CRONTAB.read_text(), re.MULTILINE)
    assert found
    return [line for _, _, line in found]


def test_cron_takes_the_crontab(tmp_path):
    """Its own program has nothing against it, the commented lines included; % would end a command."""
    text = CRONTAB.read_text()
    uncommented = re.sub(r"^# (?=\d+ [\d*] )", "", text, flags=re.MULTILINE)
    for number, form in enumerate((text, uncommented)):
        (tmp_path / f"{number}").write_text(form)
        subprocess.run([require_program("crontab"), "-n", tmp_path / f"{number}"], check=True, capture_output=True)
    assert not [line for line in entries() + entries(commented=True) if re.search(r"(?<!\\)%", line)]
    assert "." not in CRONTAB.name


def test_the_cron_job_is_silent_while_all_is_well(host):
    """No mail for nothing."""
    [line] = entries()
    assert host.run(line) == (0, "")


def test_the_cron_job_speaks_when_there_is_something_to_do(host):
    """A certificate near its end, and a folder that is gone."""
    [line] = entries()
    host.put("soon.pem", days=20)
    code, said = host.run(line)
    assert code == 1
    assert "20 days left" in said
    assert "fine.pem" not in said
    shutil.rmtree(host.folder / "partners")
    code, said = host.run(line)
    assert (code, "no such file or directory" in said) == (3, True)


def test_the_cron_job_with_reminders_speaks_once(host):
    """The second run of the day says nothing more, and its exit code is the same."""
    line = next(line for line in entries(commented=True) if "--remind" in line)
    host.put("soon.pem", days=20)
    code, said = host.run(line)
    assert (code, "20 days left" in said) == (1, True)
    assert host.run(line) == (1, "")


def test_the_cron_job_that_renews_says_when_there_is_nothing_to_renew(host):
    """Because it may be the wrong store."""
    line = next(line for line in entries(commented=True) if "renew" in line)
    code, said = host.run(line)
    assert (code, "there is no store at file:" in said) == (3, True)


def test_the_cron_job_for_prometheus_writes_its_file(host):
    """Readable for everybody, and nothing is said."""
    line = next(line for line in entries(commented=True) if "prometheus" in line)
    assert host.run(line) == (0, "")
    written = host.folder / "textfiles" / "certkit.prom"
    assert written.stat().st_mode & 0o777 == 0o644
    assert 'certkit_certificates{status="ok"} 1.0\n' in written.read_text()


# mail and webhooks


def one_liner(name):
    """A command of the README beside the crontab."""
    text = (SCRIPTS / "cron" / "README.md").read_text()
    match = re.search(rf"<!-- {name} -->\n```sh\n(.+)\n```", text)
    assert match
    return match[1]


@pytest.mark.parametrize("name", ["mail", "remind", "json", "text"])
def test_one_liners_send_nothing_while_all_is_well(host, hook, name):
    """Neither a mail nor a request."""
    line = re.sub(r"https://[a-z.]+", hook.url, one_liner(name))
    code, said = host.run(line)
    assert (code, said, host.mails.exists(), hook.received) == (0, "", False, [])


@pytest.mark.parametrize("name", ["mail", "remind"])
@pytest.mark.parametrize("trouble", ["20 days left", "no such file or directory"])
def test_mail(host, name, trouble):
    """The subject names the host, the text what there is to do."""
    host.put("soon.pem", days=20)
    if "no such file" in trouble:
        shutil.rmtree(host.folder / "partners")
    assert host.run(one_liner(name)) == (0, "")
    head, text = host.mails.read_text().split("\n", 1)
    assert head == f"-s Certificates on {socket.gethostname()} ops@example.com"
    assert trouble in text


def test_a_reminder_is_mailed_once(host):
    """The second run has nothing to say."""
    host.put("soon.pem", days=20)
    host.run(one_liner("remind"))
    host.mails.unlink()
    assert host.run(one_liner("remind")) == (0, "")
    assert not host.mails.exists()


def test_a_webhook_with_json(host, hook):
    """The document of --json, also where a place cannot be looked at."""
    require_program("curl")
    line = one_liner("json").replace("https://hooks.example.com", hook.url)
    host.put("soon.pem", days=20)
    assert host.run(line) == (0, "")
    shutil.rmtree(host.folder / "partners")
    host.run(line)
    (method, path, kind, body), (_, _, _, unreadable) = hook.received
    assert (method, path, kind) == ("POST", "/certificates", "application/json")
    assert json.loads(body)["counts"] == {"ok": 1, "warning": 1, "critical": 0, "unknown": 0}
    assert json.loads(unreadable)["status"] == "unknown"


def test_a_webhook_with_text(host, hook):
    """The lines of -q, with their line ends."""
    require_program("curl")
    host.put("soon.pem", days=20)
    host.put("late.pem", days=3)
    assert host.run(one_liner("text").replace("https://ntfy.example.com", hook.url)) == (0, "")
    [(method, path, _, body)] = hook.received
    assert (method, path) == ("POST", "/certificates")
    rows = [line for line in body.decode().splitlines() if not line.startswith(" ")]
    assert [row.split()[0] for row in rows] == ["critical", "warning"]


def test_a_sign_of_life(host, hook):
    """It is given by a run that could look, well or not, and not by one that could not."""
    require_program("curl")
    line = one_liner("life").replace("https://ping.example.com", hook.url)
    host.run(line)
    host.put("soon.pem", days=20)
    host.run(line)
    shutil.rmtree(host.folder / "partners")
    host.run(line)
    assert [(method, path) for method, path, _, _ in hook.received] == [("GET", "/certificates")] * 2


# systemd


@pytest.fixture
def units(tmp_path):
    """The units, with the path of certkit that this machine has."""
    folder = tmp_path / "units"
    folder.mkdir()
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/certkit", str(Path(command()[0])))
        (folder / unit.name).write_text(text)
    return folder


def analyze(*arguments):
    """Run systemd-analyze; its exit code and what it said."""
    done = subprocess.run(
        [require_program("systemd-analyze"), *arguments], capture_output=True, timeout=60, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_systemd_takes_the_units(units):
    """No setting that it does not know, and no unit that is not there."""
    names = ("certkit-expiry.service", "certkit-expiry.timer", "certkit-notify@certkit-expiry.service.service")
    (units / names[2]).symlink_to("certkit-notify@.service")
    assert analyze("verify", "--man=no", *(units / name for name in names)) == (0, "")


def test_the_service_is_locked_in(units):
    """Of ten points of exposure, less than one."""
    code, said = analyze("security", "--offline=yes", "--threshold=9", units / "certkit-expiry.service")
    assert code == 0, said


def settings(unit):
    """The settings of a unit as `(name, value)`."""
    return [tuple(line.split("=", 1)) for line in (UNITS / unit).read_text().splitlines() if re.match("[A-Z]", line)]


def test_the_timer_runs_every_day(units):
    """Once a day, and soon after the start of a host that was down."""
    timer = dict(settings("certkit-expiry.timer"))
    assert timer["Persistent"] == "true"
    code, said = analyze("calendar", "--iterations=3", "--base-time=2026-11-23", timer["OnCalendar"])
    assert code == 0
    assert re.findall(r"2026-11-2\d 06:00:00", said)[-3:] == [f"2026-11-2{day} 06:00:00" for day in (3, 4, 5)]


def test_a_warning_fails_the_unit_and_the_metrics_are_written(host):
    """The commands of the service: the first one's exit code decides and its text is in the journal."""
    host.put("soon.pem", days=20)
    service = dict(settings("certkit-expiry.service"))
    assert "SuccessExitStatus" not in service
    assert service["OnFailure"] == "certkit-notify@%n.service"
    code, said = host.run(service["ExecStart"])
    assert (code, "20 days left" in said) == (1, True)
    assert host.run(service["ExecStopPost"]) == (1, "")
    assert 'certkit_certificates{status="warning"} 1.0\n' in (host.folder / "textfiles" / "certkit.prom").read_text()


# Kubernetes


@pytest.fixture
def job():
    """The CronJob as data."""
    return yaml.safe_load((SCRIPTS / "kubernetes" / "cronjob.yaml").read_text())


def test_kubernetes_takes_the_job(job):
    """By the schema of its API, without a word that it does not know."""
    assert kubernetes_validate.validate(job, "1.34", strict=True) == "1.34"


def test_the_job_does_not_pile_up(job):
    """One at a time, once for each day, and not for ever."""
    spec = job["spec"]
    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == ("Forbid", 21600)
    assert (spec["jobTemplate"]["spec"]["backoffLimit"], spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]) == (
        0,
        600,
    )


def test_the_job_may_do_nothing_but_read(job):
    """No user root, nothing to write to, no token of Kubernetes, and no private key."""
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    [volume] = pod["volumes"]
    items = [item for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
    assert items == [{"key": "tls.crt", "path": "acme.pem"}]


def test_a_certificate_of_a_secret_is_seen_once(host, job):
    """Kubernetes mounts links to a hidden folder, to switch them all at once."""
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    partners = host.folder / "partners"
    (partners / "..2026_11_23_06_17_00").mkdir()
    (partners / "fine.pem").rename(partners / "..2026_11_23_06_17_00" / "acme.pem")
    (partners / "..data").symlink_to("..2026_11_23_06_17_00")
    (partners / "acme.pem").symlink_to("..data/acme.pem")
    line = shlex.join(["certkit", *container["args"]])
    assert host.run(line) == (0, "")
    _, said = host.run(line.replace(" -q ", " --json "))
    assert [row["sources"] for row in json.loads(said)["certificates"]] == [[str(partners / "acme.pem")]]


# Prometheus and Grafana


def rules():
    """The alerts as `{name: expression}`."""
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def panels():
    """The expressions of the dashboard as `[(title, expression)]`, for every instance."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [
        (panel["title"], target["expr"].replace("$instance", ".*")) for panel in found for target in panel["targets"]
    ]


def metrics(expression):
    """The names of the metrics in an expression: what is neither a function, a label, nor a word of the language."""
    bare = re.sub(r"\{[^}]*\}|\b(by|without) *\([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-z]\w+\b(?! *\()", bare)) - {"and", "or", "unless", "bool"}


def promtool(*arguments):
    """Run promtool; it must have nothing against it."""
    done = subprocess.run([require_program("promtool"), *arguments], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_the_alerts_keep_their_promises():
    """Prometheus' own tests of rules; every alert has some."""
    promtool("check", "rules", RULES)
    promtool("test", "rules", RULES.with_name("certkit.test.yml"))
    tests = yaml.safe_load(RULES.with_name("certkit.test.yml").read_text())["tests"]
    tried = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    assert tried == set(rules())


@pytest.mark.parametrize("expression", [*rules().values(), *(expression for _, expression in panels())])
def test_alerts_and_panels_use_metrics_that_there_are(expression):
    """Every name is one that a report has."""
    assert metrics(expression)
    assert metrics(expression) <= set(prometheus.MEANINGS)


def test_the_dashboard_asks_for_its_source():
    """It can be imported anywhere: data source and instances are variables."""
    dashboard = json.loads(DASHBOARD.read_text())
    source, instance = dashboard["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert instance["query"]["query"] == "label_values(certkit_last_run_timestamp_seconds, instance)"
    holders = [
        instance,
        *dashboard["panels"],
        *(target for panel in dashboard["panels"] for target in panel["targets"]),
    ]
    assert {(holder["datasource"]["type"], holder["datasource"]["uid"]) for holder in holders} == {
        ("prometheus", "${datasource}")
    }
    assert dashboard["schemaVersion"] == 39
    assert "id" not in dashboard


def free_port():
    """A port without a listener."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(*arguments, log):
    """A program that runs until the block is left."""
    with log.open("wb") as said, subprocess.Popen(list(map(str, arguments)), stdout=said, stderr=said) as process:
        try:
            yield
        finally:
            process.kill()


def get(url):
    """The response to a GET, or nothing if there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def until(answer, *, seconds=30):
    """The first answer that is not empty, in good time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := answer():
            return found
        time.sleep(0.1)
    raise AssertionError("no answer in time")


@pytest.fixture
def exporter(host):
    """The address of a node_exporter that reads the text files of the host."""
    program, port = require_program("prometheus-node-exporter"), free_port()
    options = ("--collector.disable-defaults", "--collector.textfile", f"--web.listen-address=127.0.0.1:{port}")
    folder = f"--collector.textfile.directory={host.folder}/textfiles"
    with running(program, *options, folder, log=host.folder / "exporter.log"):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def server(host, exporter):
    """The address of a Prometheus that asks the exporter, and goes by our rules."""
    program, port = require_program("prometheus"), free_port()
    configuration = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [exporter]}]}],
    }
    (host.folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    options = (f"--config.file={host.folder}/prometheus.yml", f"--storage.tsdb.path={host.folder}/data")
    with running(program, *options, f"--web.listen-address=127.0.0.1:{port}", log=host.folder / "prometheus.log"):
        yield f"http://127.0.0.1:{port}"


def put_troubles(host):
    """A certificate with 20 days left, one cut short, and a revocation list."""
    host.put("soon.pem", days=20)
    (host.folder / "partners" / "cut.pem").write_bytes((host.folder / "partners" / "soon.pem").read_bytes()[:200])
    issuer, now = pki.root(), datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    revoked = builder.last_update(now - 6 * pki.DAY).next_update(now + pki.DAY).sign(issuer.key, hashes.SHA256())
    (host.folder / "partners" / "ca.crl").write_bytes(revoked.public_bytes(serialization.Encoding.DER))


def test_the_textfile_collector_takes_the_metrics(host, exporter):
    """Every line of a report is a line of node_exporter's, hostile names included."""
    put_troubles(host)
    odd = host.folder / "partners" / 'odd "name"\\\n\x1b[1m|{},=é'
    (host.folder / "partners" / "fine.pem").rename(odd)
    host.run(dict(settings("certkit-expiry.service"))["ExecStopPost"])
    written = (host.folder / "textfiles" / "certkit.prom").read_text()
    read = until(lambda: get(f"http://{exporter}/metrics"))
    assert "node_textfile_scrape_error 0\n" in read
    ours = [line for line in read.splitlines() if line.startswith(("x509_", "certkit_"))]
    assert len(ours) == len([line for line in written.splitlines() if not line.startswith("#")])


def test_alerts_fire_and_panels_show_what_certkit_finds(host, server):
    """From files by way of the collector to Prometheus, with the real clock."""
    put_troubles(host)
    host.run(dict(settings("certkit-expiry.service"))["ExecStopPost"])

    def ask(path, **query):
        answer = get(f"{server}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        return json.loads(answer)["data"] if answer else {}

    def firing():
        alerts = ask("alerts").get("alerts", ())
        return {alert["labels"]["alertname"]: alert for alert in alerts if alert["state"] == "firing"}

    found = until(lambda: (alerts := firing()).keys() >= {"CertkitCannotLook"} and alerts)
    assert set(found) == {"CertificateExpiresSoon", "CertkitCannotLook", "RevocationListEndsSoon"}
    assert found["CertificateExpiresSoon"]["labels"]["source"] == str(host.folder / "partners" / "soon.pem")
    assert "The certificate acme-client-id expires in 20d" in found["CertificateExpiresSoon"]["annotations"]["summary"]
    shown = {title: ask("query", query=expression).get("result") for title, expression in panels()}
    assert [title for title, result in shown.items() if not result] == []
    assert 20 <= float(shown["Days until the next one expires"][0]["value"][1]) <= 20.5
    assert [row["metric"]["filename"] for row in shown["Certificates by days left"]] == ["soon.pem", "fine.pem"]
    assert [row["metric"]["reason"] for row in shown["Sources that could not be checked"]] == ["bad_pem"]
