"""`certkit.x509.objects`: what stands in a file is found by looking."""

from __future__ import annotations

import functools
import time

import pytest

from certkit.errors import InputError
from certkit.secret import Secret
from certkit.x509 import objects, pem
from certkit.x509.items import Broken, Budget, Item, Kind
from tests.conftest import openssl


@functools.cache
def files() -> dict[str, bytes]:
    """One object of each kind, as openssl writes it in DER."""
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").stdout
    certificate = openssl("req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/O=Acme Holdings", stdin=key).stdout
    return {
        "private_key": openssl("pkey", "-outform", "DER", stdin=key).stdout,
        "public_key": openssl("pkey", "-pubout", "-outform", "DER", stdin=key).stdout,
        "csr": openssl(
            "req", "-new", "-key", "/dev/stdin", "-subj", "/O=Acme Holdings", "-outform", "DER", stdin=key
        ).stdout,
        "certificate": openssl("x509", "-outform", "DER", stdin=certificate).stdout,
        "pkcs12": openssl("pkcs12", "-export", "-passout", "pass:x", stdin=key + certificate).stdout,
        "open pkcs12": openssl("pkcs12", "-export", "-passout", "pass:", stdin=key + certificate).stdout,
        "pkcs7": openssl(
            "crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", "DER", stdin=certificate * 2
        ).stdout,
        "locked key": openssl("pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:x", stdin=key).stdout,
        "trusted": openssl("x509", "-trustout", "-addtrust", "clientAuth", stdin=certificate).stdout,
        "key pem": key,
        "certificate pem": certificate,
    }


