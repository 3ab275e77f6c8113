"""Use case: making keys and CSRs on disk, repeatably.

Nothing is written before everything is made, read back and checked against the policy.
"""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit import files
from certkit.core import csr, keys, names, objects
from certkit.core.keys import KeyFacts, KeySpec
from certkit.core.names import SubjectOptions
from certkit.errors import InputError, RefusedError
from certkit.findings import Finding, Status, critical, ok, roll_up, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certkit.core.policy import Policy
    from certkit.secret import Secret

    Progress = Callable[[str], AbstractContextManager[None]]

_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MAX_BATCH = 100_000


def silent(_: str) -> AbstractContextManager[None]:
    """Progress that nobody sees."""
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How existing files are treated, and what protects a new key.

    `if_absent` accepts what is there and fits; `force` replaces it, and keeps an old key beside it.
    """

    if_absent: bool = False
    force: bool = False
    passphrase: Secret | None = None
    now: datetime
    progress: Progress = silent


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A private key on disk: whether it is new, its facts, and the old file that was kept."""

    changed: bool
    path: Path
    facts: KeyFacts
    kept: Path | None
    checks: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class MadeRequest:
    """A CSR and its key: whether anything was written, where, and the policy's findings."""

    changed: bool
    csr_path: Path | None
    key_path: Path | None
    pem: bytes
    subject: str
    facts: KeyFacts
    checks: tuple[Finding, ...]
    kept: tuple[Path, ...] = ()
    name: str | None = None

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.checks)


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A private key at hand, and the finding about the file that it came from."""

    key: Any
    file: Finding


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """One line of a batch: the name of its files, its subject, the type of its key."""

    name: str
    subject: SubjectOptions
    spec: KeySpec


def key_file_finding(path: Path) -> Finding:
    """Whether a private key's file keeps group and others out.

    Raises:
        InputError: the file cannot be examined.
    """
    if files.is_exposed(path):
        return warning("key-file", f"{path} may be read by its group or others", f"chmod 600 {path}")
    return ok("key-file", f"{path} is private")


def default_spec(policy: Policy) -> KeySpec:
    """The type of key that a policy lists first among those that certkit makes.

    Raises:
        RefusedError: there is none.
    """
    name = policy.key.default_type
    if name is None:
        raise RefusedError(
            f"{policy.title} takes no type of key that certkit makes", hint=f"it takes {policy.key.describe()}"
        )
    return KeySpec(name)


def generate_key(path: Path, spec: KeySpec | None, writing: Writing) -> MadeKey:
    """A private key at `path`: new, or with `if_absent` the one that is there if it is of that type (None: of any).

    Raises:
        InputError: the file exists and does not fit, or cannot be written.
    """
    files.require_directory(path)
    if writing.if_absent and files.exists(path):
        key = _existing_key(path, spec, writing.passphrase)
        return MadeKey(False, path, keys.key_facts(key.public_key()), None, (key_file_finding(path),))
    if not writing.force:
        files.require_absent(path)
    key = new_key(spec or KeySpec(keys.KEY_TYPES[0]), writing.progress)
    kept = _write_key(path, key, writing)
    return MadeKey(True, path, keys.key_facts(key.public_key()), kept, (ok("key-file", f"{path} is private"),))


def new_key(spec: KeySpec, progress: Progress = silent) -> CertificateIssuerPrivateKeyTypes:
    """A new private key in memory; slow ones show progress."""
    with progress(f"making a key of type {spec.name}") if spec.is_slow else nullcontext():
        return spec.generate()


def create(
    subject: SubjectOptions,
    policy: Policy,
    *,
    key: HeldKey | None = None,
    key_path: Path | None,
    csr_path: Path | None,
    spec: KeySpec | None = None,
    writing: Writing,
) -> MadeRequest:
    """A CSR for a subject by a policy's rules: with `key`, or with a new key at `key_path`.

    `key_path` of a key at hand is only told, None if it came from a stream. `csr_path` None writes no file; the CSR
    is in the result.

    Raises:
        RefusedError: the policy refuses the subject, the key, or the CSR; nothing was written.
        InputError: a file exists and does not fit, or something cannot be read or written.
    """
    new_key_path = key_path if key is None else None
    _require_targets(new_key_path, csr_path, writing)
    refuse_subject(subject, policy)
    if spec is not None:
        refuse_type(spec, policy)
    if new_key_path is not None and writing.if_absent and files.exists(new_key_path):
        key = HeldKey(_existing_key(new_key_path, spec, writing.passphrase), key_file_finding(new_key_path))
    old_csr = csr_path if writing.if_absent and csr_path is not None and files.exists(csr_path) else None
    if key is None and old_csr is not None:
        raise InputError(
            f"cannot complete, {old_csr}: the CSR is there and its key {key_path} is not",
            hint="move the CSR away, or name the key that it was made with by --key",
        )
    if key is not None:
        refuse_type(key.key, policy)
    private_key = key.key if key else new_key(spec or default_spec(policy), writing.progress)
    facts = keys.key_facts(private_key.public_key())
    pem = _existing_csr(old_csr, subject, facts) if old_csr else csr.build(subject, private_key)
    checks = _checked(pem, subject, policy, facts)
    checks.append(key.file if key else ok("key-file", f"{key_path} is private"))
    kept: list[Path | None] = []
    if key is None and new_key_path is not None:
        kept.append(_write_key(new_key_path, private_key, writing))
    if csr_path is not None and old_csr is None:
        kept.append(_write_csr(csr_path, pem, writing))
    changed = key is None or old_csr is None
    return MadeRequest(
        changed, csr_path, key_path, pem, _subject_text(pem), facts, tuple(checks), tuple(path for path in kept if path)
    )


def create_batch(
    entries: Sequence[BatchEntry], policy: Policy, directory: Path, *, writing: Writing
) -> list[MadeRequest]:
    """A key and a CSR for each entry, as `NAME.key` and `NAME.csr` in one directory: all of them, or none.

    With `if_absent`, what is there and fits stays, and the rest is added.

    Raises:
        RefusedError: the policy refuses one of them; nothing was written.
        InputError: a file exists and does not fit, or something cannot be written.
    """
    files.require_directory(directory.absolute())
    if directory.exists() and not directory.is_dir():
        raise InputError(f"cannot write, {directory}: not a directory", hint="name a directory with --out-dir")
    for entry in entries:
        refuse_subject(entry.subject, policy, who=entry.name)
        refuse_type(entry.spec, policy, who=entry.name)
    made: list[MadeRequest] = []
    contents: list[tuple[str, bytes | Secret]] = []
    with writing.progress(f"making {len(entries):,} keys and CSRs"):
        for entry in entries:
            key_path, csr_path = directory / f"{entry.name}.key", directory / f"{entry.name}.csr"
            if files.exists(key_path) or files.exists(csr_path):
                made.append(_existing_entry(entry, policy, key_path, csr_path, writing, contents))
            else:
                made.append(_new_entry(entry, policy, key_path, csr_path, writing, contents))
        if contents:
            files.publish_all(directory, contents)
    return made


def parse_batch(data: bytes, policy: Policy, *, name: str, spec: KeySpec | None = None) -> list[BatchEntry]:
    """The entries of a batch file: JSON Lines, one object of subject options a line, with a `name`.

    Raises:
        InputError: a line is not such an object, with its number.
    """
    default = spec or default_spec(policy)
    entries = []
    seen: dict[str, int] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"batch, {name}, line {number}"
        entry = _batch_entry(line, where, default)
        if entry.name in seen:
            raise InputError(
                f"{where}: the name {entry.name!r} is that of line {seen[entry.name]} too",
                hint="give every line its own name",
            )
        seen[entry.name] = number
        entries.append(entry)
        if len(entries) > _MAX_BATCH:
            raise InputError(f"{where}: more than {_MAX_BATCH:,} entries", hint="split the file")
    if not entries:
        raise InputError(
            f"batch, {name}: it holds no entries",
            hint='write one object a line: {"name": "acme", "organization": "Acme Ltd"}',
        )
    return entries


def refuse_subject(subject: SubjectOptions, policy: Policy, *, who: str = "") -> None:
    """Raise where a policy refuses a subject, before a key is made for it.

    Raises:
        RefusedError: with the findings.
    """
    found = csr.subject_findings(subject.attributes(), policy.subject, partner=policy.title)
    if not subject.attributes() and not subject.san:
        found = [
            critical("subject", "it is empty, and there is no alternative name", "set --common-name or --organization")
        ]
    _refuse(found, policy, who)


def refuse_type(key: KeySpec | Any, policy: Policy, *, who: str = "") -> None:
    """Raise where a policy does not take a type of key, given as a spec or as a private key.

    Raises:
        RefusedError: with the finding.
    """
    if isinstance(key, KeySpec):
        facts = KeyFacts(key.name, int(re.sub(r"\D", "", key.name)), "")
    else:
        facts = keys.key_facts(key.public_key())
    _refuse([csr.key_finding(facts, policy.key, partner=policy.title)], policy, who)


def _refuse(findings: Sequence[Finding], policy: Policy, who: str = "") -> None:
    bad = [finding for finding in findings if finding.status in {Status.CRITICAL, Status.UNKNOWN}]
    if bad:
        prefix = f"{who}: " if who else ""
        reasons = "; ".join(finding.message for finding in bad)
        raise RefusedError(f"refused, {prefix}policy {policy.name}: {reasons}", hint=bad[0].hint, findings=findings)


def _require_targets(key_path: Path | None, csr_path: Path | None, writing: Writing) -> None:
    targets = [path for path in (key_path, csr_path) if path is not None]
    for path in targets:
        files.require_directory(path)
    if len(targets) == 2 and files.is_same(*targets):
        raise InputError(f"cannot write, {key_path}: key and CSR need two files", hint="give --out another name")
    if not writing.force and not writing.if_absent:
        for path in targets:
            files.require_absent(path)


def _checked(pem: bytes, subject: SubjectOptions, policy: Policy, facts: KeyFacts) -> list[Finding]:
    """The findings over a CSR's own bytes, read back; refused if it is not what was asked for."""
    checks = csr.check(pem, policy, key=facts)
    _refuse(checks, policy)
    problem = _difference(pem, subject)
    if problem:
        raise RefusedError(
            f"refused, CSR: {problem}", hint="report this: certkit wrote something else than was asked for"
        )
    return checks


