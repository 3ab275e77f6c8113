"""Checks of a CSR's extensions (RFC 2985) and other attributes against a policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from certkit.findings import Finding, critical, ok, warning
from certkit.policy.values import Answer
from certkit.printable import printable
from certkit.x509 import extensions as kinds
from certkit.x509 import oids, qualified
from certkit.x509.csr import CHALLENGE_PASSWORD
from certkit.x509.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.policy.rules import CsrRules, Policy, UsageRules
    from certkit.x509.csr import Csr
    from certkit.x509.signed import Signed

_NEW_CSR = "create a new CSR: certkit csr create"
_NAMES = {
    oids.KEY_USAGE: "keyUsage",
    oids.EXTENDED_KEY_USAGE: "extendedKeyUsage",
    oids.SUBJECT_ALT_NAME: "subjectAltName",
    oids.BASIC_CONSTRAINTS: "basicConstraints",
    oids.QC_STATEMENTS: "qcStatements",
}
# ETSI TS 119 495 sections 5.2.1 and 5.2.3: PSD, the country, the authority, the number that it gave.
_PSD2_IDENTIFIER = re.compile(r"PSD([A-Z]{2}-[A-Z]{2,8})-.+")
_AUTHORITY_ID = re.compile(r"[A-Z]{2}-[A-Z]{2,8}")


def findings(request: Csr, policy: Policy) -> list[Finding]:
    """Return one finding for each rule that is broken, or one if all hold."""
    rules, partner = policy.csr, policy.title
    problems = []
    if any(attribute.oid == CHALLENGE_PASSWORD for attribute in request.attributes):
        message = "the CSR contains a challenge password, which anyone who sees the CSR can read"
        hint = "create the CSR without one; if that password is used elsewhere, change it there"
        problems.append(warning("extensions", message, hint))
    for oid in dict.fromkeys(each.oid for each in request.extensions):
        value = request.values.get(oid)
        if isinstance(value, Unreadable):
            message = f"the requested extensions cannot be read: {_name(oid)}: {printable(value.reason)}"
            problems.append(critical("extensions", message, _NEW_CSR))
    problems += _without_rule(request, rules, partner)
    problems += _alternative_names(request, rules, partner)
    for oid, rule in ((oids.KEY_USAGE, rules.key_usage), (oids.EXTENDED_KEY_USAGE, rules.extended_key_usage)):
        problems += usage_problems(request, oid, rule, check="extensions", partner=partner)
    constraints = request.values.get(oids.BASIC_CONSTRAINTS)
    if constraints and constraints.ca:
        problems.append(critical("extensions", "the CSR asks for a CA certificate", "ask for a client certificate"))
    if constraints is None and rules.ca_false:
        message = f"basicConstraints with CA FALSE is missing; {partner} requires it"
        problems.append(critical("extensions", message, _NEW_CSR))
    problems += _statements(request, rules, partner)
    listed = ", ".join(_name(each.oid) for each in request.extensions)
    return problems or [ok("extensions", f"asks for {listed}" if listed else "none requested")]


def usage_problems(holder: Signed[Any], oid: str, rule: UsageRules, *, check: str, partner: str) -> Iterator[Finding]:
    """Yield the findings for an (extended) key usage that breaks its rule, in a CSR or a certificate."""
    extension = holder.extension(oid)
    what = "key usage" if oid == oids.KEY_USAGE else "extended key usage"
    hint = f"add --{what.replace(' ', '-')} {{}}" if check == "extensions" else "ask the partner for a new certificate"
    demanded = ", ".join(rule.demanded)
    if extension is None:
        if rule.present is Answer.YES:
            message = f"there is no {what}; {partner} requires {demanded or 'one'}"
            yield critical(check, message, hint.format(rule.demanded[0] if rule.demanded else "USAGE"))
        return
    found = [kinds.PURPOSES.get(each, each) for each in extension.value or ()]
    missing = [each for each in rule.demanded if each not in found]
    excess = sorted(each for each in found if (rule.exact and each not in rule.exact) or each in rule.forbidden)
    if rule.present is Answer.NO:
        article = "an" if what[0] == "e" else "a"
        yield critical(check, f"there is {article} {what}; {partner} does not accept one", "leave it out")
    if missing:
        message = f"the {what} lacks {', '.join(missing)}, which {partner} requires"
        yield critical(check, message, hint.format(missing[0]))
    if excess:
        yield critical(check, f"the {what} has {', '.join(excess)}, which {partner} does not accept", "leave it out")
    if rule.critical is not Answer.UNKNOWN and (rule.critical is Answer.YES) is not extension.critical:
        wanted = "critical" if rule.critical is Answer.YES else "not critical"
        yield critical(check, f"the {what} must be {wanted} for {partner}", _NEW_CSR)


# The options that request an extension.
_OPTIONS = {
    oids.SUBJECT_ALT_NAME: "--san",
    oids.KEY_USAGE: "--key-usage",
    oids.EXTENDED_KEY_USAGE: "--extended-key-usage",
    oids.QC_STATEMENTS: "--qc-type and --psd2-role",
}


def _without_rule(request: Csr, rules: CsrRules, partner: str) -> Iterator[Finding]:
    """Yield findings about extensions for which the policy has no rule of their own."""
    ruled = {
        oids.KEY_USAGE: not rules.key_usage.is_silent,
        oids.EXTENDED_KEY_USAGE: not rules.extended_key_usage.is_silent,
        oids.SUBJECT_ALT_NAME: rules.san is not Answer.UNKNOWN or rules.san_is_common_name,
        oids.BASIC_CONSTRAINTS: rules.ca_false,
        oids.QC_STATEMENTS: bool(rules.qc_types) or rules.psd2,
    }
    found = [each.oid for each in request.extensions if not ruled.get(each.oid)]
    listed = ", ".join(map(_name, found))
    options = " and ".join(dict.fromkeys(_OPTIONS[oid] for oid in found if oid in _OPTIONS))
    hint = f"leave {options} out if not needed" if options else "create the CSR without them: certkit csr create"
    if listed and rules.extensions is Answer.NO:
        message = f"the CSR asks for extensions ({listed}); {partner} rejects this"
        yield critical("extensions", message, hint)
    elif listed and rules.extensions is Answer.UNKNOWN:
        message = f"the documentation of {partner} does not say whether these are accepted"
        message = f"the CSR asks for extensions ({listed}); {message}"
        yield warning("extensions", message, hint)


def _alternative_names(request: Csr, rules: CsrRules, partner: str) -> Iterator[Finding]:
    listed = () if isinstance(request.subject_alt_name, Unreadable) else request.subject_alt_name or ()
    if rules.san is Answer.YES and not listed:
        yield critical("extensions", f"there is no alternative name; {partner} requires one", "add --san DNS:NAME")
    if rules.san is Answer.NO and listed:
        yield critical("extensions", f"there are alternative names; {partner} does not accept them", "leave --san out")
    for kind in dict.fromkeys(name.kind for name in listed):
        if kind not in rules.san_types:
            hint = f"use one of: {', '.join(rules.san_types)}"
            yield critical("extensions", f"{partner} does not accept names of type {kind}", hint)
    wanted = [("DNS", value) for value in request.subject.values("CN")]
    if rules.san_is_common_name and [(name.kind, name.value) for name in listed] != wanted:
        message = f"the alternative names are not the CN alone, as {partner} requires"
        yield critical("extensions", message, "leave --san out; certkit takes the name from the CN")


def _statements(request: Csr, rules: CsrRules, partner: str) -> Iterator[Finding]:
    """Yield findings about the statements of a qualified certificate (ETSI EN 319 412-5) and PSD2 (ETSI TS 119 495)."""
    extension = request.extension(oids.QC_STATEMENTS)
    try:
        found = qualified.parse(extension.raw) if extension else qualified.Statements()
    except ValueError as error:
        yield critical("extensions", f"the qcStatements cannot be read: {printable(str(error))}", _NEW_CSR)
        return
    if rules.qc_types and found.types != rules.qc_types:
        message = f"the qualified type is {', '.join(found.types) or 'absent'}; {partner} requires {rules.qc_types[0]}"
        yield critical("extensions", message, f"add --qc-type {rules.qc_types[0]}")
    if rules.psd2 and not (found.roles and found.authority and found.authority_id):
        message = f"the PSD2 roles and the competent authority are missing; {partner} requires them"
        yield critical("extensions", message, "add --psd2-role, --psd2-authority and --psd2-authority-id")
        return
    unknown = [role for role in found.roles if role not in qualified.PSD2_ROLES]
    if unknown:
        hint = f"use one of: {', '.join(qualified.PSD2_ROLES)}"
        yield critical("extensions", f"{', '.join(unknown)} is not a PSD2 role", hint)
    if found.roles and not _AUTHORITY_ID.fullmatch(found.authority_id):
        message = f"the authority's id {printable(found.authority_id)!r} does not have the form CC-AUTHORITY"
        yield critical("extensions", message, "give --psd2-authority-id such as GB-FCA (ETSI TS 119 495 section 5.2.3)")
    for value in request.subject.values("organizationIdentifier") if found.roles else ():
        match = _PSD2_IDENTIFIER.fullmatch(value)
        if match and match[1] != found.authority_id:
            message = f"organizationIdentifier names {match[1]}, the PSD2 statement {printable(found.authority_id)}"
            yield critical("extensions", message, "correct --psd2-authority-id or the organizationIdentifier")


def _name(oid: str) -> str:
    return _NAMES.get(oid, oid)
