"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1), group by group, at a time when it was valid.

Accepted means ok or warning. `unknown` is never an acceptance. The policy groups are taken with the suite's default
settings: the initial policy set is any-policy, and nothing is asked for or inhibited from the start.
"""

from __future__ import annotations

import functools
import re
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cryptography_vectors
import pytest
from cryptography import x509

from certkit.findings import Status
from certkit.policy import catalogue
from certkit.verify import Question, verify
from tests import pki

if TYPE_CHECKING:
    from certkit.verify import Verdict

FOLDER = Path(cryptography_vectors.__path__[0]) / "x509" / "PKITS_data"
AT = datetime(2011, 4, 15, tzinfo=UTC)

# The files of test certificates are named (Valid|Invalid)STEMTestNUMBEREE.crt; these are the stems of each group.
STEMS = {
    "4.1 signatures": "CertificatePath CASignature EESignature DSASignatures DSASignature",
    "4.2 validity": "CAnotBeforeDate EEnotBeforeDate pre2000UTCnotBeforeDate GeneralizedTimenotBeforeDate"
    " CAnotAfterDate EEnotAfterDate pre2000UTCEEnotAfterDate GeneralizedTimenotAfterDate",
    "4.3 name chaining": "NameChaining NameChainingOrder NameChainingWhitespace NameChainingCapitalization NameUIDs"
    " RFC3280MandatoryAttributeTypes RFC3280OptionalAttributeTypes UTF8StringEncodedNames"
    " RolloverfromPrintableStringtoUTF8String UTF8StringCaseInsensitiveMatch",
    "4.4 revocation lists": "MissingCRL RevokedCA RevokedEE BadCRLSignature BadCRLIssuerName WrongCRL TwoCRLs"
    " UnknownCRLEntryExtension UnknownCRLExtension OldCRLnextUpdate pre2000CRLnextUpdate GeneralizedTimeCRLnextUpdate"
    " NegativeSerialNumber LongSerialNumber SeparateCertificateandCRLKeys",
    "4.5 self-issued": "BasicSelfIssuedOldWithNew BasicSelfIssuedNewWithOld BasicSelfIssuedCRLSigningKey",
    "4.6 basic constraints": "MissingbasicConstraints cAFalse basicConstraintsNotCritical pathLenConstraint"
    " SelfIssuedpathLenConstraint",
    "4.7 key usage": "keyUsageCriticalkeyCertSignFalse keyUsageNotCriticalkeyCertSignFalse keyUsageNotCritical"
    " keyUsageCriticalcRLSignFalse keyUsageNotCriticalcRLSignFalse",
    "4.8 policies": "AllCertificatesNoPolicies DifferentPolicies OverlappingPolicies AllCertificatesSamePolicies"
    " AllCertificatesanyPolicy AnyPolicy UserNoticeQualifier CPSPointerQualifier",
    "4.9 explicit policy": "requireExplicitPolicy SelfIssuedrequireExplicitPolicy",
    "4.10 policy mapping": "PolicyMapping MappingFromanyPolicy MappingToanyPolicy",
    "4.11 inhibited mapping": "inhibitPolicyMapping SelfIssuedinhibitPolicyMapping",
    "4.12 inhibited any-policy": "inhibitAnyPolicy SelfIssuedinhibitAnyPolicy",
    "4.13 name constraints": "DNnameConstraints RFC822nameConstraints DNandRFC822nameConstraints DNSnameConstraints"
    " URInameConstraints",
    "4.14 distribution points": "distributionPoint NoissuingDistributionPoint onlyContainsUserCerts"
    " onlyContainsCACerts onlyContainsAttributeCerts onlySomeReasons IDPwithindirectCRL cRLIssuer",
    "4.15 delta lists": "deltaCRLIndicatorNoBase deltaCRL",
    "4.16 private extensions": "UnknownNotCriticalCertificateExtension UnknownCriticalCertificateExtension",
}
GROUPS = {stem: group for group, stems in STEMS.items() for stem in stems.split()}

# Names without Valid or Invalid are tests with several settings; this is what the default settings give (sections
# 4.8.2 to 4.8.20 and 4.12.3): in the invalid ones a policy is required, and the certificates agree on none.
BY_SETTINGS = {
    "AllCertificatesNoPoliciesTest2": True,
    "DifferentPoliciesTest3": True,
    "DifferentPoliciesTest4": False,
    "DifferentPoliciesTest5": False,
    "OverlappingPoliciesTest6": True,
    "DifferentPoliciesTest7": False,
    "DifferentPoliciesTest8": False,
    "DifferentPoliciesTest9": False,
    "AllCertificatesSamePoliciesTest10": True,
    "AllCertificatesanyPolicyTest11": True,
    "DifferentPoliciesTest12": False,
    "AllCertificatesSamePoliciesTest13": True,
    "AnyPolicyTest14": True,
    "UserNoticeQualifierTest15": True,
    "UserNoticeQualifierTest16": True,
    "UserNoticeQualifierTest17": True,
    "UserNoticeQualifierTest18": True,
    "UserNoticeQualifierTest19": True,
    "CPSPointerQualifierTest20": True,
    "inhibitAnyPolicyTest3": True,
}

# How many of each group come out as NIST says, and how many otherwise.
TABLE = {
    "4.1 signatures": (4, 1),
    "4.2 validity": (8, 0),
    "4.3 name chaining": (11, 0),
    "4.4 revocation lists": (21, 0),
    "4.5 self-issued": (8, 0),
    "4.6 basic constraints": (17, 0),
    "4.7 key usage": (5, 0),
    "4.8 policies": (19, 0),
    "4.9 explicit policy": (8, 0),
    "4.10 policy mapping": (14, 0),
    "4.11 inhibited mapping": (11, 0),
    "4.12 inhibited any-policy": (10, 0),
    "4.13 name constraints": (38, 0),
    "4.14 distribution points": (35, 0),
    "4.15 delta lists": (10, 0),
    "4.16 private extensions": (2, 0),
}

_DSA = "DSA keys are refused, whatever they sign"

# Each is refused or unknown though NIST says that it is valid.
EXPLAINED = {
    "ValidDSASignaturesTest4": _DSA,
}


@functools.cache
def certificates() -> dict[str, x509.Certificate]:
    """The certificates that the library loads, by the names of their files."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there are serial numbers below zero, about which the library warns
        for path in sorted(FOLDER.glob("certs/*.crt")):
            try:
                found[path.stem] = x509.load_der_x509_certificate(path.read_bytes())
            except ValueError:
                assert path.stem in NOT_LOADED, path
    return found


