"""Properties: promises that hold for whatever comes."""

from __future__ import annotations

import contextlib
import functools
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certkit.csr import build, check
from certkit.durations import Duration
from certkit.errors import CertkitError, InputError
from certkit.policy import catalogue
from certkit.policy import format as policy_format
from certkit.times import parse_time, rfc3339
from certkit.x509 import der, describe, names, objects, pem
from certkit.x509.items import Broken
from certkit.x509.keys import KeySpec
from certkit.x509.names import SubjectOptions
from tests import odd
from tests.conftest import openssl

# The same examples in every run, however slow the machine.
SOME = settings(deadline=None, derandomize=True)
MANY = settings(SOME, max_examples=500)

LABELS = st.sampled_from(["CERTIFICATE", "PRIVATE KEY", "CERTIFICATE REQUEST", "X509 CRL", "SOMETHING ELSE"])
# Text that stands around blocks: anything that is no marker.
AROUND = st.binary(max_size=60).filter(lambda data: b"-----" not in data)
GENERAL = catalogue.load("general")


@functools.cache
def key():
    """One key for all examples."""
    return KeySpec("ec-p256").generate()


def is_harmless(text: str) -> bool:
    """Return whether nothing in a text is invisible but spaces, of whatever script."""
    return all(char.isprintable() or unicodedata.category(char) == "Zs" for char in text)


@functools.cache
def samples() -> tuple[bytes, ...]:
    """One object of each kind, in DER, to be damaged."""
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").stdout
    with_key = ("req", "-new", "-key", "/dev/stdin", "-subj", "/O=Acme Holdings")
    certificate = openssl(*with_key, "-x509", stdin=private).stdout
    wanted = "subjectAltName=DNS:a.example,IP:192.0.2.1"
    return (
        openssl("x509", "-outform", "DER", stdin=certificate).stdout,
        openssl(*with_key, "-addext", wanted, "-outform", "DER", stdin=private).stdout,
        openssl("pkey", "-outform", "DER", stdin=private).stdout,
        openssl("pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:x", stdin=private).stdout,
        openssl("pkcs12", "-export", "-passout", "pass:", stdin=private + certificate).stdout,
    )


# --- PEM


@SOME
@given(st.lists(st.tuples(AROUND, LABELS, st.binary(min_size=1, max_size=200))), AROUND)
def test_the_reader_finds_exactly_the_blocks_that_were_put_in(parts, last):
    """Whatever text stands between them."""
    data = b"".join(text + pem.encode(label, content) for text, label, content in parts) + last
    found = list(pem.blocks(data))
    assert [(block.label, block.der, block.problem) for block in found] == [
        (label, content, "") for _, label, content in parts
    ]
    assert [block.line for block in found] == [pem.line_number(data, block.start) for block in found]


@SOME
@given(st.lists(st.tuples(LABELS, st.binary(min_size=1, max_size=200)), max_size=4))
def test_line_ends_do_not_change_what_is_read(parts):
    """LF, CR LF and CR are the same."""
    data = b"".join(pem.encode(label, content) for label, content in parts)
    plain = [(block.label, block.der) for block in pem.blocks(data)]
    for end in (b"\r\n", b"\r", b"\n\n", b" \n\t"):
        assert [(block.label, block.der) for block in pem.blocks(data.replace(b"\n", end))] == plain


MARKERS = st.sampled_from(
    [b"-----BEGIN ", b"-----END ", b"CERTIFICATE", b"PRIVATE KEY", b"-----", b"\n", b":", b"MAA=", b"\0", b"0\x80"]
)


@MANY
@given(st.one_of(st.binary(max_size=500), st.lists(st.one_of(MARKERS, st.binary(max_size=5))).map(b"".join)))
@example(b"-----BEGIN CERTIFICATE-----\n\xff\n-----END CERTIFICATE-----")
def test_the_reader_never_raises(data):
    """Blocks are in order, do not overlap, and have bytes or a problem."""
    at = 0
    for block in pem.blocks(data):
        assert at <= block.start < block.end <= len(data)
        assert (block.der is None) == bool(block.problem)
        at = block.end


# --- objects


@MANY
@given(st.one_of(st.binary(max_size=500), st.binary(max_size=200).map(lambda data: b"\x30\x82" + data)))
def test_any_bytes_can_be_read_and_described(data):
    """Nothing, objects or broken ones, and never an exception; in PEM too, under every label."""
    for item in objects.read(data):
        assert isinstance(item, Broken) or describe.describe(item)
    for label in ("CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL", "PUBLIC KEY", "PRIVATE KEY", "PKCS7"):
        for item in objects.read(pem.encode(label, data)):
            assert isinstance(item, Broken) or describe.describe(item)