@pytest.fixture
def crl(tmp_path) -> bytes:
    """An empty CRL that openssl makes, in PEM."""
    (tmp_path / "index").touch()
    (tmp_path / "ca.cnf").write_text(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {tmp_path}/index\ndefault_md = sha256\n")
    (tmp_path / "ca.key").write_bytes(files()["key pem"])
    (tmp_path / "ca.pem").write_bytes(files()["certificate pem"])
    return openssl(
        "ca", "-gencrl", "-config", tmp_path / "ca.cnf", "-keyfile", tmp_path / "ca.key", "-cert", tmp_path / "ca.pem",
        "-crldays", "30",
    ).stdout  # fmt: skip


def read(data: bytes, **options) -> list[Item | Broken]:
    """Everything that is found."""
    return list(objects.read(data, **options))


def kinds(data: bytes, **options) -> list[str]:
    """The kinds of what is found."""
    return [item.kind.value if isinstance(item, Item) else "broken" for item in read(data, **options)]


LABELS = {
    "private_key": "PRIVATE KEY",
    "public_key": "PUBLIC KEY",
    "csr": "CERTIFICATE REQUEST",
    "certificate": "CERTIFICATE",
}


@pytest.mark.parametrize("kind", LABELS)
def test_der_and_pem_are_told_apart_by_looking(kind):
    """The same object is found in both, with its DER."""
    data = files()[kind]
    for form in (data, pem.encode(LABELS[kind], data)):
        (item,) = read(form)
        assert (item.kind, item.der, item.is_encrypted) == (kind, data, False)
        assert item.value is not None


def test_a_crl_is_found(crl):
    """In PEM and DER."""
    assert kinds(crl) == ["crl"]
    assert kinds(openssl("crl", "-outform", "DER", stdin=crl).stdout) == ["crl"]


def test_several_objects_come_in_order():
    """With text around them, whatever their kinds, and their lines."""
    data = b"Bag Attributes\n" + files()["certificate pem"] + b"key:\n" + files()["key pem"]
    found = read(data + pem.encode("CERTIFICATE REQUEST", files()["csr"]))
    assert [item.kind for item in found] == ["certificate", "private_key", "csr"]
    assert [item.line for item in found] == [2, 14, 19]


@pytest.mark.parametrize(
    ("label", "kind", "source"),
    [
        ("X509 CERTIFICATE", "certificate", "certificate"),
        ("NEW CERTIFICATE REQUEST", "csr", "csr"),
        ("EC PRIVATE KEY", "private_key", "private_key"),
    ],
)
def test_other_labels_are_known(label, kind, source):
    """Those of older tools."""
    assert kinds(pem.encode(label, files()[source])) == [kind]


def test_a_trusted_certificate_is_a_certificate():
    """The data that openssl appends is left out."""
    (item,) = read(files()["trusted"])
    assert (item.kind, item.der) == ("certificate", files()["certificate"])


def test_a_pkcs7_bundle_is_its_certificates():
    """Under both labels, and in DER."""
    data = files()["pkcs7"]
    for form in (data, pem.encode("PKCS7", data), pem.encode("CMS", data)):
        assert kinds(form) == ["certificate", "certificate"]


@pytest.mark.parametrize("label", ["EC PARAMETERS", "DH PARAMETERS"])
def test_parameters_are_passed_over(label):
    """The key beside them says the same."""
    assert kinds(pem.encode(label, b"\x30\x00") + files()["key pem"]) == ["private_key"]


def test_an_unknown_block_is_told():
    """It is neither passed over in silence nor guessed at."""
    (broken,) = read(pem.encode("ATTRIBUTE CERTIFICATE", b"\x30\x00"))
    assert broken.message == "PEM block 'ATTRIBUTE CERTIFICATE' at line 1: not a kind of object that certkit knows"


def test_a_broken_object_does_not_hide_the_next():
    """It says where it begins and what is wrong."""
    cut = files()["certificate pem"][:100] + b"\n"
    broken, item = read(b"\n" + cut + files()["certificate pem"])
    assert broken.message == "PEM block 'CERTIFICATE' at line 2: its END line is missing"
    assert item.kind == "certificate"


@pytest.mark.parametrize("label", LABELS.values())
def test_junk_under_a_known_label_is_broken(label):
    """It begins to be an object, and cannot be decoded."""
    (broken,) = read(pem.encode(label, b"\x30\x03\x02\x01\x05"))
    assert isinstance(broken, Broken)
    assert broken.hint


@pytest.mark.parametrize("kind", ["certificate", "private_key"])
@pytest.mark.parametrize("size", [1, 50])
def test_der_that_is_cut_off_is_broken(kind, size):
    """A certificate or key that begins to be one is not passed over."""
    (broken,) = read(files()[kind][:-size])
    assert isinstance(broken, Broken)


@pytest.mark.parametrize(
    "data", [b"", b"hello\n", b"\0" * 4096, b"\x89PNG\r\n\x1a\n", b"0", b"0\x80", b"\x7fELF", b"00"]
)
def test_other_files_hold_nothing(data):
    """Neither objects nor broken ones."""
    assert read(data) == []


# --- what is locked


def test_a_locked_key_is_an_item_without_a_value():
    """Its presence is a fact, with a passphrase or without."""
    (item,) = read(files()["locked key"])
    assert (item.kind, item.value, item.is_encrypted) == ("private_key", None, True)


def test_a_passphrase_opens_a_key():
    """And a wrong one is reported as such."""
    (item,) = read(files()["locked key"], passphrase=Secret(b"x"))
    assert item.value is not None
    (broken,) = read(files()["locked key"], passphrase=Secret(b"y"))
    assert broken.is_locked


def test_a_pkcs12_file_is_opened_by_its_passphrase():
    """Key and certificate are in it; without a passphrase it is locked, with a wrong one it says so."""
    (item,) = read(files()["pkcs12"], passphrase=Secret(b"x"))
    assert (item.value.key is not None, len(item.value.certificates), item.is_encrypted) == (True, 1, True)
    (locked,) = read(files()["pkcs12"])
    assert (locked.kind, locked.value, locked.is_encrypted) == ("pkcs12", None, True)
    (broken,) = read(files()["pkcs12"], passphrase=Secret(b"y"))
    assert (broken.what, broken.message) == (
        "a PKCS#12 bundle",
        "the passphrase is wrong or the file is damaged",
    )
    assert broken.is_locked


def test_a_pkcs12_file_with_the_empty_passphrase_is_open():
    """As Java and openssl write it."""
    (item,) = read(files()["open pkcs12"])
    assert (item.value.key is not None, item.is_encrypted) == (True, False)


def test_a_pkcs12_file_that_is_cut_off_is_broken():
    """Not taken for a locked one."""
    (broken,) = read(files()["pkcs12"][:-10])
    assert broken.message.startswith("it is cut off or damaged")


def test_the_guard_is_asked_before_a_pkcs12_file_is_opened():
    """Its cost does not show from outside."""
    (broken,) = read(files()["pkcs12"], passphrase=Secret(b"x"), budget=Budget(lambda _: False))
    assert broken.message == "opening it takes too long; its key derivation count is too high"


# --- choosing


def test_other_kinds_are_named_and_not_loaded():
    """So that a bundle's private key is not decrypted for its certificates."""
    data = files()["key pem"] + files()["certificate pem"]
    key, certificate = read(data, only={Kind.CERTIFICATE})
    assert (key.kind, key.value) == ("private_key", None)
    assert (certificate.kind, certificate.value is None) == ("certificate", False)


def test_broken_objects_of_other_kinds_do_not_matter():
    """When certificates are asked for."""
    junk = pem.encode("PRIVATE KEY", b"\x30\x00") + pem.encode("SOMETHING", b"x")
    assert kinds(junk + files()["certificate pem"], only={Kind.CERTIFICATE}) == ["private_key", "certificate"]


def test_certificates_are_all_of_a_file():
    """Other objects are passed over; a broken certificate is an error."""
    data = files()["certificate pem"] + files()["key pem"] + files()["certificate pem"]
    assert len(objects.certificates(data, name="F")) == 2
    with pytest.raises(InputError, match="cannot read F: a certificate at line 1: the certificate breaks a rule"):
        objects.certificates(pem.encode("CERTIFICATE", b"\x30\x00") + data, name="F")


def test_a_file_without_certificates_may_be_allowed():
    """For those who look into whole folders."""
    assert objects.certificates(files()["key pem"], name="F", may_be_none=True) == []


def test_the_first_request_of_a_file_counts():
    """Even behind a broken one."""
    data = pem.encode("CERTIFICATE REQUEST", b"\x30\x00") + pem.encode("CERTIFICATE REQUEST", files()["csr"])
    assert objects.csr(data, name="F").der == files()["csr"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot read F as a certificate: it is empty"),
        (b"\0\0\n", "cannot read F as a certificate: it contains only whitespace or NULs"),
        (b"hello", "cannot read F as a certificate: it contains no PEM block and is not DER"),
        (b"PuTTY-User-Key-File-3: ssh-rsa\n", "cannot read F as a certificate: it is a PuTTY key"),
        (b"ssh-ed25519 AAAA me@host\n", "cannot read F as a certificate: it is an OpenSSH public key"),
        (b"ecdsa-sha2-nistp256 AAAA\n", "cannot read F as a certificate: it is an OpenSSH public key"),
        ("-----BEGIN".encode("utf-16"), "cannot read F as a certificate: it is UTF-16 text"),
        (b"-----BEGIN CERTIFICATE----\n", "cannot read F as a certificate: its BEGIN line is not PEM"),
    ],
)
def test_an_empty_search_says_why(data, message):
    """Empty files, other encodings, other formats; with a hint."""
    with pytest.raises(InputError) as refused:
        objects.certificates(data, name="F")
    assert refused.value.message == message
    assert refused.value.hint