@functools.cache
def lists() -> tuple[x509.CertificateRevocationList, ...]:
    """All revocation lists."""
    return tuple(x509.load_der_x509_crl(path.read_bytes()) for path in sorted(FOLDER.glob("crls/*.crl")))


# Their DSA keys have no parameters of their own and take those of the CA above (RFC 3279 section 2.3.2), which the
# cryptography library does not support; certkit refuses DSA in any case.
NOT_LOADED = {"DSAParametersInheritedCACert", "ValidDSAParameterInheritanceTest5EE"}


def expectations() -> dict[str, bool]:
    """The test certificates, and whether NIST says that they are valid."""
    names = [name.removesuffix("EE") for name in certificates() if name.endswith("EE")]
    return {name: BY_SETTINGS[name] if name in BY_SETTINGS else name.startswith("Valid") for name in names}


def group(test: str) -> str:
    """The group that a test belongs to."""
    match = re.fullmatch(r"(?:Valid|Invalid)?(.+)Test\d+", test)
    assert match
    return GROUPS[match[1]]


@functools.cache
def verdict(test: str, *, backwards: bool = False, with_lists: bool = True) -> Verdict:
    """The verdict on a test certificate, with all CAs and lists of the suite at hand, in either order."""
    order = -1 if backwards else 1
    cas = [pki.value(found) for name, found in certificates().items() if not name.endswith("EE")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return verify(
            Question(
                leaf=pki.value(certificates()[f"{test}EE"]),
                policy=catalogue.load("general"),
                at=AT,
                anchors=[pki.value(certificates()["TrustAnchorRootCertificate"])],
                untrusted=cas[::order],
                crls=[pki.crl_value(each) for each in lists()[::order]] if with_lists else (),
                purpose="any",
            )
        )


def is_accepted(test: str) -> bool:
    """Return whether a test certificate may be relied upon."""
    return verdict(test).status in {Status.OK, Status.WARNING}


def test_no_false_accept() -> None:
    """Nothing that NIST says is invalid is accepted."""
    assert [test for test, is_valid in expectations().items() if not is_valid and is_accepted(test)] == []


# What is invalid for its revocation lists alone, in groups that are about something else.
REVOKED = {
    "4.5 self-issued": [
        "InvalidBasicSelfIssuedCRLSigningKeyTest7",
        "InvalidBasicSelfIssuedNewWithOldTest5",
        "InvalidBasicSelfIssuedOldWithNewTest2",
    ],
    "4.7 key usage": [
        "InvalidkeyUsageCriticalcRLSignFalseTest4",
        "InvalidkeyUsageNotCriticalcRLSignFalseTest5",
    ],
}
WITHOUT_LISTS = [name for name in STEMS if not name.startswith(("4.4 ", "4.14 ", "4.15 "))]


@pytest.mark.parametrize("name", WITHOUT_LISTS)
def test_no_false_accept_without_lists(name: str) -> None:
    """Certificates that are invalid for another reason than a CRL are refused without CRLs too."""
    asked = [test for test, is_valid in expectations().items() if not is_valid and group(test) == name]
    accepted = [test for test in asked if verdict(test, with_lists=False).status in {Status.OK, Status.WARNING}]
    assert accepted == REVOKED.get(name, [])


@pytest.mark.parametrize("name", STEMS)
def test_group(name: str) -> None:
    """Each group comes out as in the table."""
    outcomes = [is_accepted(test) == is_valid for test, is_valid in expectations().items() if group(test) == name]
    assert (outcomes.count(True), outcomes.count(False)) == TABLE[name]


def test_every_disagreement_is_explained() -> None:
    """Every result that differs from NIST's is in the list of explanations, and no other."""
    assert {test for test, is_valid in expectations().items() if is_accepted(test) != is_valid} == EXPLAINED.keys()


def test_the_suite_is_whole() -> None:
    """All test certificates of the suite are judged but one, which cannot be loaded."""
    assert (len(expectations()), len(certificates()) + len(NOT_LOADED), len(lists())) == (222, 405, 173)


def test_the_order_of_what_is_given_does_not_matter() -> None:
    """Certificates and lists in the opposite order give the same answer."""
    changed = [test for test in expectations() if verdict(test).status != verdict(test, backwards=True).status]
    assert changed == []
