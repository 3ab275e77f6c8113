"""Metrics: what Prometheus, its textfile collector and existing dashboards rely on."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from certkit.durations import Duration
from certkit.expiry.scan import Judge, Row, Scan, look, scan
from certkit.expiry.sources.base import Failure, Reason
from certkit.expiry.sources.files import FileSource
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status
from certkit.printable import printable
from certkit.report import prometheus
from certkit.x509.items import Kind
from tests import pki
from tests.conftest import require_program

THRESHOLDS = Thresholds(Duration.parse("28d"), Duration.parse("7d"))
ATTRIBUTES = {f"{name}_{part}" for name in ("subject", "issuer") for part in ("C", "ST", "L", "O", "OU", "CN")}


def row(number=1, *, sources=("/etc/partners/acme.pem",), kind=Kind.CERTIFICATE, end=None, serial=7, **labels):
    """A certificate with 20 days left; rows of different numbers are different certificates."""
    return Row(
        kind=kind,
        subject="CN=acme-client-id,O=Acme Ltd",
        issuer="CN=Partner Root CA,O=Partner",
        serial=serial,
        fingerprint=number.to_bytes(32, "big"),
        not_before=pki.NOW - pki.DAY,
        not_after=end or pki.NOW + 20 * pki.DAY,
        days_left=20,
        status=Status.WARNING,
        sources=list(sources),
        labels={"subject_CN": "acme-client-id", "issuer_CN": "Partner Root CA", **labels},
    )


def failure(source, reason=Reason.BAD_PEM):
    """A place that could not be looked at."""
    return Failure(source, f"cannot read {source}: it is broken", "get it again", reason)


def rendered(found):
    """The metrics of a scan as one text."""
    return "".join(prometheus.render(found))


def samples(text):
    """Every sample of a text as `(name, labels, value)`; no two of them are the same series."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    series = [(sample.name, frozenset(sample.labels.items())) for sample in found]
    assert len(set(series)) == len(series)
    return [(sample.name, sample.labels, sample.value) for sample in found]


def values(text, name, label):
    """The values of one metric, by one of its labels."""
    return {labels[label]: value for found, labels, value in samples(text) if found == name}


def check(text):
    """Return promtool's objections to the text."""
    promtool = require_program("promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False, timeout=60
    )
    return (done.stdout + done.stderr).decode()


def test_the_text():
    """A certificate and a file that cannot be read, word for word."""
    certificate = row(subject_O="Acme Ltd", subject_emailAddress="ops@example.com")
    text = rendered(Scan(pki.NOW, [certificate], [failure("/etc/partners/cut.pem")]))
    labels = (
        'filename="acme.pem",filepath="/etc/partners/acme.pem",'
        'issuer_C="",issuer_CN="Partner Root CA",issuer_L="",issuer_O="",issuer_OU="",issuer_ST="",'
        'serial_number="7",source="/etc/partners/acme.pem",'
        'subject_C="",subject_CN="acme-client-id",subject_L="",subject_O="Acme Ltd",subject_OU="",subject_ST=""'
    )
    cut = (
        'filename="cut.pem",filepath="/etc/partners/cut.pem",'
        'issuer_C="",issuer_CN="",issuer_L="",issuer_O="",issuer_OU="",issuer_ST="",'
        'reason="bad_pem",serial_number="",source="/etc/partners/cut.pem",'
        'subject_C="",subject_CN="",subject_L="",subject_O="",subject_OU="",subject_ST=""'
    )
    assert text.startswith(
        f"""\
# HELP x509_cert_not_after When the certificate expires, in Unix seconds.
# TYPE x509_cert_not_after gauge
x509_cert_not_after{{{labels}}} 1.7971632e+09
# HELP x509_cert_not_before When the certificate becomes valid, in Unix seconds.
# TYPE x509_cert_not_before gauge
x509_cert_not_before{{{labels}}} 1.7953488e+09
# HELP x509_cert_expired 1 if the certificate had expired when certkit ran.
# TYPE x509_cert_expired gauge
x509_cert_expired{{{labels}}} 0.0
# HELP x509_cert_error 1 if certkit could not check the source, 0 if it could.
# TYPE x509_cert_error gauge
x509_cert_error{{{cut}}} 1.0
x509_cert_error{{{labels}}} 0.0
# HELP certkit_last_run_timestamp_seconds When certkit ran, in Unix seconds.
# TYPE certkit_last_run_timestamp_seconds gauge
certkit_last_run_timestamp_seconds 1.7954352e+09
# HELP certkit_certificates Certificates and revocation lists by status; unknown: what could not be checked.
# TYPE certkit_certificates gauge
certkit_certificates{{status="ok"}} 0.0
certkit_certificates{{status="warning"}} 1.0
certkit_certificates{{status="critical"}} 0.0
certkit_certificates{{status="unknown"}} 1.0
# HELP certkit_errors Sources that certkit could not check, by reason.
# TYPE certkit_errors gauge
"""
    )
    assert 'certkit_errors{reason="bad_pem"} 1.0\n' in text
    assert text.endswith("\n")