def test_an_empty_search_says_what_was_found_instead():
    """Once for each kind."""
    with pytest.raises(InputError, match=r"(?m)as a certificate: it contains a private key, a CSR$"):
        objects.certificates(files()["key pem"] * 2 + pem.encode("CERTIFICATE REQUEST", files()["csr"]), name="F")


def test_der_that_is_cut_off_is_not_taken_for_a_certificate():
    """It may be a CSR or a CRL."""
    (broken,) = read(files()["csr"][:-20])
    assert broken.message == (
        "it begins like a certificate, CSR or CRL, but is cut off or damaged: an element is cut off"
    )


def test_a_key_of_another_program_is_of_an_unknown_kind():
    """Its armour looks like PEM, and its checksum line is not base64."""
    key = b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQVYBF==\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n"
    (broken,) = read(key)
    assert broken.message == "PEM block 'PGP PRIVATE KEY BLOCK' at line 1: not a kind of object that certkit knows"


# --- hostile files


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"-----BEGIN CERTIFICATE-----\n" * 500_000,
        lambda: b"-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n" * 20_000,
        lambda: b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n" * 20_000,
        lambda: b"-----BEGIN CERTIFICATE-----\n" + b"A" * 4_000_000 + b"\n-----END CERTIFICATE-----\n",
        lambda: b"\x30" * 4_000_000,
        lambda: b"\x30\x82\xff\xff" * 1_000_000,
    ],
    ids=["begin", "keys", "certificates", "long", "sequences", "long-sequences"],
)
def test_hostile_files_take_linear_time(data):
    """Megabytes of broken objects are read in the time that megabytes take."""
    start = time.process_time()
    for _ in objects.read(data()):
        pass
    assert time.process_time() - start < 10


def test_a_summary_names_the_first_broken_object_and_counts_the_others():
    """One line, however many there are."""
    broken = read(b"-----BEGIN CERTIFICATE-----\n" * 901)
    assert objects.summary(broken[0], len(broken))[0] == (
        "PEM block 'CERTIFICATE' at line 1: its END line is missing (and 900 more broken objects)"
    )
    assert objects.summary(broken[0], 900, is_complete=False)[0].endswith("(and at least 899 more broken objects)")
    assert objects.summary(broken[0], 1)[0] == "PEM block 'CERTIFICATE' at line 1: its END line is missing"
