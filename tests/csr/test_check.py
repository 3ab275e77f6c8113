"""`certkit.csr.build`: requests that openssl agrees with, and every rule on the bytes that will be pasted."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certkit.csr import build
from certkit.csr import check as csr_check
from certkit.errors import InputError
from certkit.findings import Finding, Status, roll_up
from certkit.policy import catalogue
from certkit.policy import format as policy_format
from certkit.policy import rules as policy
from certkit.x509 import der as tlv
from certkit.x509 import keys, names, objects, pem
from certkit.x509.keys import KeySpec
from certkit.x509.names import SubjectOptions
from certkit.x509.spki import KeyFacts
from tests.conftest import openssl, openssl_verifies

if TYPE_CHECKING:
    from pathlib import Path

WISE = catalogue.load("wise-sandbox")
GENERAL = catalogue.load("general")
ACME = SubjectOptions(organization="Acme Ltd", country="EU")


@functools.cache
def key(name: str = "ec-p256"):
    """One key of each type for all tests."""
    return KeySpec(name).generate()


def made(options: SubjectOptions = ACME, name: str = "ec-p256") -> bytes:
    """A CSR that certkit makes."""
    return build.build(options, key(name))


def checked(data: bytes, rules: policy.Policy, **options) -> list[Finding]:
    """The findings about a CSR in some bytes."""
    return csr_check.findings(objects.csr(data, name="CSR"), data, rules, **options)


def statuses(data: bytes, rules: policy.Policy = WISE, **options) -> dict[str, list[str]]:
    """The statuses of each check's findings, without those that are well."""
    found: dict[str, list[str]] = {}
    for finding in checked(data, rules, **options):
        if not finding.is_good:
            found.setdefault(finding.id, []).append(finding.status.value)
    return found


def said(data: bytes, check: str, rules: policy.Policy = WISE, **options) -> list[str]:
    """The messages of one check."""
    return [finding.message for finding in checked(data, rules, **options) if finding.id == check]


def rules(text: str) -> policy.Policy:
    """A policy that takes P-256 and says something more."""
    base = 'title = "Acme"\n[[sources]]\ntitle = "x"\nread = 2026-11-22\n[key]\ntypes = ["ec-p256"]\n'
    return policy_format.build([policy_format.parse_file(base + text, name="acme", where="acme.toml")])


