"""`docs/reference/policies.md` documents every key of the format, as `certkit.policy.rules` declares it."""

from __future__ import annotations

import re
from dataclasses import MISSING
from pathlib import Path

import pytest

from certkit.policy import format as files
from certkit.policy import rules, values

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "policies.md").read_text()
KNOWN = values.declared(rules.Policy)
SECTIONS = ("key", "subject", "csr", "certificate", "renewal", "expiry", "hosts", "portal", "webhooks")


def default(declared):
    """A default as the page writes it."""
    if declared.default_factory is not MISSING:
        return "none"
    if declared.default is MISSING:
        return "must be given"
    value = files.as_document(declared.default)
    if isinstance(value, bool):
        return str(value).lower()
    if value in (None, "", []):
        return "none"
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value)
    return value if value == "unknown" else f"`{value}`"


def row(name, declared):
    """A line of a table: the key, an example, the default, the meaning."""
    kind = declared.metadata["kind"]
    example = kind.example.replace("|", "\\|")
    shown = f"`{example}`" if 0 < len(example) <= 48 else kind.expected
    return f"| `{name}` | {shown} | {default(declared)} | {declared.metadata['meaning']} |"


@pytest.mark.parametrize(
    "table",
    [*(KNOWN[section].default_factory for section in SECTIONS), rules.RuleSource, rules.AttributeRules],
    ids=lambda table: table.__name__,
)
def test_every_key_is_documented(table):
    """With what it may be, its default and its meaning, in the order of the declaration."""
    rows = [row(name, declared) for name, declared in values.declared(table).items()]
    assert "\n".join(rows) in PAGE


def test_every_key_of_a_file_is_documented():
    """Those of the policy, and those of the file itself."""
    rows = [row(name, declared) for name, declared in KNOWN.items() if name not in SECTIONS]
    assert "\n".join(rows) in PAGE
    assert all(f"`{key}" in PAGE or f"[[{key}]]" in PAGE for key in files._FILE_KEYS)


def test_the_example_is_valid():
    """As it is printed."""
    [example] = re.findall(r"## An example\n\n```toml\n(.*?)```", PAGE, re.DOTALL)
    policy = files.build([files.parse_file(example, name="acme-bank", where="acme-bank.toml")])
    assert (policy.key.default_type, policy.certificate.max_live) == ("rsa-4096", 2)
    assert [each.sources[0].title for each in policy.stated if each.name == "certificate.max_live"] == [
        "Acme Bank developer portal: renewal"
    ]
