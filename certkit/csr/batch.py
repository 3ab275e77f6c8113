"""Use case: creating keys and CSRs by the thousand, in one directory."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from certkit import processes
from certkit.csr import keyfile
from certkit.csr.create import MadeRequest, default_spec, new_csr, read_existing, refuse, refuse_early
from certkit.errors import InputError, RefusedError
from certkit.files import reading
from certkit.files import writing as files
from certkit.findings import critical
from certkit.policy.values import Answer
from certkit.x509 import keys, names
from certkit.x509.keys import KeySpec
from certkit.x509.names import SubjectOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from certkit.csr.keyfile import Writing
    from certkit.policy.rules import Policy

MAX_ENTRIES = 100_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SPELT = {"units": "unit"}
_OPTIONS = {_SPELT.get(each.name, each.name): each.name for each in fields(SubjectOptions)}
_OPTION = re.compile(r"--([a-z0-9-]+)")
_ATTRIBUTE = r"--subject (?:'[^']*'|[^\s;]+)"
_ATTRIBUTES = re.compile(f"{_ATTRIBUTE}(?: {_ATTRIBUTE})*")


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """One line of a batch: the name of its files, its subject, the type of its key."""

    name: str
    subject: SubjectOptions
    spec: KeySpec


def parse(data: bytes, policy: Policy, *, name: str, spec: KeySpec | None = None) -> list[BatchEntry]:
    """Return the entries of a batch file: JSON Lines, one object of subject options per line, with a `name`.

    Raises:
        InputError: if a line is not such an object, with its number.
    """
    default = spec or default_spec(policy)
    entries = []
    seen: dict[str, int] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"batch {name}, line {number}"
        entry = parse_line(line, where, default)
        if entry.name in seen:
            raise InputError(
                f"{where}: line {seen[entry.name]} has the name {entry.name!r} as well",
                hint="give each line a unique name",
            )
        seen[entry.name] = number
        entries.append(entry)
        if len(entries) > MAX_ENTRIES:
            raise InputError(f"{where}: more than {MAX_ENTRIES:,} entries", hint="split the file")
    if not entries:
        hint = 'write one object per line: {"name": "acme", "organization": "Acme Ltd"}'
        raise InputError(f"batch {name}: no entries", hint=hint)
    return entries


def create(entries: Sequence[BatchEntry], policy: Policy, directory: Path, *, writing: Writing) -> list[MadeRequest]:
    """Create a key and a CSR for each entry, as `NAME.key` and `NAME.csr` in one directory: all of them, or none.

    With `if_absent`, files that exist and match stay, and the others are added.

    Raises:
        RefusedError: if the policy refuses one of them; nothing was written.
        InputError: if a file exists and does not match, or a file cannot be written.
    """
    if not reading.is_directory(directory):
        files.require_absent(directory, hint="name a directory with --out-dir")
        files.require_directory(directory.absolute())
    if policy.key.encrypted is Answer.YES and writing.passphrase is None:
        message = f"{policy.title} requires a passphrase on the private key"
        refuse([critical("key-file", message, "add --passphrase-file FILE")], policy)
    try:
        for entry in entries:
            refuse_early(entry.subject, policy, entry.spec, who=entry.name)
    except RefusedError as error:
        error.hint = with_keys(error.hint)
        raise
    made: dict[str, MadeRequest] = {}
    missing = []
    with writing.progress(f"creating {len(entries):,} keys and CSRs"), files.Staging(directory) as staging:

        def make(some: Sequence[BatchEntry]) -> list[MadeRequest]:
            return [_make(entry, policy, directory, staging, writing) for entry in some]

        for entry in entries:
            if any(reading.exists(path) for path in _paths(entry, directory)):
                made[entry.name] = make([entry])[0]
            else:
                missing.append(entry)
        if missing:
            staging.open()
        for entry, one in zip(missing, processes.in_parallel(make, missing), strict=True):
            made[entry.name] = one
        staging.publish()
    return [made[entry.name] for entry in entries]


def with_keys(hint: str) -> str:
    """Return a hint about options of `csr create` with the keys that they have in the file of a batch."""

    def key(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return f'"{name}"' if name in {"type", *_OPTIONS} else option[0]

    def attributes(options: re.Match[str]) -> str:
        words = [word for word in shlex.split(options[0]) if word != "--subject"]
        return f'"subject": {json.dumps(words, ensure_ascii=False)}'

    return _OPTION.sub(key, _ATTRIBUTES.sub(attributes, hint))


def _paths(entry: BatchEntry, directory: Path) -> tuple[Path, Path]:
    return directory / f"{entry.name}.key", directory / f"{entry.name}.csr"


def _make(entry: BatchEntry, policy: Policy, directory: Path, staging: files.Staging, writing: Writing) -> MadeRequest:
    """Stage the key and the CSR of an entry, or what is missing of them."""
    key_path, csr_path = _paths(entry, directory)
    has_key, has_csr = reading.exists(key_path), reading.exists(csr_path)
    if not writing.if_absent:
        for path in (key_path, csr_path):
            files.require_absent(path, hint="choose another directory, or use --if-absent")
    if has_csr and not has_key:
        raise InputError(f"cannot complete {csr_path}: the CSR exists, but its key does not", hint="move the CSR away")
    if has_key:
        held = keyfile.existing_key(key_path, entry.spec, writing.passphrase)
    else:
        held = keyfile.HeldKey(entry.spec.generate(), keyfile.is_private(key_path))
        staging.write(key_path.name, keys.to_pem(held.key, writing.passphrase))
    if has_csr:
        checked = read_existing(csr_path, entry.subject, held.key, policy)
    else:
        checked = new_csr(entry.subject, held.key, policy)
        staging.write(csr_path.name, checked.pem)
    return MadeRequest(
        changed=not has_csr,
        csr_path=csr_path,
        key_path=key_path,
        csr=checked,
        key_file=held.file,
        name=entry.name,
    )


def parse_line(line: bytes, where: str, default: KeySpec) -> BatchEntry:
    """Return the entry in one line of a batch file; `where` names the line in errors.

    Raises:
        InputError: if the line is not a valid entry.
    """
    try:
        found = json.loads(line, object_pairs_hook=lambda pairs: _unique(pairs, where))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON", hint="write one JSON object per line") from error
    if not isinstance(found, dict):
        hint = 'such as {"name": "acme", "organization": "Acme Ltd"}'
        raise InputError(f"{where}: expected a JSON object", hint=hint)
    known = ("name", "type", *_OPTIONS)
    for key in found:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}", hint=f"known: {', '.join(known)}")
    name = found.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{where}: `name` must be 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit",
            hint="the files are called NAME.key and NAME.csr",
        )
    try:
        given = {
            name: _value(found, option, is_list=name in names.LISTS)
            for option, name in _OPTIONS.items()
            if option in found
        }
        subject = SubjectOptions(**given)
        for san in subject.san:
            names.parse_san(san)
        return BatchEntry(
            name, subject, KeySpec.parse(_value(found, "type", is_list=False)) if "type" in found else default
        )
    except InputError as error:
        raise InputError(f"{where}: {error.message}", hint=error.hint) from error


def _unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"{where}: the key {key!r} appears more than once", hint="remove one of them")
        found[key] = value
    return found


def _value(found: dict[str, Any], option: str, *, is_list: bool) -> Any:
    """Return the value of an option: a text, or a tuple of texts if the option may be repeated."""
    value = found[option]
    items = [value] if isinstance(value, str) else value if is_list else None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        expected = "a string or a list of strings" if is_list else "a string"
        raise InputError(f"`{option}` must be {expected}", hint="put the values in quotes")
    return tuple(items) if is_list else value
