"""Output of a monitoring plugin: what Nagios and Icinga read."""

from __future__ import annotations

import re

import nagiosplugin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certkit.durations import Duration
from certkit.expiry.scan import Row, Scan
from certkit.expiry.sources.base import Failure, Reason
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status, exit_code
from certkit.report import nagios
from certkit.x509.items import Kind
from tests import pki

THRESHOLDS = Thresholds(Duration.parse("28d"), Duration.parse("7d"))

# Monitoring Plugins Development Guidelines, "Performance data": labels, values without a unit, ranges, minimum.
NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = rf"@?(?:~|{NUMBER})?:?(?:{NUMBER})?"
DATUM = rf"'([^'=]+)'=({NUMBER}|U)(?:;({RANGE}))?(?:;({RANGE}))?(?:;({NUMBER})?)?(?:;({NUMBER})?)?"
HEAD = re.compile(rf"CERTKIT (OK|WARNING|CRITICAL|UNKNOWN) - ([^|]+)\| ({DATUM}(?: {DATUM})*)")


def row(days, status=None, *, subject="CN=acme-client-id,O=Acme Ltd", sources=("acme.pem",), **other):
    """A certificate of 365 days with that many left, judged by the usual thresholds."""
    judged = Status.CRITICAL if days < 7 else Status.WARNING if days < 28 else Status.OK
    values = {
        "kind": Kind.CERTIFICATE,
        "subject": subject,
        "issuer": "CN=Partner Root CA,O=Partner",
        "serial": 7,
        "fingerprint": bytes(32),
        "not_before": pki.NOW + (days - 365) * pki.DAY,
        "not_after": pki.NOW + days * pki.DAY,
        "days_left": days,
        "status": status or judged,
        "sources": list(sources),
    }
    return Row(**(values | other))


def failure(source="cut.pem"):
    """A place that could not be looked at."""
    return Failure(source, f"cannot read {source}: it is broken", "get it again", Reason.BAD_PEM)


def output(*rows, failures=(), thresholds=THRESHOLDS, **other):
    """The output for some rows and failures."""
    return nagios.render(Scan(pki.NOW, list(rows), list(failures), **other), thresholds=thresholds)


def parsed(text):
    """The status, the summary, the performance data as `{label: (value, warn, critical, minimum)}`, and the rest."""
    head, _, rest = text.partition("\n")
    match = HEAD.fullmatch(head)
    assert match, head
    data = {found[1]: found.group(2, 3, 4, 5) for found in re.finditer(DATUM, match[3])}
    return match[1], match[2], data, rest


def test_a_warning():
    """Word for word: the worst and the counts, performance data, and a line for each that is not ok."""
    text = output(row(60, sources=["fine.pem"]), row(20, sources=["soon.pem", "copy.pem"]), row(10, subject="CN=b"))
    assert text == (
        "CERTKIT WARNING - CN=b: expires in 10 days (2026-12-03T12:00:00Z), acme.pem; 2 warning, 1 ok"
        "| 'days_left'=10;28:;7: 'ok'=1;;;0 'warning'=2;;;0 'critical'=0;;;0 'unknown'=0;;;0\n"
        "WARNING   CN=b: expires in 10 days (2026-12-03T12:00:00Z), acme.pem\n"
        "WARNING   CN=acme-client-id,O=Acme Ltd: expires in 20 days (2026-12-13T12:00:00Z), soon.pem and 1 more\n"
    )


def test_all_is_well():
    """One line: what ends first, and how many there are."""
    assert output(row(90, subject="CN=b"), row(60)) == (
        "CERTKIT OK - CN=acme-client-id,O=Acme Ltd: expires in 60 days (2027-01-22T12:00:00Z), acme.pem; 2 ok"
        "| 'days_left'=60;28:;7: 'ok'=2;;;0 'warning'=0;;;0 'critical'=0;;;0 'unknown'=0;;;0\n"
    )


def test_nothing_found():
    """UNKNOWN, and no number of days is known."""
    assert output() == (
        "CERTKIT UNKNOWN - no certificate found"
        "| 'days_left'=U 'ok'=0;;;0 'warning'=0;;;0 'critical'=0;;;0 'unknown'=0;;;0\n"
    )