def foreign(*attributes: tuple[x509.ObjectIdentifier, str]) -> bytes:
    """A CSR for any subject, right or wrong."""
    with warnings.catch_warnings(action="ignore"):
        subject = x509.Name([x509.NameAttribute(oid, value, _validate=False) for oid, value in attributes])
        request = x509.CertificateSigningRequestBuilder(subject).sign(key(), hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


@pytest.fixture
def key_file(tmp_path) -> Path:
    """A P-256 key in a file, for openssl."""
    path = tmp_path / "key"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    return path


def requested(key_file: Path, *options: object, config: str = "") -> bytes:
    """A CSR that openssl makes with that key."""
    path = key_file.with_name("openssl.cnf")
    path.write_text(config or "[req]\ndistinguished_name = name\n[name]\n")
    return openssl("req", "-new", "-key", key_file, "-config", path, *options).stdout


# --- what certkit makes


@pytest.mark.parametrize("name", keys.KEY_TYPES)
def test_openssl_agrees_with_every_type(name):
    """The signature verifies, and the subject and the key are those asked for."""
    data = made(name=name)
    assert openssl_verifies(data)
    shown = openssl("req", "-noout", "-subject", "-nameopt", "RFC2253", stdin=data)
    assert shown.stdout == b"subject=O=Acme Ltd,C=EU\n"
    public = openssl("pkey", "-pubout", stdin=keys.to_pem(key(name)).reveal()).stdout
    assert openssl("req", "-pubkey", "-noout", stdin=data).stdout == public


@pytest.mark.parametrize("name", keys.KEY_TYPES)
def test_wise_has_nothing_against_what_is_made_for_it(name):
    """Every check holds, for all five types."""
    findings = checked(made(name=name), WISE, key=keys.key_facts(key(name).public_key()))
    assert {finding.id: finding.status for finding in findings} == dict.fromkeys(
        [
            *("encoding", "signature", "signature-algorithm", "key-type"),
            *("subject", "extensions", "key-match"),
        ],
        Status.OK,
    )


@pytest.mark.parametrize(
    ("private_key", "algorithm"),
    [
        (lambda: key("rsa-2048"), "sha256WithRSAEncryption"),
        (lambda: key("ec-p256"), "ecdsa-with-SHA256"),
        (lambda: key("ec-p384"), "ecdsa-with-SHA384"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "ecdsa-with-SHA512"),
        (ed25519.Ed25519PrivateKey.generate, "ED25519"),
        (ed448.Ed448PrivateKey.generate, "ED448"),
    ],
    ids=["rsa", "p256", "p384", "p521", "ed25519", "ed448"],
)
def test_the_digest_fits_the_key(private_key, algorithm):
    """SHA-256, or the digest of the curve's size; EdDSA brings its own."""
    text = openssl("req", "-verify", "-noout", "-text", stdin=build.build(ACME, private_key())).stdout.decode()
    assert f"Signature Algorithm: {algorithm}\n" in text


def test_a_request_is_one_pem_block_and_nothing_else():
    """With the standard label and plain line ends, as openssl would write it."""
    data = made()
    assert data.startswith(b"-----BEGIN CERTIFICATE REQUEST-----\n")
    assert data.endswith(b"\n-----END CERTIFICATE REQUEST-----\n")
    assert openssl("req", stdin=data).stdout == data


def test_without_alternative_names_nothing_is_asked_for():
    """No extensions, no attributes."""
    assert b"Attributes:\n            (none)" in openssl("req", "-noout", "-text", stdin=made()).stdout


def test_alternative_names_are_asked_for_once_each():
    """In their order, without doubles; not critical beside a subject."""
    options = SubjectOptions(common_name="c", san=("a.example", "IP:192.0.2.1", "DNS:a.example", "email:o@a.example"))
    text = openssl("req", "-noout", "-text", stdin=made(options)).stdout.decode()
    assert (
        "X509v3 Subject Alternative Name: \n                    DNS:a.example, IP Address:192.0.2.1, email:o@a.example"
    ) in text


def test_alternative_names_are_critical_without_a_subject():
    """RFC 5280 section 4.2.1.6."""
    text = openssl("req", "-noout", "-text", stdin=made(SubjectOptions(san=("a.example",)))).stdout
    assert b"X509v3 Subject Alternative Name: critical" in text


def test_every_part_of_a_subject_arrives():
    """In UTF-8 and in order, with all units."""
    options = SubjectOptions(
        country="EU",
        state="Île-de-France",
        locality="München",
        organization="Škoda & Söhne, 株式会社 🦊",
        units=("Zwei", "Eins", "Zwei"),
        common_name="client",
        email="ops@example.com",
    )
    request = objects.csr(made(options), name="CSR")
    assert names.attributes(request.subject) == options.attributes()
    shown = openssl("req", "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus,esc_2253", stdin=made(options)).stdout
    assert shown.decode() == (
        "subject=C=EU,ST=Île-de-France,L=München,O=Škoda & Söhne\\, 株式会社 🦊,OU=Zwei,OU=Eins,OU=Zwei,CN=client,"
        "emailAddress=ops@example.com\n"
    )


def test_a_key_that_cannot_sign_is_bad_input():
    """X25519 agrees on keys, it does not sign."""
    with pytest.raises(InputError, match="cannot sign the CSR"):
        build.build(ACME, x25519.X25519PrivateKey.generate())


# --- encoding


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"Certificate Request:\n" + data, "there is text outside the PEM block (line 1); "),
        (lambda data: data + b"\n# made by hand\n", "there is text outside the PEM block (line 10); "),
        (lambda data: b"\n \n" + data + b"\0", "there is text outside the PEM block (line 11); "),
        (lambda data: b"\xef\xbb\xbf" + data, "there is a byte order mark outside the PEM block (line 1); "),
        (lambda data: data + data, "the file contains 2 PEM objects; "),
    ],
    ids=["text-before", "comment-after", "nul-after", "byte-order-mark", "second-object"],
)
def test_wise_refuses_anything_beside_the_block(spoil, message):
    """`encoding` is critical, and names the line; the general policy does not mind."""
    data = spoil(made(SubjectOptions(organization="Acme", country="EU", units=("12345678901234567890",))))
    assert statuses(data) == {"encoding": ["critical"]}
    assert said(data, "encoding") == [message + "Wise Platform (sandbox) rejects this"]
    assert statuses(data, GENERAL) == {}


