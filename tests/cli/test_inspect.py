"""`certkit inspect`: what is in a file."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12

from tests import pki
from tests.conftest import command, environment, openssl


@pytest.fixture
def pair(root, tmp_path):
    """A client certificate and key, written as acme.pem and acme.key."""
    pair = root.issue(extensions=[pki.CLIENT, x509.SubjectAlternativeName([x509.DNSName("a.example")])])
    pair.write(tmp_path, "acme")
    return pair


def test_a_certificate(certkit, pair, tmp_path):
    """The fields of the contract, in the words of openssl."""
    [facts] = certkit("inspect", "acme.pem", "--json").json
    printed = openssl(
        "x509", "-in", tmp_path / "acme.pem", "-noout", "-serial", "-fingerprint", "-sha256"
    ).stdout.decode()
    serial, fingerprint = (line.split("=")[1] for line in printed.splitlines())
    assert facts["fingerprint_sha256"] == fingerprint.replace(":", "").lower()
    assert facts["serial"] == serial.lower()
    assert {**facts, "fingerprint_sha256": 0, "serial": 0, "key": facts["key"]["type"]} == {
        "kind": "certificate",
        "source": "acme.pem",
        "subject": "CN=acme-client-id,O=Acme Ltd",
        "issuer": "CN=Partner Root CA,O=Partner",
        "serial": 0,
        "not_before": "2026-11-22T12:00:00Z",
        "not_after": "2027-11-22T12:00:00Z",
        "key": "ec-p256",
        "san": ["DNS:a.example"],
        "fingerprint_sha256": 0,
        "is_ca": False,
        "key_usage": None,
        "extended_key_usage": ["clientAuth"],
        "subject_key_identifier": None,
        "authority_key_identifier": None,
        "signature_algorithm": "ecdsa-with-SHA256",
    }


def test_a_private_key_shows_facts_only(certkit, pair, tmp_path):
    """Type, size and fingerprint; not a byte of the key."""
    shown = certkit("inspect", "acme.key", "--json")
    [facts] = shown.json
    assert facts.keys() == {"kind", "source", "key", "encrypted"}
    assert facts["encrypted"] is False
    assert (tmp_path / "acme.key").read_text().splitlines()[1] not in shown.out


def test_a_locked_key_is_shown_as_such(certkit, pair, tmp_path):
    """Without a passphrase the facts are null and the exit 0; with it they are there; a wrong one is exit 3."""
    openssl("pkcs8", "-topk8", "-in", tmp_path / "acme.key", "-passout", "pass:right", "-out", tmp_path / "locked")
    (tmp_path / "right").write_text("right\n")
    (tmp_path / "wrong").write_text("wrong\n")
    locked = certkit("inspect", "locked", "--json")
    assert (locked.code, locked.json[0]["key"], locked.json[0]["encrypted"]) == (0, None, True)
    opened = certkit("inspect", "locked", "--passphrase-file", "right", "--json")
    assert opened.json[0]["key"]["type"] == "ec-p256"
    assert certkit("inspect", "locked", "--passphrase-file", "wrong").code == 3


def test_a_csr_a_crl_a_public_key_and_a_bundle(certkit, root, pair, tmp_path):
    """All kinds of the contract, in PEM and DER, found out by looking."""
    certkit("csr", "create", "--organization", "A", "--key-out", "k", "--out", "c.csr")
    crl = x509.CertificateRevocationListBuilder(root.certificate.subject, pki.NOW, pki.NOW + pki.DAY)
    (tmp_path / "crl").write_bytes(crl.sign(root.key, hashes.SHA256()).public_bytes(Encoding.DER))
    openssl("pkey", "-in", tmp_path / "acme.key", "-pubout", "-outform", "DER", "-out", tmp_path / "pub")
    (tmp_path / "p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"x", pair.key, pair.certificate, [root.certificate], NoEncryption())
    )
    shown = certkit("inspect", "c.csr", "crl", "pub", "p12", "--json").json
    assert [facts["kind"] for facts in shown] == ["csr", "crl", "public_key", "pkcs12"]
    assert (shown[0]["subject"], shown[0]["signature_valid"]) == ("O=A", True)
    assert (shown[1]["next_update"], shown[1]["revoked_count"]) == ("2026-11-24T12:00:00Z", 0)
    assert [entry["kind"] for entry in shown[3]["contents"]] == ["private_key", "certificate", "certificate"]


def test_a_locked_bundle(certkit, pair, tmp_path):
    """Encrypted PKCS#12: contents are null without the passphrase, listed with it, and exit 3 with a wrong one."""
    locked = pkcs12.serialize_key_and_certificates(
        b"x", pair.key, pair.certificate, None, BestAvailableEncryption(b"s")
    )
    (tmp_path / "p12").write_bytes(locked)
    (tmp_path / "s").write_text("s")
    (tmp_path / "w").write_text("w")
    assert certkit("inspect", "p12", "--json").json[0]["contents"] is None
    assert len(certkit("inspect", "p12", "--json", "--passphrase-file", "s").json[0]["contents"]) == 2
    assert certkit("inspect", "p12", "--passphrase-file", "w").code == 3


