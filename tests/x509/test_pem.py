"""`certkit.x509.pem`: every block is found, whatever stands around it."""

from __future__ import annotations

import base64
import itertools
import json
import time

import pytest

from certkit.errors import InputError
from certkit.x509 import pem
from tests.conftest import openssl

HELLO = b"-----BEGIN GREETING-----\naGVsbG8=\n-----END GREETING-----\n"


def only(data: bytes) -> pem.Block:
    """The one block in some bytes."""
    (block,) = pem.blocks(data)
    return block


def test_a_block_tells_its_label_place_and_bytes():
    """The label, the offsets of its two marker lines, the line where it begins, and what it encodes."""
    block = only(b"one\ntwo\n" + HELLO)
    assert (block.label, block.start, block.end, block.line) == ("GREETING", 8, 64, 3)
    assert (block.der, block.problem, block.has_headers) == (b"hello", "", False)


def test_blocks_come_in_the_order_of_the_file():
    """Text before, between and after them does not matter."""
    found = pem.blocks(b"a" + HELLO + b"b\n" + HELLO.replace(b"GREETING", b"OTHER") + b"c")
    assert [(block.label, block.der, block.line) for block in found] == [
        ("GREETING", b"hello", 1),
        ("OTHER", b"hello", 5),
    ]


@pytest.mark.parametrize(
    "data",
    [
        HELLO.replace(b"\n", b"\r\n"),
        HELLO.replace(b"\n", b"\r"),
        HELLO.rstrip(),
        HELLO.replace(b"aGVsbG8=", b"  aGVs\n\t\n  bG8=  "),
        b"\xef\xbb\xbf" + HELLO,
        b"\0" + HELLO + b"\0",
        b"-----END GREETING-----\n" + HELLO,
        b"----- BEGIN GREETING-----\n" + HELLO,
    ],
    ids=["crlf", "cr", "no-last-line-end", "indented", "byte-order-mark", "nul", "stray-end", "damaged-begin"],
)
def test_the_layout_does_not_matter(data):
    """Line ends, indentation, marks and stray lines leave the bytes as they are."""
    assert only(data).der == b"hello"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (HELLO.replace(b"aGVsbG8=", b"aGV*bG8="), "it is not valid base64"),
        (HELLO.replace(b"aGVsbG8=", b"aGVsbG8"), "it is not valid base64"),
        (HELLO.replace(b"aGVsbG8=", b"aGVs\0bG8="), "it is not valid base64"),
        (HELLO.replace(b"aGVsbG8=", b"aGVsbG8=\xff"), "it is not valid base64"),
        (HELLO.replace(b"aGVsbG8=\n", b""), "it is empty"),
        (HELLO[:40], "its END line is missing"),
        (HELLO.replace(b"END GREETING", b"END FAREWELL"), "its END line says 'FAREWELL'"),
    ],
)
def test_a_broken_block_says_what_is_wrong(data, problem):
    """It is found, has no bytes, and names its problem."""
    block = only(data)
    assert (block.label, block.der, block.problem) == ("GREETING", None, problem)


def test_a_block_in_a_text_of_json():
    """Its line ends are escaped, as in an identity's record."""
    text = json.dumps({"ca": HELLO.decode(), "dos": HELLO.replace(b"\n", b"\r\n").decode()}).encode()
    assert [block.der for block in pem.blocks(text)] == [b"hello", b"hello"]


def test_a_broken_block_does_not_hide_the_next():
    """After a missing END line and a wrong one the reader goes on."""
    cut, wrong = HELLO[:40], HELLO.replace(b"END GREETING", b"END FAREWELL")
    assert [block.der for block in pem.blocks(cut + HELLO + wrong + HELLO)] == [None, b"hello", None, b"hello"]


