"""Kubeconfig files: the certificates in them, and the files of certificates that they name.

Source: the package k8s.io/client-go/tools/clientcmd/api/v1, read 2026-11-23, by which `...-data` wins over a path. Only
names, certificates and paths of certificates are extracted; keys, tokens and passwords are never read.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from certkit.errors import InputError
from certkit.printable import printable

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 200_000
MAX_PROBLEMS = 20

_MAX_NAME = 200
_MAX_PATH = 4096
_HINT = "compare it with the output of `kubectl config view`"

# A file is read if it begins like a kubeconfig, so that other files that mention one are not.
_BEGIN = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:[ \t\r]*(?:\#[^\n]*|%[^\n]*|---[ \t\r]*(?:\#[^\n]*)?)?\n)*+[ \t]*
    (?:(\{)|["']?(?:apiVersion|kind|clusters|users|contexts|current-context|preferences|extensions)["']?[ \t]*:)""",
    re.VERBOSE,
)
_BLOCK = re.compile(rb"^[\"']?(?:clusters|users)[\"']?[ \t]*:", re.MULTILINE)
_FLOW = re.compile(rb"[\"'{,\s](?:clusters|users)[\"']?\s*:")
_CONTENT = re.compile(
    rb"""(?:certificate-authority|client-certificate)(?:-data)?["']?\s*:|\bkind["']?\s*:\s*["']?Config["']?\s*(?:$|[,}\#])""",
    re.MULTILINE | re.VERBOSE,
)


# The entries with certificates: a user has its own, a cluster those of its CAs.
_FIELDS = {"user": "client-certificate", "cluster": "certificate-authority"}


def is_kubeconfig(data: bytes) -> bool:
    """Return whether the bytes look like a kubeconfig: a quick check, because most files do not."""
    if b"users" not in data and b"clusters" not in data:
        return False
    begin = _BEGIN.match(data, 0, MAX_BYTES)
    if begin is None or not _CONTENT.search(data, 0, MAX_BYTES):
        return False
    entries = _FLOW if begin[1] else _BLOCK
    return entries.search(data, 0, MAX_BYTES) is not None


def read(data: bytes) -> Kubeconfig:
    """Return the certificates of a kubeconfig, YAML or JSON; a problem with one entry does not hide the others.

    Raises:
        InputError: if nothing can be read; the message is a reason (`it is ...`) and never quotes the file.
    """
    document, problems = _document(data)
    if not isinstance(document, dict):
        raise InputError("the kubeconfig is not a mapping", hint=_HINT)
    found = Kubeconfig()
    for problem in problems:
        found.complain(problem)
    for holder in _FIELDS:
        found.read(document, holder)
    return found


@dataclass(slots=True)
class Kubeconfig:
    """The certificates of a kubeconfig, each with the user or cluster that it is for, which is safe to show.

    What is embedded is PEM, if everything is OK; a relative path starts in the kubeconfig's own directory. Problems are
    in words.
    """

    embedded: list[tuple[str, bytes]] = field(default_factory=list)
    references: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _left: int = field(default=MAX_BYTES, compare=False)

    def complain(self, problem: str) -> None:
        """Note a problem once, and none beyond a limit."""
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def read(self, document: dict[str, Any], holder: str) -> None:
        """Read the entries of all users, or of all clusters."""
        names: set[str] = set()
        items = self._mapping(document, "the kubeconfig").get(f"{holder}s") or []
        if not isinstance(items, list):
            self.complain(f"{holder}s is not a list")
            return
        for number, item in enumerate(items, 1):
            fields = self._mapping(item, f"{holder} number {number}")
            name = fields.get("name") or ""
            if not isinstance(name, str):
                self.complain(f"{holder} number {number}: its name is not a string")
                name = ""
            entry = f"{holder} {_shown(name) or '(without a name)'}"
            if name and name in names:
                self.complain(f"{entry}: the name appears twice")
            names.add(name)
            self._read_entry(entry, self._mapping(fields.get(holder), entry), _FIELDS[holder])

    def _read_entry(self, entry: str, fields: dict[str, Any], path_name: str) -> None:
        data_name = f"{path_name}-data"
        data, path = self._text(fields, data_name, entry), self._text(fields, path_name, entry)
        if data:
            # Through aliases a few bytes could stand for any number of certificates.
            self._left -= len(data)
            if self._left < 0:
                raise InputError("the kubeconfig has too many certificates", hint=_HINT)
            try:
                decoded = base64.b64decode("".join(data.split()), validate=True)
            except ValueError:
                self.complain(f"{entry}: {data_name} is not base64")
            else:
                self.embedded.append((entry, decoded))
        elif len(path) > _MAX_PATH:
            self.complain(f"{entry}: {path_name} is longer than any path")
        elif path:
            self.references.append((entry, path))

    def _mapping(self, value: Any, where: str) -> dict[str, Any]:
        if not value:
            return {}
        if not isinstance(value, dict):
            self.complain(f"{where} is not a mapping")
            return {}
        if "<<" in value:
            self.complain(f"{where} has a merge key (<<), which is not read")
        return value

    def _text(self, fields: dict[str, Any], name: str, entry: str) -> str:
        value = fields.get(name) or ""
        if isinstance(value, str):
            return value.strip()
        self.complain(f"{entry}: {name} is not text")
        return ""