def test_the_text_form_of_openssl_is_refused(key_file):
    """`openssl req -text` writes the text in front of the block."""
    assert statuses(requested(key_file, "-subj", "/O=Acme", "-text")) == {"encoding": ["critical"]}


def test_blank_lines_around_the_block_are_nothing():
    """They are no text."""
    assert statuses(b"\r\n \t\n" + made() + b"\n\n") == {}


@pytest.mark.parametrize("policy_name", ["wise-sandbox", "general"])
@pytest.mark.parametrize("label", ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_a_private_key_in_the_file_is_critical_for_everyone(policy_name, label):
    """Before or after the CSR, even a broken one: it must never leave."""
    for data in (pem.encode(label, b"\x30\x00") + made(), made() + pem.encode(label, b"\x30\x00")):
        assert statuses(data, catalogue.load(policy_name)) == {"encoding": ["critical"]}


def test_the_line_of_the_private_key_is_told():
    """And nothing of the key itself."""
    secret = keys.to_pem(key()).reveal()
    (message,) = said(b"one\n" + secret + made(), "encoding", GENERAL)
    assert message == "the file contains a private key (line 2), which must never be shared"


def test_der_is_not_what_wise_takes():
    """A finding, for the CSR itself can be read; the general policy takes it."""
    data = openssl("req", "-outform", "DER", stdin=made()).stdout
    assert statuses(data) == {"encoding": ["critical"]}
    assert said(data, "encoding") == ["the CSR is DER; Wise Platform (sandbox) requires PEM"]
    assert said(data, "encoding", GENERAL) == ["DER"]


def test_carriage_returns_are_a_question_to_wise():
    """Its documentation does not say; nothing else is wrong, and the general policy does not mind."""
    data = made().replace(b"\n", b"\r\n")
    assert statuses(data) == {"encoding": ["warning"]}
    assert said(data, "encoding") == [
        "the lines end with CR LF; the documentation of Wise Platform (sandbox) does not say whether this is accepted"
    ]
    assert statuses(data, GENERAL) == {}


def test_the_old_label_is_a_question_to_wise(key_file):
    """`NEW CERTIFICATE REQUEST`, as openssl req -newhdr writes it."""
    data = requested(key_file, "-subj", "/O=Acme", "-newhdr")
    assert data.startswith(b"-----BEGIN NEW CERTIFICATE REQUEST-----")
    assert statuses(data) == {"encoding": ["warning"]}
    unsaid = "the documentation of Wise Platform (sandbox) does not say whether this is accepted"
    assert said(data, "encoding") == [f"the label is NEW CERTIFICATE REQUEST; {unsaid}"]
    assert statuses(data, GENERAL) == {}


def test_header_lines_inside_the_block_are_critical():
    """They are no part of a CSR."""
    data = made().replace(b"REQUEST-----\n", b"REQUEST-----\nComment: x\n\n", 1)
    assert statuses(data, GENERAL) == {"encoding": ["critical"]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("true", {}), ("false", {"encoding": ["critical"]}), ('"unknown"', {"encoding": ["warning"]})],
)
@pytest.mark.parametrize(
    ("question", "spoil"),
    [
        ("surrounding_text", lambda data: b"text\n" + data),
        ("further_objects", lambda data: data + data),
        ("crlf", lambda data: data.replace(b"\n", b"\r\n")),
        ("new_label", lambda data: data.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")),
    ],
)
def test_the_partners_answer_decides(question, spoil, answer, expected):
    """True takes it, false refuses it, unknown warns."""
    assert statuses(spoil(made()), rules(f"[csr]\n{question} = {answer}\n")) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\0" * 100,
        b"\x30\x82\x01\x00" + b"\0" * 256,
        b"-----BEGIN CERTIFICATE REQUEST-----\n",
        pem.encode("CERTIFICATE REQUEST", b"\x30\x00"),
        pem.encode("CERTIFICATE", b"\x30\x00"),
    ],
)
def test_without_a_request_there_is_nothing_to_judge(data):
    """Bad input, not a finding."""
    with pytest.raises(InputError, match="cannot read CSR"):
        checked(data, GENERAL)