def _difference(pem: bytes, subject: SubjectOptions) -> str | None:
    """How a CSR differs from the subject and alternative names that were asked for; None if it does not."""
    request = objects.csr(pem, name="CSR").value
    if names.attributes(request.subject) != subject.attributes():
        return f"its subject is {names.distinguished_name(request.subject)}"
    extensions = csr.requested_extensions(request)
    held = set() if isinstance(extensions, str) else _san_set(extensions)
    if held != {names.san_text(names.parse_san(text)) for text in subject.san}:
        return f"its alternative names are {', '.join(sorted(held)) or 'absent'}"
    return None


def _san_set(extensions: Any) -> set[str]:
    from certkit.core.describe import san

    return set(san(extensions))


def _subject_text(pem: bytes) -> str:
    return names.distinguished_name(objects.csr(pem, name="CSR").value.subject)


def _existing_key(path: Path, spec: KeySpec | None, passphrase: Secret | None) -> Any:
    """The key in a file, which must be of the type asked for, and protected if a passphrase was given."""
    data = files.read(path)
    key = objects.private_key(data, name=str(path), passphrase=passphrase)
    found = keys.key_type(key.public_key())
    if spec is not None and found != spec.name:
        raise InputError(
            f"cannot use, {path}: it holds a key of type {found}, not {spec.name}",
            hint="choose another name, or use --force to make a new key (the old one is kept)",
        )
    if passphrase is not None and not objects.is_locked_key(data):
        raise InputError(
            f"cannot use, {path}: the key is not encrypted, and a passphrase was given for it",
            hint="choose another name, or encrypt it: openssl pkcs8 -topk8 -in KEY -out NEWKEY",
        )
    return key


