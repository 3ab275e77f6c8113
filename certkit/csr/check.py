"""Checks of the exact bytes of a CSR against a partner's policy: a finding for every rule."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certkit.csr import encoding, extensions, subject
from certkit.errors import InputError
from certkit.findings import Finding, Status, critical, ok, roll_up, skipped, unknown, warning
from certkit.policy.values import Answer
from certkit.printable import printable
from certkit.x509 import describe, keys, names
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certkit.csr.keyfile import HeldKey
    from certkit.policy.rules import KeyRules, Policy
    from certkit.x509.csr import Csr
    from certkit.x509.spki import KeyFacts, PublicKeyInfo

# Deviations of the form of a CSR (RFC 2986 section 4); names, keys and extensions have findings of their own.
_FORM = ("csr-version", "csr-attributes", "csr-extensions")
# A hint that gives an option, other than --key, without a command.
_OPTION = re.compile(r"(?!.*certkit).* --(?!key )").match


@dataclass(frozen=True, slots=True)
class PolicyFit:
    """The verdict of a policy, by its name and title, on a CSR or certificate."""

    policy: str
    title: str
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, policy: Policy, findings: Iterable[Finding]) -> PolicyFit:
        """Return the verdict of a policy with these findings."""
        return cls(policy.name, policy.title, tuple(findings))

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.findings)

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """The findings that need attention."""
        return tuple(finding for finding in self.findings if not finding.is_good)


def findings(request: Csr, data: bytes, policy: Policy, *, key: KeyFacts | None = None) -> list[Finding]:
    """Return the findings of every rule of a policy about a CSR, and about the exact bytes that the partner will get.

    The rules of RFC 2986 that the CSR breaks although it can be read come first.
    """
    facts = None
    with contextlib.suppress(InputError):
        request.public_key()
        facts = None if isinstance(request.key, Unreadable) else request.key.facts
    broken = [
        critical("encoding", f"{printable(each.message)} ({each.section})", "create a new CSR")
        for each in request.deviations
        if each.id in _FORM or request.cryptography() is None
    ]
    found = encoding.findings(data, policy.csr, policy.title)
    return [
        *broken,
        *(each for each in found if not (broken and each.is_good)),
        _signature(request),
        _signature_algorithm(request, policy),
        _key_of_csr(request, policy),
        *subject_of(request, policy),
        *extensions.findings(request, policy),
        key_match(facts, key, what="CSR"),
    ]


def for_checkers(found: Iterable[Finding]) -> list[Finding]:
    """Return findings for a command that only checks CSRs: hints that give options name the command that has them."""
    message = "in `certkit csr create`,"
    return [replace(each, hint=f"{message} {each.hint}") if _OPTION(each.hint) else each for each in found]


def subject_of(request: Csr, policy: Policy) -> list[Finding]:
    """Check whether a CSR's subject follows the rules of a policy."""
    listed = request.subject.attributes
    problems = [f"{each.name}: {each.problem or 'not text'}" for each in listed if each.text is None]
    if not listed:
        problems = [each.message for each in request.subject.problems]
    if problems:
        message = f"the subject cannot be read: {problems[0]}"
        return [critical("subject", message, "create a new CSR with certkit csr create")]
    found = names.attributes(request.subject)
    return subject.findings(found, policy.subject, text=request.subject.text, partner=policy.title)


def _signature(request: Csr) -> Finding:
    """Check whether the CSR's signature is that of its own key."""
    if request.is_signature_valid is None:
        message = "the signature cannot be verified: the key or the algorithm is not supported"
        return unknown("signature", message, "create a new CSR with certkit csr create")
    if not request.is_signature_valid:
        message = "the signature does not match the CSR: it was changed, or signed with another key"
        return critical("signature", message, "create a new CSR")
    return ok("signature", "the CSR is signed with its own key")


def _signature_algorithm(request: Csr, policy: Policy) -> Finding:
    """Check whether the digest is sound, and one that the partner accepts."""
    from cryptography.exceptions import UnsupportedAlgorithm

    hint = "sign it with SHA-256: openssl req -new -sha256, or certkit csr create"
    loaded, oid = request.cryptography(), request.signature_algorithm.oid
    name = describe.algorithm_name(oid)
    # For a CSR that the library does not load, the name of the algorithm gives the digest.
    named = re.search(r"sha(1|224|256|384|512)|md[25]", name.lower())
    digest = named[0] if named else None
    try:
        if loaded is not None:
            used = loaded.signature_hash_algorithm
            digest = used.name if used else None
        is_supported = loaded is not None or named is not None or name.startswith(("Ed", "ML-DSA"))
    except UnsupportedAlgorithm:
        is_supported = False
    if not is_supported:
        return critical("signature-algorithm", f"the signature algorithm {oid} is not supported", hint)
    if digest is None:
        return ok("signature-algorithm", name)
    if keys.is_weak_digest(digest):
        return critical("signature-algorithm", f"{digest.upper()} is too weak for a signature", hint)
    if digest not in policy.csr.digests:
        return critical("signature-algorithm", f"{digest.upper()} is not accepted by {policy.title}", hint)
    return ok("signature-algorithm", digest.upper())