def test_what_cannot_be_looked_at():
    """UNKNOWN with the reason, although the rest is OK."""
    text = output(row(60), failures=[failure(), failure("other.pem")])
    assert text.splitlines()[0].startswith("CERTKIT UNKNOWN - cannot read cut.pem: it is broken; 2 unknown, 1 ok| ")
    assert text.splitlines()[1:] == [
        "UNKNOWN   cannot read cut.pem: it is broken",
        "UNKNOWN   cannot read other.pem: it is broken",
    ]


def test_the_most_urgent_comes_first():
    """Critical, then unknown, then warnings; within each, the earliest expiry first."""
    text = output(row(20), row(-3), row(5), failures=[failure()])
    status, summary, data, rest = parsed(text)
    assert (status, data["days_left"][0]) == ("CRITICAL", "-3")
    assert summary == (
        "CN=acme-client-id,O=Acme Ltd: expired 3 days ago (2026-11-20T12:00:00Z), acme.pem; "
        "2 critical, 1 unknown, 1 warning"
    )
    assert [line.split()[0] for line in rest.splitlines()] == ["CRITICAL", "CRITICAL", "UNKNOWN", "WARNING"]


def test_other_kinds_of_trouble():
    """A revocation list, a certificate of tomorrow, one without a name."""
    stale = row(-1, kind=Kind.CRL, subject="CN=Partner Root CA")
    early = row(90, Status.CRITICAL, subject="CN=early", not_before=pki.NOW + pki.DAY)
    assert parsed(output(stale, early, row(3, subject="")))[3] == (
        "CRITICAL  revocation list of CN=Partner Root CA: out of date for 1 day (2026-11-22T12:00:00Z), acme.pem\n"
        "CRITICAL  no name: expires in 3 days (2026-11-26T12:00:00Z), acme.pem\n"
        "CRITICAL  CN=early: not valid before 24 November 2026 (2026-11-24T12:00:00Z), acme.pem\n"
    )


def test_interrupted():
    """UNKNOWN, whatever was found until then."""
    status, summary, _, rest = parsed(output(row(3), is_interrupted=True))
    assert (status, summary) == ("UNKNOWN", "interrupted: only some of the sources were checked; 1 critical")
    assert rest.startswith("CRITICAL  ")


def test_what_nobody_wanted_described_is_counted():
    """A scan that describes only what is urgent."""
    status, summary, data, _ = parsed(output(quiet=3))
    assert (status, summary, data["days_left"][0], data["ok"][0]) == ("OK", "3 ok", "U", "3")


def test_a_revocation_list_has_days_of_its_own():
    """Lists live for days as a matter of course, so they have a figure and ranges of their own, by their lifetime."""
    weekly = {"kind": Kind.CRL, "not_before": pki.NOW - 4 * pki.DAY}
    both = parsed(output(row(3, **weekly), row(60)))[2]
    assert (both["days_left"][:3], both["crl_days_left"][:3]) == (("60", "28:", "7:"), ("3", "1.75:", "0.58333:"))
    alone = parsed(output(row(3, **weekly)))[2]
    assert (alone["days_left"][0], alone["crl_days_left"][0]) == ("U", "3")
    assert "crl_days_left" not in parsed(output(row(60)))[2]


@pytest.mark.parametrize(
    ("days", "word", "code"), [(60, "OK", 0), (20, "WARNING", 1), (5, "CRITICAL", 2), (None, "UNKNOWN", 3)]
)
def test_the_word_goes_with_the_exit_code(days, word, code):
    """OK 0, WARNING 1, CRITICAL 2, UNKNOWN 3."""
    scan = Scan(pki.NOW, [row(days)] if days else [])
    assert (parsed(nagios.render(scan, thresholds=THRESHOLDS))[0], exit_code(scan.status)) == (word, code)