def _existing_csr(path: Path, subject: SubjectOptions, facts: KeyFacts) -> bytes:
    data = files.read(path)
    request = objects.csr(data, name=str(path)).value
    hint = "choose another name, or use --force to replace the CSR"
    held = csr.public_key_facts(request)
    if isinstance(held, str) or held.spki_sha256 != facts.spki_sha256:
        raise InputError(f"cannot use, {path}: the CSR was made with another key", hint=hint)
    problem = _difference(data, subject)
    if problem:
        raise InputError(f"cannot use, {path}: the CSR asks for something else: {problem}", hint=hint)
    return data


def _write_key(path: Path, key: Any, writing: Writing) -> Path | None:
    kept = files.set_aside(path, writing.now) if writing.force else None
    files.publish(path, keys.to_pem(key, writing.passphrase), replace=writing.force)
    return kept


def _write_csr(path: Path, pem: bytes, writing: Writing) -> Path | None:
    """Write the CSR; with `force` over an old one, unless that name holds a private key, which is kept."""
    kept = files.set_aside(path, writing.now) if writing.force and files.holds_private_key(path) else None
    files.publish(path, pem, replace=writing.force)
    return kept


def _new_entry(
    entry: BatchEntry,
    policy: Policy,
    key_path: Path,
    csr_path: Path,
    writing: Writing,
    contents: list[tuple[str, bytes | Secret]],
) -> MadeRequest:
    key = entry.spec.generate()
    facts = keys.key_facts(key.public_key())
    pem = csr.build(entry.subject, key)
    checks = _checked(pem, entry.subject, policy, facts)
    contents += [(key_path.name, keys.to_pem(key, writing.passphrase)), (csr_path.name, pem)]
    return MadeRequest(True, csr_path, key_path, pem, _subject_text(pem), facts, tuple(checks), name=entry.name)


