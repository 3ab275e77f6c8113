"""Policy files (TOML): read, completed by what they extend, and written as data.

A policy file may extend another one; tables are merged key by key, and the nearer file wins. Every key is declared in
`certkit.policy.rules`: a misspelt one, or a value of the wrong type, is refused with its line.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

from certkit.durations import Duration
from certkit.errors import PolicyError
from certkit.policy import values
from certkit.policy.rules import NO_LONGER_RULES, AttributeRules, Policy, RuleSource, Stated
from certkit.policy.values import Answer, Mismatch, ValueKind, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_POLICY_BYTES = 32 * 1024
MAX_POLICY_LINES = 1000

# Keys that name a policy, and so are not rules.
_NO_RULES = frozenset({"title", "summary", "environment", "credential", "companions"})
_YEAR_DAYS = 366


def _sources(value: Any, path: values.Path) -> tuple[RuleSource, ...]:
    if not isinstance(value, list) or not value:
        reason = "sources: expected at least one [[sources]] table"
        raise Mismatch(path, reason, "name where the rules were read")
    if not all(isinstance(item, dict) for item in value):
        raise Mismatch(path, "sources: expected [[sources]] tables", "write [[sources]] on a line of its own")
    return tuple(values.read_table(RuleSource, item, (*path, at)) for at, item in enumerate(value))


# The keys of a file that are not rules of the policy itself.
_FILE_KEYS = {
    "format": ValueKind("one of 1, 2", "2", lambda value, _: require(type(value) is int and value in {1, 2}, value)),
    "extends": values.TEXT,
    "abstract": values.BOOLEAN,
    "choices": values.list_of(values.TEXT),
    "sources": ValueKind("[[sources]] tables", "", _sources),
}
_KEYS = {**{name: each.metadata["kind"] for name, each in values.declared(Policy).items()}, **_FILE_KEYS}


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One policy file, its keys and types checked, not yet merged with what it extends.

    `content` has its rules, `old` the names of those that no longer are rules.
    """

    name: str
    where: str
    extends: str
    is_abstract: bool
    choices: tuple[str, ...]
    sources: tuple[RuleSource, ...]
    content: Mapping[str, Any]
    old: tuple[str, ...]


def parse_file(text: str, *, name: str, where: str) -> PolicyFile:
    """Return one policy file from its TOML text; `where` names it in errors.

    Raises:
        PolicyError: if it is not TOML, has an unknown key, or a value of the wrong type, with the line.
    """
    if len(text) > MAX_POLICY_BYTES or text.count("\n") > MAX_POLICY_LINES:
        raise PolicyError(
            f"policy {where}: larger than {MAX_POLICY_BYTES // 1024} kB or {MAX_POLICY_LINES} lines",
            hint="a policy is a short file of rules",
        )
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PolicyError(f"policy {where}: not TOML: {reason}", hint="see https://toml.io") from error
    old = []
    for rule in NO_LONGER_RULES:
        section, _, key = rule.partition(".")
        if isinstance(content.get(section), dict) and key in content[section]:
            del content[section][key]
            old.append(rule)
    try:
        found = values.read_keys(_KEYS, content, ())
    except Mismatch as problem:
        line = _line_of(text, problem.path)
        raise PolicyError(f"policy {where}, line {line}: {problem.message}", hint=problem.hint) from None
    return PolicyFile(
        name,
        where,
        extends=found.get("extends", ""),
        is_abstract=found.get("abstract", False),
        choices=found.get("choices", ()),
        sources=found.get("sources", ()),
        content={key: value for key, value in content.items() if key not in _FILE_KEYS},
        old=tuple(old),
    )


def build(lineage: Sequence[PolicyFile]) -> Policy:
    """Return the policy of the first file, completed by those that it extends, in order.

    Raises:
        PolicyError: if the policy is only a base, lacks what every policy must say, or contradicts itself.
    """
    nearest = lineage[0]
    if nearest.is_abstract:
        raise PolicyError(
            f"policy {nearest.where}: this is only a base for other policies",
            hint="name a policy that extends it; `certkit policy list` shows them",
        )
    merged: dict[str, Any] = {}
    stated: dict[str, Stated] = {}
    listed: list[RuleSource] = []
    choices: list[str] = []
    for file in reversed(lineage):
        own = file.sources
        listed = [*own, *(each for each in listed if each not in own)]
        choices += file.choices
        for rule, value in _leaves(file.content):
            stated[rule] = Stated(rule, value, _origin(rule, own, choices) or _origin(rule, listed, choices))
        merged = _merge(merged, file.content)
    for required, given in (("title", merged.get("title")), ("sources", listed)):
        if not given:
            raise PolicyError(
                f"policy {nearest.where}: {required!r} is missing", hint="compare `certkit policy show general`"
            )
    old = {rule for file in lineage for rule in file.old}
    policy = Policy(
        name=nearest.name,
        stated=tuple(stated[rule] for rule, _ in _leaves(merged) if rule in stated),
        remarks=tuple(f"{rule} is no longer a rule: {why}" for rule, why in NO_LONGER_RULES.items() if rule in old),
        **values.read_keys(_KEYS, merged, ()),
        sources=tuple(listed),
    )
    _require_consistency(policy, nearest.where, choices)
    return policy


