"""The shipped policies say what the partners' pages say: every rule, and no rule that a test would not miss."""

from __future__ import annotations

import copy
import dataclasses
import functools
from dataclasses import replace
from datetime import date

import pytest

from certkit.csr import build, check
from certkit.errors import PolicyError
from certkit.findings import Status
from certkit.policy import catalogue
from certkit.policy import format as files
from certkit.policy.values import Answer
from certkit.x509 import objects
from certkit.x509.keys import KeySpec
from tests.conftest import openssl
from tests.policy.partners import PARTNERS

REFERENCE = (
    "305b3013060604008e4601063009060704008e4601060330440606040081982702303a301330110607040081982701030c065053505f41490c1b"
    "46696e616e6369616c20436f6e6475637420417574686f726974790c0647422d464341"
)


@functools.cache
def key(name):
    """One key of each type for all tests."""
    return KeySpec(name).generate()


@functools.cache
def request(name, options, rules):
    """A CSR, once for all tests."""
    policy = replace(catalogue.load(name), csr=rules)
    return build.build(options, key(PARTNERS[name].key), policy)


def rejects(data, said, policy):
    """Return whether a policy rejects a CSR for a reason."""
    return any(said in each for each in problems(data, policy))


def states(rule, value, policy):
    """Return whether a policy states a rule with that value."""
    return {each.name: each.value for each in policy.stated}.get(rule) == value


def problems(data, policy):
    """Return the reasons why a partner would reject a CSR."""
    found = check.findings(objects.csr(data, name="CSR"), data, policy)
    return [each.message for each in found if each.status in {Status.CRITICAL, Status.UNKNOWN}]


def cases(name):
    """Each promise about a policy: what it is, and whether a policy keeps it."""
    partner, shipped = PARTNERS[name], catalogue.load(name)
    yield "good", lambda policy: problems(request(name, partner.good, shipped.csr), policy) == []
    for options, said in partner.breaks:
        data = request(name, options, shipped.csr)
        yield (
            f"{said}: {options}",
            functools.partial(rejects, data, said),
        )
    for rule in partner.without:
        section = {
            "csr.ca_false": replace(shipped.csr, ca_false=False),
            "csr.key_usage.critical": replace(
                shipped.csr, key_usage=replace(shipped.csr.key_usage, critical=Answer.NO)
            ),
        }[rule]
        said = "CA FALSE is missing" if rule == "csr.ca_false" else "the key usage must be critical"
        data = request(name, partner.good, section)
        yield said, functools.partial(rejects, data, said)
    for type_name in partner.keys:
        bits = int(type_name.strip("abcdefghijklmnopqrstuvwxyz-"))
        yield f"accepts {type_name}", lambda policy, one=(type_name, bits): policy.key.accepts(*one)
    for type_name in partner.wrong:
        bits = 255 if type_name == "ed25519" else int(type_name.strip("abcdefghijklmnopqrstuvwxyz-"))
        yield f"rejects {type_name}", lambda policy, one=(type_name, bits): not policy.key.accepts(*one)
    for rule, value in partner.facts.items():
        yield (
            rule,
            lambda policy, rule=rule, value=value: {each.name: each.value for each in policy.stated}.get(rule) == value,
        )


def without(name, rule):
    """A shipped policy without one rule."""
    lineage = [
        dataclasses.replace(
            file,
            choices=(),
            sources=tuple(dataclasses.replace(source, rules=()) for source in file.sources),
            content=copy.deepcopy(file.content),
        )
        for file in catalogue._lineage(catalogue._path(name))
    ]
    for file in lineage:
        *above, last = rule.split(".")
        table = file.content
        for part in above:
            table = table.get(part, {})
        table.pop(last, None)
    return files.build(lineage)


@pytest.mark.parametrize("name", PARTNERS)
def test_a_policy_says_what_its_page_says(name):
    """A request that follows the page passes; one for each rule that breaks it is rejected, for that reason."""
    policy = catalogue.load(name)
    assert [case for case, holds in cases(name) if not holds(policy)] == []