@MANY
@given(st.integers(0, 4), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_objects_can_be_read_and_described(which, changes):
    """Whichever bytes of a certificate, request, key or bundle are changed."""
    data = bytearray(samples()[which])
    for at, value in changes:
        data[at % len(data)] = value
    for item in objects.read(bytes(data)):
        assert isinstance(item, Broken) or describe.describe(item)


@MANY
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_request_can_be_checked(changes):
    """Every check gives a finding, or the request cannot be read at all."""
    data = bytearray(samples()[1])
    for at, value in changes:
        data[at % len(data)] = value
    with contextlib.suppress(InputError):
        request = objects.csr(bytes(data), name="CSR")
        found = {finding.id for finding in check.findings(request, bytes(data), GENERAL)}
        assert found == {
            *("encoding", "signature", "signature-algorithm", "key-type"),
            *("subject", "extensions", "key-match"),
        }


@SOME
@given(st.binary(max_size=300))
def test_looking_at_bytes_never_raises(data):
    """Whatever they are."""
    assert der.kdf_cost(data) >= 0
    assert all(
        isinstance(look(data), bool) for look in (der.is_pkcs12, der.looks_like_private_key, der.looks_like_signed)
    )
    first = der.first_element(data)
    assert first is None or data.startswith(first)


# --- names

# What a certificate may carry: no control characters, no surrogates.
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


@MANY
@given(
    st.builds(
        SubjectOptions,
        organization=VALUES,
        state=VALUES,
        locality=VALUES,
        units=st.lists(VALUES, max_size=4).map(tuple),
        common_name=VALUES.filter(lambda value: len(value.encode()) <= 64),
        country=st.sampled_from(["", "EU", "GB", "us"]),
        email=ASCII,
    )
)
def test_a_subject_comes_back_as_it_was_asked_for(options):
    """In every script, with every punctuation, through the CSR's bytes."""
    request = objects.csr(build.build(options, key()), name="CSR")
    assert names.attributes(request.subject) == options.attributes()


@SOME
@given(st.text())
@example("\ud800\x1b\u202e")
def test_what_is_shown_is_printable(text):
    """For every text; what is printable already stays as it is."""
    shown = names.printable(text)
    assert is_harmless(shown)
    assert names.printable(shown) == shown


@SOME
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20))
def test_a_shown_name_is_printable_and_says_the_same(value):
    """RFC 4514 text that reads back as the same name."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, value)])
    shown = names.distinguished_name(name)
    assert is_harmless(shown)
    assert x509.Name.from_rfc4514_string(shown) == name


KINDS = st.sampled_from(["", "DNS:", "IP:", "email:", "URI:", "RID:", "dirName:", "UPN:", "otherName:1.2.3;UTF8:"])


@MANY
@given(KINDS, st.one_of(st.text(max_size=60), st.text("abc019.:*-_@/=,+#\\;% ", max_size=60)))
def test_an_alternative_name_is_read_or_refused(kind, value):
    """No other exception; what is read is shown in printable text."""
    with contextlib.suppress(InputError):
        assert is_harmless(odd.san_text(names.parse_san(kind + value)))


# --- durations and times


@MANY
@given(st.one_of(st.text(max_size=20), st.from_regex(r"\A\s?[0-9]{1,8}(\.[0-9]{1,7})?\s?[smhdw%]?\s?\Z")))
def test_a_duration_is_read_or_refused(text):
    """No other exception, and never negative."""
    with contextlib.suppress(InputError):
        duration = Duration.parse(text)
        assert duration.of(timedelta(days=36_500)) >= timedelta(0)
        assert not duration.exceeds(duration)


@MANY
@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-][0-9]{2}:[0-9]{2}))?\Z"),
    )
)
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
def test_a_time_is_read_or_refused(text):
    """No other exception; what is read is in UTC."""
    with contextlib.suppress(InputError):
        assert parse_time(text).utcoffset() == timedelta(0)


@SOME
@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001  made aware below
def test_a_time_comes_back(moment):
    """To the second."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert parse_time(rfc3339(moment)) == moment


# --- policies

TOML = st.sampled_from(
    ["title", "key", "types", "csr.crlf", "=", " = ", '"', "[", "]", "[[", "]]", "{", "}", "\n", "#", ",", "1", "true",
     "'x'", '"""', "2026-11-22", "sources", "[[sources]]\n", "[key]\n", "unknown = 1\n", "title = 'x'\n", "read"]
)  # fmt: skip


@MANY
@given(st.one_of(st.text(max_size=100), st.lists(TOML, max_size=30).map("".join)))
def test_a_policy_is_read_or_refused(text):
    """No other exception, whatever the text; the error names the file."""
    try:
        policy_format.build([policy_format.parse_file(text, name="p", where="p.toml")])
    except CertkitError as refused:
        assert refused.message.startswith("policy p.toml")  # noqa: PT017  a good policy is a right answer too


@pytest.mark.parametrize("extra", ["", "\n", "# x\n", "[csr]\ncrlf = true\n", "[subject]\nrequired = [\n'O',\n]\n"])
@SOME
@given(st.integers(0, 5))
def test_an_unknown_key_is_found_on_its_line(extra, blanks):
    """However many lines, comments and tables stand before it."""
    text = 'title = "x"\n' + "\n" * blanks + extra + "# c\n" * blanks + "[renewal]\nmistake = 1\n"
    with pytest.raises(InputError) as refused:
        policy_format.parse_file(text, name="p", where="p.toml")
    line = text[: text.index("mistake")].count("\n") + 1
    assert refused.value.message == f"policy p.toml, line {line}: unknown key 'renewal.mistake'"
