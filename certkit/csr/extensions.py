"""Whether what a CSR asks for follows a policy's rules: extensions (RFC 2985) and other attributes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from certkit.csr.build import KEY_USAGE_FIELDS
from certkit.findings import Finding, critical, ok, warning
from certkit.policy.values import Answer
from certkit.printable import printable
from certkit.x509 import csr as requests
from certkit.x509 import names, qualified
from certkit.x509.attributes import EXTENDED_KEY_USAGES, KEY_USAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from certkit.policy.rules import CsrRules, Policy, UsageRules

_CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"  # noqa: S105  the name of an attribute (RFC 2985 section 5.4.1)
_SAN, _KEY_USAGE, _EXTENDED_KEY_USAGE, _BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.19"
_NEW_CSR = "create a new CSR: certkit csr create"
# ETSI TS 119 495 sections 5.2.1 and 5.2.3: PSD, the country, the authority, the number that it gave.
_PSD2_IDENTIFIER = re.compile(r"PSD([A-Z]{2}-[A-Z]{2,8})-.+")
_AUTHORITY_ID = re.compile(r"[A-Z]{2}-[A-Z]{2,8}")


def findings(request: x509.CertificateSigningRequest, policy: Policy) -> list[Finding]:
    """Return one finding for each rule that is broken, or one if all hold."""
    rules, partner = policy.csr, policy.title
    problems = list(_attribute_problems(request))
    extensions = requests.requested_extensions(request)
    if isinstance(extensions, str):
        problems.append(critical("extensions", f"the requested extensions cannot be read: {extensions}", _NEW_CSR))
        return problems
    found = {extension.oid.dotted_string: extension for extension in extensions}
    problems += _without_rule(found, rules, partner)
    problems += _alternative_names(found.get(_SAN), request, rules, partner)
    for oid, rule, what in (
        (_KEY_USAGE, rules.key_usage, "key usage"),
        (_EXTENDED_KEY_USAGE, rules.extended_key_usage, "extended key usage"),
    ):
        problems += usage_problems(found.get(oid), rule, check="extensions", what=what, partner=partner)
    problems += _ca(found.get(_BASIC_CONSTRAINTS), rules, partner)
    problems += _statements(found.get(qualified.QC_STATEMENTS), request, rules, partner)
    listed = ", ".join(map(_name, extensions))
    return problems or [ok("extensions", f"asks for {listed}" if listed else "none requested")]


def usages(extension: x509.Extension[Any]) -> tuple[str, ...]:
    """Return the names of the usages in a key usage or extended key usage; an unknown one is its OID."""
    from cryptography import x509

    if isinstance(extension.value, x509.KeyUsage):
        set_bits = [getattr(extension.value, f"_{name}") for name in KEY_USAGE_FIELDS]
        return tuple(name for name, is_set in zip(KEY_USAGES, set_bits, strict=True) if is_set)
    known = {oid: name for name, oid in EXTENDED_KEY_USAGES.items()}
    return tuple(known.get(each.dotted_string, each.dotted_string) for each in extension.value)


def usage_problems(
    extension: x509.Extension[Any] | None, rule: UsageRules, *, check: str, what: str, partner: str
) -> Iterator[Finding]:
    """Return the findings for an (extended) key usage that breaks its rule, in a CSR or a certificate."""
    hint = f"add --{what.replace(' ', '-')} {{}}" if check == "extensions" else "ask the partner for a new certificate"
    demanded = ", ".join(rule.demanded)
    if extension is None:
        if rule.present is Answer.YES:
            said = f"there is no {what}; {partner} requires {demanded or 'one'}"
            yield critical(check, said, hint.format(rule.demanded[0] if rule.demanded else "USAGE"))
        return
    found = usages(extension)
    missing = [each for each in rule.demanded if each not in found]
    excess = [each for each in found if (rule.exact and each not in rule.exact) or each in rule.forbidden]
    if rule.present is Answer.NO:
        yield critical(check, f"there is a {what}; {partner} does not accept one", "leave it out")
    if missing:
        yield critical(
            check, f"the {what} lacks {', '.join(missing)}, which {partner} requires", hint.format(missing[0])
        )
    if excess:
        yield critical(check, f"the {what} has {', '.join(excess)}, which {partner} does not accept", "leave it out")
    if rule.critical is not Answer.UNKNOWN and (rule.critical is Answer.YES) is not extension.critical:
        wanted = "critical" if rule.critical is Answer.YES else "not critical"
        yield critical(check, f"the {what} must be {wanted} for {partner}", _NEW_CSR)


def _attribute_problems(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    try:
        present = {attribute.oid.dotted_string for attribute in request.attributes}
    except Exception:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
        yield critical("extensions", "the CSR's attributes cannot be read", _NEW_CSR)
        return
    if _CHALLENGE_PASSWORD in present:
        yield warning(
            "extensions",
            "the CSR contains a challenge password, which anyone who sees the CSR can read",
            "create the CSR without one; if that password is used elsewhere, change it there",
        )


def _without_rule(found: dict[str, x509.Extension[Any]], rules: CsrRules, partner: str) -> Iterator[Finding]:
    """Extensions about which the policy has no rule of their own."""
    ruled = {
        _KEY_USAGE: not rules.key_usage.is_silent,
        _EXTENDED_KEY_USAGE: not rules.extended_key_usage.is_silent,
        _SAN: rules.san is not Answer.UNKNOWN or rules.san_is_common_name,
        _BASIC_CONSTRAINTS: rules.ca_false,
        qualified.QC_STATEMENTS: bool(rules.qc_types) or rules.psd2,
    }
    listed = ", ".join(_name(extension) for oid, extension in found.items() if not ruled.get(oid))
    if listed and rules.extensions is Answer.NO:
        yield critical(
            "extensions", f"the CSR asks for extensions ({listed}); {partner} rejects this", "leave them out"
        )
    elif listed and rules.extensions is Answer.UNKNOWN:
        said = f"the documentation of {partner} does not say whether these are accepted"
        said = f"the CSR asks for extensions ({listed}); {said}"
        yield warning("extensions", said, "leave --san out if it is not needed")


def _alternative_names(
    extension: x509.Extension[Any] | None,
    request: x509.CertificateSigningRequest,
    rules: CsrRules,
    partner: str,
) -> Iterator[Finding]:
    listed = [names.san_parts(each) for each in extension.value] if extension is not None else []
    if rules.san is Answer.YES and not listed:
        yield critical("extensions", f"there is no alternative name; {partner} requires one", "add --san DNS:NAME")
    if rules.san is Answer.NO and listed:
        yield critical("extensions", f"there are alternative names; {partner} does not accept them", "leave --san out")
    for kind in dict.fromkeys(kind for kind, _ in listed):
        if kind not in rules.san_types:
            hint = f"use one of: {', '.join(rules.san_types)}"
            yield critical("extensions", f"{partner} does not accept names of type {kind}", hint)
    if rules.san_is_common_name:
        wanted = [("DNS", value) for value in names.values(_subject(request), "CN")]
        if listed != wanted:
            said = f"the alternative names are not the CN alone, as {partner} requires"
            yield critical("extensions", said, "leave --san out; certkit takes it from the CN")


def _subject(request: x509.CertificateSigningRequest) -> tuple[names.Attribute, ...]:
    """The attributes of the subject; none where it cannot be read, which is a finding of its own."""
    try:
        return names.attributes(request.subject)
    except Exception:  # noqa: BLE001  as above
        return ()


def _ca(extension: x509.Extension[Any] | None, rules: CsrRules, partner: str) -> Iterator[Finding]:
    if extension is not None and extension.value.ca:
        yield critical("extensions", "the CSR asks for a CA certificate", "ask for a client certificate")
    if extension is None and rules.ca_false:
        said = f"basicConstraints with CA FALSE is missing; {partner} requires it"
        yield critical("extensions", said, _NEW_CSR)


def _statements(
    extension: x509.Extension[Any] | None,
    request: x509.CertificateSigningRequest,
    rules: CsrRules,
    partner: str,
) -> Iterator[Finding]:
    """The statements of a qualified certificate (ETSI EN 319 412-5) and of PSD2 (ETSI TS 119 495)."""
    try:
        found = qualified.parse(extension.value.value) if extension is not None else qualified.Statements()
    except (ValueError, IndexError) as error:
        yield critical("extensions", f"the qcStatements cannot be read: {printable(str(error))}", _NEW_CSR)
        return
    if rules.qc_types and found.types != rules.qc_types:
        said = f"the qualified type is {', '.join(found.types) or 'absent'}; {partner} requires {rules.qc_types[0]}"
        yield critical("extensions", said, f"add --qc-type {rules.qc_types[0]}")
    if rules.psd2 and not (found.roles and found.authority and found.authority_id):
        said = f"the PSD2 roles and the competent authority are missing; {partner} requires them"
        yield critical("extensions", said, "add --psd2-role, --psd2-authority and --psd2-authority-id")
        return
    unknown = [role for role in found.roles if role not in qualified.PSD2_ROLES]
    if unknown:
        hint = f"use one of: {', '.join(qualified.PSD2_ROLES)}"
        yield critical("extensions", f"{', '.join(unknown)} is not a PSD2 role", hint)
    if found.roles and not _AUTHORITY_ID.fullmatch(found.authority_id):
        said = f"the authority's id {printable(found.authority_id)!r} does not have the form CC-AUTHORITY"
        yield critical("extensions", said, "give --psd2-authority-id such as GB-FCA (ETSI TS 119 495 section 5.2.3)")
    for value in names.values(_subject(request), "organizationIdentifier") if found.roles else ():
        match = _PSD2_IDENTIFIER.fullmatch(value)
        if match and match[1] != found.authority_id:
            said = (
                f"organizationIdentifier names the authority {match[1]}, the statement {printable(found.authority_id)}"
            )
            yield critical("extensions", said, "correct --psd2-authority-id or the organizationIdentifier")


def _name(extension: x509.Extension[Any]) -> str:
    if extension.oid.dotted_string == qualified.QC_STATEMENTS:
        return "qcStatements"
    name = extension.oid._name  # noqa: SLF001  the library's only name for it
    return name if name != "Unknown OID" else extension.oid.dotted_string
