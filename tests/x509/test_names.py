"""`certkit.x509.names`: subjects, alternative names, and showing them safely."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certkit.errors import InputError
from certkit.printable import printable
from certkit.x509 import names
from certkit.x509.names import Attribute, SubjectOptions
from tests import odd
from tests.conftest import openssl


def der_request(name: x509.Name) -> bytes:
    """A CSR for a name, in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    return x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_subject_is_written_in_the_usual_order():
    """C, ST, L, O, OU, CN, emailAddress; units in the order given; what is empty is left out."""
    options = SubjectOptions(
        email="ops@example.com",
        common_name="client",
        units=("Two", "One"),
        organization="Acme Ltd",
        locality="Tallinn",
        country="EU",
    )
    assert options.attributes() == (
        Attribute("C", "EU"),
        Attribute("L", "Tallinn"),
        Attribute("O", "Acme Ltd"),
        Attribute("OU", "Two"),
        Attribute("OU", "One"),
        Attribute("CN", "client"),
        Attribute("emailAddress", "ops@example.com"),
    )


@pytest.mark.parametrize("option", ["organization", "country", "state", "locality", "common_name", "email"])
@pytest.mark.parametrize("bad", ["\n", "\r", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\x9b"])
def test_control_characters_are_refused(option, bad):
    """In every part of a subject: no line ends, NULs or terminal sequences."""
    with pytest.raises(InputError, match="of the subject holds a control character"):
        SubjectOptions(**{option: f"A{bad}B"})


def test_control_characters_are_refused_in_units():
    """In each of them."""
    with pytest.raises(InputError, match="OU of the subject holds a control character"):
        SubjectOptions(units=("fine", "a\nb"))


def test_bytes_that_are_no_text_are_refused():
    """Bytes that the terminal could not decode arrive as surrogates."""
    with pytest.raises(InputError, match="O of the subject: not valid UTF-8"):
        SubjectOptions(organization="caf\udce9")


def test_the_encodings_are_those_of_rfc_5280():
    """Country PrintableString, e-mail IA5String, the rest UTF8String, one attribute in each part."""
    options = SubjectOptions(country="EU", organization="Škoda", common_name="client", email="ops@example.com")
    listing = openssl("asn1parse", "-inform", "DER", stdin=der_request(names.build_name(options.attributes())))
    lines = [line.split("prim: ")[1] for line in listing.stdout.decode().splitlines() if "prim: " in line]
    assert [line.split()[0] for line in lines[2:9:2]] == ["PRINTABLESTRING", "UTF8STRING", "UTF8STRING", "IA5STRING"]
    assert listing.stdout.count(b"cons: SET") == 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Acme Ltd", "Acme Ltd"),
        ("Škoda 株式会社 🦊", "Škoda 株式会社 🦊"),
        ("a\x1b[2Jb", "a\\1B[2Jb"),
        ("a\r\nb", "a\\0D\\0Ab"),
        ("a\x07b\0", "a\\07b\\00"),
        ("a\u202eb", "a\\E2\\80\\AEb"),
        ("a\u2066b", "a\\E2\\81\\A6b"),
        ("a\u200bb", "a\\E2\\80\\8Bb"),
        ("a\u2028b", "a\\E2\\80\\A8b"),
        ("a\x9bb", "a\\C2\\9Bb"),
        ("a\ufeffb", "a\\EF\\BB\\BFb"),
        ("a\udce9b", "a\\E9b"),
    ],
)
def test_what_is_shown_cannot_steer_a_terminal(text, shown):
    """Control, bidi and invisible characters become hex pairs; all scripts stay."""
    assert names.printable(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Acme, Inc. + Söhne", r"O=Acme\, Inc. \+ Söhne"),
        ("#1 Ltd ", r"O=\#1 Ltd\ "),
        ('"A" <b>; c\\d', r"O=\"A\" \<b\>\; c\\d"),
        ("a\x1bb\nc", r"O=a\1Bb\0Ac"),
    ],
)
def test_a_name_is_rfc_4514_text(value, shown):
    """Special characters are escaped, and the control characters of other people's names too."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, value)])
    assert names.distinguished_name(name) == shown
    assert x509.Name.from_rfc4514_string(shown) == name


def test_the_most_specific_part_comes_first():
    """As RFC 4514 has it."""
    name = names.build_name(SubjectOptions(country="EU", organization="Acme", common_name="c").attributes())
    assert names.distinguished_name(name) == "CN=c,O=Acme,C=EU"


def test_attributes_without_a_short_name_keep_their_number():
    """And bit strings are shown as hex."""
    name = x509.Name(
        [
            x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "x"),
            x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x00\xff", x509.name._ASN1Type.BitString),
        ]
    )
    assert names.attributes(name) == (Attribute("1.2.3.4", "x"), Attribute("2.5.4.45", "#030200ff"))


def test_values_are_found_by_short_name():
    """All of them, in order."""
    found = SubjectOptions(units=("a", "b"), organization="c").attributes()
    assert names.values(found, "OU") == ("a", "b")
    assert names.values(found, "CN") == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("DNS:client.example.com", "DNS:client.example.com"),
        ("dns:*.example.com", "DNS:*.example.com"),
        ("IP:192.0.2.1", "IP:192.0.2.1"),
        ("IP:2001:db8:0:0::1", "IP:2001:db8::1"),
        ("email:ops@example.com", "email:ops@example.com"),
        ("URI:spiffe://acme/client", "URI:spiffe://acme/client"),
        ("RID:1.2.3.4", "RID:1.2.3.4"),
        ("dirName:CN=a,O=b", "dirName:CN=a,O=b"),
        ("UPN:ops@acme", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ops@acme"),
        ("otherName:1.2.3;UTF8:Größe", "otherName:1.2.3;UTF8:Größe"),
        ("client.example.com", "DNS:client.example.com"),
        ("192.0.2.1", "IP:192.0.2.1"),
        ("2001:db8::1", "IP:2001:db8::1"),
        ("ops@example.com", "email:ops@example.com"),
        ("spiffe://acme/client", "URI:spiffe://acme/client"),
        ("xn--mnchen-3ya.example", "DNS:xn--mnchen-3ya.example"),
    ],
)
def test_an_alternative_name_is_read(text, shown):
    """With its type, or by its looks."""
    assert odd.san_text(names.parse_san(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DNS:",
        "DNS:a b",
        "DNS:-a.example",
        "DNS:a..example",
        "DNS:a.*.example",
        "DNS:*",
        "DNS:münchen.example",
        "DNS:" + "a" * 64 + ".example",
        "DNS:" + "a." * 127 + "example",
        "IP:192.0.2.256",
        "IP:192.0.2.0/24",
        "email:ops",
        "email:@example.com",
        "email:ops@",
        "URI:relative",
        "URI:https://a b",
        "RID:1",
        "RID:3.1",
        "RID:1.02",
        "dirName:nonsense",
        "UPN:",
        "otherName:1.2.3",
        "otherName:1.2.3;UTF8:",
        "otherName:x;UTF8:y",
        "otherName:1.2.3;INTEGER:5",
        "DNS:a\nb",
        "DNS:a\0.example",
        "DNS:\udce9",
    ],
)
def test_what_is_no_alternative_name_is_refused(text):
    """Each type has its form (RFC 5280 section 4.2.1.6)."""
    with pytest.raises(InputError):
        names.parse_san(text)


def test_an_international_name_gets_a_hint():
    """Names in certificates are in their ASCII form."""
    with pytest.raises(InputError, match="write an international name in its xn-- form"):
        names.parse_san("münchen.example")


def test_a_hostile_alternative_name_is_shown_safely():
    """A certificate's names may hold anything."""
    name = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a\x1b]0;b")]))
    assert odd.san_text(name) == "dirName:CN=a\\1B]0\\;b"