def test_nothing_found_is_told_too():
    """Silence and health differ: the run, every status and every reason are there, at zero."""
    text = rendered(Scan(pki.NOW))
    assert {name for name, _, _ in samples(text)} == {
        *("certkit_last_run_timestamp_seconds", "certkit_certificates", "certkit_errors")
    }
    assert values(text, "certkit_certificates", "status") == {"ok": 0, "warning": 0, "critical": 0, "unknown": 0}
    assert values(text, "certkit_errors", "reason") == dict.fromkeys(map(str, Reason), 0)


def test_what_nobody_wanted_described_is_counted():
    """Certificates that are well, in a scan that describes only the others."""
    assert values(rendered(Scan(pki.NOW, quiet=3)), "certkit_certificates", "status")["ok"] == 3


def test_a_certificate_of_a_file(root, tmp_path):
    """Its names stand in labels one by one, its serial number in decimal, its dates in seconds."""
    subject = pki.name(C="GB", O="Acme Ltd", OU="Payments", CN="acme-client-id")
    (tmp_path / "acme.pem").write_bytes(root.issue(subject, serial=0xFF).pem)
    path = str(tmp_path / "acme.pem")
    found = look([FileSource((path,))], Judge(THRESHOLDS, pki.NOW, with_labels=True))
    text = rendered(scan(found, now=pki.NOW))
    [(labels, value)] = [(labels, value) for name, labels, value in samples(text) if name == "x509_cert_not_after"]
    assert datetime.fromtimestamp(value, UTC) == pki.NOW + pki.YEAR - pki.DAY
    assert set(labels) == {"filename", "filepath", "source", "serial_number", *ATTRIBUTES}
    assert {name: value for name, value in labels.items() if value} == {
        "filename": "acme.pem",
        "filepath": path,
        "source": path,
        "serial_number": "255",
        "subject_C": "GB",
        "subject_O": "Acme Ltd",
        "subject_OU": "Payments",
        "subject_CN": "acme-client-id",
        "issuer_O": "Partner",
        "issuer_CN": "Partner Root CA",
    }