def _require_consistency(policy: Policy, where: str, choices: Sequence[str]) -> None:
    """Refuse a policy whose rules contradict each other, or whose sources name rules that it does not have."""
    problem = None
    if policy.key.default_type is None and not policy.key.describe():
        problem = "no key type is allowed", "set types in [key]"
    elif policy.expiry.critical.exceeds(policy.expiry.warn):
        reason = f"critical ({policy.expiry.critical}) is more than warn ({policy.expiry.warn})"
        problem = reason, "correct [expiry]"
    elif policy.renewal.opens and policy.renewal.at_least and policy.renewal.at_least.exceeds(policy.renewal.opens):
        reason = (
            f"renewal opens {policy.renewal.opens} before expiry, but the partner requires {policy.renewal.at_least}"
        )
        problem = reason, "correct opens in [renewal]"
    named = [*choices, *(rule for source in policy.sources for rule in source.rules)]
    stray = next((rule for rule in named if not any(_covers(rule, each.name) for each in policy.stated)), None)
    if problem is None and stray is not None:
        problem = f"no rule {stray!r} in this policy", "correct the list of rules of that source, or `choices`"
    if problem is not None:
        raise PolicyError(f"policy {where}: {problem[0]}", hint=problem[1])


def _covers(named: str, rule: str) -> bool:
    """Return whether a name of a rule or section, as sources list them, is that of this rule or its section."""
    return rule == named or rule.startswith(f"{named}.")


def _origin(rule: str, sources: Sequence[RuleSource], choices: Sequence[str]) -> tuple[RuleSource, ...]:
    """Return the sources of a rule: the most specific, else those that name no rule; empty for the author's choice."""
    if any(_covers(choice, rule) for choice in choices):
        return ()
    nearest = max((len(each) for source in sources for each in source.rules if _covers(each, rule)), default=0)
    naming = [
        source for source in sources if any(len(each) == nearest and _covers(each, rule) for each in source.rules)
    ]
    return tuple(naming if nearest else [source for source in sources if not source.rules])


def _leaves(content: Mapping[str, Any], *above: str) -> Iterator[tuple[str, Any]]:
    """Yield the rules of a file by their dotted names, and their values in TOML."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, *above, key)
        elif above or key not in _NO_RULES:
            yield ".".join((*above, key)), value


def notes(policy: Policy, today: date) -> list[str]:
    """Return remarks on a policy: keys without a meaning, rules read more than a year ago."""
    old = [source for source in policy.sources if (today - source.read).days > _YEAR_DAYS]
    message = [f"{source.title}: read on {source.read}, more than a year ago; read it again" for source in old]
    return [*policy.remarks, *message]


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        mine = merged.get(key)
        merged[key] = _merge(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def _line_of(text: str, path: values.Path) -> int:
    """Return the line, from 1, of the statement that defines a path in the document.

    The document is cut into statements: the shortest runs of lines that are TOML by themselves. The statement wanted is
    the last of the shortest run of statements, from the top, that has the path.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    starts, ends = _statements(lines)

    def has_path(end: int) -> bool:
        content: Any = tomllib.loads("\n".join(lines[:end]))
        try:
            for part in path:
                content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
        return True

    return starts[min(bisect.bisect_left(ends, True, key=has_path), len(ends) - 1)] + 1


# What may follow the end of a statement: nothing, a comment, a table, or a key.
_MAY_FOLLOW = re.compile(r"""\s*($|#|\[|[A-Za-z0-9_"'.-]+\s*[.=])""")


def _statements(lines: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the first lines and the ends of the statements, in lines from 0; each is TOML by itself."""
    starts, ends, start = [], [], 0
    for at in range(len(lines)):
        chunk = "\n".join(lines[start : at + 1])
        if not chunk.strip() or chunk.lstrip().startswith("#"):
            start = at + 1
            continue
        if at + 1 < len(lines) and not _MAY_FOLLOW.match(lines[at + 1]):
            continue
        try:
            tomllib.loads(chunk)
        except ValueError:
            continue
        starts.append(start)
        ends.append(at + 1)
        start = at + 1
    return starts, ends


def as_document(value: Any) -> Any:
    """Return a policy as JSON-ready data: answers as true, false or "unknown", durations as text, days as ISO dates."""
    if isinstance(value, Answer):
        return {"yes": True, "no": False}.get(value.value, "unknown")
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [as_document(item) for item in value]
    if isinstance(value, dict):
        return {name: as_document(item) for name, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: as_document(getattr(value, each.name)) for each in fields(value)}
    return value


_SKELETON = """\
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


def skeleton(name: str, today: date) -> str:
    """Return a policy file to start from, valid unchanged: every key of the format, commented out and explained."""
    known = values.declared(Policy)
    tables = {key: each for key, each in known.items() if each.default_factory is not MISSING and key not in _VALUES}
    head = "".join(_line(key, each) for key, each in known.items() if key not in tables and key != "title")
    source = "".join(
        _line(key, each) for key, each in values.declared(RuleSource).items() if key not in {"title", "read"}
    )
    parts = [_SKELETON.format(name=name, today=today, head=head, source=source.rstrip("\n"))]
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
