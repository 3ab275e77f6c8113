"""A policy file to start from: every key of the format, commented out and explained."""

from __future__ import annotations

from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

from certkit.policy import values
from certkit.policy.rules import AttributeRules, Policy, RuleSource

if TYPE_CHECKING:
    from datetime import date

_START = """\
# The rules of {name} for keys, CSRs and certificates. Validate it with: certkit policy validate {name}.toml
# What the partner's documentation does not say is left out, or "unknown". Every rule has a source: without `rules`, a
# source is that of all rules; rules under `choices` are your own. docs/reference/policies.md explains the format.
format = 2
title = "{name}"
# extends = "general"  # Start from another policy: its name, or the path of its file.
# choices = ["key"]  # Rules, or sections of rules, that are your own and not the partner's.
{head}
[[sources]]
title = "Site and title of the page"
read = {today}
{source}
"""


def text(name: str, today: date) -> str:
    """Return a policy file for a partner, which is valid unchanged."""
    known = values.declared(Policy)
    tables = {key: each for key, each in known.items() if each.default_factory is not MISSING and key not in _VALUES}
    head = "".join(_line(key, each) for key, each in known.items() if key not in tables and key != "title")
    source = "".join(
        _line(key, each) for key, each in values.declared(RuleSource).items() if key not in {"title", "read"}
    )
    parts = [_START.format(name=name, today=today, head=head, source=source.rstrip("\n"))]
    for key, each in tables.items():
        table = values.declared(each.default_factory)
        parts.append(f"# {each.metadata['meaning']}\n[{key}]\n")
        if key == "key":
            parts.append('types = ["ec-p256", "rsa-2048"]\n')
        left_out = {"attributes", "common_name_pattern", "common_name_form", *(["types"] if key == "key" else [])}
        parts += [_line(entry, one) for entry, one in table.items() if entry not in left_out]
        if "attributes" in table:
            rules = "".join(_line(entry, one) for entry, one in values.declared(AttributeRules).items())
            parts.append(f"\n# {table['attributes'].metadata['meaning']}\n# [{key}.attributes.CN]\n{rules}")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


# Keys of a policy that are values although they have a default of their own.
_VALUES = frozenset({"companions", "notes"})


def _line(key: str, declared: Any) -> str:
    return f"# {key} = {declared.metadata['kind'].example}  # {declared.metadata['meaning']}\n"