@pytest.mark.parametrize("size", [2, 20, 100, 200])
def test_a_request_that_is_cut_off_is_bad_input(size):
    """In PEM and in DER."""
    data = made()
    with pytest.raises(InputError, match="cannot read CSR"):
        checked(data[:-size], GENERAL)


# --- subject


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (SubjectOptions(common_name="client"), ["O is missing; Wise Platform (sandbox) requires it"]),
        (SubjectOptions(organization=" "), ["O is missing; Wise Platform (sandbox) requires it"]),
        (
            SubjectOptions(organization="x" * 65),
            ["O has 65 characters, more than 64 (RFC 5280 appendix A.1)"],
        ),
        (
            SubjectOptions(organization="Ä" * 65),
            ["O has 65 characters, more than 64 (RFC 5280 appendix A.1)"],
        ),
        (
            SubjectOptions(organization="Acme", units=("ok", "x" * 65), locality="x" * 129),
            [
                "L has 129 characters, more than 128 (RFC 5280 appendix A.1)",
                "OU has 65 characters, more than 64 (RFC 5280 appendix A.1)",
            ],
        ),
        (SubjectOptions(organization="Acme", common_name=" "), ["CN is empty"]),
    ],
)
def test_a_bad_subject_is_critical(options, messages):
    """Each broken rule is a finding of its own, with a hint that names the option."""
    found = [finding for finding in checked(made(options), WISE) if finding.id == "subject"]
    assert [finding.message for finding in found] == messages
    assert {finding.status for finding in found} == {Status.CRITICAL}
    assert all("--" in finding.hint for finding in found)


@pytest.mark.parametrize("country", ["GBR", "G", "G1", "G B"])
def test_a_country_has_two_letters(country):
    """No codes of three letters, no names; the hint says what to give."""
    data = foreign((NameOID.COUNTRY_NAME, country), (NameOID.ORGANIZATION_NAME, "Acme"))
    (finding,) = [finding for finding in checked(data, WISE) if finding.id == "subject"]
    assert finding.status is Status.CRITICAL
    assert finding.message == f"C={country} is not a two-letter country code"
    assert finding.hint == "set --country to a code such as GB or EU"


@pytest.mark.parametrize(
    "options",
    [
        SubjectOptions(organization="x" * 64),
        SubjectOptions(organization="Ä" * 64),
        SubjectOptions(organization="株" * 64, locality="x" * 128),
        SubjectOptions(organization="Acme", country="EU"),
        SubjectOptions(organization="Acme", units=("One", "Two", "Three")),
        SubjectOptions(organization='"Acme", Inc. <#1> + Söhne; \\ = 5'),
    ],
    ids=["64", "64-umlauts", "64-han", "EU", "several-units", "punctuation"],
)
def test_a_good_subject_passes(options):
    """Lengths are counted in characters; EU is a country; several units are fine."""
    assert statuses(made(options)) == {}


