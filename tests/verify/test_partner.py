"""`certkit.verify.partner`: every rule for certificates, and the marks of public and qualified ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from certkit.findings import Status, roll_up
from certkit.policy import catalogue
from certkit.policy import format as files
from certkit.verify import Question, partner, verify
from certkit.x509 import names, qualified
from certkit.x509.certificate import Certificate
from certkit.x509.names import Attribute
from certkit.x509.oids import QC_STATEMENTS
from tests import pki
from tests.pki import NOW

ROOT = pki.root()
CA = ROOT.intermediate()
LEAF = CA.issue()
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
SAN = x509.SubjectAlternativeName([x509.DNSName("client.test")])
AKI = x509.AuthorityKeyIdentifier.from_issuer_public_key(CA.key.public_key())
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.23.140.1.2.1"), None)])


def value(pair):
    """A certificate as certkit's own value."""
    return Certificate.parse(pair.certificate.public_bytes(Encoding.DER))


def policy(rules):
    """A policy with rules for certificates."""
    base = 'title = "Acme"\n[[sources]]\ntitle = "x"\nread = 2026-11-30\n[key]\ntypes = ["ec-p256"]\n'
    return files.build([files.parse_file(f"{base}[certificate]\n{rules}\n", name="acme", where="acme.toml")])


def said(rules, *file):
    """Return the objections of a policy to a certificate and its file."""
    found = partner.findings([value(each) for each in file or (LEAF,)], policy(rules))
    return [each.message for each in found if not each.is_good]


@pytest.mark.parametrize(
    ("rules", "good", "bad", "message"),
    [
        ("max_validity_days = 365", LEAF, CA.issue(end=NOW + timedelta(days=400)), "valid for 401 days; Acme allows"),
        ("min_validity_days = 300", LEAF, CA.issue(end=NOW + timedelta(days=10)), "valid for 11 days; Acme requires"),
        ("san = true", CA.issue(extensions=(pki.CLIENT, SAN)), LEAF, "the certificate has no alternative name"),
        ("san = false", LEAF, CA.issue(extensions=(pki.CLIENT, SAN)), "the certificate has an alternative name"),
        ("extended_key_usage = true", LEAF, CA.issue(extensions=()), "there is no extended key usage"),
        ("extended_key_usage = false", CA.issue(extensions=()), LEAF, "there is an extended key usage"),
        (
            'extended_key_usage = { forbidden = ["serverAuth"] }',
            LEAF,
            CA.issue(extensions=(BOTH,)),
            "the extended key usage has serverAuth, which Acme does not accept",
        ),
        (
            'extended_key_usage = { exact = ["clientAuth", "serverAuth"] }',
            CA.issue(extensions=(BOTH,)),
            LEAF,
            "the extended key usage lacks serverAuth, which Acme requires",
        ),
        (
            'attributes.CN = { pattern = "acme-.*", form = "acme-<id>" }',
            LEAF,
            CA.issue(pki.name(CN="other")),
            "CN=other does not have the form acme-<id>",
        ),
        ('attributes.O = { values = ["Acme Ltd"] }', LEAF, CA.issue(pki.name(CN="x")), "O is missing from the subject"),
        ("self_signed = false", LEAF, ROOT, "self-signed, which Acme does not accept"),
        (
            "public_ca = false",
            LEAF,
            CA.issue(extensions=(pki.CLIENT, POLICIES)),
            "issued by a public CA, which Acme does not accept",
        ),
    ],
)
def test_a_rule_for_certificates(rules, good, bad, message):
    """A certificate that follows it, and one that breaks it."""
    assert said(rules, good) == []
    assert any(each.startswith(message) for each in said(rules, bad)), said(rules, bad)


def test_the_key_identifier_of_the_issuer():
    """Demanded, or not wanted."""
    with_one = CA.issue(extensions=(pki.CLIENT, AKI))
    assert said("authority_key_identifier = true", with_one) == []
    assert said("authority_key_identifier = false", with_one) != []


