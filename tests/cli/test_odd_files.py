"""Files as people really have them: read, or refused by the rule that they break; none is passed over."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import subprocess
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import certkit as api
from certkit.errors import InputError
from certkit.secret import Secret
from certkit.x509 import der as tlv
from certkit.x509 import keys, objects, pem
from certkit.x509.items import Broken, Budget
from tests import conftest, odd
from tests.conftest import environment, openssl

AT = ("--at", "2035-12-20")
LEAF = odd.certificate(subject=odd.common_name("acme"))
PEM = pem.encode("CERTIFICATE", LEAF)


def java_key_store(*certificates: bytes, magic: bytes = b"\xfe\xed\xfe\xed", with_key: bool = False) -> bytes:
    """A JKS or JCEKS store with trusted certificates, and perhaps a private key in front, without a sound digest."""
    entries = []
    if with_key:
        chain = struct.pack(">I", 1) + b"\0\x05X.509" + struct.pack(">I", len(LEAF)) + LEAF
        entries.append(struct.pack(">IH3sQI4s", 1, 3, b"key", 0, 4, b"lock") + chain)
    entries += [struct.pack(">IH2sQH5sI", 2, 2, b"ca", 0, 5, b"X.509", len(each)) + each for each in certificates]
    return magic + struct.pack(">II", 2, len(entries)) + b"".join(entries) + bytes(20)


def pkcs7(*certificates: bytes, crls: tuple[bytes, ...] = ()) -> bytes:
    """PKCS#7 SignedData with nothing signed."""
    signed = odd.sequence(
        b"\x02\x01\x01",
        b"\x31\x00",
        odd.sequence(odd.oid("2a864886f70d010701")),
        odd.encode(0xA0, b"".join(certificates)) if certificates else b"",
        odd.encode(0xA1, b"".join(crls)) if crls else b"",
        b"\x31\x00",
    )
    return odd.sequence(odd.oid("2a864886f70d010702"), odd.encode(0xA0, signed))


CRL = odd.sign(
    odd.sequence(
        b"\x02\x01\x01",
        odd.ECDSA_SHA256,
        odd.common_name("Odd CA"),
        odd.utc("260101000000Z"),
        odd.utc("360101000000Z"),
    )
)
REQUEST = odd.sign(odd.sequence(b"\x02\x01\x00", odd.common_name("x"), odd.spki(), b"\xa0\x00"))
SECRET = f"""apiVersion: v1
kind: Secret
metadata:
  name: acme
type: kubernetes.io/tls
data:
  tls.crt: {base64.b64encode(PEM).decode()}
"""

# What is read in a directory, by the name of the file.
READ = {
    "ks.jks": java_key_store(LEAF),
    "keys.jks": java_key_store(with_key=True),
    "ks.jceks": java_key_store(LEAF, magic=b"\xce\xce\xce\xce"),
    "noheader.cer": base64.encodebytes(LEAF),
    "secret.yaml": SECRET.encode(),
    "bundle.txt": base64.b64encode(pkcs7(LEAF)),
    "trailing.cer": LEAF + b"\r\n",
    "wrong-label.crt": pem.encode("CERTIFICATE", pkcs7(LEAF)),
    "latin1.pem": pem.encode(
        "CERTIFICATE", odd.certificate(subject=odd.name(odd.attribute(odd.O, "Ñandú".encode("latin-1"), odd.UTF8)))
    ),
    "no-seconds.pem": pem.encode(
        "CERTIFICATE", odd.certificate(validity=odd.sequence(odd.utc("2601010000Z"), odd.utc("3601010000Z")))
    ),
    "version-4.pem": pem.encode("CERTIFICATE", odd.certificate(version=bytes.fromhex("a003020103"))),
    "list.crt": pem.encode("CERTIFICATE", CRL),
}


@pytest.mark.parametrize("name", READ)
def test_a_monitor_reads_it(certkit, tmp_path, name):
    """In a directory, with the date that it has."""
    (tmp_path / name).write_bytes(READ[name])
    found = certkit("expiry", tmp_path, "--json", *AT).json
    assert [row["not_after"] for row in found["certificates"]] == ["2036-01-01T00:00:00Z"]
    assert found["errors"] == []


EFI_SIGNATURE_LIST = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")


@pytest.mark.parametrize("java", ["none", "JKS", "PKCS#12"])
def test_the_trust_store_of_fedora_is_a_source(certkit, tmp_path, java):
    """`/etc/pki/ca-trust/extracted`: bundles, trust settings, links by hash, EFI's list and Java's store."""
    folders = {name: tmp_path / "extracted" / name for name in ("pem/directory-hash", "openssl", "java", "edk2")}
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "README").write_text("This directory contains CA certificates.\n")
    for purpose in ("tls", "email", "objsign"):
        (tmp_path / "extracted/pem" / f"{purpose}-ca-bundle.pem").write_bytes(b"# Acme Root\n" + PEM)
    (folders["pem/directory-hash"] / "Acme_Root.pem").write_bytes(PEM)
    for link in ("5ed36f99.0", "ca-certificates.crt"):
        (folders["pem/directory-hash"] / link).symlink_to("Acme_Root.pem")
    settings = odd.sequence(odd.sequence(odd.oid("2b06010505070301")), odd.encode(0x0C, b"Acme Root"))
    (folders["openssl"] / "ca-bundle.trust.crt").write_bytes(pem.encode("TRUSTED CERTIFICATE", LEAF + settings))
    (folders["edk2"] / "cacerts.bin").write_bytes(EFI_SIGNATURE_LIST + LEAF)
    if java == "JKS":
        (folders["java"] / "cacerts").write_bytes(java_key_store(LEAF))
    elif java == "PKCS#12":
        made = ("pkcs12", "-export", "-nokeys", "-in", "/dev/stdin", "-passout", "pass:changeit")
        (folders["java"] / "cacerts").write_bytes(openssl(*made, stdin=PEM).stdout)
    assert certkit("expiry", "-q", tmp_path, "--at", "2027-01-01").code == 0
    [row] = certkit("expiry", tmp_path, "--json", "--at", "2027-01-01").json["certificates"]
    assert len(row["sources"]) == (7 if java == "none" else 8)