@pytest.mark.parametrize(
    ("warn", "critical", "expected"),
    [
        ("28d", "7d", ("28:", "7:")),
        ("4w", "12h", ("28:", "0.5:")),
        ("33%", "2%", ("120.45:", "7.3:")),
        ("999999d", "1s", ("999999:", "0.00001:")),
        ("0", "0", ("0:", "0:")),
    ],
)
def test_thresholds(warn, critical, expected):
    """Days, without an exponent; a share is that of the certificate's own lifetime."""
    thresholds = Thresholds(Duration.parse(warn), Duration.parse(critical))
    assert parsed(output(row(20), thresholds=thresholds))[2]["days_left"][1:3] == expected


@pytest.mark.parametrize(
    ("days", "warns", "alarms"), [(-1, True, True), (6, True, True), (7, True, False), (28, False, False)]
)
def test_ranges_as_a_library_of_plugins_reads_them(days, warns, alarms):
    """Strict ranges: days left below the threshold are outside of them."""
    _, warn, critical, _ = parsed(output(row(days)))[2]["days_left"]
    assert (days not in nagiosplugin.Range(warn), days not in nagiosplugin.Range(critical)) == (warns, alarms)


@given(
    subject=st.text(st.characters(), max_size=20) | st.just("|" * 5000) | st.just("\U0001f600" * 5000),
    source=st.text(st.characters(), min_size=1, max_size=20),
    days=st.sampled_from([-400, 0, 3, 20, 60]),
)
def test_no_name_breaks_the_format(subject, source, days):
    """One `|`, one line each, and never more than Nagios keeps."""
    text = output(row(days, subject=subject, sources=[source]), failures=[failure(source)])
    _, _, data, rest = parsed(text)
    assert data["days_left"][0] == str(days)
    assert "|" not in rest
    assert len(rest.splitlines()) == len(rest.split("\n")) - 1 == (2 if days < 28 else 1)
    assert len(text.encode()) < 8192


def test_the_details_are_bounded():
    """Nagios cuts at 8 KiB; the most urgent are there, and how many are not."""
    text = output(*[row(20, sources=[f"{number}.pem"]) for number in range(1000)], row(3), failures=[failure()] * 500)
    assert 7000 < len(text.encode()) < 8192
    _, _, data, rest = parsed(text)
    first, *others, last = rest.splitlines()
    assert (first.split()[0], others[0].split()[0]) == ("CRITICAL", "UNKNOWN")
    assert last == f"and {1501 - 1 - len(others):,} more"
    assert (data["warning"][0], data["unknown"][0]) == ("1000", "500")


@pytest.mark.parametrize(
    ("days", "word", "code"), [(60, "OK", 0), (20, "WARNING", 1), (5, "CRITICAL", 2), (None, "UNKNOWN", 3)]
)
def test_the_command(certkit, root, tmp_path, days, word, code):
    """All that a plugin says is on standard output, and its exit code goes with it."""
    (tmp_path / "certs").mkdir()
    if days:
        issued = root.issue(begin=pki.NOW - 30 * pki.DAY, end=pki.NOW + days * pki.DAY)
        (tmp_path / "certs" / "acme.pem").write_bytes(issued.pem)
    ran = certkit("expiry", "certs", "--at", "2026-11-23T12:00:00Z", "--format", "nagios")
    status, _, data, _ = parsed(ran.out)
    assert (ran.code, status, ran.err) == (code, word, "")
    assert data["days_left"] == ((str(days), "28:", "7:", None) if days else ("U", None, None, None))


def test_the_command_with_shares(certkit, root, tmp_path):
    """The thresholds of the performance data are those of the options."""
    issued = root.issue(begin=pki.NOW - 30 * pki.DAY, end=pki.NOW + 20 * pki.DAY)
    (tmp_path / "acme.pem").write_bytes(issued.pem)
    options = ("--warn", "50%", "--critical", "12h", "--format", "nagios")
    ran = certkit("expiry", "acme.pem", "missing.pem", "--at", "2026-11-23T12:00:00Z", *options)
    status, _, data, rest = parsed(ran.out)
    assert (ran.code, status, data["days_left"]) == (3, "UNKNOWN", ("20", "25:", "0.5:", None))
    assert [line.split()[0] for line in rest.splitlines()] == ["UNKNOWN", "WARNING"]
