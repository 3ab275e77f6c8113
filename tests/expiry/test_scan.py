"""Looking at many places: what is found, in what order, and what cannot be looked at."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certkit.durations import Duration
from certkit.expiry.scan import Judge, look, scan
from certkit.expiry.sources.base import Reason
from certkit.expiry.sources.files import FileSource, KnownSource, look_at_stream
from certkit.expiry.sources.finding import in_directory
from certkit.expiry.thresholds import Thresholds
from certkit.findings import Status
from tests import pki

THRESHOLDS = Thresholds(Duration.parse("28d"), Duration.parse("7d"))


def scanned(*sources, **options):
    """Return the result of scanning the sources at `pki.NOW`."""
    judge = Judge(THRESHOLDS, pki.NOW, **options)
    return scan(look(sources, judge), now=pki.NOW)


def crl(issuer, *, begin=pki.NOW - pki.DAY, end=pki.NOW + 60 * pki.DAY):
    """A revocation list of a CA, as PEM."""
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, begin, end)
    signed = builder.add_extension(x509.CRLNumber(7), critical=False).sign(issuer.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def folder(tmp_path):
    """An empty directory to look at."""
    (tmp_path / "certs").mkdir()
    return tmp_path / "certs"


def test_many_files_are_looked_at_in_their_order(root, folder):
    """Several processes share them; what comes back is as if one had done it."""
    pem = root.issue().pem
    names = [f"{number:05}.pem" for number in range(2500)]
    for name in names:
        (folder / name).write_bytes(pem)
    found = scanned(*in_directory(str(folder)))
    assert [row.sources for row in found.rows] == [[str(folder / name) for name in names]]


def test_a_broken_file_among_thousands_hides_nothing(root, folder):
    """It is the one error, and all the others are there."""
    for number in range(2000):
        name = f"{number:04}.pem" if number < 3 else f"{number:04}.txt"
        (folder / name).write_bytes(root.issue(key=root.key).pem if number < 3 else b"text")
    (folder / "1000.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsens*\n-----END CERTIFICATE-----\n")
    found = scanned(*in_directory(str(folder)))
    assert len(found.rows) == 3
    assert [(each.source, each.reason) for each in found.failures] == [(str(folder / "1000.pem"), Reason.BAD_PEM)]
    assert found.status is Status.UNKNOWN
    assert len(found.skipped) == 1997


@pytest.fixture
def bundle(root, folder):
    """A file of some hundred certificates."""
    path = folder / "bundle.pem"
    pairs = [root.issue(pki.name(CN=f"client {number}"), key=root.key) for number in range(300)]
    path.write_bytes(b"".join(pair.pem for pair in pairs))
    return path


def test_a_large_file_is_read_in_its_order(bundle):
    """Every certificate once."""
    rows = scanned(FileSource((str(bundle),))).rows
    assert [row.subject for row in rows] == [f"CN=client {number}" for number in range(300)]


def test_a_broken_block_is_reported_with_its_line(bundle):
    """The line is that of the file, however it was read."""
    lines = bundle.read_bytes().splitlines(keepends=True)
    broken = next(at for at in range(1500, len(lines)) if b"BEGIN" in lines[at])
    lines[broken + 2] = b"*" + lines[broken + 2]
    bundle.write_bytes(b"".join(lines))
    found = scanned(FileSource((str(bundle),)))
    assert len(found.rows) == 299
    assert f"'CERTIFICATE' at line {broken + 1}: it is not valid base64" in found.failures[0].message


def test_only_the_first_certificate_is_the_leaf(bundle):
    """--leaf-only means the first certificate of the file."""
    assert [row.subject for row in scanned(FileSource((str(bundle),)), leaf_only=True).rows] == ["CN=client 0"]


def test_hidden_files_are_passed_over_quietly(root, folder):
    """Kubernetes keeps old versions of a mounted secret in hidden directories; what is in use is linked to."""
    hidden = folder / "..2026_11_23"
    hidden.mkdir()
    (hidden / "tls.crt").write_bytes(root.issue().pem)
    (folder / "..data").symlink_to(hidden.name)
    (folder / "tls.crt").symlink_to("..data/tls.crt")
    (folder / ".broken.pem").write_text("-----BEGIN CERTIFICATE-----")
    found = scanned(*in_directory(str(folder)))
    assert [row.sources for row in found.rows] == [[str(folder / "tls.crt")]]
    assert found.failures == []
    assert len(found.skipped) == 3


def test_symbolic_links_are_followed_and_loops_end(root, folder, tmp_path):
    """A directory behind a link is looked at, once."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.pem").write_bytes(root.issue().pem)
    (elsewhere / "back").symlink_to(folder)
    (folder / "one").symlink_to(elsewhere)
    (folder / "two").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    found = scanned(*in_directory(str(folder)))
    assert [row.sources for row in found.rows] == [[str(folder / "one" / "a.pem")]]
    assert found.failures == []


def test_a_file_that_vanishes_is_no_error(root, folder):
    """A renewal writes a temporary file and moves it; what is gone when it is read was not meant to stay."""
    for name in ("a.pem", "b.pem"):
        (folder / name).write_bytes(root.issue().pem)
    sources = list(in_directory(str(folder)))
    (folder / "a.pem").unlink()
    found = scanned(*sources)
    assert [row.sources for row in found.rows] == [[str(folder / "b.pem")]]
    assert (found.failures, found.skipped) == ([], [str(folder / "a.pem")])