@pytest.mark.parametrize("name", PARTNERS)
def test_no_rule_can_be_dropped_unnoticed(name):
    """Without any one rule of a policy, some case of the test above fails."""
    listed = list(cases(name))
    unnoticed = []
    for rule in catalogue.load(name).stated:
        if rule.name == "notes" or rule.value == "unknown":
            continue
        try:
            policy = without(name, rule.name)
        except PolicyError:
            continue  # no key would be accepted at all
        if all(holds(policy) for _, holds in listed):
            unnoticed.append(rule.name)
    assert unnoticed == []


def test_every_shipped_policy_is_in_the_table():
    """None can be added without a test of each of its rules."""
    assert set(catalogue.names()) == set(PARTNERS)


@pytest.mark.parametrize("name", catalogue.names())
def test_every_rule_has_a_source_or_is_a_choice(name):
    """The source has a title and the day it was read; other rules are marked as the policy's own choice."""
    policy = catalogue.load(name)
    lineage = catalogue._lineage(catalogue._path(name))
    choices = [each for file in lineage for each in file.choices]
    for rule in policy.stated:
        is_choice = any(rule.name == each or rule.name.startswith(f"{each}.") for each in choices)
        assert is_choice or rule.sources, rule.name
    assert all(source.title and date(2026, 11, 1) < source.read <= date(2026, 11, 30) for source in policy.sources)
    assert set(policy.companions) <= set(catalogue.names())


EXTENSIONS = {
    "brazil-brcac": [
        *("X509v3 Basic Constraints:", "CA:FALSE", "X509v3 Key Usage: critical", "Digital Signature, Key Encipherment"),
        *("X509v3 Extended Key Usage:", "TLS Web Client Authentication"),
        *("X509v3 Subject Alternative Name:", "DNS:mtls.acme.com.br"),
    ],
    "brazil-brseal": ["X509v3 Key Usage: critical", "Digital Signature, Non Repudiation"],
    "obwac": [
        *("X509v3 Key Usage: critical", "Digital Signature"),
        *("X509v3 Extended Key Usage:", "TLS Web Server Authentication, TLS Web Client Authentication"),
        "qcStatements:",
    ],
    "obseal": ["X509v3 Key Usage: critical", "Digital Signature, Non Repudiation", "qcStatements:"],
}


@pytest.mark.parametrize("name", PARTNERS)
def test_openssl_reads_what_is_created(name):
    """The subject in its order, the extensions, and nothing else."""
    partner, policy = PARTNERS[name], catalogue.load(name)
    data = request(name, partner.good, policy.csr)
    shown = openssl("req", "-noout", "-verify", "-subject", "-nameopt", "sep_multiline,sname,utf8", stdin=data).stdout
    wanted = [f"{each.name}={each.value}" for each in partner.good.attributes()]
    assert [line.strip() for line in shown.decode().splitlines() if "=" in line and "subject" not in line] == wanted
    text = openssl("req", "-noout", "-text", stdin=data).stdout.decode()
    _, _, requested = text.partition("Requested Extensions:\n")
    lines = [line.strip() for line in requested.partition("    Signature Algorithm")[0].splitlines()]
    wanted = EXTENSIONS.get(name, [])
    assert lines[: len(wanted)] == wanted
    is_psd2 = "qcStatements:" in wanted
    assert (len(lines) > len(wanted)) == is_psd2


def test_the_statements_of_psd2_are_those_of_the_profiles():
    """Byte for byte the reference of "OpenSSL eIDAS PSD2 CSR Profiles": PSP_AI, the FCA, GB-FCA, for a website."""
    data = request("obwac", PARTNERS["obwac"].good, catalogue.load("obwac").csr)
    found = objects.csr(data, name="CSR")
    assert found.extension("1.3.6.1.5.5.7.1.3").raw.hex() == REFERENCE
