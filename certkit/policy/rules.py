"""Policies: a partner's rules for keys, CSRs and certificates, as data (TOML) turned into values.

A policy file may extend another one; tables are merged key by key, and the nearer file wins. Every
key is known and typed: what is misspelt or of the wrong type is refused with its line.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from certkit.durations import Duration
from certkit.errors import InputError, PolicyError
from certkit.x509 import names
from certkit.x509.keys import KEY_TYPES, KeySpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_POLICY_BYTES = 32 * 1024
MAX_POLICY_LINES = 1000

Path: TypeAlias = tuple[str | int, ...]

# What applies where no policy says otherwise; `policies/general.toml` says the same.
DEFAULT_WARN = "28d"
DEFAULT_CRITICAL = "7d"


class Answer(StrEnum):
    """What a partner says about a question; `unknown` is a legal answer, for partners leave things unsaid."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Source:
    """Where rules were read, and on which day."""

    title: str
    read: date


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Which keys the partner takes: types by name, or any RSA key from a size on."""

    types: tuple[str, ...] = ()
    rsa_minimum_bits: int | None = None
    rsa_multiple_of: int = 1

    def accepts(self, type_name: str, bits: int) -> bool:
        """Whether a key of that type (spelt as `--type` does) and size is taken."""
        if type_name in self.types:
            return True
        return (
            self.rsa_minimum_bits is not None
            and type_name.startswith("rsa-")
            and bits >= self.rsa_minimum_bits
            and bits % self.rsa_multiple_of == 0
        )

    @property
    def default_type(self) -> str | None:
        """The first type that certkit can make."""
        listed = (name for name in self.types if name in KEY_TYPES)
        specs = (KeySpec(name) for name in KEY_TYPES)
        accepted = (spec.name for spec in specs if self.accepts(spec.name, spec.bits))
        return next(listed, None) or next(accepted, None)

    def describe(self) -> str:
        """The rule in words."""
        rules = list(self.types)
        if self.rsa_minimum_bits is not None:
            rest = f", divisible by {self.rsa_multiple_of}" if self.rsa_multiple_of > 1 else ""
            rules.append(f"RSA of {self.rsa_minimum_bits} bits or more{rest}")
        return ", ".join(rules)


@dataclass(frozen=True, slots=True)
class SubjectRules:
    """What a subject must say, may say, and what the partner replaces; attributes by short name (`O`, `CN`)."""

    required: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    common_name_pattern: str = ""
    common_name_form: str = ""
    max_length: Mapping[str, int] | None = None

    def upper_bound(self, attribute: str) -> int | None:
        """The greatest number of characters of an attribute: the policy's, else that of RFC 5280 appendix A.1."""
        return (self.max_length or {}).get(attribute, names.UPPER_BOUNDS.get(attribute))


@dataclass(frozen=True, slots=True)
class CsrRules:
    """In which form the partner takes a CSR."""

    forms: tuple[str, ...] = ("pem",)
    surrounding_text: Answer = Answer.UNKNOWN
    further_objects: Answer = Answer.UNKNOWN
    crlf: Answer = Answer.UNKNOWN
    new_label: Answer = Answer.UNKNOWN
    extensions: Answer = Answer.UNKNOWN
    san_types: tuple[str, ...] = names.SAN_TYPES
    digests: tuple[str, ...] = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class CertificateRules:
    """What the partner says about the certificates that it issues; None where it says nothing."""

    max_validity_days: int | None = None
    common_name: str = "any"
    max_live: int | None = None
    unique_names: Answer = Answer.UNKNOWN
    san: Answer = Answer.UNKNOWN
    extended_key_usage: Answer = Answer.UNKNOWN
    authority_key_identifier: Answer = Answer.UNKNOWN
    issuer_included: Answer = Answer.UNKNOWN
    dead_count_as_live: Answer = Answer.UNKNOWN


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """When to renew and to remind."""

    opens: Duration | None = None
    reuse_key: Answer = Answer.UNKNOWN
    reminders: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpiryRules:
    """From which time left on a certificate's expiry is a warning, or critical."""

    warn: Duration = field(default_factory=lambda: Duration.parse(DEFAULT_WARN))
    critical: Duration = field(default_factory=lambda: Duration.parse(DEFAULT_CRITICAL))