def test_a_revocation_list_of_a_file(root, tmp_path):
    """Its issuer and number in labels; neither a subject nor a serial number; and it is no certificate."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject)
    builder = builder.last_update(pki.NOW - 9 * pki.DAY).next_update(pki.NOW - pki.DAY)
    revoked = builder.add_extension(x509.CRLNumber(12), critical=False).sign(root.key, hashes.SHA256())
    (tmp_path / "ca.crl").write_bytes(revoked.public_bytes(serialization.Encoding.PEM))
    found = look([FileSource((str(tmp_path / "ca.crl"),))], Judge(THRESHOLDS, pki.NOW, with_labels=True))
    text = rendered(scan(found, now=pki.NOW))
    listed = {name: (labels, value) for name, labels, value in samples(text) if name.startswith("x509")}
    assert {name: value for name, (_, value) in listed.items()} == {
        "x509_crl_next_update": (pki.NOW - pki.DAY).timestamp(),
        "x509_crl_this_update": (pki.NOW - 9 * pki.DAY).timestamp(),
        "x509_crl_stale": 1,
        "x509_cert_error": 0,
    }
    labels = listed["x509_crl_stale"][0]
    assert (labels["issuer_CN"], labels["crl_number"]) == ("Partner Root CA", "12")
    assert (labels["subject_CN"], labels["serial_number"]) == ("", "")


def test_every_sighting_is_a_series():
    """One certificate in two files."""
    text = rendered(Scan(pki.NOW, [row(sources=("a.pem", "b.pem"))]))
    assert set(values(text, "x509_cert_not_after", "source")) == {"a.pem", "b.pem"}


@pytest.mark.parametrize(("seconds", "expired"), [(-1, 1), (0, 0), (1, 0)], ids=["a second ago", "now", "in a second"])
def test_expired(seconds, expired):
    """After its last second, as x509-certificate-exporter has it."""
    text = rendered(Scan(pki.NOW, [row(end=pki.NOW + seconds * pki.DAY / 86400)]))
    assert set(values(text, "x509_cert_expired", "source").values()) == {expired}


@pytest.mark.parametrize(
    ("source", "filename", "filepath"),
    [
        ("acme.pem", "acme.pem", "acme.pem"),
        ("certs/acme.pem", "acme.pem", "certs/acme.pem"),
        ("/etc/partners/10:30", "10:30", "/etc/partners/10:30"),
        ("partner.example.com:443", "", ""),
        ("[2001:db8::1]:8443", "", ""),
        ("tls://partner.example.com:443", "", ""),
        ("vault://secret/partners/acme", "", ""),
        ("identity:wise-sandbox", "", ""),
        ("standard input", "", ""),
    ],
)
def test_places(source, filename, filepath):
    """A path where the place is a file, as x509-certificate-exporter has it; `source` names every place."""
    text = rendered(Scan(pki.NOW, [row(sources=[source])], [failure(source)]))
    for name, labels, _ in samples(text):
        if name.startswith("x509"):
            assert (labels["filename"], labels["filepath"], labels["source"]) == (filename, filepath, source)


def test_certificates_that_look_alike():
    """Same serial number, names and file: the first to expire keeps its labels, the others get their fingerprint."""
    rows = [row(2), row(1, end=pki.NOW + pki.DAY), row(3)]
    text = rendered(Scan(pki.NOW, rows))
    ends = [labels.get("discriminator") for name, labels, _ in samples(text) if name == "x509_cert_not_after"]
    assert ends == [None, f"{2:064x}", f"{3:064x}"]


def test_places_that_print_alike():
    """A newline in a name is printed as another name has it: one series, for the same certificate."""
    rows = [row(sources=["a\nb", "a\\0Ab"])]
    failures = [failure("a\nb"), failure("a\\0Ab"), failure("a\nb"), failure("a\nb", Reason.DECODE_FAILED)]
    text = rendered(Scan(pki.NOW, rows, failures))
    assert values(text, "x509_cert_not_after", "source") == {"a\\0Ab": (pki.NOW + 20 * pki.DAY).timestamp()}
    assert values(text, "certkit_errors", "reason")["bad_pem"] == 3


@given(
    name=st.text(st.characters(), max_size=20),
    source=st.text(st.characters(), min_size=1, max_size=20),
    count=st.integers(1, 3),
)
def test_no_name_breaks_the_format(name, source, count):
    """Quotes, backslashes, line ends, control characters, half a surrogate pair: they come back as they are printed."""
    rows = [row(number, sources=[source], subject_CN=name) for number in range(count)]
    text = rendered(Scan(pki.NOW, rows, [failure(source)]))
    ends = [labels for found, labels, _ in samples(text) if found == "x509_cert_not_after"]
    assert {(labels["subject_CN"], labels["source"]) for labels in ends} == {(printable(name), printable(source))}
    assert len(ends) == count


@pytest.mark.parametrize("kind", [Kind.CERTIFICATE, Kind.CRL])
def test_numbers_and_names_of_any_length(kind):
    """Absurdly long values are cut, and hide nothing else."""
    rows = [row(1, kind=kind, serial=1 << 100_000, issuer_CN="x" * 1_000_000), row(2, kind=kind, sources=["b.pem"])]
    text = rendered(Scan(pki.NOW, rows))
    assert len(text) < 10_000
    assert "x" * 300 + "… (999,700 more characters)" in text
    assert set(values(text, "x509_cert_error", "filename")) == {"acme.pem", "b.pem"}


def test_promtool_has_nothing_against_it():
    """Prometheus' own tool, with hostile names and every reason."""
    hostile = 'a"b\\c\nd\x1b\u202e\udcff|{}, #é\u2028\x00\t'
    rows = [row(number, sources=[hostile], subject_CN=hostile) for number in range(3)]
    lists = [row(number, kind=Kind.CRL, sources=[hostile]) for number in range(3, 6)]
    text = rendered(Scan(pki.NOW, [*rows, *lists], [failure(hostile, reason) for reason in Reason]))
    assert check(text) == ""


def test_a_large_report_comes_in_small_pieces():
    """Memory does not grow with the text, and every metric has its comment once."""
    pieces = list(prometheus.render(Scan(pki.NOW, [row(number, sources=[f"{number}.pem"]) for number in range(2500)])))
    assert max(map(len, pieces)) < 1_000_000
    text = "".join(pieces)
    assert text.count("# HELP x509_cert_not_after ") == text.count("# TYPE x509_cert_not_after ") == 1
    assert len(values(text, "x509_cert_not_after", "source")) == 2500


def test_without_the_package():
    """One line that names the command to install it."""
    code = """
import sys
from datetime import UTC, datetime
sys.modules["prometheus_client"] = None
from certkit.errors import InputError
from certkit.report import prometheus
from certkit.expiry.scan import Scan
try:
    list(prometheus.render(Scan(datetime(2026, 11, 23, tzinfo=UTC))))
except InputError as error:
    print(error.message, error.hint, sep="|")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode() == (
        "cannot make metrics for Prometheus: prometheus-client is not installed|"
        "install it beside certkit: pip install prometheus-client\n"
    )


def test_the_command(certkit, root, tmp_path):
    """The same on standard output and in a file, with the exit code of the scan."""
    (tmp_path / "acme.pem").write_bytes(root.issue(begin=pki.NOW - pki.DAY, end=pki.NOW + 20 * pki.DAY).pem)
    options = ("expiry", "acme.pem", "--at", "2026-11-23T12:00:00Z", "--format", "prometheus")
    shown, written = certkit(*options), certkit(*options, "--output", "certkit.prom")
    assert (shown.code, shown.err, written.code, written.out, written.err) == (1, "", 1, "", "")
    assert (tmp_path / "certkit.prom").read_text() == shown.out
    assert values(shown.out, "x509_cert_not_after", "subject_CN") == {
        "acme-client-id": (pki.NOW + 20 * pki.DAY).timestamp()
    }
    assert check(shown.out) == ""
