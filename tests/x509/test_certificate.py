"""`certkit.x509.certificate`: one value, read from the bytes as they stand."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from certkit.errors import InputError
from certkit.x509.certificate import Certificate
from certkit.x509.deviations import DEVIATIONS
from certkit.x509.unreadable import Unreadable
from tests import odd

SAN, BASIC, USAGE, CONSTRAINTS = "551d11", "551d13", "551d0f", "551d1e"

# Each accepted deviation: its id, and a certificate that has just this one.
TOLERATED = {
    "serial-negative": {"serial": b"\x02\x01\xf6"},
    "serial-zero": {"serial": b"\x02\x01\x00"},
    "serial-long": {"serial": odd.integer(1 << 167)},
    "name-encoding": {"subject": odd.name(odd.attribute(odd.O, "COMPAÑIA".encode("latin-1"), odd.T61))},
    "rdn-order": {
        "subject": odd.sequence(
            odd.encode(0x31, odd.attribute(odd.CN, b"odd") + odd.attribute(odd.C, b"GB", odd.PRINTABLE))
        )
    },
    "time-form": {"validity": odd.sequence(odd.utc("2601010000Z"), odd.utc("360101000000Z"))},
    "path-length": {"extensions": (odd.extension(BASIC, bytes.fromhex("3003020100")),)},
    "default-encoded": {"extensions": (odd.extension(USAGE, bytes.fromhex("03020780"), critical=b"\x01\x01\x00"),)},
    "address-bits": {"extensions": (odd.extension(CONSTRAINTS, bytes.fromhex("300ea00c300a87080a000001ff000000")),)},
    "general-name": {"extensions": (odd.extension(SAN, odd.sequence(odd.encode(0x81, "ü@example".encode()))),)},
    "extension-value": {"extensions": (odd.extension(USAGE, bytes.fromhex("03020700")),)},
    "extension-unreadable": {"extensions": (odd.extension(USAGE, b"\x30\x00"),)},
    "version-extensions": {"version": b"", "extensions": (odd.IS_CA,)},
    "version-2": {"version": bytes.fromhex("a003020101")},
    "algorithm-parameters": {"algorithm": bytes.fromhex("300c06082a8648ce3d0403020500")},
}
REFUSED = {
    "name-structure": {"subject": odd.sequence(odd.attribute(odd.CN, b"odd"))},
    "extension-duplicate": {"extensions": (odd.IS_CA, odd.IS_CA)},
    "version-unique-id": {"version": b"", "unique_ids": bytes.fromhex("81020001")},
    "version-default": {"version": bytes.fromhex("a003020100")},
    "version-unknown": {"version": bytes.fromhex("a003020106")},
    "key": {"public_key": odd.sequence(odd.sequence(odd.oid("2a864886f70d010101")), odd.encode(0x03, b"\0\x30\x00"))},
}


def test_every_deviation_is_tested():
    """All but those of lists without entries, signatures with odd bits, and what has no name of its own."""
    others = {each for each in DEVIATIONS if each.startswith(("csr-", "crl-"))}
    assert {*TOLERATED, *REFUSED, *others, "extensions-empty", "signature-bits", "encoding"} == set(DEVIATIONS)


@pytest.mark.parametrize("identifier", TOLERATED)
def test_a_tolerated_deviation_is_read_and_named(identifier):
    """It is the only one, and the dates are read all the same."""
    found = Certificate.parse(odd.certificate(**TOLERATED[identifier]))
    assert [each.id for each in found.deviations] == [identifier]
    assert found.deviations[0].is_tolerated
    assert found.not_after == datetime(2036, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("identifier", REFUSED)
def test_another_deviation_is_read_and_not_tolerated(identifier):
    """A monitor can read the dates; a verifier sees that the certificate is not to be accepted."""
    found = Certificate.parse(odd.certificate(**REFUSED[identifier]))
    assert identifier in [each.id for each in found.deviations if not each.is_tolerated]
    assert found.not_after == datetime(2036, 1, 1, tzinfo=UTC)


def test_a_sound_certificate_has_no_deviations():
    """Its fields are as they were written."""
    der = odd.certificate(extensions=(odd.IS_CA, odd.extension(SAN, odd.sequence(odd.encode(0x82, b"odd.test")))))
    found = Certificate.parse(der)
    assert (found.deviations, found.version, found.serial, found.is_ca) == ((), 3, 42, True)
    assert (found.subject.text, found.issuer.text) == ("CN=odd", "CN=Odd CA")
    assert found.spki_sha256 == hashlib.sha256(odd.spki()).hexdigest()
    assert found.der == der
    assert [str(each) for each in found.subject_alt_name] == ["DNS:odd.test"]
    assert found.public_key() == odd.key().public_key()


def test_an_unreadable_extension_spoils_no_other():
    """A damaged name leaves the names beside it, and the key usage."""
    san = odd.sequence(odd.encode(0x87, b"\x01\x02\x03"), odd.encode(0x82, b"odd.test"))
    found = Certificate.parse(
        odd.certificate(
            extensions=(
                odd.extension(SAN, san),
                odd.extension(USAGE, bytes.fromhex("03020780")),
                odd.extension("551d25", b"\x04\x00"),
            )
        )
    )
    assert [(str(each), each.problem) for each in found.subject_alt_name] == [
        ("IP:#010203", "an IP address of 3 bytes"),
        ("DNS:odd.test", ""),
    ]
    assert found.key_usage == {"digitalSignature"}
    assert isinstance(found.extended_key_usage, Unreadable)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda der: der[:-1], "cut off or damaged"),
        (lambda der: der[:40], "cut off or damaged"),
        (lambda der: der + b"\0", "bytes follow the value"),
        (lambda der: b"\x30\x80" + der[4:] + b"\0\0", "indefinite length"),
        (lambda der: b"\x30\x83\0" + der[2:], "shortest form"),
        (lambda _: b"", "cut off or damaged"),
        (lambda _: b"\x30\x00", "the signed part is missing"),
    ],
)
def test_what_is_no_certificate_is_refused_by_its_rule(damage, message):
    """Missing bytes are distinguished from an encoding that is not DER."""
    with pytest.raises(InputError, match=message):
        Certificate.parse(damage(odd.certificate()))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((b"Acme  Ltd", odd.UTF8), (b"acme ltd", odd.PRINTABLE)),
        (("Müller".encode(), odd.UTF8), ("MÜLLER".encode("utf-16-be"), odd.BMP)),
    ],
)
def test_names_are_compared_without_case_and_encoding(first, second):
    """RFC 5280 section 7.1."""
    one, other = (
        Certificate.parse(odd.certificate(subject=odd.name(odd.attribute(odd.O, *each)))).subject
        for each in (first, second)
    )
    assert one != other
    assert one.key == other.key


def test_what_was_read_leniently_equals_only_the_same_bytes():
    """A guess at an encoding must not make two names the same."""
    lenient, sound = (
        Certificate.parse(odd.certificate(subject=odd.name(odd.attribute(odd.O, "Ñ".encode(codec)))))
        for codec in ("latin-1", "utf-8")
    )
    assert (lenient.subject.text, sound.subject.text) == ("O=Ñ", "O=Ñ")
    assert [each.id for each in lenient.subject.problems] == ["name-encoding"]
    assert lenient.subject.key != sound.subject.key


def test_an_attribute_without_a_name_is_hex():
    """RFC 4514 section 2.4: the dotted form goes with the encoded value."""
    subject = odd.name(odd.attribute("2a0304", b"x"), odd.attribute(odd.CN, b'a,"b" '))
    assert Certificate.parse(odd.certificate(subject=subject)).subject.text == 'CN=a\\,\\"b\\"\\ ,1.2.3.4=#0c0178'


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (odd.utc("4912312359Z"), datetime(2049, 12, 31, 23, 59, tzinfo=UTC)),
        (odd.utc("500101000000+0130"), datetime(1949, 12, 31, 22, 30, tzinfo=UTC)),
        (odd.generalized("20600101120000.5Z"), datetime(2060, 1, 1, 12, tzinfo=UTC)),
        (odd.generalized("20600101120000"), datetime(2060, 1, 1, 12, tzinfo=UTC)),
        (odd.generalized("00000101000000Z"), None),
        (odd.utc("260230000000Z"), None),
        (odd.utc("tomorrow"), None),
    ],
)
def test_dates_are_read_leniently_and_judged_strictly(moment, expected):
    """Each of these forms breaks a rule, which is named; a day that does not exist is unreadable."""
    found = Certificate.parse(odd.certificate(validity=odd.sequence(odd.utc("260101000000Z"), moment)))
    assert [each.id for each in found.deviations].count("time-form") == 1
    assert found.not_after == expected or (expected is None and isinstance(found.not_after, Unreadable))
