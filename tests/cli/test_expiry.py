"""`certkit expiry`: what a cron job relies on."""

from __future__ import annotations

import os
import re

import pytest
from cryptography import x509

from certkit.policy import DEFAULT_CRITICAL, DEFAULT_WARN, catalogue
from tests import pki
from tests.conftest import openssl

NOW = ("--at", "2026-11-23T12:00:00Z")


@pytest.fixture
def certificates(root, tmp_path):
    """Files with 60, 20 and 5 days left, and one that expired yesterday."""
    folder = tmp_path / "certs"
    (folder / "below").mkdir(parents=True)
    for stem, days in (("fine", 60), ("below/soon", 20), ("late", 5), ("gone", -1)):
        (folder / f"{stem}.pem").write_bytes(root.issue(begin=pki.NOW - 30 * pki.DAY, end=pki.NOW + days * pki.DAY).pem)
    return folder


@pytest.mark.parametrize(
    ("stem", "code", "days"), [("fine", 0, 60), ("below/soon", 1, 20), ("late", 2, 5), ("gone", 2, -1)]
)
def test_one_file(certkit, certificates, stem, code, days):
    """0 well, 1 below 28 days, 2 below 7 days or expired."""
    looked = certkit("expiry", f"certs/{stem}.pem", *NOW, "--json")
    assert looked.code == code
    assert looked.json["certificates"][0]["days_left"] == days


def test_the_json_of_a_directory(certkit, certificates):
    """One row a certificate, all of them below the directory, with counts."""
    looked = certkit("expiry", "certs", *NOW, "--json")
    assert looked.code == 2
    assert looked.json["status"] == "critical"
    assert looked.json["counts"] == {"ok": 1, "warning": 1, "critical": 2, "unknown": 0}
    assert looked.json["errors"] == []
    row = next(row for row in looked.json["certificates"] if row["status"] == "warning")
    assert set(row) == {
        *("source", "sources", "kind", "subject", "issuer", "serial", "fingerprint_sha256"),
        *("not_before", "not_after", "days_left", "status"),
    }
    assert (row["source"], row["sources"]) == ("certs/below/soon.pem", ["certs/below/soon.pem"])


def test_a_client_certificate_of_a_public_ca_cannot_be_renewed(certkit, root, tmp_path):
    """Where a renewal is due, its line says so; a private CA's says nothing of the kind."""
    public = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)])
    end = pki.NOW + 20 * pki.DAY
    (tmp_path / "public.pem").write_bytes(root.issue(extensions=[pki.CLIENT, public], end=end).pem)
    (tmp_path / "private.pem").write_bytes(root.issue(end=end).pem)
    note = "(of a public CA: cannot be renewed as a client certificate)"
    for stem, is_noted in (("public", True), ("private", False)):
        looked = certkit("expiry", f"{stem}.pem", *NOW)
        assert (looked.code, note in looked.out) == (1, is_noted)


def test_quiet_is_silent_while_all_is_well(certkit, certificates):
    """A cron job sends no mail for nothing, and one when there is something."""
    fine = certkit("expiry", "certs/fine.pem", *NOW, "-q")
    assert (fine.code, fine.out, fine.err) == (0, "", "")
    assert "20 days left" in certkit("expiry", "certs/below/soon.pem", *NOW, "-q").out


def test_it_agrees_with_openssl_checkend(certkit, certificates, tmp_path):
    """A minute before and after a threshold, openssl's -checkend says the same."""
    now = certkit("expiry", "certs/fine.pem", "--json").json["certificates"][0]
    for days in (now["days_left"], now["days_left"] + 1):
        mine = certkit("expiry", "certs/fine.pem", "--warn", f"{days}d").code
        theirs = openssl("x509", "-in", certificates / "fine.pem", "-noout", "-checkend", days * 86400, check=False)
        assert (mine == 0) == (theirs.returncode == 0)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--warn", "20d"), 0),
        (("--warn", "20.001d"), 1),
        (("--warn", "3w", "--critical", "1h"), 1),
        (("--warn", "30", "--critical", "21"), 2),
        (("--critical", "40d"), 2),
        (("--warn", "3d"), 0),
        (("--warn", "41%"), 1),
        (("--warn", "39%"), 0),
        (("--policy", "circle-mint"), 1),
    ],
)
def test_thresholds(certkit, certificates, options, code):
    """Less time left than the threshold triggers it; a default gives way to what is asked for."""
    assert certkit("expiry", "certs/below/soon.pem", *NOW, *options).code == code


