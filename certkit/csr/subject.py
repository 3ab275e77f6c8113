"""Checks of a subject against a policy: required, allowed and forbidden attributes, their order and values."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from certkit.findings import Finding, critical, ok, warning
from certkit.policy.values import Answer
from certkit.printable import brief
from certkit.x509 import attributes, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from certkit.policy.rules import AttributeRules, SubjectRules
    from certkit.x509.names import Attribute

_OPTIONS = {
    "C": "--country",
    "ST": "--state",
    "L": "--locality",
    "O": "--organization",
    "OU": "--unit",
    "CN": "--common-name",
    "emailAddress": "--email",
}
# Attributes of which a subject has one; others may be repeated.
_SINGLE = ("C", "O", "CN")


def findings(found: Sequence[Attribute], rules: SubjectRules, *, text: str = "", partner: str) -> list[Finding]:
    """Return one finding for each rule that is broken, or one if all hold; `text` is the subject in RFC 4514 form."""
    shown = brief(text, 600) or "empty"
    if rules.ignored is Answer.YES:
        return [ok("subject", f"{shown}; {partner} does not use the CSR's subject")]
    problems = [*_presence(found, rules, partner), *_form(found, rules)]
    problems += value_problems(found, {item.name: rules.of(item.name) for item in found})
    problems += [
        warning("subject", f"{name} appears more than once", f"create a CSR with a single {name}")
        for name in _SINGLE
        if len(names.values(found, name)) > 1 and rules.of(name).maximum is None
    ]
    if problems:
        return problems
    overridden = [name for name in rules.overridden if names.values(found, name)]
    note = f"; {partner} replaces {', '.join(overridden)} in the certificate" if overridden else ""
    return [ok("subject", f"{shown}{note}")]


def option(attribute: str, rules: AttributeRules | None = None) -> str:
    """Return the option that sets an attribute, with its value if the rules leave no choice."""
    only = rules.values[0] if rules and len(rules.values) == 1 else ""
    if attribute in _OPTIONS:
        return f"{_OPTIONS[attribute]} {shlex.quote(only)}" if only else _OPTIONS[attribute]
    return "--subject " + shlex.quote(f"{attribute}={only or 'VALUE'}")


def _presence(found: Sequence[Attribute], rules: SubjectRules, partner: str) -> Iterator[Finding]:
    """Yield findings about missing, forbidden, or misplaced attributes."""
    missing = [name for name in rules.required if not any(value.strip() for value in names.values(found, name))]
    if missing:
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        both = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        message = f"{both} {are} missing; {partner} requires {them}"
        yield critical("subject", message, _completing(found, missing, rules))
    for name in dict.fromkeys(item.name for item in found):
        if (rules.allowed and name not in rules.allowed) or name in rules.forbidden:
            allowed = f"; allowed: {', '.join(rules.allowed)}" if rules.allowed else ""
            yield critical("subject", f"{name} is not allowed by {partner}", f"leave {option(name)} out{allowed}")
    listed = [item.name for item in found if item.name in rules.order]
    if listed != sorted(listed, key=rules.order.index):
        hint = f"give --subject in this order: {', '.join(rules.order)}"
        yield critical("subject", f"the order is {', '.join(listed)}; {partner} requires a different order", hint)


def _completing(found: Sequence[Attribute], missing: Sequence[str], rules: SubjectRules) -> str:
    """Return a hint with the options for missing attributes.

    An attribute without an option of its own needs --subject, which takes the whole subject and no other options.
    """
    if all(name in _OPTIONS for name in missing):
        them = "it" if len(missing) == 1 else "them"
        return f"set {them} with {' '.join(option(name, rules.of(name)) for name in missing)}"
    given = {name: names.values(found, name) for name in (each.name for each in found)}
    wanted = [name for name in (*given, *missing) if not rules.allowed or name in rules.allowed]
    wanted.sort(key=lambda name: rules.order.index(name) if name in rules.order else len(rules.order))
    options: list[str] = []
    for name in dict.fromkeys(wanted):
        rule = rules.of(name)
        values = rule.values if len(rule.values) == 1 else [each for each in given.get(name, ()) if each.strip()]
        options += [
            f"--subject {shlex.quote(f'{name}={value}')}" for value in values or ["VALUE"] * (rule.minimum or 1)
        ]
    return f"give the whole subject with {' '.join(options)}"


def _form(found: Sequence[Attribute], rules: SubjectRules) -> Iterator[Finding]:
    """Yield findings about invalid values, whatever the partner: empty, too long, control characters, not a country."""
    for name, value in ((item.name, item.value) for item in found):
        bound = rules.upper_bound(name)
        if name in attributes.COUNTRIES_IN:
            yield from _country(name, value)
        elif not value.strip() and name not in rules.required:
            yield critical("subject", f"{name} is empty", f"leave {option(name)} out, or give it a value")
        elif bound is not None and len(value) > bound:
            message = f"{name} has {len(value)} characters, more than {bound}"
            own = "" if bound != attributes.UPPER_BOUNDS.get(name) else " (RFC 5280 appendix A.1)"
            yield critical("subject", message + own, f"shorten {option(name)}")
        if names.has_control(value):
            message = f"{name}={brief(value)} contains control characters"
            yield critical("subject", message, f"correct {option(name)}")


def _country(name: str, value: str) -> Iterator[Finding]:
    """Check a country code (X.520): a code outside ISO 3166 is a warning, because partners ask for EU."""
    message, code = f"{name}={brief(value)}", value.upper()
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        yield critical(
            "subject", f"{message} is not a two-letter country code", f"set {option(name)} to a code such as GB or EU"
        )
        return
    known = attributes.COUNTRIES | attributes.OTHER_COUNTRIES
    meant = attributes.COUNTRY_SLIPS.get(code, code if code in known else "")
    if value not in known:
        hint = f"did you mean {meant}?" if meant else f"check {option(name)} against ISO 3166"
        yield warning("subject", f"{message} is not an ISO 3166 country code", hint)


def value_problems(found: Sequence[Attribute], rules: Mapping[str, AttributeRules]) -> Iterator[Finding]:
    """Yield the findings for values that break the rules of their attribute."""
    for name, rule in rules.items():
        values = names.values(found, name)
        if values and len(values) < rule.minimum:
            message = f"{name} appears {len(values)} times, fewer than {rule.minimum}"
            yield critical("subject", message, f"repeat {option(name)}")
        if rule.maximum is not None and len(values) > rule.maximum:
            message = f"{name} appears {len(values)} times, more than {rule.maximum}"
            yield critical("subject", message, f"give {option(name)} at most {rule.maximum} times")
        for value in values:
            for problem in _broken(value, rule, found):
                yield critical("subject", f"{name}={brief(value)} {problem}", f"correct {option(name, rule)}")


def _broken(value: str, rule: AttributeRules, found: Sequence[Attribute]) -> Iterator[str]:
    """Yield the rules that a value breaks."""
    if rule.values and value not in rule.values:
        yield f"is not {' or '.join(map(repr, rule.values))}"
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield f"does not have the form {rule.form or rule.pattern}"
    if rule.same_as and value not in names.values(found, rule.same_as):
        yield f"is not the same as {rule.same_as}"
    is_host = "." in value and names.is_dns_name(value)
    if rule.host_name is Answer.YES and not is_host:
        yield "is not a host name"
    if rule.host_name is Answer.NO and is_host:
        yield "is a host name"