@dataclass(frozen=True, slots=True)
class Hosts:
    """The partner's addresses: https URLs, and plain http for loopback addresses only, as a rehearsal has them.

    Empty where there is none or it is not known.
    """

    web: str = ""
    api: str = ""
    api_mtls: str = ""
    probe_path: str = ""

    @property
    def probe_url(self) -> str:
        """What to ask for, to see whether a client certificate works; empty where it is not known."""
        return self.api_mtls.rstrip("/") + self.probe_path if self.api_mtls and self.probe_path else ""


@dataclass(frozen=True, slots=True)
class Portal:
    """The steps that a person takes where the partner issues certificates by hand."""

    name: str = ""
    request_steps: tuple[str, ...] = ()
    trust_steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A partner's rules, complete and checked.

    `environment` names the partner's environment, which several policies may be about; keys and CAs of one environment
    have no business in another. It is empty where there is only one.
    """

    name: str
    title: str
    summary: str
    environment: str
    sources: tuple[Source, ...]
    key: KeyRules
    subject: SubjectRules
    csr: CsrRules
    certificate: CertificateRules
    renewal: RenewalRules
    expiry: ExpiryRules
    hosts: Hosts
    portal: Portal


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One policy file, its keys and types checked, not yet merged with what it extends."""

    name: str
    where: str
    extends: str
    is_abstract: bool
    content: Mapping[str, Any]


def parse_file(text: str, *, name: str, where: str) -> PolicyFile:
    """One policy file from its TOML text; `where` names it in errors.

    Raises:
        PolicyError: not TOML, an unknown key, or a value of the wrong type, with the line.
    """
    if len(text) > MAX_POLICY_BYTES or text.count("\n") > MAX_POLICY_LINES:
        raise PolicyError(
            f"policy, {where}: larger than {MAX_POLICY_BYTES // 1024} kB or {MAX_POLICY_LINES} lines",
            hint="a policy is a short file of rules",
        )
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PolicyError(f"policy, {where}: not TOML: {reason}", hint="see https://toml.io") from error
    problem = _first_problem(content)
    if problem is not None:
        path, reason, hint = problem
        line = _line_of(text, path)
        raise PolicyError(f"policy, {where}, line {line}: {reason}", hint=hint)
    extends, is_abstract = content.pop("extends", ""), content.pop("abstract", False)
    return PolicyFile(name, where, extends, is_abstract, content)


def build(lineage: Sequence[PolicyFile]) -> Policy:
    """The policy of the first file, completed by those that it extends, in order.

    Raises:
        PolicyError: the policy is only a base, or lacks what every policy must say.
    """
    nearest = lineage[0]
    if nearest.is_abstract:
        raise PolicyError(
            f"policy, {nearest.where}: it is only a base for other policies",
            hint="name a policy that extends it; `certkit policy list` shows them",
        )
    merged: dict[str, Any] = {}
    for file in reversed(lineage):
        merged = _merge(merged, file.content)
    for required in ("title", "sources"):
        if not merged.get(required):
            raise PolicyError(
                f"policy, {nearest.where}: {required!r} is missing", hint="compare `certkit policy show general`"
            )
    return _from_content(nearest, merged)


def _from_content(file: PolicyFile, content: Mapping[str, Any]) -> Policy:
    sections = {
        section: made(**{key: _CONVERT.get((section, key), _plain)(value) for key, value in _table(content, section)})
        for section, made in _SECTIONS.items()
    }
    policy = Policy(
        name=file.name,
        title=content["title"],
        summary=content.get("summary", ""),
        environment=content.get("environment", ""),
        sources=tuple(Source(item["title"], item["read"]) for item in content["sources"]),
        **sections,
    )
    if not policy.key.types and policy.key.rsa_minimum_bits is None:
        raise PolicyError(f"policy, {file.where}: no key type is allowed", hint="set types in [key]")
    if policy.expiry.critical.exceeds(policy.expiry.warn):
        raise PolicyError(
            f"policy, {file.where}: critical ({policy.expiry.critical}) is more than warn ({policy.expiry.warn})",
            hint="correct [expiry]",
        )
    return policy