def test_the_subject_is_told_with_what_will_be_replaced():
    """Wise puts the client id in CN, whatever the CSR asks for."""
    data = made(SubjectOptions(organization="Acme", units=("a", "b"), common_name="me"))
    assert said(data, "subject") == ["CN=me,OU=b,OU=a,O=Acme; Wise Platform (sandbox) replaces CN in the certificate"]


def test_an_attribute_there_twice_is_a_warning(key_file):
    """One organization, one country, one common name."""
    data = requested(key_file, "-subj", "/O=Acme/O=Other/OU=x/OU=y")
    assert statuses(data) == {"subject": ["warning"]}
    assert said(data, "subject") == ["O appears more than once"]


@pytest.mark.parametrize("kind", ["-utf8", None], ids=["utf8", "latin"])
def test_other_peoples_encodings_are_read(key_file, kind):
    """UTF8String, and the T61String that openssl makes of bytes above 127."""
    options = [kind] if kind else []
    (message,) = said(requested(key_file, "-subj", "/O=Société", *options), "subject")
    assert message == ("O=Société" if kind else "O=SociÃ©tÃ©")


def test_a_control_character_in_the_subject_is_critical(key_file):
    """And is escaped where it is shown."""
    data = requested(key_file, "-subj", "/O=Acme\x1b[2J")
    assert statuses(data) == {"subject": ["critical"]}
    assert said(data, "subject") == ["O=Acme\\1B[2J contains control characters"]


def test_only_allowed_attributes():
    """Where a policy lists them."""
    strict = rules('[subject]\nallowed = ["O", "C"]\n')
    assert statuses(made(), strict) == {}
    assert said(made(SubjectOptions(organization="a", units=("b",))), "subject", strict) == [
        "OU is not allowed by Acme"
    ]


def test_the_form_of_the_common_name():
    """In format 1 and 2: a pattern, and what a message calls it."""
    first = rules('[subject]\ncommon_name_pattern = ".+-Client"\ncommon_name_form = "<name>-Client"\n')
    second = rules('[subject.attributes.CN]\npattern = ".+-Client"\nform = "<name>-Client"\n')
    for policy_ in (first, second):
        assert statuses(made(SubjectOptions(common_name="acme-Client")), policy_) == {}
        assert said(made(SubjectOptions(common_name="acme")), "subject", policy_) == [
            "CN=acme does not have the form <name>-Client"
        ]


@pytest.mark.parametrize(
    ("country", "hint"),
    [
        ("UK", "did you mean GB?"),
        ("uk", "did you mean GB?"),
        ("gb", "did you mean GB?"),
        ("ZZ", "check --country against ISO 3166"),
    ],
)
def test_a_country_that_iso_3166_does_not_have(country, hint):
    """A warning, for partners ask for EU; a common slip says what was meant."""
    (finding,) = [
        each for each in checked(made(SubjectOptions(organization="a", country=country)), WISE) if each.id == "subject"
    ]
    assert (finding.status, finding.hint) == (Status.WARNING, hint)
    assert finding.message == f"C={country} is not an ISO 3166 country code"


def test_a_policys_own_length_wins():
    """Shorter or longer than RFC 5280's."""
    short = rules("[subject]\nmax_length = { O = 7 }\n")
    assert said(made(), "subject", short) == ["O has 8 characters, more than 7"]


# --- signature and digest


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        (("RSA", "-pkeyopt", "rsa_keygen_bits:2048"), "sha1"),
        (("RSA", "-pkeyopt", "rsa_keygen_bits:2048"), "md5"),
        (("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "sha1"),
    ],
    ids=["rsa-sha1", "rsa-md5", "ec-sha1"],
)
def test_a_weak_digest_is_never_called_tampering(tmp_path, options, digest):
    """`signature-algorithm` is critical; the signature itself is sound, as openssl says."""
    path = tmp_path / "key"
    openssl("genpkey", "-algorithm", *options, "-out", path)
    data = requested(path, "-subj", "/O=Acme", f"-{digest}")
    assert openssl_verifies(data)
    for each in (WISE, GENERAL):
        assert statuses(data, each) == {"signature-algorithm": ["critical"]}
        assert said(data, "signature-algorithm", each) == [f"{digest.upper()} is too weak for a signature"]