def test_several_objects_with_text_around_them(certkit, root, pair, tmp_path):
    """One entry for each object, in the order of the file."""
    (tmp_path / "all").write_bytes(b"hello\n" + pair.pem + b"text\n" + pair.key_pem + root.pem)
    shown = certkit("inspect", "all", "--json").json
    assert [facts["kind"] for facts in shown] == ["certificate", "private_key", "certificate"]


def test_names_cannot_command_the_terminal(certkit, root, tmp_path):
    """Escape sequences and bidi overrides in a name are printed as hex pairs."""
    root.issue(pki.name(O="\x1b[31mEvil\u202e", CN="x")).write(tmp_path, "evil")
    for shown in (certkit("inspect", "evil.pem"), certkit("inspect", "evil.pem", "--json")):
        assert "\x1b" not in shown.out
        assert "\u202e" not in shown.out
    assert "O=\\1B[31mEvil\\E2\\80\\AE" in certkit("inspect", "evil.pem").out


def test_long_lists_are_cut(certkit, root, tmp_path):
    """At most 20 names and 100 objects are printed, and the rest counted; --all prints them."""
    san = x509.SubjectAlternativeName([x509.DNSName(f"h{number}.example") for number in range(1000)])
    pair = root.issue(extensions=[san])
    (tmp_path / "many").write_bytes(pair.pem * 150)
    shown = certkit("inspect", "many")
    assert "DNS:h19.example, and 980 more (--all)" in shown.out
    assert "many: and 50 more (--all)" in shown.out
    assert certkit("inspect", "many", "--all").out.count("DNS:h999.example") == 150


def test_what_is_broken_is_an_error_and_hides_nothing(certkit, pair, tmp_path):
    """A cut-off block is exit 3 with its line; the others are still shown."""
    (tmp_path / "mixed").write_bytes(pair.pem[:300] + b"\n" + pair.pem)
    shown = certkit("inspect", "mixed", "--json")
    assert shown.code == 3
    assert shown.json["status"] == "unknown"
    assert "'CERTIFICATE' at line 1: its END line is missing" in shown.json["error"]["message"]
    assert [facts["kind"] for facts in shown.json["objects"]] == ["certificate"]


def test_standard_input(certkit, pair):
    """- reads standard input."""
    assert certkit("inspect", "-", "--json", stdin=pair.pem).json[0]["source"] == "-"


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (lambda pem: pem, 0, "-: certificate"),
        (lambda pem: pem + pem, 0, "-: certificate"),
        (lambda _: b"nothing\n\x04", 3, "it contains no PEM block and is not DER"),
        (lambda _: b"\x04", 3, "it is empty"),
    ],
    ids=["a PEM block ends by itself", "two at once", "one Ctrl-D", "nothing"],
)
def test_pasting_at_a_terminal(tmp_path, root, typed, code, said):
    """`-` asks for the text; it ends at its END line, or at one Ctrl-D."""
    ours, theirs = pty.openpty()
    words = [*command(), "inspect", "-"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment())
    os.close(theirs)
    shown = b""
    while b"Paste the text, then press Ctrl-D" not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, typed(root.pem))
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    assert (process.wait(30), said in shown.decode()) == (code, True), shown.decode()