def _existing_entry(
    entry: BatchEntry,
    policy: Policy,
    key_path: Path,
    csr_path: Path,
    writing: Writing,
    contents: list[tuple[str, bytes | Secret]],
) -> MadeRequest:
    if not writing.if_absent:
        files.require_absent(key_path)
        files.require_absent(csr_path)
    if not files.exists(key_path):
        raise InputError(f"cannot complete, {csr_path}: the CSR is there and its key is not", hint="move the CSR away")
    key = _existing_key(key_path, entry.spec, writing.passphrase)
    facts = keys.key_facts(key.public_key())
    has_csr = files.exists(csr_path)
    pem = _existing_csr(csr_path, entry.subject, facts) if has_csr else csr.build(entry.subject, key)
    checks = [*_checked(pem, entry.subject, policy, facts), key_file_finding(key_path)]
    if not has_csr:
        contents.append((csr_path.name, pem))
    return MadeRequest(not has_csr, csr_path, key_path, pem, _subject_text(pem), facts, tuple(checks), name=entry.name)


_TEXT_OPTIONS = ("organization", "country", "state", "locality", "common_name", "email")
_LIST_OPTIONS = {"unit": "units", "san": "san"}


def _batch_entry(line: bytes, where: str, default: KeySpec) -> BatchEntry:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}", hint="write one JSON object a line") from error
    if not isinstance(entry, dict):
        raise InputError(
            f"{where}: expected a JSON object", hint='such as {"name": "acme", "organization": "Acme Ltd"}'
        )
    known = ("name", "type", *_TEXT_OPTIONS, *_LIST_OPTIONS)
    for key in entry:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}", hint=f"known: {', '.join(known)}")
    name = entry.get("name")
    if not isinstance(name, str) or not _BATCH_NAME.fullmatch(name):
        raise InputError(
            f"{where}: `name` must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit",
            hint="the files are called NAME.key and NAME.csr",
        )
    try:
        options: dict[str, Any] = {option: _text(entry, option) for option in _TEXT_OPTIONS}
        options |= {field: _texts(entry, option) for option, field in _LIST_OPTIONS.items()}
        spec = KeySpec.parse(_text(entry, "type")) if "type" in entry else default
        subject = SubjectOptions(**options)
        for san in subject.san:
            names.parse_san(san)
    except InputError as error:
        raise InputError(f"{where}: {error.message}", hint=error.hint) from error
    return BatchEntry(name, subject, spec)


def _text(entry: dict[str, Any], option: str) -> str:
    value = entry.get(option, "")
    if not isinstance(value, str):
        raise InputError(f"`{option}` must be a string", hint="put the value in quotes")
    return value


def _texts(entry: dict[str, Any], option: str) -> tuple[str, ...]:
    value = entry.get(option, [])
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InputError(f"`{option}` must be a string or a list of strings", hint="put the values in quotes")
    return tuple(items)