def test_an_unknown_other_name_is_shown_as_hex():
    """Whatever its value is, and if it ends early."""
    assert odd.san_text(x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x02\x01\x05")) == "otherName:1.2.3;#020105"


@pytest.mark.parametrize(
    "text",
    [
        "IP:fe80::1%eth0",
        "DNS:192.0.2.1",
        "DNS:a.example..",
        "email:a b@x.example",
        "email:a@*.example",
        "dirName:",
        "UPN:" + "a" * 0,
    ],
)
def test_names_that_no_certificate_should_carry(text):
    """A zone, an address as a host, two final dots, blanks, wildcards, nothing at all."""
    with pytest.raises(InputError, match="not an alternative name"):
        names.parse_san(text)


@pytest.mark.parametrize("size", [1, 127, 128, 255, 256, 70_000])
def test_a_long_principal_name_comes_back(size):
    """The length is in its shortest form, as DER asks, however long the name is."""
    assert odd.san_text(names.parse_san("UPN:" + "a" * size)) == f"otherName:1.3.6.1.4.1.311.20.2.3;UTF8:{'a' * size}"


def test_an_address_in_a_subject_is_ascii():
    """An IA5String holds nothing else."""
    with pytest.raises(InputError, match="not ASCII"):
        names.SubjectOptions(email="ü@example.com")


def test_spaces_of_other_scripts_are_shown():
    """An ideographic space is part of a company's name, not a trick."""
    assert printable("株式会社\u3000テスト") == "株式会社\u3000テスト"
