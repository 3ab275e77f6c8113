"""`certkit.x509`: the values of CSRs, CRLs and OCSP responses, held against cryptography over its own test vectors."""

from __future__ import annotations

from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from certkit.errors import InputError
from certkit.x509 import pem
from certkit.x509.certificate import Certificate
from certkit.x509.crl import Crl
from certkit.x509.csr import Csr
from certkit.x509.ocsp import OcspResponse
from tests import odd

# The library warns of much that its test vectors are there for.
pytestmark = pytest.mark.filterwarnings("ignore")

VECTORS = Path(cryptography_vectors.__file__).parent / "x509"


def ders(*patterns: str) -> list[bytes]:
    """All objects in the files that match."""
    found = []
    for path in sorted(path for pattern in patterns for path in VECTORS.glob(pattern)):
        data = path.read_bytes()
        found += [data] if data[:1] == b"\x30" else [block.der for block in pem.blocks(data) if block.der]
    return found


def loaded(load, data):
    """Return the object that cryptography loads from the bytes, or None."""
    try:
        return load(data)
    except Exception:  # noqa: BLE001  a library's own test vectors
        return None


def test_certificates_are_read_as_cryptography_does():
    """Where that library reads one, all fields are the same, and nothing untolerated is found."""
    compared = 0
    for der in ders("**/*.crt", "custom/*.pem", "*.pem", "cryptography.io*"):
        theirs = loaded(x509.load_der_x509_certificate, der)
        if theirs is None:
            continue
        ours = Certificate.parse(der)
        compared += 1
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert ours.signature == theirs.signature
        assert ours.serial == theirs.serial_number
        assert ours.signature_algorithm.oid == theirs.signature_algorithm_oid.dotted_string
        unwanted = {each.id for each in ours.deviations if not each.is_tolerated}
        assert unwanted <= {"signature-bits", "extension-duplicate", "key", "name-structure"}, ours
        try:
            extensions = theirs.extensions
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            continue
        assert [(each.oid, each.critical) for each in ours.extensions] == [
            (each.oid.dotted_string, each.critical) for each in extensions
        ]
        for each in extensions:
            _compare(ours, each.value)
    assert compared > 350


def _compare(ours, value):
    match value:
        case x509.BasicConstraints():
            assert (ours.basic_constraints.ca, ours.basic_constraints.path_length) == (value.ca, value.path_length)
        case x509.ExtendedKeyUsage():
            assert ours.extended_key_usage == tuple(each.dotted_string for each in value)
        case x509.SubjectKeyIdentifier():
            assert ours.subject_key_identifier == value.digest
        case x509.AuthorityKeyIdentifier():
            identifier = ours.authority_key_identifier
            assert (identifier.key_identifier, identifier.serial) == (
                value.key_identifier,
                value.authority_cert_serial_number,
            )
        case x509.KeyUsage():
            assert ("keyCertSign" in ours.key_usage, "digitalSignature" in ours.key_usage) == (
                value.key_cert_sign,
                value.digital_signature,
            )
        case x509.CertificatePolicies():
            assert [each.oid for each in ours.certificate_policies] == [
                each.policy_identifier.dotted_string for each in value
            ]
        case x509.NameConstraints():
            assert (len(ours.name_constraints.permitted or ()), len(ours.name_constraints.excluded or ())) == (
                len(value.permitted_subtrees or ()),
                len(value.excluded_subtrees or ()),
            )
        case x509.CRLDistributionPoints():
            assert len(ours.crl_distribution_points) == len(value)
        case x509.AuthorityInformationAccess():
            assert [each.method for each in ours.authority_information_access] == [
                each.access_method.dotted_string for each in value
            ]


def test_revocation_lists_are_read_as_cryptography_does():
    """The signed part, the dates, and how many certificates are revoked."""
    compared = 0
    for der in ders("**/*.crl", "custom/crl_*.pem"):
        theirs = loaded(x509.load_der_x509_crl, der)
        if theirs is None:
            continue
        ours = Crl.parse(der)
        compared += 1
        assert (ours.tbs, ours.signature) == (theirs.tbs_certlist_bytes, theirs.signature)
        assert ours.this_update == theirs.last_update_utc
        assert ours.next_update == theirs.next_update_utc
        assert ours.revoked_count == len(theirs)
    assert compared > 180


def test_requests_are_read_as_cryptography_does():
    """The signed part, and the extensions."""
    compared = 0
    for der in ders("requests/*.pem", "requests/*.der"):
        theirs = loaded(x509.load_der_x509_csr, der)
        if theirs is None:
            continue
        ours = Csr.parse(der)
        compared += 1
        assert ours.tbs == theirs.tbs_certrequest_bytes
        assert ours.subject.der == theirs.subject.public_bytes()
    assert compared > 20


def test_responses_are_read_as_cryptography_does():
    """The responder, and the certificates of the responses."""
    compared = 0
    for der in ders("ocsp/resp-*.der"):
        theirs = loaded(ocsp.load_der_ocsp_response, der)
        if theirs is None or theirs.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            continue
        ours = OcspResponse.parse(der).basic
        compared += 1
        assert (ours.tbs, ours.signature) == (theirs.tbs_response_bytes, theirs.signature)
        assert [
            (each.certificate.serial, each.status, each.revoked_at, each.this_update, each.next_update)
            for each in ours.responses
        ] == [
            (
                each.serial_number,
                each.certificate_status.name.lower(),
                each.revocation_time_utc,
                each.this_update_utc,
                each.next_update_utc,
            )
            for each in theirs.responses
        ]
    assert compared > 9


def request(*, version: bytes = b"\x02\x01\x00", attributes: bytes = b"\xa0\x00") -> bytes:
    """A signed CSR."""
    return odd.sign(odd.sequence(version, odd.common_name("odd"), odd.spki(), attributes))


@pytest.mark.parametrize(
    ("fields", "deviations"),
    [({}, []), ({"version": b"\x02\x01\x01"}, ["csr-version"]), ({"attributes": b""}, ["csr-attributes"])],
)
def test_a_csr_that_breaks_a_rule_is_read_and_named(fields, deviations):
    """Another version, and attributes that are missing altogether."""
    found = Csr.parse(request(**fields))
    assert [each.id for each in found.deviations] == deviations
    assert found.subject.text == "CN=odd"


def test_a_list_without_an_end_is_read():
    """The next update is optional in X.509, and required by RFC 5280."""
    signed = odd.sequence(b"\x02\x01\x01", odd.ECDSA_SHA256, odd.common_name("Odd CA"), odd.utc("260101000000Z"))
    found = Crl.parse(odd.sign(signed))
    assert (found.next_update, found.revoked_count, found.issuer.text) == (None, 0, "CN=Odd CA")


@pytest.mark.parametrize("parse", [Certificate.parse, Csr.parse, Crl.parse, OcspResponse.parse])
def test_what_is_cut_off_is_refused(parse):
    """Wherever the end is missing, and whatever it should have been."""
    whole = odd.certificate(extensions=(odd.IS_CA,))
    for end in range(0, len(whole), 7):
        with pytest.raises(InputError):
            parse(whole[:end])