def test_a_weak_digest_does_not_hide_tampering(key_file):
    """A SHA-1 request that was changed is both."""
    data = requested(key_file, "-subj", "/O=Acme", "-sha1", "-outform", "DER").replace(b"Acme", b"Acne")
    assert statuses(data, GENERAL) == {"signature": ["critical"], "signature-algorithm": ["critical"]}


def test_a_changed_request_is_tampering():
    """One letter of the subject."""
    data = openssl("req", "-outform", "DER", stdin=made()).stdout.replace(b"Acme", b"Acne")
    assert statuses(data, GENERAL) == {"signature": ["critical"]}
    assert said(data, "signature", GENERAL) == [
        "the signature does not match the CSR: it was changed, or signed with another key"
    ]


@pytest.mark.parametrize("digest", ["sha224", "sha3-256"])
def test_a_digest_that_wise_does_not_take(key_file, digest):
    """Is `signature-algorithm`, and the signature holds."""
    data = requested(key_file, "-subj", "/O=Acme", f"-{digest}")
    assert statuses(data) == {"signature-algorithm": ["critical"]}
    assert said(data, "signature-algorithm") == [f"{digest.upper()} is not accepted by Wise Platform (sandbox)"]


def test_an_algorithm_that_nobody_knows_is_not_tampering(tmp_path):
    """SM2 with SM3 cannot be verified: unknown, and not accepted."""
    openssl("genpkey", "-algorithm", "SM2", "-out", tmp_path / "key")
    data = requested(tmp_path / "key", "-subj", "/O=Acme", "-sm3")
    assert statuses(data, GENERAL) == {
        "signature": ["unknown"],
        "signature-algorithm": ["critical"],
        "key-type": ["critical"],
    }


def test_rsa_pss_signatures_verify(tmp_path):
    """As openssl makes them on request."""
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", tmp_path / "key")
    data = requested(tmp_path / "key", "-subj", "/O=Acme", "-sha256", "-sigopt", "rsa_padding_mode:pss")
    assert statuses(data, GENERAL) == {}


# --- key


