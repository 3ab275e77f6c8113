"""Whether a partner will accept a CSR: every rule of its policy as a finding, over the exact bytes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from certkit.csr import encoding, extensions, signature, subject
from certkit.findings import Finding, critical, ok, skipped, unknown, warning
from certkit.x509 import csr as requests
from certkit.x509 import der as tlv
from certkit.x509 import names, objects

if TYPE_CHECKING:
    from cryptography import x509

    from certkit.policy.rules import KeyRules, Policy
    from certkit.x509.keys import KeyFacts

_RSASSA_PSS = "1.2.840.113549.1.1.10"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"


def check(data: bytes, policy: Policy, *, key: KeyFacts | None = None, name: str = "CSR") -> list[Finding]:
    """Return the findings of every rule of a policy, applied to the exact bytes that will be handed to the partner.

    Raises:
        InputError: if no CSR can be read in the bytes.
    """
    return check_request(objects.csr(data, name=name).value, data, policy, key=key)


def check_request(
    request: x509.CertificateSigningRequest, data: bytes, policy: Policy, *, key: KeyFacts | None = None
) -> list[Finding]:
    """Return the findings of every rule, applied to a CSR and the exact bytes that it was read from."""
    facts = requests.public_key_facts(request)
    if isinstance(facts, str):
        hint = f"use one of: {policy.key.describe()}"
        key_type = critical("key-type", f"the public key cannot be used: {facts}", hint)
    else:
        key_type = key_finding(facts.type, facts.bits, policy.key, partner=policy.title)
    return [
        *encoding.findings(data, policy.csr, policy.title),
        signature.own_key(request),
        signature.algorithm(request, policy.csr, partner=policy.title),
        unusual_key(request, policy.title) or key_type,
        *subject_of(request, policy),
        *extensions.findings(request, policy),
        key_match(facts, key, what="CSR"),
    ]


def subject_of(request: x509.CertificateSigningRequest, policy: Policy) -> list[Finding]:
    """Return whether a CSR's subject follows the rules of a policy."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = names.attributes(request.subject)
    except Exception as error:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
        said = f"the subject cannot be read: {objects.short_reason(error)}"
        return [critical("subject", said, "create a new CSR with certkit csr create")]
    return subject.findings(found, policy.subject, partner=policy.title)


def key_finding(type_name: str, bits: int, rules: KeyRules, *, partner: str) -> Finding:
    """Return whether the partner accepts keys of that type (spelt as `--type` does) and size."""
    if rules.accepts(type_name, bits):
        return ok("key-type", type_name)
    is_curve = type_name.startswith("ec-")
    is_sized = is_curve or type_name.startswith(("rsa-", "dsa-"))
    verdict = "is too small" if is_sized and bits < (224 if is_curve else 2048) else "is not accepted"
    return critical("key-type", f"{type_name} {verdict} for {partner}", f"use one of: {rules.describe()}")


def hardware(policy: Policy, *, is_in_file: bool = False) -> list[Finding]:
    """Return a finding if the policy demands a hardware key, which a CSR does not show and a file is not."""
    if not policy.key.hardware:
        return []
    said = f"{policy.title} requires a key made in {policy.key.hardware}"
    hint = "create the key and the CSR with the device, then check the CSR: certkit csr check"
    if is_in_file:
        return [critical("key-file", f"{said}; this key is in a file", hint)]
    return [warning("key-file", f"{said}; a CSR does not show where its key was made", hint)]


def key_match(facts: KeyFacts | str, key: KeyFacts | None, *, what: str) -> Finding:
    """Return whether a private key and a CSR or certificate belong together: the same public key (SPKI)."""
    if key is None:
        return skipped("key-match", "no private key was given", "add --key KEY")
    if isinstance(facts, str):
        return unknown("key-match", f"the public key of the {what} cannot be read", f"get a new {what}")
    if facts.spki_sha256 == key.spki_sha256:
        return ok("key-match", f"the private key belongs to the {what} (SPKI SHA-256 {key.spki_sha256})")
    return critical(
        "key-match",
        f"the private key does not belong to the {what}: SPKI SHA-256 of the key {key.spki_sha256},"
        f" of the {what} {facts.spki_sha256}",
        f"find the key that the {what} was made with, or create a new pair",
    )


def unusual_key(request: x509.CertificateSigningRequest, partner: str) -> Finding | None:
    """Return a finding for a key that libraries read and few accept: explicit curve parameters, or RSA for PSS only."""
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
        said = (
            f"the key is an RSA key for PSS only; the documentation of {partner} does not say whether this is accepted"
        )
        return warning("key-type", said, "use a plain RSA key: certkit key generate --type rsa-3072")
    if name == _EC_PUBLIC_KEY and parameters and parameters[0].tag == tlv.SEQUENCE:
        said = "the parameters of the key's curve are written out instead of its name (RFC 5480 section 2.1.1)"
        return critical("key-type", said, "use a key of a named curve: certkit key generate --type ec-p256")
    return None