def test_links_that_lead_nowhere_are_errors(folder):
    """A certificate was expected there; circular links are skipped."""
    (folder / "gone.pem").symlink_to("nowhere")
    (folder / "round.pem").symlink_to("round.pem")
    found = scanned(*in_directory(str(folder)))
    assert {each.reason for each in found.failures} == {Reason.BROKEN_SYMLINK}
    assert [each.source.rpartition("/")[2] for each in found.failures] == ["gone.pem"]


@pytest.mark.parametrize(
    ("begin", "end", "status"),
    [
        (-100, 300, Status.OK),
        (-100, 20, Status.WARNING),
        (-100, 5, Status.CRITICAL),
        (-100, -1, Status.CRITICAL),
        # A list for a week is replaced within the week: shares of its lifetime count.
        (-1, 6, Status.OK),
        (-5.5, 1.5, Status.WARNING),
        (-6.5, 0.5, Status.CRITICAL),
        (1, 300, Status.CRITICAL),
    ],
)
def test_revocation_lists_end_too(root, folder, begin, end, status):
    """A list is a row of its own, and ends with its next update."""
    path = folder / "list.pem"
    path.write_bytes(crl(root, begin=pki.NOW + timedelta(days=begin), end=pki.NOW + timedelta(days=end)))
    (row,) = scanned(*in_directory(str(folder))).rows
    assert (row.kind, row.status, row.serial) == ("crl", status, 7)
    assert row.subject == row.issuer == "CN=Partner Root CA,O=Partner"


def test_a_certificate_that_is_not_valid_yet_is_critical(root, folder):
    """It does not work today, however long it will."""
    (folder / "early.pem").write_bytes(root.issue(begin=pki.NOW + pki.DAY, end=pki.NOW + 300 * pki.DAY).pem)
    assert scanned(*in_directory(str(folder))).status is Status.CRITICAL


def test_what_is_well_is_only_counted_where_only_the_urgent_is_wanted(root, folder):
    """A quiet run describes only what needs attention; the rest has to be found all the same."""
    (folder / "fine.pem").write_bytes(root.issue().pem)
    quiet = scanned(*in_directory(str(folder)), only_urgent=True)
    assert (quiet.rows, quiet.quiet, quiet.status) == ([], 1, Status.OK)
    (folder / "late.pem").write_bytes(root.issue(end=pki.NOW + pki.DAY).pem)
    quiet = scanned(*in_directory(str(folder)), only_urgent=True)
    assert ([row.days_left for row in quiet.rows], quiet.counts()["ok"]) == ([1], 1)


def test_nothing_found_is_not_well(folder):
    """An empty directory, or one with other files only."""
    (folder / "notes.txt").write_text("hello")
    assert scanned(*in_directory(str(folder))).status is Status.UNKNOWN
    assert scanned(*in_directory(str(folder)), only_urgent=True).status is Status.UNKNOWN


def test_a_stream_of_any_length_is_read(root):
    """Cut in small chunks, as a pipe does."""
    data = b"".join(root.issue(pki.name(CN=str(number)), key=root.key).pem for number in range(5))
    source = KnownSource(look_at_stream((data[at : at + 100] for at in range(0, len(data), 100)), "standard input"))
    assert [row.subject for row in scanned(source).rows] == [f"CN={number}" for number in range(5)]


@pytest.mark.parametrize("entries", ["users: [{name: a, user: {token: secret}}]", "users: []", "clusters: ~\nusers: ~"])
def test_a_kubeconfig_without_certificates(folder, entries):
    """It says so where it is named, and is skipped where it was only found."""
    path = folder / "config"
    path.write_text(f"kind: Config  # no client-certificate\n{entries}\n")
    (failure,) = scanned(FileSource((str(path),))).failures
    assert failure.message == f"cannot read {path} as a certificate: the kubeconfig contains no certificate"
    assert failure.reason is Reason.NO_CERTIFICATE_FOUND
    assert scanned(*in_directory(str(folder))).skipped == [str(path)]


@pytest.mark.parametrize(
    ("number", "more"),
    [(1, ""), (2, " (and 1 more broken objects)"), (999, " (and 998 more broken objects)")]
    + [(number, " (and at least 1,000 more broken objects)") for number in (1001, 20_000)]
    + [(60_000, " (and at least 2,000 more broken objects)")],
)
def test_broken_objects_are_counted_as_far_as_they_are_read(root, folder, number, more):
    """Reading ends after a thousand of one megabyte, and the certificate in the next one is still found."""
    path = folder / "a.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" * number + b"\n" * (1 << 21) + root.issue().pem)
    found = scanned(FileSource((str(path),)))
    assert [each.message for each in found.failures] == [
        f"cannot read {path}: PEM block 'CERTIFICATE' at line 1: its END line is missing{more}"
    ]
    assert len(found.rows) == 1


def test_labels_for_metrics(root, folder):
    """One for each attribute; several of a kind are joined, and what is invisible is shown."""
    subject = x509.Name.from_rfc4514_string("CN=a\\0Ab,OU=one,OU=two,O=Acme Ltd")
    (folder / "a.pem").write_bytes(root.issue(subject).pem)
    (row,) = scanned(*in_directory(str(folder)), with_labels=True).rows
    assert row.labels == {
        "subject_O": "Acme Ltd",
        "subject_OU": "two,one",
        "subject_CN": "a\\0Ab",
        "issuer_O": "Partner",
        "issuer_CN": "Partner Root CA",
    }