def _table(content: Mapping[str, Any], section: str) -> list[tuple[str, Any]]:
    return list(content.get(section, {}).items())


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        mine = merged.get(key)
        merged[key] = _merge(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


# What a value may be: a check says what it expected, or None when it is content.
Check: TypeAlias = "Callable[[Any], str | None]"


def _string(value: Any) -> str | None:
    return None if isinstance(value, str) else "expected a string"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "expected true or false"


def _answer(value: Any) -> str | None:
    return None if isinstance(value, bool) or value == "unknown" else 'expected true, false or "unknown"'


def _count(value: Any) -> str | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000
    return None if good else "expected a whole number above 0"


def _count_or_unknown(value: Any) -> str | None:
    return None if value == "unknown" or _count(value) is None else 'expected a whole number above 0, or "unknown"'


def _day(value: Any) -> str | None:
    good = isinstance(value, date) and type(value) is date
    return None if good else "expected a date such as 2026-11-22, without quotes"


def _duration(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            Duration.parse(value)
        except InputError:
            pass
        else:
            return None
    return 'expected a duration such as "28d" or "33%"'


def _url(value: Any) -> str | None:
    good = isinstance(value, str) and re.fullmatch(
        r"(https://[a-z0-9.-]+|http://(127\.0\.0\.1|\[::1\]))(:\d+)?(/[!-~]*)?", value
    )
    return None if good else "expected an https:// address"


def _url_path(value: Any) -> str | None:
    good = isinstance(value, str) and re.fullmatch(r"/[!-~]*", value)
    return None if good else "expected a path such as /v1/status"


def _pattern(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError):
            pass
        else:
            return None
    return "expected a regular expression"


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value in choices else f"expected one of {', '.join(choices)}"

    return check


def _list_of(item: Check) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return "expected a list"
        return next((f"item {at}: {said}" for at, one in enumerate(value, 1) if (said := item(one))), None)

    return check


def _day_number(value: Any) -> str | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000
    return None if good else "expected a number of days"


_KEY_NAME = re.compile(r"(rsa|dsa)-\d{3,5}|ec-[a-z0-9]+|ed25519|ed448", re.ASCII)


def _key_name(value: Any) -> str | None:
    good = isinstance(value, str) and _KEY_NAME.fullmatch(value)
    return None if good else f"expected a key type such as {', '.join(KEY_TYPES)}"


_attribute = _one_of(*names.ATTRIBUTE_OIDS)

_SCHEMA: dict[str, Check | dict[str, Check]] = {
    "title": _string,
    "summary": _string,
    "environment": _string,
    "extends": _string,
    "abstract": _boolean,
    "key": {"types": _list_of(_key_name), "rsa_minimum_bits": _count, "rsa_multiple_of": _count},
    "subject": {
        "required": _list_of(_attribute),
        "allowed": _list_of(_attribute),
        "overridden": _list_of(_attribute),
        "common_name_pattern": _pattern,
        "common_name_form": _string,
    },
    "csr": {
        "forms": _list_of(_one_of("pem", "der")),
        "surrounding_text": _answer,
        "further_objects": _answer,
        "crlf": _answer,
        "new_label": _answer,
        "extensions": _answer,
        "san_types": _list_of(_one_of(*names.SAN_TYPES)),
        "digests": _list_of(_one_of("sha224", "sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")),
    },
    "certificate": {
        "max_validity_days": _count_or_unknown,
        "common_name": _one_of("any", "client-id"),
        "max_live": _count_or_unknown,
        "unique_names": _answer,
        "san": _answer,
        "extended_key_usage": _answer,
        "authority_key_identifier": _answer,
        "issuer_included": _answer,
        "dead_count_as_live": _answer,
    },
    "renewal": {"opens": _duration, "reuse_key": _answer, "reminders": _list_of(_day_number)},
    "expiry": {"warn": _duration, "critical": _duration},
    "hosts": {"web": _url, "api": _url, "api_mtls": _url, "probe_path": _url_path},
    "portal": {"name": _string, "request_steps": _list_of(_string), "trust_steps": _list_of(_string)},
}
_SOURCE_SCHEMA: dict[str, Check] = {"title": _string, "read": _day}

_SECTIONS: dict[str, Callable[..., Any]] = {
    "key": KeyRules,
    "subject": SubjectRules,
    "csr": CsrRules,
    "certificate": CertificateRules,
    "renewal": RenewalRules,
    "expiry": ExpiryRules,
    "hosts": Hosts,
    "portal": Portal,
}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value


def _to_answer(value: Any) -> Answer:
    return Answer.UNKNOWN if value == "unknown" else (Answer.YES if value else Answer.NO)


def _to_count(value: int | str) -> int | None:
    return value if isinstance(value, int) else None


def _converters() -> dict[tuple[str, str], Callable[[Any], Any]]:
    by_check: dict[Check, Callable[[Any], Any]] = {
        _answer: _to_answer,
        _count_or_unknown: _to_count,
        _duration: Duration.parse,
    }
    return {
        (section, key): by_check[check]
        for section, keys in _SCHEMA.items()
        if isinstance(keys, dict)
        for key, check in keys.items()
        if check in by_check
    }


_CONVERT = _converters()

Problem: TypeAlias = tuple[Path, str, str]


def _first_problem(content: Mapping[str, Any]) -> Problem | None:
    """The first thing wrong with a file's keys and types: its path, the reason, a hint."""
    for key, value in content.items():
        if key == "sources":
            problem = _source_problem(value)
        elif key not in _SCHEMA:
            problem = _unknown_key((key,), _SCHEMA)
        else:
            problem = _value_problem(key, value, _SCHEMA[key])
        if problem is not None:
            return problem
    return None


def _value_problem(key: str, value: Any, rule: Check | dict[str, Check]) -> Problem | None:
    if not isinstance(rule, dict):
        return _typed((key,), value, rule)
    if not isinstance(value, dict):
        return (key,), f"{key}: expected a table, [{key}]", f"write [{key}] on a line of its own"
    for name, item in value.items():
        if (key, name) == ("subject", "max_length"):
            problem = _lengths_problem(item)
        elif name not in rule:
            problem = _unknown_key((key, name), rule)
        else:
            problem = _typed((key, name), item, rule[name])
        if problem is not None:
            return problem
    return None


def _lengths_problem(value: Any) -> Problem | None:
    path: Path = ("subject", "max_length")
    if not isinstance(value, dict):
        return path, "subject.max_length: expected a table such as { O = 64 }", "name an attribute and its length"
    for name, length in value.items():
        said = _attribute(name) or _count(length)
        if said is not None:
            return (*path, name), f"subject.max_length.{name}: {said}", "correct the value"
    return None


def _source_problem(value: Any) -> Problem | None:
    if not isinstance(value, list) or not value:
        return ("sources",), "sources: expected at least one [[sources]] table", "name where the rules were read"
    for at, item in enumerate(value):
        if not isinstance(item, dict):
            return ("sources",), "sources: expected [[sources]] tables", "write [[sources]] on a line of its own"
        for key, one in item.items():
            if key not in _SOURCE_SCHEMA:
                return _unknown_key(("sources", at, key), _SOURCE_SCHEMA)
            problem = _typed(("sources", at, key), one, _SOURCE_SCHEMA[key])
            if problem is not None:
                return problem
        missing = next((key for key in _SOURCE_SCHEMA if key not in item), None)
        if missing:
            return (
                ("sources", at),
                f"sources: {missing!r} is missing",
                "each source has a title and the day it was read",
            )
    return None


def _typed(path: Path, value: Any, check: Check) -> Problem | None:
    said = check(value)
    return None if said is None else (path, f"{_dotted(path)}: {said}", "correct the value")


def _unknown_key(path: Path, known: Mapping[str, Any]) -> Problem:
    import difflib

    keys = [*known, "sources"] if known is _SCHEMA else list(known)
    near = difflib.get_close_matches(str(path[-1]), keys, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(keys)}"
    return path, f"unknown key {_dotted(path)!r}", hint


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path if isinstance(part, str))


def _line_of(text: str, path: Path) -> int:
    """The line, from 1, on which the statement stands that brings a path into the document.

    The document is cut into statements: the shortest runs of lines that are TOML by themselves. The
    statement looked for is the last of the shortest run of statements, from the top, that has the path.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    starts, ends = _statements(lines)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _has_path(tomllib.loads("\n".join(lines[: ends[middle]])), path):
            high = middle
        else:
            low = middle + 1
    return starts[low] + 1


# What may stand after the end of a statement: nothing, a comment, a table, or a key.
_MAY_FOLLOW = re.compile(r"""\s*($|#|\[|[A-Za-z0-9_"'.-]+\s*[.=])""")


def _statements(lines: Sequence[str]) -> tuple[list[int], list[int]]:
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


def _has_path(content: Any, path: Path) -> bool:
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def as_document(policy: Policy) -> dict[str, Any]:
    """The policy as JSON-ready data: answers as true, false or "unknown", durations as text, days as ISO dates."""
    return {each.name: _document(getattr(policy, each.name)) for each in fields(policy)}


def _document(value: Any) -> Any:
    if isinstance(value, Answer):
        return {"yes": True, "no": False}.get(value.value, "unknown")
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_document(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: _document(getattr(value, each.name)) for each in fields(value)}
    return dict(value) if isinstance(value, dict) else value
