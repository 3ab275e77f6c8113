"""Checks of a certificate against a partner's policy, and of a CSR or certificate against every policy."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.csr import check, extensions, subject
from certkit.errors import InputError
from certkit.findings import Finding, critical, ok, skipped, unknown, warning
from certkit.policy.rules import CertificateRules
from certkit.policy.values import Answer
from certkit.printable import printable
from certkit.x509 import names, objects, oids, qualified
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from certkit.policy.rules import Policy
    from certkit.x509.certificate import Certificate

# Validity includes both of its ends, and CAs backdate a little; a promise in days is kept within a day.
_VALIDITY_SLACK = timedelta(days=1)
# What only certificates of public CAs have: the CA/Browser Forum's reserved policies (Baseline Requirements 7.1.6.1),
# and timestamps of certificate transparency logs (RFC 6962 section 3.3).
_PUBLIC_POLICIES = ("2.23.140.1.1", "2.23.140.1.2.")
_TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"
_SILENT = CertificateRules()
_NO_LIMITS = skipped("policy", "the policy sets no limits for certificates")
_HINT = "check that the certificate is from this partner and environment"


def which(data: bytes, policies: Iterable[Policy], *, name: str) -> list[check.PolicyFit]:
    """Return how a CSR, or else the first certificate, in some bytes fits each policy.

    Raises:
        InputError: if the bytes hold neither.
    """
    try:
        request = objects.csr(data, name=name)
    except InputError as error:
        try:
            listed = objects.certificates(data, name=name)
        except InputError:
            message = error.message.replace("as a CSR", "as a CSR or certificate")
            raise InputError(message, hint=error.hint.replace("give a CSR", "give a CSR or a certificate")) from None
        return [check.PolicyFit.of(policy, findings(listed, policy)) for policy in policies]
    return [
        check.PolicyFit.of(policy, [*check.findings(request, data, policy), *check.hardware(policy)])
        for policy in policies
    ]


def judge(leaf: Certificate, listed: Sequence[Certificate], policy: Policy, purpose: str) -> list[Finding]:
    """Return the policy's findings about a certificate and its file, and about public and qualified certificates."""
    try:
        shown = eidas(leaf) + (public_client(leaf) if purpose == "client" else [])
        return shown + rules_of(leaf, listed or [leaf], policy)
    except InputError as error:
        return [unknown("policy", f"the certificate cannot be read: {error.message}", error.hint)]


def findings(file: Sequence[Certificate], policy: Policy) -> list[Finding]:
    """Check whether a certificate, the first of its file, has the key and follows the rules of a policy."""
    leaf = file[0]
    key = leaf.key
    if isinstance(key, Unreadable):
        strength = critical("key-type", f"the public key cannot be used: {key.reason}", _HINT)
    else:
        strength = check.key_finding(key.type, key.bits, policy.key, partner=policy.title)
    return [strength, *rules_of(leaf, file, policy)]


def rules_of(leaf: Certificate, file: Sequence[Certificate], policy: Policy) -> list[Finding]:
    """Return the findings `policy` about a certificate and about its file."""
    if policy.certificate == _SILENT:
        return [_NO_LIMITS]
    return [*limits(leaf, policy), *chain_file(file, policy)]


def limits(leaf: Certificate, policy: Policy) -> list[Finding]:
    """Return the findings `policy`: one for each rule that is broken, or one if all hold."""
    rules, partner = policy.certificate, policy.title
    problems = list(_validity(leaf, policy))
    for oid, rule in ((oids.KEY_USAGE, rules.key_usage), (oids.EXTENDED_KEY_USAGE, rules.extended_key_usage)):
        problems += extensions.usage_problems(leaf, oid, rule, check="policy", partner=partner)
    for what, oid, answer in (
        ("alternative name", oids.SUBJECT_ALT_NAME, rules.san),
        ("authority key identifier", oids.AUTHORITY_KEY_IDENTIFIER, rules.authority_key_identifier),
    ):
        is_there = leaf.extension(oid) is not None
        if answer is not Answer.UNKNOWN and (answer is Answer.YES) is not is_there:
            message = f"the certificate has {'an' if is_there else 'no'} {what}, unlike those of {partner}"
            problems.append(critical("policy", message, _HINT))
    attributes = [names.Attribute(each.name, each.text or "") for each in leaf.subject.attributes]
    for each in subject.value_problems(attributes, rules.attributes):
        problems.append(critical("policy", each.message, _HINT))
    problems += [
        critical("policy", f"{name} is missing from the subject", _HINT)
        for name in rules.attributes
        if not leaf.subject.values(name)
    ]
    if rules.self_signed is Answer.NO and leaf.subject == leaf.issuer:
        problems.append(critical("policy", f"self-signed, which {partner} does not accept", "have a CA issue it"))
    if rules.public_ca is Answer.NO and is_public(leaf):
        message = f"issued by a public CA, which {partner} does not accept"
        problems.append(critical("policy", message, "use a certificate of the private CA that the partner names"))
    if problems:
        return problems
    days, begin, end = rules.max_validity_days, leaf.not_before, leaf.not_after
    if days and not isinstance(begin, Unreadable) and not isinstance(end, Unreadable):
        return [ok("policy", f"valid for {(end - begin).days} days, within the {days} of {partner}")]
    return [ok("policy", f"follows the rules of {partner}")]