@pytest.mark.parametrize(
    ("rules", "good", "bad", "message"),
    [
        ("issuer_included = true", (LEAF, CA), (LEAF,), "the file lacks the issuer's certificate, which Acme requires"),
        ("issuer_included = false", (LEAF,), (LEAF, CA), "the file has the issuer's certificate"),
        ("root_included = true", (LEAF, CA, ROOT), (LEAF, CA), "the file lacks the root, which Acme requires"),
        ("root_included = false", (LEAF, CA), (LEAF, CA, ROOT), "the file has the root, which Acme does not accept"),
        (
            'order = "leaf-first"',
            (LEAF, CA, ROOT),
            (LEAF, ROOT, CA),
            "the certificates of the file are not in the order",
        ),
    ],
)
def test_a_rule_for_the_file(rules, good, bad, message):
    """Its contents and their order."""
    assert said(rules, *good) == []
    assert said(rules, *bad)[0].startswith(message)


def test_the_order_may_begin_with_the_root():
    """For partners who want it so."""
    chain = [value(each) for each in (ROOT, CA, LEAF)]
    rules = policy('order = "root-first"')
    assert list(partner.chain_file(chain, rules)) == []
    assert len(list(partner.chain_file(chain[::-1], rules))) == 1


def test_a_client_certificate_of_a_public_ca_is_a_warning():
    """It will not be renewed as such; a server's, and one of a private CA, are nothing to warn of."""
    public = CA.issue(extensions=(pki.CLIENT, POLICIES))
    question = Question(leaf=public.value, policy=catalogue.load("general"), at=NOW, needs_chain=False)
    found = [each for each in verify(question).findings if each.id == "purpose"]
    assert [each.status for each in found] == [Status.WARNING]
    assert "public CAs have stopped issuing client certificates" in found[0].message
    assert partner.public_client(value(CA.issue(extensions=(pki.SERVER, POLICIES)))) == []
    assert partner.public_client(value(LEAF)) == []


def test_a_qualified_certificate_shows_whose_it_is():
    """organizationIdentifier, the roles and the authority; as a server certificate it is recognised as a QWAC."""
    statements = qualified.Statements(("web",), ("PSP_AI", "PSP_PI"), "Financial Conduct Authority", "GB-FCA")
    extension = x509.UnrecognizedExtension(ObjectIdentifier(QC_STATEMENTS), statements.encode())
    pairs = (("C", "GB"), ("O", "Acme"), ("organizationIdentifier", "PSDGB-FCA-123456"), ("CN", "acme.test"))
    subject = names.build_name(Attribute(*pair) for pair in pairs)
    leaf = CA.issue(subject, extensions=(BOTH, extension)).value
    question = Question(leaf=leaf, policy=catalogue.load("general"), at=NOW, needs_chain=False)
    for purpose in ("client", "server"):
        (found,) = [each for each in verify(replace(question, purpose=purpose)).findings if each.id == "subject"]
        assert found.status is Status.OK
        assert found.message.split("; ") == [
            "organizationIdentifier PSDGB-FCA-123456",
            "qualified for websites (QWAC)",
            "PSD2 roles PSP_AI, PSP_PI by Financial Conduct Authority (GB-FCA)",
        ]


def test_verify_judges_the_file_in_its_order(certkit, tmp_path):
    """The command knows the file; the function gets it as an argument."""
    (tmp_path / "p.toml").write_text('extends = "general"\ntitle = "P"\n[certificate]\nroot_included = false\n')
    (tmp_path / "c.pem").write_bytes(LEAF.pem + CA.pem + ROOT.pem)
    ran = certkit("verify", "c.pem", "--no-chain", "--policy", "./p.toml", "--at", "2026-11-23T12:00:00Z", "--json")
    policies = [each["message"] for each in ran.json["checks"] if each["id"] == "policy"]
    assert policies == ["the file has the root, which P does not accept"]
    assert roll_up([Status(ran.json["status"])]) is Status.CRITICAL