def test_headers_are_told_and_left_out():
    """Header lines (RFC 1421) are not part of the bytes."""
    block = only(HELLO.replace(b"aGV", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\naGV"))
    assert (block.der, block.has_headers) == (b"hello", True)


@pytest.mark.parametrize("label", ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"])
def test_a_private_key_shows_by_its_label(label):
    """Even one that cannot be decoded."""
    assert only(f"-----BEGIN {label}-----\n".encode()).is_private_key


@pytest.mark.parametrize("label", ["PUBLIC KEY", "CERTIFICATE", "CERTIFICATE REQUEST"])
def test_other_objects_are_no_private_keys(label):
    """A public key is not a private one."""
    assert not only(f"-----BEGIN {label}-----\n".encode()).is_private_key


@pytest.mark.parametrize("size", [1, 47, 48, 49, 1000])
def test_what_is_written_is_what_openssl_writes(size):
    """Lines of 64 characters, one line end after the last, for every length."""
    der = b"\x30\x82" + (size - 1).to_bytes(2) + b"\x04" * (size - 1)
    text = pem.encode("CMS", der)
    assert max(map(len, text.split(b"\n"))) <= 64
    assert text.endswith(b"\n-----END CMS-----\n")
    assert base64.b64decode(b"".join(text.split(b"\n")[1:-2])) == der
    assert only(text).der == der


def test_a_certificate_is_written_as_openssl_writes_it(tmp_path):
    """Byte by byte the same file."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-subj", "/CN=x",
            "-out", tmp_path / "c.pem")  # fmt: skip
    der = openssl("x509", "-in", tmp_path / "c.pem", "-outform", "DER").stdout
    assert pem.encode("CERTIFICATE", der) == (tmp_path / "c.pem").read_bytes()


def test_lines_are_counted_from_one():
    """The byte after the second line end is on line 3."""
    assert [pem.line_number(b"a\nb\nc", offset) for offset in (0, 2, 4)] == [1, 2, 3]


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"-----BEGIN CERTIFICATE-----\n" * 500_000,
        lambda: b"-----END CERTIFICATE-----\n" * 500_000,
        lambda: b"-----BEGIN A-----\n-----END B-----\n" * 250_000,
        lambda: b"-" * 10_000_000,
        lambda: b"-----BEGIN " + b"A" * 10_000_000,
        lambda: b"-----BEGIN A-----\n" + b"a:\n" * 3_000_000 + b"-----END A-----",
        lambda: b"\0" * 10_000_000,
    ],
    ids=["begin", "end", "mismatch", "dashes", "long-label", "headers", "nul"],
)
def test_hostile_text_takes_linear_time(data):
    """Megabytes of markers are read in the time that megabytes take."""
    start = time.process_time()
    for _ in pem.blocks(data()):
        pass
    assert time.process_time() - start < 10


def certificate_block(root_der: bytes, *, line_end: bytes = b"\n") -> bytes:
    """A plain certificate block with the given bytes."""
    return pem.encode("CERTIFICATE", root_der).replace(b"\n", line_end)


def test_plain_certificates_are_found_the_fast_way():
    """One after the other, with text between them; the end is where the rest begins."""
    data = b"# ours\n" + certificate_block(b"one") + b"and\n" + certificate_block(b"two" * 40, line_end=b"\r\n") + b"\n"
    found = list(pem.plain_certificates(data))
    assert [der for der, _ in found] == [b"one", b"two" * 40]
    assert found[-1][1] == len(data)


@pytest.mark.parametrize(
    "odd",
    [
        b"-----BEGIN CERTIFICATE-----\naGVs*G8=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nProc-Type: 4\n\naGVsbG8=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n",
        b"-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n",
        b"-----BEGIN CERTIFICATE-----\naGVsbG8\n-----END CERTIFICATE-----\n",
    ],
)
def test_the_fast_way_ends_before_what_is_not_plain(odd):
    """Whatever is odd is left to the slow way, and so is all that follows."""
    data = certificate_block(b"one") + odd + certificate_block(b"two")
    found = list(pem.plain_certificates(data))
    assert [der for der, _ in found] == [b"one"]
    assert data[found[-1][1] :] == odd + certificate_block(b"two")


@pytest.mark.parametrize("size", [1, 10, 11, 64, 1000, 1 << 20])
def test_pieces_tear_no_block(size, monkeypatch):
    """However the stream is cut, each piece holds whole blocks, and together they are the stream."""
    monkeypatch.setattr(pem, "_PIECE_BYTES", 256)
    data = b"text " * 100 + b"".join(certificate_block(bytes([at]) * at) for at in range(1, 120)) + b"end"
    found = list(pem.pieces(data[at : at + size] for at in range(0, len(data), size)))
    assert b"".join(found) == data
    blocks = [block.der for piece in found for block in pem.blocks(piece)]
    assert blocks == [block.der for block in pem.blocks(data)]


def test_der_is_one_piece(monkeypatch):
    """A certificate or a PKCS#12 bundle may hold bytes that look like a marker."""
    monkeypatch.setattr(pem, "_PIECE_BYTES", 16)
    data = b"\x30\x82\x10\x00" + b"-----BEGIN CERTIFICATE-----" * 5
    assert list(pem.pieces([data[:9], data[9:50], data[50:]])) == [data]


def test_a_block_without_an_end_is_bounded(monkeypatch):
    """A stream that begins a block and never ends it does not fill the memory."""
    monkeypatch.setattr(pem, "_PIECE_BYTES", 1000)
    monkeypatch.setattr(pem, "MAX_PIECE_BYTES", 10_000)
    endless = (b"-----BEGIN CERTIFICATE-----\n" if at == 0 else b"A" * 500 for at in itertools.count())
    with pytest.raises(InputError, match="an object in it is larger than 10,000 bytes"):
        list(pem.pieces(endless))


def test_text_without_end_is_passed_over_in_pieces(monkeypatch):
    """A log file of any size costs no memory."""
    monkeypatch.setattr(pem, "_PIECE_BYTES", 1000)
    assert max(map(len, pem.pieces(b"log line\n" * 50 for _ in range(1000)))) < 2000
