"""Whether a partner will take a CSR: every rule of its policy as a finding, over the exact bytes."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from certkit.csr import build, encoding
from certkit.findings import Finding, critical, ok, skipped, unknown, warning
from certkit.policy.values import Answer
from certkit.printable import printable
from certkit.x509 import csr as requests
from certkit.x509 import der as tlv
from certkit.x509 import keys, names, objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography import x509

    from certkit.policy.rules import CsrRules, KeyRules, Policy, SubjectRules
    from certkit.x509.keys import KeyFacts
    from certkit.x509.names import Attribute

_CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"  # noqa: S105  the name of an attribute (RFC 2985 section 5.4.1)
_RSASSA_PSS = "1.2.840.113549.1.1.10"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_OPTIONS = {
    "C": "--country",
    "ST": "--state",
    "L": "--locality",
    "O": "--organization",
    "OU": "--unit",
    "CN": "--common-name",
    "emailAddress": "--email",
}


def subject_findings(found: Sequence[Attribute], rules: SubjectRules, *, partner: str) -> list[Finding]:
    """Whether a subject follows the rules: one finding a broken rule, or one that all hold."""
    problems = list(_subject_problems(found, rules, partner))
    if problems:
        return problems
    shown = ", ".join(f"{item.name}={printable(item.value)}" for item in found) or "empty"
    overridden = [name for name in rules.overridden if names.values(found, name)]
    note = f"; {partner} replaces {', '.join(overridden)} in the certificate" if overridden else ""
    return [ok("subject", f"{shown}{note}")]


def key_finding(type_name: str, bits: int, rules: KeyRules, *, partner: str) -> Finding:
    """Whether the partner takes keys of that type (spelt as `--type` does) and size."""
    if rules.accepts(type_name, bits):
        return ok("key-type", type_name)
    size = " is too small" if _is_too_small(type_name, bits) else " is not accepted"
    return critical("key-type", f"{type_name}{size} for {partner}", f"use one of: {rules.describe()}")


def key_match(facts: KeyFacts, key: KeyFacts, *, what: str) -> Finding:
    """Whether a private key and a CSR or certificate belong together: the same public key (SPKI)."""
    if facts.spki_sha256 == key.spki_sha256:
        return ok("key-match", f"the private key belongs to the {what} (SPKI SHA-256 {key.spki_sha256})")
    return critical(
        "key-match",
        f"the private key does not belong to the {what}: SPKI SHA-256 of the key {key.spki_sha256},"
        f" of the {what} {facts.spki_sha256}",
        f"find the key that the {what} was made with, or make a new pair",
    )


def check(data: bytes, policy: Policy, *, key: KeyFacts | None = None, name: str = "CSR") -> list[Finding]:
    """Every rule of a policy, applied to the exact bytes that will be handed to the partner.

    Raises:
        InputError: no CSR can be read in the bytes.
    """
    return check_request(objects.csr(data, name=name).value, data, policy, key=key)


def check_request(
    request: x509.CertificateSigningRequest, data: bytes, policy: Policy, *, key: KeyFacts | None = None
) -> list[Finding]:
    """Every rule of a policy, applied to a CSR and the exact bytes that it was read from."""
    facts = requests.public_key_facts(request)
    findings = list(encoding.findings(data, policy.csr, policy.title))
    findings += _signature(request)
    findings.append(_signature_algorithm(request, policy.csr, policy.title))
    findings.append(_unusual_key(request, policy.title) or _key_type(facts, policy))
    findings += _subject(request, policy)
    findings += _extensions(request, policy.csr, policy.title)
    findings.append(_match(facts, key))
    return findings


def _is_too_small(type_name: str, bits: int) -> bool:
    is_curve = type_name.startswith("ec-")
    return bits < (224 if is_curve else 2048) and (is_curve or type_name.startswith(("rsa-", "dsa-")))


def _subject(request: x509.CertificateSigningRequest, policy: Policy) -> list[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = names.attributes(request.subject)
    except Exception as error:  # noqa: BLE001  as above
        reason = objects.short_reason(error)
        return [critical("subject", f"the subject cannot be read: {reason}", "make a new CSR with certkit csr create")]
    return subject_findings(found, policy.subject, partner=policy.title)


def _subject_problems(found: Sequence[Attribute], rules: SubjectRules, partner: str) -> Iterator[Finding]:
    for required in rules.required:
        if not any(value.strip() for value in names.values(found, required)):
            yield critical(
                "subject",
                f"{required} is missing; {partner} requires it",
                f"set it with {_OPTIONS.get(required, required)}",
            )
    for item in found:
        yield from _attribute_problems(item, rules, partner)
    for single in ("C", "O", "CN"):
        if len(names.values(found, single)) > 1:
            yield warning("subject", f"{single} is there more than once", f"make a CSR with one {single}")
    if rules.common_name_pattern:
        for value in names.values(found, "CN"):
            if not re.fullmatch(rules.common_name_pattern, value):
                form = rules.common_name_form or rules.common_name_pattern
                yield critical(
                    "subject", f"CN={printable(value)} does not have the form {form}", "correct --common-name"
                )


def _attribute_problems(item: Attribute, rules: SubjectRules, partner: str) -> Iterator[Finding]:
    name, value = item.name, item.value
    option = _OPTIONS.get(name, name)
    if rules.allowed and name not in rules.allowed:
        yield critical(
            "subject", f"{name} is not allowed by {partner}", f"leave it out; allowed: {', '.join(rules.allowed)}"
        )
    if name == "C":
        # X.520 allows any two PrintableString letters; not only ISO 3166 codes, for partners ask for EU.
        if not re.fullmatch(r"[A-Za-z]{2}", value):
            yield critical(
                "subject",
                f"C={printable(value)} is not a country code of two letters",
                f"set {option} to a code such as GB or EU",
            )
        return
    bound = rules.upper_bound(name)
    if not value.strip() and name not in rules.required:
        yield critical("subject", f"{name} is empty", f"leave {option} out, or give it a value")
    elif bound is not None and len(value) > bound:
        yield critical(
            "subject",
            f"{name} has {len(value)} characters, more than {bound} (RFC 5280 appendix A.1)",
            f"shorten {option}",
        )
    if names.has_control(value):
        yield critical("subject", f"{name}={printable(value)} holds control characters", f"correct {option}")


def _signature(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    valid = requests.is_signature_valid(request)
    if valid:
        yield ok("signature", "the CSR is signed with its own key")
    elif valid is None:
        yield unknown(
            "signature",
            "the signature cannot be verified: key or algorithm are not supported",
            "make a new CSR with certkit csr create",
        )
    else:
        yield critical(
            "signature",
            "the signature does not fit the CSR: it was changed, or signed with another key",
            "make a new CSR",
        )


def _signature_algorithm(request: x509.CertificateSigningRequest, rules: CsrRules, partner: str) -> Finding:
    from cryptography.exceptions import UnsupportedAlgorithm

    hint = "sign it with SHA-256: openssl req -new -sha256, or certkit csr create"
    try:
        digest = build.digest_name(request)
    except UnsupportedAlgorithm:
        oid = request.signature_algorithm_oid.dotted_string
        return critical("signature-algorithm", f"the signature algorithm {oid} is not supported", hint)
    if digest is None:
        return ok("signature-algorithm", "EdDSA")
    if keys.is_weak_digest(digest):
        return critical("signature-algorithm", f"{digest.upper()} is too weak for a signature", hint)
    if digest not in rules.digests:
        return critical("signature-algorithm", f"{digest.upper()} is not accepted by {partner}", hint)
    return ok("signature-algorithm", digest.upper())


def _key_type(facts: KeyFacts | str, policy: Policy) -> Finding:
    if isinstance(facts, str):
        return critical("key-type", f"the public key cannot be used: {facts}", f"use one of: {policy.key.describe()}")
    return key_finding(facts.type, facts.bits, policy.key, partner=policy.title)


def _unusual_key(request: x509.CertificateSigningRequest, partner: str) -> Finding | None:
    """A public key that libraries read and few accept: a curve that is written out, or RSA for PSS only; or None."""
    from cryptography.hazmat.primitives.serialization import Encoding

    der = request.public_bytes(Encoding.DER)
    try:
        [outer] = tlv.elements(der)
        info = next(tlv.elements(der, outer.start, outer.end))
        _, _, spki, *_ = tlv.elements(der, info.start, info.end)
        algorithm, _ = tlv.elements(der, spki.start, spki.end)
        oid, *parameters = tlv.elements(der, algorithm.start, algorithm.end)
    except ValueError:
        return None
    name = tlv.object_identifier(der[oid.start : oid.end])
    if name == _RSASSA_PSS:
        said = f"the key is an RSA key for PSS only; whether {partner} accepts that is not known"
        return warning("key-type", said, "make a plain RSA key: certkit key generate --type rsa-3072")
    if name == _EC_PUBLIC_KEY and parameters and parameters[0].tag == tlv.SEQUENCE:
        said = "the curve of the key is written out and not named (RFC 5480 section 2.1.1)"
        return critical("key-type", said, "make a key of a named curve: certkit key generate --type ec-p256")
    return None


def _match(facts: KeyFacts | str, key: KeyFacts | None) -> Finding:
    if key is None:
        return skipped("key-match", "no private key was given", "add --key KEY")
    if isinstance(facts, str):
        return unknown("key-match", "the CSR's public key cannot be read", "make a new CSR")
    return key_match(facts, key, what="CSR")


def _extensions(request: x509.CertificateSigningRequest, rules: CsrRules, partner: str) -> list[Finding]:
    problems = [*_attribute_findings(request), *_extension_findings(request, rules, partner)]
    return problems or [ok("extensions", _extension_summary(request))]


def _attribute_findings(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    try:
        present = {attribute.oid.dotted_string for attribute in request.attributes}
    except Exception:  # noqa: BLE001  as above
        yield critical("extensions", "the CSR's attributes cannot be read", "make a new CSR with certkit csr create")
        return
    if _CHALLENGE_PASSWORD in present:
        yield warning(
            "extensions",
            "the CSR carries a challenge password, which anyone who sees the CSR can read",
            "make the CSR without one; if it is used elsewhere, change it there",
        )


def _extension_findings(request: x509.CertificateSigningRequest, rules: CsrRules, partner: str) -> Iterator[Finding]:
    from cryptography import x509

    extensions = requests.requested_extensions(request)
    if isinstance(extensions, str):
        yield critical("extensions", f"the requested extensions cannot be read: {extensions}", "make a new CSR")
        return
    listed = ", ".join(_extension_name(extension) for extension in extensions)
    if listed and rules.extensions is not Answer.YES:
        refused = rules.extensions is Answer.NO
        make = critical if refused else warning
        said = f"{partner} refuses that" if refused else f"whether {partner} accepts or keeps that is not known"
        yield make(
            "extensions", f"the CSR asks for extensions ({listed}); {said}", "leave --san out if it is not needed"
        )
    for extension in extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            yield critical("extensions", "the CSR asks for a CA certificate", "ask for a client certificate")
        if isinstance(extension.value, x509.SubjectAlternativeName):
            for kind in dict.fromkeys(names.san_parts(san)[0] for san in extension.value):
                if kind not in rules.san_types:
                    yield critical(
                        "extensions",
                        f"{partner} does not take names of type {kind}",
                        f"use one of: {', '.join(rules.san_types)}",
                    )


def _extension_name(extension: x509.Extension[x509.ExtensionType]) -> str:
    name = extension.oid._name  # noqa: SLF001  the library's only name for it
    return name if name != "Unknown OID" else extension.oid.dotted_string


def _extension_summary(request: x509.CertificateSigningRequest) -> str:
    extensions = requests.requested_extensions(request)
    listed = [_extension_name(extension) for extension in extensions] if not isinstance(extensions, str) else []
    return f"asks for {', '.join(listed)}" if listed else "none asked for"