def _validity(leaf: Certificate, policy: Policy) -> Iterator[Finding]:
    most, least = policy.certificate.max_validity_days, policy.certificate.min_validity_days
    begin, end = leaf.not_before, leaf.not_after
    if isinstance(begin, Unreadable) or isinstance(end, Unreadable):
        if most or least:
            yield unknown("policy", "a date cannot be read", "get a new certificate")
        return
    lifetime = end - begin
    if most and lifetime > timedelta(days=most) + _VALIDITY_SLACK:
        message = f"valid for {lifetime.days} days; {policy.title} allows at most {most}"
        yield critical("policy", message, _HINT)
    if least and lifetime < timedelta(days=least) - _VALIDITY_SLACK:
        message = f"valid for {lifetime.days} days; {policy.title} requires at least {least}"
        yield critical("policy", message, _HINT)


def chain_file(file: Sequence[Certificate], policy: Policy) -> Iterator[Finding]:
    """Yield the findings `policy` about a certificate's file: its order, and whether issuer and root are included."""
    rules, partner = policy.certificate, policy.title
    hint = "arrange the file as the partner requires"
    roots = [each for each in file if each.subject == each.issuer and each.is_ca]
    above = [each for each in file if each.is_ca and each not in roots]
    if rules.issuer_included is Answer.YES and not above and not roots:
        yield critical("policy", f"the file lacks the issuer's certificate, which {partner} requires", hint)
    if rules.issuer_included is Answer.NO and (above or roots):
        yield critical("policy", f"the file has the issuer's certificate; {partner} requires the leaf alone", hint)
    if rules.root_included is Answer.YES and not roots:
        yield critical("policy", f"the file lacks the root, which {partner} requires", hint)
    if rules.root_included is Answer.NO and roots:
        yield critical("policy", f"the file has the root, which {partner} does not accept", hint)
    ordered = list(file) if rules.order == "leaf-first" else list(reversed(file))
    is_ordered = all(low.issuer == high.subject for low, high in itertools.pairwise(ordered))
    if rules.order != "any" and not is_ordered:
        yield critical("policy", f"the certificates of the file are not in the order {rules.order}", hint)


def is_public(leaf: Certificate) -> bool:
    """Return whether a certificate has the marks of a publicly trusted CA: its policies, or logged timestamps."""
    policies = leaf.certificate_policies
    oids = [] if policies is None or isinstance(policies, Unreadable) else [each.oid for each in policies]
    is_marked = any(oid == _PUBLIC_POLICIES[0] or oid.startswith(_PUBLIC_POLICIES[1]) for oid in oids)
    return is_marked or leaf.extension(_TIMESTAMPS) is not None


def eidas(leaf: Certificate) -> list[Finding]:
    """Return a finding that shows what a qualified certificate is for and whose it is; none for other certificates."""
    extension = leaf.extension(oids.QC_STATEMENTS)
    if extension is None:
        return []
    try:
        message = qualified.parse(extension.raw).text or "qualified"
    except ValueError as error:
        return [warning("subject", f"the qcStatements cannot be read: {printable(str(error))}", "ask the issuer")]
    parts = [f"organizationIdentifier {each}" for each in leaf.subject.values("organizationIdentifier")]
    return [ok("subject", printable("; ".join([*parts, message])))]


def public_client(leaf: Certificate) -> list[Finding]:
    """Return a warning for a client certificate of a public CA: it will not be renewed as such."""
    usages = leaf.extended_key_usage
    is_client = not isinstance(usages, Unreadable) and "1.3.6.1.5.5.7.3.2" in (usages or ())
    if not is_client or not is_public(leaf) or leaf.extension(oids.QC_STATEMENTS) is not None:
        return []
    message = (
        "issued by a public CA, and public CAs have stopped issuing client certificates: it cannot be renewed as one"
    )
    return [warning("purpose", message, "get the next certificate from the partner's CA or a private CA")]