@pytest.mark.parametrize(
    ("options", "for_wise", "for_general"),
    [
        (("RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "rsa-1024 is too small for", "rsa-1024 is too small for"),
        (("RSA", "-pkeyopt", "rsa_keygen_bits:2560"), "rsa-2560 is not accepted for", ""),
        (("EC", "-pkeyopt", "ec_paramgen_curve:P-521"), "ec-p521 is not accepted for", ""),
        (("ED25519",), "ed25519 is not accepted for", ""),
        (("EC", "-pkeyopt", "ec_paramgen_curve:P-192"), "ec-p192 is too small for", "ec-p192 is too small for"),
        (
            ("EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
            "ec-secp256k1 is not accepted for",
            "ec-secp256k1 is not accepted for",
        ),
    ],
    ids=["rsa-1024", "rsa-2560", "p-521", "ed25519", "p-192", "secp256k1"],
)
def test_other_keys(tmp_path, options, for_wise, for_general):
    """Wise takes its five types and nothing else; the general policy takes what is sound."""
    path = tmp_path / "key"
    openssl("genpkey", "-algorithm", *options, "-out", path)
    data = requested(path, "-subj", "/O=Acme")
    assert statuses(data) == {"key-type": ["critical"]}
    assert said(data, "key-type") == [f"{for_wise} Wise Platform (sandbox)"]
    assert statuses(data, GENERAL) == ({"key-type": ["critical"]} if for_general else {})
    if for_general:
        assert said(data, "key-type", GENERAL) == [f"{for_general} general use"]


def test_the_hint_lists_what_is_taken():
    """So that the next key is right."""
    facts = KeyFacts("rsa-1024", 1024, "")
    assert csr_check.key_finding(facts.type, facts.bits, WISE.key, partner="Wise").hint == (
        "use one of: ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096"
    )


def test_a_key_of_another_request_does_not_match():
    """The message has both fingerprints."""
    mine, other = (keys.key_facts(key(name).public_key()) for name in ("ec-p256", "ec-p384"))
    assert statuses(made(), key=mine) == {}
    assert statuses(made(), key=other) == {"key-match": ["critical"]}
    (message,) = said(made(), "key-match", key=other)
    assert message == (
        f"the private key does not belong to the CSR: SPKI SHA-256 of the key {other.spki_sha256}, of the CSR"
        f" {mine.spki_sha256}"
    )


def test_without_a_key_matching_is_skipped():
    """Because no key was given."""
    (finding,) = [finding for finding in checked(made(), WISE) if finding.id == "key-match"]
    assert (finding.status, finding.hint) == (Status.SKIPPED, "add --key KEY")


# --- extensions


def test_a_challenge_password_is_a_warning(key_file):
    """Anyone who sees the CSR can read it; its value is not repeated."""
    config = (
        "[req]\ndistinguished_name = n\nattributes = a\nprompt = no\n[n]\nO = Acme\n[a]\nchallengePassword = hunter22\n"
    )
    data = requested(key_file, config=config)
    assert b"hunter22" in openssl("req", "-noout", "-text", stdin=data).stdout
    assert statuses(data, GENERAL) == {"extensions": ["warning"]}
    assert "hunter22" not in "".join(finding.message + finding.hint for finding in checked(data, GENERAL))


@pytest.mark.parametrize("value", ["CA:TRUE", "critical,CA:TRUE,pathlen:0"])
def test_asking_for_a_ca_certificate_is_critical(key_file, value):
    """A client is no CA, whoever signs."""
    data = requested(key_file, "-subj", "/O=Acme", "-addext", f"basicConstraints={value}")
    assert statuses(data, GENERAL) == {"extensions": ["critical"]}
    assert said(data, "extensions", GENERAL) == ["the CSR asks for a CA certificate"]


def test_asking_for_no_ca_certificate_is_fine(key_file):
    """CA:FALSE is what tools write by default."""
    data = requested(key_file, "-subj", "/O=Acme", "-addext", "basicConstraints=CA:FALSE")
    assert statuses(data, GENERAL) == {}
    assert said(data, "extensions", GENERAL) == ["asks for basicConstraints"]


def test_extensions_are_a_question_to_wise():
    """Its documentation does not say whether they are kept."""
    data = made(SubjectOptions(organization="Acme", san=("DNS:client.example.com",)))
    assert statuses(data) == {"extensions": ["warning"]}
    (message,) = said(data, "extensions")
    assert message == (
        "the CSR asks for extensions (subjectAltName);"
        " the documentation of Wise Platform (sandbox) does not say whether these are accepted"
    )
    assert statuses(data, GENERAL) == {}


def test_a_policy_may_refuse_extensions_and_types_of_name():
    """All of them, or some types."""
    data = made(SubjectOptions(organization="Acme", san=("DNS:a.example", "IP:192.0.2.1", "IP:192.0.2.2")))
    assert said(data, "extensions", rules("[csr]\nextensions = false\n")) == [
        "the CSR asks for extensions (subjectAltName); Acme rejects this"
    ]
    assert said(data, "extensions", rules('[csr]\nextensions = true\nsan_types = ["DNS"]\n')) == [
        "Acme does not accept names of type IP"
    ]


def test_extensions_that_cannot_be_read_are_critical(key_file):
    """A subjectAltName of junk."""
    data = requested(key_file, "-subj", "/O=Acme", "-addext", "2.5.29.17=DER:0c0161")
    assert statuses(data, GENERAL) == {"extensions": ["critical"]}
    assert said(data, "extensions", GENERAL)[0].startswith("the requested extensions cannot be read: ")


# --- all together


def test_every_finding_is_told_at_once(tmp_path):
    """The first failure does not hide the others."""
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", tmp_path / "key")
    data = requested(
        tmp_path / "key", "-subj", "/CN=me", "-sha1", "-text", "-newhdr", "-addext", "basicConstraints=CA:TRUE"
    )
    assert statuses(data, key=keys.key_facts(key().public_key())) == {
        "encoding": ["critical", "warning"],
        "signature-algorithm": ["critical"],
        "key-type": ["critical"],
        "subject": ["critical"],
        "extensions": ["warning", "critical"],
        "key-match": ["critical"],
    }
    assert roll_up(finding.status for finding in checked(data, WISE)) is Status.CRITICAL


def test_every_bad_finding_has_a_hint(key_file):
    """Whatever its status."""
    data = b"x\n" + requested(key_file, "-subj", "/C=GB", "-sha1", "-addext", "basicConstraints=CA:TRUE") * 2
    assert all(finding.hint for finding in checked(data, WISE) if not finding.is_good)


def test_a_request_with_no_subject_and_no_names_can_be_judged():
    """The general policy asks for nothing; Wise does."""
    data = foreign()
    assert said(data, "subject", GENERAL) == ["empty"]
    assert statuses(data) == {"subject": ["critical"]}


def test_a_curve_that_is_written_out_is_refused(tmp_path):
    """Few read a key whose curve has no name, so the general policy refuses it too."""
    key = tmp_path / "k"
    key.write_bytes(openssl("ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit").stdout)
    data = openssl("req", "-new", "-key", key, "-subj", "/O=Acme").stdout
    assert statuses(data, GENERAL) == {"signature": ["unknown"], "key-type": ["critical"]}


def test_an_rsa_key_for_pss_only_is_a_warning(tmp_path):
    """It is sound, but undocumented whether the partner accepts it."""
    key = tmp_path / "k"
    key.write_bytes(openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048").stdout)
    data = openssl("req", "-new", "-key", key, "-subj", "/O=Acme").stdout
    assert statuses(data, WISE) == {"key-type": ["warning"]}


def test_a_csr_that_breaks_rfc_2986_is_judged():
    """No list of attributes, or a version that does not exist: critical, and everything else is still checked."""
    der = x509.load_pem_x509_csr(made()).public_bytes(Encoding.DER)
    [outer] = tlv.elements(der)
    info = next(tlv.elements(der, *outer[2:]))
    version, subject, spki, attributes = tlv.elements(der, *info[2:])
    rest = der[info[3] : outer[3]]
    odd = {
        "the CSR has no list of attributes, not even an empty one (RFC 2986 section 4.1)": der[info[2] : spki[3]],
        "the version of a CSR is not 1 (0): 2 (RFC 2986 section 4.1)": (
            tlv.encode(0x02, b"\x01") + der[version[3] : attributes[3]]
        ),
    }
    for message, parts in odd.items():
        data = pem.encode(pem.CERTIFICATE_REQUEST, tlv.encode(0x30, tlv.encode(0x30, parts) + rest))
        assert said(data, "encoding") == [message]
        assert said(data, "subject") == ["O=Acme Ltd,C=EU"]
        assert statuses(data)["signature"] == ["critical"]
        signed = tlv.encode(0x30, parts)
        signature = tlv.encode(0x03, b"\0" + key("ec-p256").sign(signed, ec.ECDSA(hashes.SHA256())))
        algorithm = tlv.encode(0x30, bytes.fromhex("06082a8648ce3d040302"))  # ecdsa-with-SHA256
        own = pem.encode(pem.CERTIFICATE_REQUEST, tlv.encode(0x30, signed + algorithm + signature))
        assert said(own, "signature") == ["the CSR is signed with its own key"]
        assert roll_up(each.status for each in checked(data, GENERAL)) is Status.CRITICAL
    assert subject