def test_critical_above_warn_is_bad_usage(certkit, certificates):
    """Both given, and the wrong way round: exit 3."""
    refused = certkit("expiry", "certs/fine.pem", "--warn", "7d", "--critical", "28d")
    assert refused.code == 3
    assert "critical (28d) is above warn (7d)" in refused.err


def test_what_cannot_be_looked_at_is_never_ok(certkit, certificates):
    """A missing file is exit 3, and does not stop the others."""
    looked = certkit("expiry", "nowhere.pem", "certs/fine.pem", *NOW, "--json")
    assert looked.code == 3
    assert [error["source"] for error in looked.json["errors"]] == ["nowhere.pem"]
    assert looked.json["counts"] == {"ok": 1, "warning": 0, "critical": 0, "unknown": 1}
    assert certkit("expiry", "nowhere.pem", "certs/gone.pem", *NOW).code == 2


def test_other_files_of_a_directory_are_passed_over(certkit, certificates, tmp_path):
    """A key or a text file is nothing to watch; what begins to be a certificate and is broken is an error."""
    (certificates / "notes.txt").write_text("hello")
    certkit("key", "generate", "--out", "certs/k.key")
    looked = certkit("expiry", "certs", *NOW, "-v", "--json")
    assert looked.json["counts"]["unknown"] == 0
    (certificates / "cut.pem").write_bytes((certificates / "fine.pem").read_bytes()[:200])
    assert [error["source"] for error in certkit("expiry", "certs", *NOW, "--json").json["errors"]] == ["certs/cut.pem"]


def test_a_file_named_outright_must_hold_something(certkit, tmp_path):
    """A key given as a source, or an empty directory: exit 3."""
    certkit("key", "generate", "--out", "k")
    assert certkit("expiry", "k").code == 3
    (tmp_path / "empty").mkdir()
    nothing = certkit("expiry", "empty", "--json")
    assert (nothing.code, nothing.json["status"]) == (3, "unknown")


def test_a_certificate_seen_twice_is_one_row(certkit, certificates):
    """All its sightings are in `sources`."""
    (certificates / "copy.pem").write_bytes((certificates / "fine.pem").read_bytes())
    rows = certkit("expiry", "certs/copy.pem", "certs/fine.pem", *NOW, "--json").json["certificates"]
    assert [row["sources"] for row in rows] == [["certs/copy.pem", "certs/fine.pem"]]


def test_lists_globs_and_standard_input(certkit, certificates, tmp_path):
    """@FILE, a pattern and - are sources."""
    (tmp_path / "list").write_text("# ours\ncerts/fine.pem\n\ncerts/late.pem\n")
    assert len(certkit("expiry", "@list", *NOW, "--json").json["certificates"]) == 2
    assert len(certkit("expiry", "certs/*.pem", *NOW, "--json").json["certificates"]) == 3
    assert certkit("expiry", "no*.pem", *NOW).code == 3
    piped = certkit("expiry", "-", *NOW, "--json", stdin=(certificates / "late.pem").read_bytes())
    assert (piped.code, piped.json["certificates"][0]["source"]) == (2, "standard input")


def test_bundles(certkit, root, tmp_path):
    """A bundle's every certificate counts; --leaf-only looks at the first."""
    old = pki.root(end=pki.NOW + 3 * pki.DAY)
    (tmp_path / "chain.pem").write_bytes(root.issue().pem + old.pem)
    assert certkit("expiry", "chain.pem", *NOW).code == 2
    assert certkit("expiry", "chain.pem", *NOW, "--leaf-only").code == 0


