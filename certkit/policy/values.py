"""Kinds of values in a policy file: their description, and how they are read."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from certkit.durations import Duration
from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Path: TypeAlias = tuple[str | int, ...]

_MAX_NUMBER = 100_000


class Answer(StrEnum):
    """A partner's answer to a question; `unknown` where its documentation does not say."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Mismatch(ValueError):  # noqa: N818  it is caught where the line is known, and becomes a PolicyError there
    """A value or key that the format does not know: where it is, what is wrong, and a hint."""

    def __init__(self, path: Path, message: str, hint: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ValueKind:
    """One kind of value: what is expected, an example in TOML, and how to read it (ValueError if it is not one)."""

    expected: str
    example: str
    parse: Callable[[Any, Path], Any]
    suggestions: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: Any, path: Path) -> Any:
        """Return the value that a policy's TOML value stands for.

        Raises:
            Mismatch: if it is not of this kind.
        """
        try:
            return self.parse(value, path)
        except Mismatch:
            raise
        except (ValueError, InputError, OverflowError, RecursionError, re.error):
            import difflib

            near = difflib.get_close_matches(value, self.suggestions, n=1) if isinstance(value, str) else []
            hint = f"did you mean {self.suggestions[near[0]]!r}?" if near else "correct the value"
            raise Mismatch(path, f"{dotted(path)}: expected {self.expected}", hint) from None


def dotted(path: Path) -> str:
    """Return a path as TOML writes it, without positions in lists."""
    return ".".join(str(part) for part in path if isinstance(part, str))


def declared(table: type[Any]) -> dict[str, Any]:
    """Return the keys of a table: the fields with a kind, by name."""
    return {each.name: each for each in fields(table) if "kind" in each.metadata}


def read_table(made: type[Any], value: Any, path: Path) -> Any:
    """Return the value of a table's class from a TOML table.

    Raises:
        Mismatch: if a key is unknown or missing, or a value not of its kind.
    """
    if not isinstance(value, dict):
        name = dotted(path)
        raise Mismatch(path, f"{name}: expected a table, [{name}]", f"write [{name}] on a line of its own")
    known = declared(made)
    found = read_keys({name: each.metadata["kind"] for name, each in known.items()}, value, path)
    for each in known.values():
        if each.name not in found and each.default is MISSING and each.default_factory is MISSING:
            hint = "each source has a title and the day it was read"
            raise Mismatch(path, f"{dotted(path)}: {each.name!r} is missing", hint)
    return made(**found)


def read_keys(known: Mapping[str, ValueKind], content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Read the values of a table's keys, each by its kind.

    Raises:
        Mismatch: if a key is unknown, or a value not of its kind.
    """
    found = {}
    for name, value in content.items():
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            raise Mismatch((*path, name), f"unknown key {dotted((*path, name))!r}", hint)
        found[name] = known[name].read(value, (*path, name))
    return found


def require(good: Any, value: Any) -> Any:
    """Return the value if a condition holds.

    Raises:
        ValueError: if it does not.
    """
    if not good:
        raise ValueError
    return value


def matching(expected: str, example: str, form: str) -> ValueKind:
    """Return the kind of a string that matches a regular expression."""
    compiled = re.compile(form, re.ASCII)
    return ValueKind(
        expected, example, lambda value, _: require(isinstance(value, str) and compiled.fullmatch(value), value)
    )


def one_of(*choices: str) -> ValueKind:
    """Return the kind of a string that is one of these."""
    expected = f"one of {', '.join(choices)}"
    return ValueKind(
        expected,
        f'"{choices[0]}"',
        lambda value, _: require(value in choices, value),
        dict(zip(choices, choices, strict=True)),
    )


def list_of(item: ValueKind) -> ValueKind:
    """Return the kind of a list with items of one kind; it becomes a tuple."""

    def parse(value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            raise ValueError  # noqa: TRY004  `Kind.read` makes the message
        found = []
        for at, one in enumerate(value, 1):
            try:
                found.append(item.read(one, ()))
            except Mismatch as error:
                reason = error.message.removeprefix(": ")
                raise Mismatch(path, f"{dotted(path)}: item {at}: {reason}", error.hint) from None
        return tuple(found)

    return ValueKind("a list", f"[{item.example}]", parse)


def by_name(item: ValueKind, *, of: ValueKind, example: str) -> ValueKind:
    """Return the kind of a table whose keys are all of one kind, and its values of another."""

    def parse(value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            expected = f"{dotted(path)}: expected a table such as {example}"
            raise Mismatch(path, expected, "name an attribute and its value")
        return {of.read(name, (*path, name)): item.read(one, (*path, name)) for name, one in value.items()}

    return ValueKind("a table", example, parse)


def or_unknown(kind: ValueKind) -> ValueKind:
    """Return a kind that may also be "unknown", which becomes None."""
    return ValueKind(
        f'{kind.expected}, or "unknown"',
        kind.example,
        lambda value, path: None if value == "unknown" else kind.parse(value, path),
    )


def _answer(value: Any, _: Path) -> Answer:
    require(isinstance(value, bool) or value == "unknown", value)
    return Answer.UNKNOWN if value == "unknown" else (Answer.YES if value else Answer.NO)


TEXT = ValueKind("a string", '"text"', lambda value, _: require(isinstance(value, str), value))
TEXTS = list_of(TEXT)
BOOLEAN = ValueKind("true or false", "true", lambda value, _: require(isinstance(value, bool), value))
ANSWER = ValueKind('true, false or "unknown"', "true", _answer)
COUNT = ValueKind(
    "a whole number above 0", "1", lambda value, _: require(type(value) is int and 0 < value < _MAX_NUMBER, value)
)
DAYS = ValueKind("a number of days", "28", lambda value, _: require(type(value) is int and 0 <= value < 10_000, value))
DAY = ValueKind(
    "a date such as 2026-11-22, without quotes",
    "2026-11-30",
    lambda value, _: require(type(value) is date, value),
)
DURATION = ValueKind(
    'a duration such as "28d" or "33%"',
    '"28d"',
    lambda value, _: Duration.parse(require(isinstance(value, str), value)),
)
PATTERN = ValueKind(
    "a regular expression",
    '"[A-Z]{3}"',
    lambda value, _: re.compile(require(isinstance(value, str), value)).pattern,
)
URL = matching(
    "an https:// address",
    '"https://api.example"',
    r"(https://[a-z0-9.-]+|http://(127\.0\.0\.1|\[::1\]))(:\d+)?(/[!-~]*)?",
)
HEADER = matching("the name of a header", '"X-Status"', r"[A-Za-z0-9-]{1,100}")
URL_PATH = matching("a path such as /v1/status", '"/v1/status"', r"/[!-~]*")