def _shown(name: str) -> str:
    """Return a name that is safe to show, cut if it is very long."""
    return printable(name[:_MAX_NAME]) + ("…" if len(name) > _MAX_NAME else "")


def _document(data: bytes) -> tuple[Any, list[str]]:
    """Return a document of dictionaries by text, lists, text and None; and its problems in words."""
    if len(data) > MAX_BYTES:
        raise InputError(f"the kubeconfig is larger than {MAX_BYTES:,} bytes", hint=_HINT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the kubeconfig is not UTF-8 text", hint=_HINT) from error
    if text.lstrip().startswith("{"):
        # YAML may begin like this as well.
        with contextlib.suppress(ValueError, RecursionError):
            return _json(text)
    return _yaml(text)


def _json(text: str) -> tuple[Any, list[str]]:
    problems: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in pairs:
            if key in made:
                problems.append(_twice(key))
            made[key] = value
        return made

    # A number is treated as text here, and may be longer than Python converts.
    return json.loads(text, object_pairs_hook=mapping, parse_int=str, parse_float=str, parse_constant=str), problems


def _twice(key: str) -> str:
    return f"the key {_shown(key)} appears twice"


def _yaml(text: str) -> tuple[Any, list[str]]:
    """Return the first document, which is all that kubectl reads.

    PyYAML composes nodes in C where it has libyaml, by recursion, so the depth and length of a text must be checked
    first. An alias is the node that it names; numbers and merge keys are not evaluated.
    """
    try:
        import yaml
    except ImportError as error:
        hint = "install it beside certkit: pip install pyyaml"
        raise InputError("reading a kubeconfig requires PyYAML, which is not installed", hint=hint) from error
    if text.count(",") + len(text.splitlines()) > MAX_VALUES:
        raise InputError(f"the kubeconfig has more than {MAX_VALUES:,} values", hint=_HINT)
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = max(0, depth + (1 if bracket[0] in "[{" else -1 if bracket[0] in "]}" else MAX_DEPTH))
        if depth >= MAX_DEPTH:
            raise InputError(f"the kubeconfig is nested deeper than {MAX_DEPTH} levels", hint=_HINT)
    problems: list[str] = []
    try:
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)(text)
        document = _plain(loader.get_node(), {}, problems) if loader.check_node() else None
        if loader.check_node():
            problems.append("it has more than one document, of which only the first is read")
    except RecursionError as error:
        raise InputError(f"the kubeconfig is nested deeper than {MAX_DEPTH} levels", hint=_HINT) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", see line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"the kubeconfig is not YAML{where}", hint=_HINT) from error
    return document, problems


def _plain(node: Any, made: dict[int, Any], problems: list[str]) -> Any:
    """Return the value of a node; one that is repeated through aliases is built once."""
    if node is None or id(node) in made:
        return made.get(id(node))
    if isinstance(node.value, str):
        return None if not node.style and node.value in _NULL else node.value
    if node.id == "sequence":
        items = made[id(node)] = []
        items.extend(_plain(each, made, problems) for each in node.value)
        return items
    mapping: dict[Any, Any] = {}
    made[id(node)] = mapping
    for name, value in node.value:
        key = name.value if isinstance(name.value, str) else None  # no other YAML key names a field
        if key in mapping and key is not None:
            problems.append(_twice(key))
        mapping[key] = _plain(value, made, problems)
    return mapping


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
# What nests: brackets, and many dashes in a line.
_BRACKET = re.compile(rf"[\[\]{{}}]|^(?:[ ]*[-?:](?=[ ])){{{MAX_DEPTH}}}", re.MULTILINE)
