"""Developer Hub of the rehearsal: what it refuses, and what comes back."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certkit.x509 import names
from tests.pki import NOW, new_key
from tests.wise.rehearsal.stage import Stage, csr, shown


@pytest.fixture
def stage():
    return Stage()


def refusal(reply):
    """Return the page's text about a refusal."""
    assert reply.status == 400
    return shown(reply).one("div", class_="refused").text


def as_der(pem):
    return x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)


def test_a_certificate_for_a_year_with_the_client_id_as_its_name(stage):
    """The CN is overridden, O and C are kept, and it is a client's certificate of the rehearsal's CA."""
    key = new_key()
    reply = stage.paste("first", csr(key=key))
    pasted = shown(reply).one("textarea", id="certificate")
    certificate = x509.load_pem_x509_certificate(str(pasted.inner[0]).encode())
    assert reply.status == 201
    assert names.distinguished_name(certificate.subject) == "CN=acme-client-id,O=Acme Ltd,C=GB"
    assert names.distinguished_name(certificate.issuer) == "CN=certkit rehearsal CA\\, not Wise,O=certkit rehearsal"
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (NOW, NOW + timedelta(days=365))
    assert certificate.public_key() == key.public_key()
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_the_common_name_that_was_asked_for_is_overridden(stage):
    """Whatever it was; what is neither O nor C is not kept."""
    stage.paste("first", csr(common_name="something else", locality="Leeds", units=("Payments",)))
    assert stage.rehearsal.state.certificates[0].subject == "CN=acme-client-id,O=Acme Ltd,C=GB"


def test_lines_as_a_browser_sends_them(stage):
    """A form's text has CRLF, whatever was pasted; a lone CSR stays one."""
    assert stage.paste("first", csr().replace(b"\n", b"\r\n")).status == 201


@pytest.mark.parametrize("key", [ec.SECP256R1(), ec.SECP384R1(), 2048])
def test_types_of_keys_that_wise_takes(stage, key):
    """P-256, P-384 and RSA; the sizes are those of the policy."""
    made = rsa.generate_private_key(65537, key) if isinstance(key, int) else ec.generate_private_key(key)
    assert stage.paste("first", csr(key=made)).status == 201


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        (b"", "Cannot read what was pasted as a CSR"),
        (b"nonsense", "Cannot read what was pasted as a CSR"),
        (bytes(range(256)), "Cannot read what was pasted as a CSR"),
        (b"Certificate Request:\n    Data:\n" + csr(), "encoding"),
        (csr() + b"# mine\n", "encoding"),
        (csr() + csr(), "2 PEM objects"),
        (as_der(csr()), "the CSR is DER"),
        (csr(organization=""), "O is missing"),
        (csr(key=ec.generate_private_key(ec.SECP521R1())), "ec-p521 is not accepted"),
        (csr(key=ec.generate_private_key(ec.SECP224R1())), "ec-p224"),
        (csr(key=rsa.generate_private_key(65537, 2560)), "rsa-2560 is not accepted"),
    ],
)
def test_what_wise_refuses_is_refused(stage, pasted, said):
    """With the findings; no certificate is made."""
    assert said in refusal(stage.paste("first", pasted))
    assert stage.rehearsal.state.certificates == ()
    assert stage.kept == []


def test_a_csr_that_was_changed_is_refused(stage):
    """Its signature does not fit."""
    der = bytearray(as_der(csr()))
    der[-1] ^= 1
    broken = b"-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n"
    assert "signature" in refusal(stage.paste("first", broken % base64.encodebytes(bytes(der))))


def test_a_hint_that_asks_ends_with_its_question_mark(stage):
    """And without a full stop behind it."""
    assert "Did you mean GB?" in shown(stage.paste("first", csr(country="UK"))).one("main").text
    assert "GB?." not in shown(stage.paste("second", csr(country="UK"))).one("main").text


def test_what_wise_leaves_unsaid_is_a_warning(stage):
    """Requested extensions are taken and not kept."""
    reply = stage.paste("first", csr(san=("DNS:client.example.com",)))
    assert reply.status == 201
    assert (
        "the documentation of Wise Platform (sandbox) does not say whether these are accepted"
        in shown(reply).one("main").text
    )
    certificate = x509.load_pem_x509_certificate(stage.rehearsal.state.certificates[0].pem.encode())
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_a_name_is_used_once(stage):
    """Also that of a revoked certificate."""
    stage.client("first")
    assert "was already used" in refusal(stage.paste("first", csr()))
    stage.control("revoke-certificate", stage.rehearsal.state.certificates[0].serial)
    assert "was already used" in refusal(stage.paste(" first ", csr()))


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "\u202ename"])
def test_a_name_that_cannot_be_used(stage, name):
    """1 to 64 printable characters."""
    assert "cannot be used" in refusal(stage.paste(name, csr()))


def test_an_eleventh_live_certificate_is_refused(stage):
    """One that was revoked, or has expired, makes room."""
    key = new_key()
    for number in range(10):
        assert stage.paste(f"number {number}", csr(key=key)).status == 201
    assert "10 certificates are live" in refusal(stage.paste("eleventh", csr(key=key)))
    stage.control("revoke-certificate", stage.rehearsal.state.certificates[3].serial)
    assert stage.paste("eleventh", csr(key=key)).status == 201
    assert "10 certificates are live" in refusal(stage.paste("twelfth", csr(key=key)))
    stage.now += timedelta(days=366)
    assert stage.paste("twelfth", csr(key=key)).status == 201


def test_a_refused_form_keeps_what_was_typed(stage):
    """The person corrects it, and does not type it again."""
    read = shown(stage.paste("first <b>", b"not </textarea> a CSR"))
    assert read.one("input", id="name").attributes["value"] == "first <b>"
    assert read.one("textarea", id="csr").text == "not </textarea> a CSR"


def test_certificates_are_listed_with_their_state_and_can_be_downloaded(stage):
    """Live, revoked and expired."""
    pair = stage.client("first")
    [serial] = [each.serial for each in stage.rehearsal.state.certificates]
    assert stage.get(f"/developer-hub/certificates/{serial}.pem").body == pair.pem
    assert shown(stage.get(f"/developer-hub/certificates/{serial}")).one("h1").text == "Certificate first"
    assert stage.get("/developer-hub/certificates/00.pem").status == 404
    for standing, after in (("live", 365), ("expired", 366)):
        stage.now = NOW + timedelta(days=after)
        [row] = shown(stage.get("/developer-hub")).one("tbody").all("tr")
        assert row.text == f"first {serial} 2027-11-23T12:00:00Z {standing}"
    stage.control("revoke-certificate", serial)
    assert "revoked" in shown(stage.get("/developer-hub")).one("tbody").text


def test_the_certificate_of_the_ca_can_be_downloaded(stage):
    """By the link "Get Wise certificate"; its name says whose it is not."""
    [link] = [each for each in shown(stage.get("/developer-hub")).all("a") if each.text == "Get Wise certificate"]
    found = x509.load_pem_x509_certificate(stage.get(link.attributes["href"]).body)
    assert names.distinguished_name(found.subject) == "CN=certkit rehearsal CA\\, not Wise,O=certkit rehearsal"
    found.verify_directly_issued_by(found)
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)