# A certificate in forms that other programs write: the name of its file, and what is in it.
HIDDEN = {
    "as-a-csr.txt": pem.encode("CERTIFICATE REQUEST", LEAF),
    "as-a-key.txt": pem.encode("PRIVATE KEY", LEAF),
    "as-a-public-key.txt": pem.encode("PUBLIC KEY", LEAF),
    "as-a-list.txt": pem.encode("X509 CRL", LEAF),
    "as-pkcs7.txt": pem.encode("PKCS7", LEAF),
    "nss.txt": pem.encode("PKCS #7 SIGNED DATA", pkcs7(LEAF)),
    "two.der": LEAF + LEAF,
    "der.env": b"TLS_CERT=" + base64.b64encode(LEAF) + b"\nPORT=8443\n",
    "der.yaml": b"kind: Secret\ndata:\n  ca.der: " + base64.b64encode(LEAF) + b"\n",
    "folded.yaml": b"data:\n  ca.der: |\n    " + base64.encodebytes(LEAF).strip().replace(b"\n", b"\n    ") + b"\n",
    "return.txt": PEM.replace(b"\n", b"\r"),
    "marked.txt": b"\xef\xbb\xbf" + PEM.replace(b"\n", b"\r\n"),
    "one-line.txt": b" ".join(PEM.split(b"\n")),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_certificate_is_found_in_whatever_form(certkit, tmp_path, name):
    """Under a label that promises something else, in base64 inside of a text, with any line ends."""
    (tmp_path / name).write_bytes(HIDDEN[name])
    found = certkit("expiry", tmp_path, "--json", "--at", "2027-01-01")
    assert found.code == 0
    assert [row["fingerprint_sha256"] for row in found.json["certificates"]] == [hashlib.sha256(LEAF).hexdigest()]
    kinds = {each["kind"] for each in certkit("inspect", tmp_path / name, "--json").json}
    assert kinds == {"certificate"}


def test_what_became_of_a_certificate_is_noticed(certkit, tmp_path):
    """A pipe, a device or a socket under a certificate's name is an error; under another name it is skipped."""
    (tmp_path / "acme.crt").write_bytes(PEM)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null.txt").symlink_to("/dev/null")
    assert certkit("expiry", "-q", tmp_path, "--at", "2027-01-01").code == 0
    (tmp_path / "null.pem").symlink_to("/dev/null")
    for source in (tmp_path, f"{tmp_path}/*"):
        shown = certkit("expiry", "-q", source, "--at", "2027-01-01")
        assert shown.code == 3
        assert f"cannot read {tmp_path}/null.pem: it is a device, a pipe or a socket" in shown.err


def test_a_pipe_that_nobody_writes_to(tmp_path):
    """Named outright, it makes no command wait for ever; one with a writer is read, however late that comes."""
    silent, stuck, late = (tmp_path / name for name in ("silent.pem", "stuck.pem", "late.pem"))
    for path in (silent, stuck, late):
        os.mkfifo(path)
    lines = [("expiry", silent), ("inspect", silent), ("csr", "check", silent), ("expiry", stuck)]
    runs = [started(*line) for line in lines]
    read = started("expiry", "-q", "--at", "2027-01-01", late)
    holder = os.open(stuck, os.O_RDWR)  # and never writes
    late.write_bytes(PEM)
    for line, run in zip(lines, runs, strict=True):
        _, err = run.communicate(timeout=60)
        assert (run.returncode, "no program has written to this pipe for 10 seconds" in err) == (3, True), (line, err)
    os.close(holder)
    assert (*read.communicate(timeout=60), read.returncode) == ("", "", 0)


def test_a_device_without_an_end(certkit):
    """Is refused, however much of it could be read."""
    shown = certkit("expiry", "/dev/zero")
    assert (shown.code, "cannot read /dev/zero: a device with more than 67,108,864 bytes" in shown.err) == (3, True)


def started(*arguments):
    """A running command."""
    return subprocess.Popen(
        [*conftest.command(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def test_a_bundle_without_certificates_is_noticed(certkit, tmp_path):
    """Beside good ones too: it was named, and there is nothing in it to watch."""
    (tmp_path / "k").write_bytes(keys.to_pem(odd.key()).reveal())
    (tmp_path / "c.pem").write_bytes(PEM)
    made = openssl("pkcs12", "-export", "-nocerts", "-inkey", tmp_path / "k", "-passout", "pass:").stdout
    (tmp_path / "key.p12").write_bytes(made)
    shown = certkit("expiry", "-q", tmp_path / "c.pem", tmp_path / "key.p12", "--at", "2027-01-01")
    assert shown.code == 3
    assert "key.p12: the PKCS#12 bundle contains no certificate. Export it with its certificate" in shown.err


def test_a_certificate_without_any_name_has_its_serial_number(certkit, tmp_path):
    """Where there is neither a subject nor an alternative name."""
    (tmp_path / "a.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(subject=odd.sequence())))
    assert "(no name, serial " in certkit("expiry", tmp_path / "a.pem", "--at", "2027-01-01").out
    assert "subject      (empty)" in certkit("inspect", tmp_path / "a.pem").out


def test_a_large_encrypted_key_is_opened(certkit, tmp_path):
    """A key that takes seconds to check is read for its facts, and a wrong passphrase is called one."""
    first, second = 2**3217 - 1, 2**2203 - 1  # primes of Mersenne
    exponent = pow(65537, -1, (first - 1) * (second - 1))
    parts = exponent % (first - 1), exponent % (second - 1), pow(second, -1, first)
    numbers = rsa.RSAPrivateNumbers(first, second, exponent, *parts, rsa.RSAPublicNumbers(65537, first * second))
    cipher = serialization.BestAvailableEncryption(b"x")
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    made = numbers.private_key(unsafe_skip_rsa_key_validation=True).private_bytes(*form, cipher)
    (tmp_path / "key.pem").write_bytes(made)
    for passphrase, code in ((b"x", 0), (b"y", 3)):
        (tmp_path / "pw").write_bytes(passphrase)
        shown = certkit("inspect", tmp_path / "key.pem", "--passphrase-file", tmp_path / "pw")
        assert shown.code == code
        assert ("rsa-5420" in shown.out) == (code == 0)
        assert ("the passphrase is wrong" in shown.err) == (code == 3)


def test_blocks_of_other_programs_are_named(certkit, tmp_path):
    """The error says what a file contains instead of a certificate."""
    (tmp_path / "a.pem").write_bytes(pem.encode("PGP PUBLIC KEY BLOCK", b"abc"))
    shown = certkit("expiry", tmp_path / "a.pem", "--at", "2027-01-01")
    assert shown.code == 3
    assert "it contains only PEM blocks of other kinds: 'PGP PUBLIC KEY BLOCK'" in shown.err


PBES2 = odd.oid("2a864886f70d01050d")
# What is an error in a directory, and what is said of it.
NOTICED = {
    "empty.pem": (b"", "it is empty"),
    "empty.crt": (b"\n\n", "it contains only whitespace or NULs"),
    "garbled.cer": (b"\x7fELF", "it contains no PEM block and is not DER"),
    "garbled.p12": (b"not a bundle", "it contains no PEM block and is not DER"),
    "label.pem": (pem.encode("MY CERTIFICATE", LEAF), "PEM block 'MY CERTIFICATE' at line 1"),
    "label.txt": (pem.encode("MY CERTIFICATE", LEAF), "PEM block 'MY CERTIFICATE' at line 1"),
    "beside.pem": (PEM + pem.encode("MY CERTIFICATE", LEAF) + PEM, "PEM block 'MY CERTIFICATE' at line"),
    "spoilt.pem": (PEM + PEM.replace(b"-----BEGIN", b"----BEGIN"), "its BEGIN or END line is not PEM"),
    "lower.txt": (PEM + PEM.lower(), "its BEGIN or END line is not PEM"),
    "cut.jks": (java_key_store(LEAF)[:100], "the Java key store is cut off"),
    "no-date.crl": (
        pem.encode(
            "X509 CRL",
            odd.sign(
                odd.sequence(b"\x02\x01\x01", odd.ECDSA_SHA256, odd.common_name("Odd CA"), odd.utc("260101000000Z"))
            ),
        ),
        "does not say when its next update is due (RFC 5280 section 5.1.2.5). Ask the CA",
    ),
    "empty.p7b": (pem.encode("PKCS7", pkcs7()), "it contains no certificate"),
    "indefinite.cer": (b"\x30\x80" + LEAF[4:] + b"\0\0", "an indefinite length"),
    "bouncy.bks": (b"\0\0\0\2\0\0\0\x14" + bytes(300), "it is a Bouncy Castle key store (BKS, UBER or BCFKS)"),
    "bouncy.bcfks": (
        odd.sequence(
            odd.sequence(odd.sequence(PBES2, odd.sequence()), odd.encode(0x04, bytes(300))), odd.sequence(PBES2)
        ),
        "it is a Bouncy Castle key store (BKS, UBER or BCFKS)",
    ),
    "empty.jks": (java_key_store(), "the Java key store is empty"),
    "upper.crt": (PEM.lower(), "its BEGIN line is not PEM"),
    "labelled-csr.txt": (pem.encode("CERTIFICATE", REQUEST), "a certificate at line 1: it is a CSR. Correct its label"),
    "labelled-key.txt": (
        pem.encode("CERTIFICATE", next(pem.blocks(keys.to_pem(odd.key()).reveal())).der),
        "a certificate at line 1: it is a private key",
    ),
    "year-0.pem": (
        pem.encode(
            "CERTIFICATE",
            odd.certificate(validity=odd.sequence(odd.utc("260101000000Z"), odd.generalized("00000101000000Z"))),
        ),
        "0000-01-01 00:00:00 is not a date that exists",
    ),
}


@pytest.mark.parametrize("name", NOTICED)
def test_a_monitor_notices_it(certkit, tmp_path, name):
    """In a directory: exit 3, and the file is named with the reason."""
    content, reason = NOTICED[name]
    (tmp_path / name).write_bytes(content)
    shown = certkit("expiry", "-q", tmp_path, *AT)
    assert shown.code == 3
    assert name in shown.err
    assert reason in shown.err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("key.pem", keys.to_pem(odd.key()).reveal()),
        ("notes.txt", b"nothing"),
        ("dh.pem", pem.encode("DH PARAMETERS", b"\x30\x00")),
        ("jwks.json", b'{"x5t": "MIIB' + b"A" * 600 + b'"}'),
    ],
)
def test_other_files_beside_certificates_are_no_errors(certkit, tmp_path, name, content):
    """Private keys, parameters and texts are where certificates are."""
    (tmp_path / name).write_bytes(content)
    (tmp_path / "acme.crt").write_bytes(PEM)
    assert certkit("expiry", "-q", tmp_path, "--at", "2027-01-01").code == 0


def test_a_locked_bundle_is_locked_in_whatever_form(certkit, tmp_path):
    """With bytes behind it, or with indefinite lengths; and its passphrase opens it."""
    (tmp_path / "k").write_bytes(keys.to_pem(odd.key()).reveal())
    (tmp_path / "c").write_bytes(PEM)
    options = ("-export", "-inkey", tmp_path / "k", "-in", tmp_path / "c", "-passout", "pass:x", "-iter", "1000")
    made = openssl("pkcs12", *options).stdout
    (tmp_path / "trailing.p12").write_bytes(made + b"\n\n")
    (tmp_path / "ber.p12").write_bytes(b"\x30\x80" + made[4:] + b"\0\0")
    (tmp_path / "pw").write_text("x")
    for name in ("trailing.p12", "ber.p12"):
        assert "the PKCS#12 bundle is encrypted" in certkit("expiry", name).err
        assert certkit("expiry", name, "--passphrase-file", "pw", "--at", "2027-01-01").code == 0


def test_the_alternative_names_stand_in_for_a_missing_subject(certkit, tmp_path):
    """In every format."""
    san = odd.extension("551d11", odd.sequence(odd.encode(0x82, b"odd.test")), critical=odd.CRITICAL)
    (tmp_path / "a.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(subject=b"\x30\x00", extensions=(san,))))
    for name in ("text", "json", "jsonl", "prometheus", "nagios", "html", "ics"):
        assert "odd.test" in certkit("expiry", "a.pem", "--format", name, *AT).out, name


def test_what_is_no_file_may_be_a_host(certkit):
    """The hint says how to write one."""
    assert "for a live host write acme.example:443" in certkit("expiry", "acme.example").err
    assert "for a live host write gateway:443" in certkit("expiry", "gateway").err


def test_an_address_is_a_live_host(certkit):
    """Its path does not matter."""
    refused = certkit("expiry", "https://127.0.0.1:1/status")
    assert refused.code == 3
    assert "no such file" not in refused.err


def test_one_unreadable_extension_spoils_no_other(certkit, tmp_path):
    """The names are shown, and the rule that is broken."""
    san = odd.extension("551d11", odd.sequence(odd.encode(0x82, b"odd.test")))
    broken = odd.extension("551d13", bytes.fromhex("3003020100"))
    (tmp_path / "a.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(extensions=(san, broken))))
    [facts] = certkit("inspect", "a.pem", "--json").json
    assert facts["san"] == ["DNS:odd.test"]
    assert facts["deviations"] == [
        "basic constraints have a path length without cA: pathLenConstraint 0 (RFC 5280 section 4.2.1.9)"
    ]


def test_an_encrypted_key_in_an_environment_file_is_read(certkit, tmp_path):
    """PKCS#1 with its headers, its line ends spelt out."""
    (tmp_path / "k").write_bytes(openssl("genrsa", "2048").stdout)
    locked = openssl("rsa", "-in", tmp_path / "k", "-aes128", "-passout", "pass:x", "-traditional").stdout.decode()
    (tmp_path / ".env").write_text('KEY="' + locked.replace("\n", "\\n") + '"\n')
    (tmp_path / "pw").write_text("x")
    [facts] = certkit("inspect", ".env", "--passphrase-file", "pw", "--json").json
    assert (facts["kind"], facts["key"]["type"]) == ("private_key", "rsa-2048")


def rsa_key(modulus: int, exponent: int) -> bytes:
    """A SubjectPublicKeyInfo of RSA, sound or not."""
    number = odd.sequence(odd.integer(modulus), odd.integer(exponent))
    return odd.sequence(bytes.fromhex("300d06092a864886f70d0101010500"), odd.encode(0x03, b"\0" + number))


SOUND = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
CLOSE = 3 * 2**1022 + 1037, 3 * 2**1022 + 1697  # both are prime
CLOSE_PRIMES = CLOSE[0] * CLOSE[1]
WEAK = {
    "close primes": (rsa_key(CLOSE_PRIMES, 65537), "critical", "Fermat's method"),
    "close to a square": (rsa_key((2**1023 + 1155) ** 2, 65537), "critical", "Fermat's method"),
    "even": (rsa_key(SOUND + 1, 65537), "critical", "the RSA modulus is even"),
    "exponent 1": (rsa_key(SOUND, 1), "critical", "the RSA exponent is 1"),
    "exponent 3": (rsa_key(SOUND, 3), "warning", "the RSA exponent is 3"),
    "huge exponent": (rsa_key(SOUND, 2**100 + 1), "critical", "an exponent of 101 bits is too costly"),
    "huge": (rsa_key(2**20000 + 1, 65537), "critical", "of 20001 bits"),
}


@pytest.mark.parametrize("weakness", WEAK)
def test_a_weak_rsa_key_is_a_finding(certkit, tmp_path, weakness):
    """Whatever its size, wherever a key is judged; and `inspect` mentions it."""
    public, status, said = WEAK[weakness]
    request = odd.sign(odd.sequence(b"\x02\x01\x00", odd.common_name("x"), public, b"\xa0\x00"))
    (tmp_path / "a.csr").write_bytes(pem.encode("CERTIFICATE REQUEST", request))
    (tmp_path / "a.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(public_key=public)))
    (tmp_path / "ca.pem").write_bytes(
        pem.encode("CERTIFICATE", odd.certificate(subject=odd.common_name("Odd CA"), extensions=(odd.IS_CA,)))
    )
    judged = ("verify", "a.pem", "--ca", "ca.pem", "--purpose", "any", "--at", "2027-01-01")
    for command in (("csr", "check", "a.csr"), judged):
        shown = certkit(*command, "--json").json
        [found] = [each for each in shown["checks"] if each["id"] == "key-type"]
        assert (found["status"], said in found["message"]) == (status, True), found
    for file in ("a.csr", "a.pem"):
        [facts] = certkit("inspect", file, "--json").json
        assert any(said in each for each in facts["warnings"])
    assert "warning" in certkit("inspect", "a.pem").out


def test_a_weak_key_of_a_ca_is_trusted_for_nothing(certkit, tmp_path):
    """Whoever factors the key can issue any certificate."""
    key = rsa.RSAPrivateNumbers(
        *CLOSE,
        secret := pow(65537, -1, (CLOSE[0] - 1) * (CLOSE[1] - 1)),
        *(secret % (each - 1) for each in CLOSE),
        pow(CLOSE[1], -1, CLOSE[0]),
        rsa.RSAPublicNumbers(65537, CLOSE_PRIMES),
    ).private_key()
    name = x509.Name.from_rfc4514_string("CN=Odd CA")
    validity = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    ca = x509.CertificateBuilder(name, name, key.public_key(), 5, *validity)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = x509.CertificateBuilder(name, x509.Name.from_rfc4514_string("CN=x"), odd.key().public_key(), 6, *validity)
    for file, builder in (("ca.pem", ca), ("a.pem", leaf)):
        made = builder.sign(key, hashes.SHA256())
        (tmp_path / file).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    shown = certkit("verify", "a.pem", "--ca", "ca.pem", "--at", "2027-01-01", "--purpose", "any")
    assert shown.code == 2
    assert "Fermat's method" in shown.out


def test_a_post_quantum_pair_is_named_and_judged(certkit, tmp_path):
    """ML-DSA: its key, its CSR and its certificate, by name and not as EdDSA."""
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    key = mldsa.MLDSA65PrivateKey.generate()
    (tmp_path / "a.key").write_bytes(keys.to_pem(key).reveal())
    (tmp_path / "a.key").chmod(0o600)
    assert certkit("csr", "create", "--key", "a.key", "--organization", "Acme", "--out", "a.csr").code == 0
    name = x509.Name.from_rfc4514_string("CN=acme")
    validity = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, *validity)
    made = builder.sign(key, None).public_bytes(serialization.Encoding.DER)
    (tmp_path / "a.pem").write_bytes(pem.encode("CERTIFICATE", made))
    (tmp_path / "changed.pem").write_bytes(pem.encode("CERTIFICATE", made[:-1] + bytes([made[-1] ^ 1])))
    assert [certkit("inspect", f"a.{each}", "--json").json[0]["key"]["type"] for each in ("key", "csr", "pem")] == [
        "ml-dsa-65"
    ] * 3
    pinned = ("verify", "a.pem", "--pin", "a.pem", "--key", "a.key", "--purpose", "any", "--at", "2027-01-01")
    for command in (("csr", "check", "a.csr", "--key", "a.key"), pinned):
        shown = certkit(*command, "--json")
        found = {each["id"]: each["message"] for each in shown.json["checks"]}
        assert (shown.code, found["key-type"], found["signature-algorithm"]) == (0, "ml-dsa-65", "ML-DSA-65")
    assert certkit("csr", "check", "a.csr", "--policy", "wise-sandbox").code == 2


@pytest.mark.parametrize("name", ["latin1.pem", "no-seconds.pem"])
def test_what_the_library_refuses_is_verified(certkit, tmp_path, name):
    """By our own validator, with a note; a rule that is broken is no reason to say nothing."""
    (tmp_path / name).write_bytes(READ[name])
    (tmp_path / "ca.pem").write_bytes(
        pem.encode("CERTIFICATE", odd.certificate(subject=odd.common_name("Odd CA"), extensions=(odd.IS_CA,)))
    )
    judged = ("verify", name, "--ca", "ca.pem", "--purpose", "any", "--at", "2027-01-01")
    assert certkit(*judged).code == 0
    assert certkit(*judged, "--strict").code == 2


def test_rounds_are_counted_over_a_run(tmp_path):
    """Ten small bundles of a million rounds each would take half a minute."""
    budget = Budget()
    made = openssl(
        "pkcs12", "-export", "-nokeys", "-in", "/dev/stdin", "-passout", "pass:x", "-iter", "3000000", stdin=PEM
    ).stdout
    found = [next(iter(objects.read(made, passphrase=Secret(b"y"), budget=budget))) for _ in range(4)]
    assert [type(each).__name__ for each in found] == ["Broken"] * 4
    assert "require too much key derivation" in found[-1].message


def test_thousands_of_certificates_in_der_are_one_file(certkit, tmp_path):
    """They are read one after the other, without a limit of depth, with line ends between them."""
    (tmp_path / "all.der").write_bytes(b"".join(LEAF + b"\r\n" * (number % 2) for number in range(3000)))
    assert len(certkit("inspect", tmp_path / "all.der", "--json").json) == 3000
    (tmp_path / "all.der").write_bytes(LEAF * 2 + LEAF[:-1])
    shown = certkit("inspect", tmp_path / "all.der")
    assert shown.code == 3
    assert "cut off" in shown.err


# --- certificates that a library refuses, and hostile files

CA = odd.certificate(subject=odd.common_name("Odd CA"), extensions=(odd.IS_CA,))
CLIENT = odd.extension("551d25", bytes.fromhex("300a06082b06010505070302"))
NO_SECONDS = odd.sequence(odd.utc("2601010000Z"), odd.utc("3601010000Z"))
NO_DATE = odd.sequence(odd.utc("260101000000Z"), odd.utc("361301000000Z"))
ORG = odd.name(odd.attribute(odd.O, b"Acme"), odd.attribute(odd.CN, b"acme"))
TWICE = odd.extension("551d11", odd.sequence(odd.encode(0x82, b"acme.test")))
# What is wrong, what is said of it where it cannot be used, and whether it can be.
UNUSUAL = {
    "no-seconds": ({"validity": NO_SECONDS}, "UTCTime without seconds", True),
    "version-2": ({"version": bytes.fromhex("a003020101"), "extensions": ()}, "is of version 2", True),
    "version-4": ({"version": bytes.fromhex("a003020103")}, "the version is unknown: 4", False),
    "twice": ({"extensions": (CLIENT, TWICE, TWICE)}, "an extension appears more than once: 2.5.29.17", False),
    "no-date": ({"validity": NO_DATE}, "2036-13-01 00:00:00 is not a date that exists", False),
}


@pytest.fixture
def files(tmp_path):
    """The CA, and the key of all these certificates."""
    (tmp_path / "ca.pem").write_bytes(pem.encode("CERTIFICATE", CA))
    (tmp_path / "key.pem").touch(mode=0o600)
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(odd.key().private_bytes(serialization.Encoding.PEM, *plain))
    return tmp_path


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_identity_with_an_unusual_certificate(certkit, files, name):
    """It is imported, listed and renewed like any other, or refused by the rule that it breaks, with or without a CA.

    What `cryptography` cannot load cannot be presented to a server either, which is said in the same words.
    """
    fields, said, is_usable = UNUSUAL[name]
    (files / "odd.pem").write_bytes(
        pem.encode("CERTIFICATE", odd.certificate(**{"subject": ORG, "extensions": (CLIENT,), **fields}))
    )
    pair = ("--key", files / "key.pem", "--cert", files / "odd.pem")
    store = ("--store", f"file:{files / 'store'}")
    for number, ca in enumerate([(), ("--ca", files / "ca.pem")]):
        done = certkit("identity", "import", f"acme{number}", "--policy", "general", *pair, *ca, *store)
        assert done.code == (0 if is_usable else 2)
        assert is_usable or said in done.err
    if is_usable:
        assert certkit("identity", "renew", "--all", "--dry-run", *store).code == 0
        [first, second] = certkit("identity", "list", "--json", *store).json
        assert first["active"]["not_after"] == second["active"]["not_after"] == "2036-01-01T00:00:00Z"
        (files / "pw").write_text("secret")
        bundle = ("--format", "pkcs12", "--out", files / "out", "--passphrase-file", files / "pw")
        exported = certkit("identity", "export", "acme1", *bundle, *store)
        assert (exported.code, exported.err.count("\n")) == (3, 1)
        assert said in exported.err
        probed = certkit("probe", "127.0.0.1:9", *pair)
        assert probed.code == 3
        assert said in probed.err


@pytest.mark.parametrize(
    ("value", "tag", "said"),
    [
        (b"\xff\xfe", odd.UTF8, "invalid utf8string"),
        (b"\1", 0x02, "mstring wrong tag"),
        (b"a" * 2**21, odd.UTF8, "too long"),
    ],
    ids=["not UTF-8", "an integer", "megabytes"],
)
def test_a_name_that_openssl_cannot_read_ends_a_probe(certkit, files, value, tag, said):
    """In one line; certkit itself and its library read such certificates."""
    unreadable = odd.certificate(subject=odd.name(odd.attribute(odd.CN, value, tag)))
    (files / "odd.pem").write_bytes(pem.encode("CERTIFICATE", unreadable))
    probed = certkit("probe", "127.0.0.1:9", "--cert", files / "odd.pem", "--key", files / "key.pem")
    assert probed.code == 3
    assert probed.err == (
        f"certkit: error: OpenSSL cannot read the client certificate: {said}. Ask its issuer for a correct one\n"
    )


def test_an_identity_whose_name_openssl_cannot_read_has_no_tls_context(certkit, files):
    """The error says so, where Python's has no reason."""
    unreadable = odd.certificate(subject=odd.name(odd.attribute(odd.CN, b"\xff\xfe")), extensions=(CLIENT,))
    (files / "odd.pem").write_bytes(pem.encode("CERTIFICATE", unreadable))
    store = f"file:{files}/store"
    pair = ("--cert", files / "odd.pem", "--key", files / "key.pem", "--ca", files / "ca.pem")
    assert certkit("identity", "import", "acme", *pair, "--store", store).code == 0
    with pytest.raises(InputError, match="cannot use the active key and certificate: OpenSSL cannot read them"):
        api.identity("acme", store=store).ssl_context()


def test_without_a_chain_a_certificate_that_nobody_accepts_is_refused(certkit, files):
    """Whatever `verify` may skip, a rule for which every chain is refused counts."""
    (files / "odd.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(version=bytes.fromhex("a003020103"))))
    for asked in (("--no-chain",), (), ("--pin", files / "odd.pem")):
        found = certkit("verify", files / "odd.pem", *asked, "--json")
        assert found.code == 2
        assert [
            "the version is unknown: 4" in each["message"]
            for each in found.json["checks"]
            if each["status"] == "critical"
        ] == [True]


def test_without_a_chain_two_names_of_one_signature_are_refused(certkit, files):
    """The algorithm must be the same inside and outside the signed part (RFC 5280 section 4.1.1.2)."""
    ecdsa_sha384 = bytes.fromhex("300a06082a8648ce3d040303")
    (files / "odd.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(outer_algorithm=ecdsa_sha384)))
    for asked in (("--no-chain",), (), ("--pin", files / "odd.pem")):
        found = certkit("verify", files / "odd.pem", *asked, "--json")
        assert found.code == 2
        [refused] = [each for each in found.json["checks"] if each["status"] == "critical"]
        assert refused["id"] == "signature-algorithm"
        assert "names two different signature algorithms" in refused["message"]


def test_inspect_shows_a_certificate_whose_names_cannot_be_read(certkit, tmp_path):
    """The other fields, and in one line why these cannot be."""
    (tmp_path / "odd.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(extensions=(TWICE, TWICE))) * 3)
    found = certkit("inspect", tmp_path / "odd.pem")
    assert found.code == 3
    assert found.out.count("  valid until  2036-01-01T00:00:00Z") == 3
    assert found.err == (
        f"certkit: error: cannot read {tmp_path / 'odd.pem'}: a field of a certificate: san: the extension appears more"
        " than once (RFC 5280 section 4.2) (and fields of 2 more objects). The object breaks the standard; ask its"
        " issuer for a correct one\n"
    )


def test_text_of_a_name_of_megabytes_is_cut(certkit, tmp_path):
    """With --all it is whole."""
    long = odd.certificate(subject=odd.common_name("a" * 1_000_000))
    (tmp_path / "long.pem").write_bytes(pem.encode("CERTIFICATE", long))
    for command in ("inspect", "expiry"):
        assert len(certkit(command, tmp_path / "long.pem").out) < 5_000
        assert len(certkit(command, tmp_path / "long.pem", "--all").out) > 1_000_000


def test_a_refusal_of_a_hundred_thousand_characters_is_cut(certkit, files):
    """In text; JSON has it whole."""
    many = odd.sequence(*(odd.oid(f"2a03{0x81 + number // 128:02x}{number % 128:02x}") for number in range(12_000)))
    long = odd.certificate(extensions=(odd.extension("551d25", many),))
    (files / "long.pem").write_bytes(pem.encode("CERTIFICATE", long))
    pair = ("identity", "import", "acme", "--key", files / "key.pem", "--cert", files / "long.pem")
    refused = certkit(*pair, "--store", f"file:{files}/store")
    assert refused.code == 2
    assert len(refused.err) < 2_500
    assert refused.err.endswith("Ask the issuer for a certificate with clientAuth\n")
    assert len(certkit(*pair, "--store", f"file:{files}/store", "--json").out) > 100_000


# Files in which every object is broken, and what the last of them says.
HOSTILE = {
    "key-store.jks": lambda: (
        b"\xfe\xed\xfe\xed" + struct.pack(">III", 1, 1, 1) + bytes(10) + struct.pack(">II", 0, 100_000) + bytes(400_000)
    ),
    "blocks.pem": lambda: b"-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n" * 100_000,
    "secrets.yaml": lambda: (b"x: MIIB" + b"A" * 60 + b"\n") * 100_000,
}


def test_reading_ends_after_five_thousand_private_keys():
    """Some take more than a millisecond to open."""
    *found, last = objects.read(keys.to_pem(odd.key()).reveal() * 5_001)
    assert len(found) == 5_000
    assert last == Broken("5,000 private keys", "the rest of the file was not read", "split the file", is_limit=True)


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_ends_after_a_thousand_broken_objects(name):
    """The last one says that the rest was not read."""
    found = list(objects.read(HOSTILE[name]()))
    assert sum(isinstance(each, Broken) for each in found) <= 1_001
    assert found[-1].message == "1,000 broken objects: the rest of the file was not read"


INDEFINITE = b"\x30\x80" + odd.oid("2a864886f70d010702") + b"\xa0\x80\x24\x80"


@pytest.mark.parametrize(
    "data",
    [lambda: pkcs7(b"\x30\x00" * 3_000_000), lambda: INDEFINITE + b"\x04\x00" * 3_000_000],
    ids=["der", "ber"],
)
def test_millions_of_tiny_elements_are_not_kept(data):
    """Each would take a hundred bytes of memory for its two in the file."""
    data = data()
    tracemalloc.start()
    [broken] = objects.read(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 1" in broken.message
    assert most < 20 * len(data)


HUGE = odd.encode(0x02, b"\x05" * 100_000)
# Certificates with a number that Python refuses to write in decimal, and what is said of it.
NUMBERS = {
    "version": ({"version": odd.encode(0xA0, HUGE)}, "the version is unknown: 0x505050505"),
    "path length": ({"extensions": (odd.extension("551d13", odd.sequence(HUGE)),)}, "pathLenConstraint 0x505050505"),
    "serial number": ({"serial": HUGE}, "the serial number has more than 20 bytes"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_any_size_is_shown(certkit, tmp_path, name):
    """In text and JSON, by `inspect` and `verify`, cut to a few digits where it is in a sentence."""
    fields, said = NUMBERS[name]
    (tmp_path / "odd.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(**fields)))
    for command in (("inspect",), ("inspect", "--json"), ("verify", "--no-chain"), ("verify", "--no-chain", "--json")):
        found = certkit(*command, tmp_path / "odd.pem")
        assert found.err == ""
        assert said in found.out


def test_tls_features_of_any_size_are_shown(certkit, tmp_path):
    """Those that a certificate lacks, as far as they fit in a line."""
    feature = odd.extension("2b06010505070118", odd.sequence(HUGE))
    ca = odd.certificate(subject=odd.common_name("Odd CA"), extensions=(odd.IS_CA, feature))
    (tmp_path / "ca.pem").write_bytes(pem.encode("CERTIFICATE", ca))
    (tmp_path / "odd.pem").write_bytes(pem.encode("CERTIFICATE", odd.certificate(extensions=(CLIENT,))))
    found = certkit("verify", tmp_path / "odd.pem", "--ca", tmp_path / "ca.pem")
    assert found.code == 2
    assert "lacks TLS features that the CA CN=Odd CA requires: 0x505050505" in found.out


def pkcs12(tmp_path, *options: str) -> bytes:
    """A PKCS#12 file by openssl, with the passphrase `secret`."""
    (tmp_path / "pair.pem").write_bytes(keys.to_pem(odd.key()).reveal() + PEM)
    made = ("pkcs12", "-export", "-in", tmp_path / "pair.pem", "-passout", "pass:secret")
    return openssl(*made, *options).stdout


def with_pbmac1(pfx: bytes, passphrase: bytes) -> bytes:
    """A PKCS#12 file with a MAC by PBMAC1 (RFC 9579) in place of its own; OpenSSL can make one since 3.4."""
    version, safe, _ = tlv.children(pfx, *tlv.only(pfx, 0x30))
    _, explicit = tlv.children(pfx, safe[2], safe[3])
    (content,) = tlv.children(pfx, explicit[2], explicit[3])
    salt, hmac_sha256 = bytes(16), odd.sequence(odd.oid("2a864886f70d0209"), b"\x05\x00")
    key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, 2048, 32)
    derivation = odd.sequence(odd.encode(0x04, salt), odd.integer(2048), odd.integer(32), hmac_sha256)
    scheme = odd.sequence(odd.sequence(odd.oid("2a864886f70d01050c"), derivation), hmac_sha256)
    algorithm = odd.sequence(odd.oid("2a864886f70d01050e"), scheme)
    digest = odd.encode(0x04, hmac.digest(key, pfx[content[2] : content[3]], "sha256"))
    mac = odd.sequence(odd.sequence(algorithm, digest), odd.encode(0x04, b"NOT USED"), odd.integer(1))
    return odd.sequence(pfx[version[1] : version[3]], pfx[safe[1] : safe[3]], mac)


def test_pkcs12_with_pbmac1_is_opened(certkit, tmp_path):
    """Where the OpenSSL of `cryptography` has it; and a wrong passphrase may be the reason, or the kind of MAC."""
    (tmp_path / "new.p12").write_bytes(with_pbmac1(pkcs12(tmp_path), b"secret"))
    for passphrase, code in ((b"secret", 0), (b"wrong", 3)):
        (tmp_path / "pw").write_bytes(passphrase)
        found = certkit("inspect", tmp_path / "new.p12", "--passphrase-file", tmp_path / "pw")
        assert found.code == code
    assert "the passphrase is wrong, or certkit's OpenSSL does not support PBMAC1 (RFC 9579)" in found.err


LEGACY = {
    "RC2-40": ("-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES"),
    "RC4-128": ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-RC4-128"),
}


@pytest.mark.parametrize("name", LEGACY)
def test_a_cipher_that_openssl_may_not_support_is_named(certkit, tmp_path, name):
    """The passphrase alone is not blamed, where the legacy ciphers are missing; where they are there, it opens."""
    (tmp_path / "old.p12").write_bytes(pkcs12(tmp_path, "-legacy", *LEGACY[name]))
    (tmp_path / "pw").write_bytes(b"secret")
    asked = ("expiry", tmp_path / "old.p12", "--passphrase-file", tmp_path / "pw", *AT)
    assert certkit(*asked).code == 1
    found = replace(certkit, start=True)(*asked, env={"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"})
    assert found.code == 3
    assert f"the passphrase is wrong, or certkit's OpenSSL does not support PBE-SHA1-{name}" in found.err