def key_type(key: PublicKeyInfo | Unreadable, policy: Policy) -> Finding:
    """Check whether a policy accepts a public key: its type, its size, its curve, and that it is not weak."""
    new = "create a new key: certkit key generate"
    if isinstance(key, Unreadable):
        hint = f"use one of: {policy.key.describe()}"
        return critical("key-type", f"the public key cannot be used: {key.reason}", hint)
    if key.curve_problem:
        return critical(
            "key-type", key.curve_problem, "use a key of a named curve: certkit key generate --type ec-p256"
        )
    if key.weakness:
        return critical("key-type", key.weakness, new)
    found = key_finding(key.type, key.bits, policy.key, partner=policy.title)
    if not found.is_good:
        return found
    try:
        key.load()
    except InputError as error:
        return critical("key-type", f"the public key cannot be used: {error.message}", error.hint)
    return warning("key-type", key.concern, new) if key.concern else found


def _key_of_csr(request: Csr, policy: Policy) -> Finding:
    """Check whether a policy accepts a CSR's key; whether a CA accepts PSS-only keys is rarely documented."""
    found = key_type(request.key, policy)
    if found.is_good and not isinstance(request.key, Unreadable) and request.key.is_pss:
        message = f"the key is an RSA key for PSS only; policy {policy.name} does not say whether it is accepted"
        return warning("key-type", message, "use a plain RSA key: certkit key generate --type rsa-3072")
    return found


def key_finding(type_name: str, bits: int, rules: KeyRules, *, partner: str) -> Finding:
    """Check whether the partner accepts keys of that type (spelt as `--type` does) and size."""
    if rules.accepts(type_name, bits):
        return ok("key-type", type_name)
    is_curve = type_name.startswith("ec-")
    is_sized = is_curve or type_name.startswith(("rsa-", "dsa-"))
    verdict = "is too small" if is_sized and bits < (224 if is_curve else 2048) else "is not accepted"
    return critical("key-type", f"{type_name} {verdict} for {partner}", f"use one of: {rules.describe()}")


def hardware(policy: Policy, *, is_in_file: bool = False) -> list[Finding]:
    """Return a finding if the policy demands a hardware key: a CSR does not show it, and a key in a file is not one."""
    if not policy.key.hardware:
        return []
    message = f"{policy.title} requires a key created in {policy.key.hardware}"
    hint = "create the key and the CSR with the device, then check the CSR: certkit csr check"
    if is_in_file:
        return [critical("key-file", f"{message}; this key is in a file", hint)]
    return [warning("key-file", f"{message}; a CSR does not show where its key was created", hint)]


def key_file(policy: Policy, key: HeldKey | None) -> list[Finding]:
    """Return the finding about the permissions of the private key's file, by the policy."""
    if key is None:
        return hardware(policy) or [skipped("key-file", "no private key was given", "add --key KEY")]
    found = [*hardware(policy, is_in_file=True), key.file]
    if policy.key.encrypted is Answer.YES and not key.is_encrypted:
        message = f"{policy.title} requires a passphrase on the private key, and this one has none"
        found.append(critical("key-file", message, "encrypt it: openssl pkcs8 -topk8 -in KEY -out NEWKEY"))
    return found


def key_match(facts: KeyFacts | None, key: KeyFacts | None, *, what: str) -> Finding:
    """Check whether a private key and a CSR or certificate belong together: the same public key (SPKI)."""
    if key is None:
        return skipped("key-match", "no private key was given", "add --key KEY")
    if facts is None:
        return unknown("key-match", f"the public key of the {what} cannot be read", f"get a new {what}")
    if facts.spki_sha256 == key.spki_sha256:
        return ok("key-match", f"the private key belongs to the {what} (SPKI SHA-256 {key.spki_sha256})")
    return critical(
        "key-match",
        f"the private key does not belong to the {what}: SPKI SHA-256 of the key {key.spki_sha256},"
        f" of the {what} {facts.spki_sha256}",
        f"find the key that the {what} was created with, or create a new pair",
    )