def test_a_report_replaces_its_file_and_nothing_else(certkit, certificates, tmp_path):
    """--output writes atomically over an old report, and never over a private key."""
    (tmp_path / "report.json").write_text("old")
    assert certkit("expiry", "certs/fine.pem", *NOW, "--json", "--output", "report.json").code == 0
    assert (tmp_path / "report.json").read_text().startswith("{")
    certkit("key", "generate", "--out", "k")
    key = (tmp_path / "k").read_bytes()
    assert certkit("expiry", "certs/fine.pem", *NOW, "--output", "k").code == 3
    assert (tmp_path / "k").read_bytes() == key


def test_a_report_that_cannot_be_written_is_exit_3(certkit, certificates):
    """A full device, or no such directory."""
    assert certkit("expiry", "certs/fine.pem", *NOW, "--output", "/dev/full").code == 3
    assert certkit("expiry", "certs/fine.pem", *NOW, "--output", "nowhere/report").code == 3


def test_the_default_thresholds_are_those_of_the_general_policy():
    """They are known without reading the policy, to start fast; the two may not drift apart."""
    rules = catalogue.load("general").expiry
    assert (str(rules.warn), str(rules.critical)) == (DEFAULT_WARN, DEFAULT_CRITICAL)


def test_a_key_given_as_a_list_is_not_shown(certkit, tmp_path):
    """@acme.key by mistake: an error, and not a byte of the key."""
    certkit("key", "generate", "--out", "k")
    refused = certkit("expiry", "@k", "--json")
    assert refused.code == 3
    assert "not a list of sources" in refused.err
    assert (tmp_path / "k").read_text().splitlines()[1] not in refused.out + refused.err


def test_a_list_that_is_missing_stops_nothing(certkit, certificates):
    """The other sources are looked at all the same."""
    looked = certkit("expiry", "@nowhere", "certs/fine.pem", *NOW, "--json")
    assert (looked.code, looked.json["counts"]["ok"], looked.json["counts"]["unknown"]) == (3, 1, 1)


def test_pipes_in_a_directory_are_not_waited_for(certkit, certificates):
    """Neither by name of the directory nor by a pattern."""
    os.mkfifo(certificates / "pipe")
    assert certkit("expiry", "certs/*", *NOW).code == 2
    assert certkit("expiry", "certs", *NOW).code == 2


def test_a_report_never_replaces_a_certificate(certkit, certificates):
    """The file that is looked at is not the place for the report."""
    before = (certificates / "fine.pem").read_bytes()
    assert certkit("expiry", "certs/fine.pem", *NOW, "--output", "certs/fine.pem").code == 3
    assert (certificates / "fine.pem").read_bytes() == before


def test_a_report_to_a_device_goes_through_it(certkit, certificates, tmp_path):
    """/dev/stdout is written to, and is the same link afterwards."""
    link = os.readlink("/dev/stdout")
    written = certkit("expiry", "certs/fine.pem", *NOW, "--output", "/dev/stdout")
    assert "60 days left" in written.out
    assert os.readlink("/dev/stdout") == link


def test_reminders_are_not_kept_in_standard_output(certkit, certificates, tmp_path):
    """Its name is no other one for a file called -, and what cannot be kept is a warning."""
    before = set(tmp_path.iterdir())
    ran = certkit("expiry", "certs/fine.pem", *NOW, "--remind", "90d", "--state", "/dev/stdout")
    assert (ran.code, set(tmp_path.iterdir())) == (1, before)
    assert re.search("certkit: warning: cannot (read|write) /dev/stdout: ", ran.err)  # as root, or not


def test_a_report_in_a_file_tells_failures_too(certkit, certificates, tmp_path):
    """A report that is read later must not look all green."""
    assert certkit("expiry", "certs/fine.pem", "nowhere", *NOW, "--output", "report").code == 3
    assert "unknown   cannot read nowhere" in (tmp_path / "report").read_text()
