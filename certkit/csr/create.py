"""Use case: creating a CSR and its key on disk, repeatably.

Nothing is written before everything is created, read back and checked against the policy.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.csr import build, check, keyfile
from certkit.csr import subject as subjects
from certkit.errors import ExistsError, InputError, RefusedError
from certkit.files import reading
from certkit.files import writing as files
from certkit.findings import Finding, Status, critical, roll_up
from certkit.policy.values import Answer
from certkit.x509 import keys, objects
from certkit.x509.keys import KeySpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from certkit.csr.keyfile import HeldKey, Writing
    from certkit.policy.rules import Policy
    from certkit.x509.csr import Csr
    from certkit.x509.names import SubjectOptions
    from certkit.x509.spki import KeyFacts


# Another process may have created the key or the CSR by the time they are written.
_RACES = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """A CSR's bytes, read back: its subject, its key, and the policy's findings."""

    pem: bytes
    subject: str
    facts: KeyFacts
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRequest:
    """A CSR and its key: whether anything was written, where, and the findings; in a batch under a name."""

    changed: bool
    csr_path: Path | None
    key_path: Path | None
    csr: Checked
    key_file: Finding
    kept: tuple[Path, ...] = ()
    name: str | None = None

    @property
    def checks(self) -> tuple[Finding, ...]:
        """The findings about the CSR, and the one about the key's file."""
        return (*self.csr.findings, self.key_file)

    @property
    def status(self) -> Status:
        """The findings' roll-up."""
        return roll_up(finding.status for finding in self.checks)


def default_spec(policy: Policy) -> KeySpec:
    """Return the first type of key that a policy accepts and certkit makes.

    Raises:
        RefusedError: if certkit can create no type that the policy accepts.
    """
    name = policy.key.default_type
    if name is None:
        raise RefusedError(
            f"{policy.title} accepts no key type that certkit can create", hint=f"it accepts {policy.key.describe()}"
        )
    return KeySpec(name)


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
    """Create a CSR for a subject by a policy's rules: with `key`, or with a new key at `key_path`.

    For a key in memory, `key_path` is only reported, None if it came from a stream. With `csr_path` None no file is
    written; the CSR is in the result.

    Raises:
        RefusedError: if the policy refuses the subject, the key, or the CSR; nothing was written.
        InputError: if a file exists and does not match, or a file cannot be read or written.
    """
    attempt = functools.partial(_create_once, subject, policy, key, key_path, csr_path, spec, writing)
    for _ in range(_RACES if writing.if_absent else 0):
        # If another process was first, its files may match.
        with contextlib.suppress(ExistsError):
            return attempt()
    return attempt()


def _create_once(
    subject: SubjectOptions,
    policy: Policy,
    key: HeldKey | None,
    key_path: Path | None,
    csr_path: Path | None,
    spec: KeySpec | None,
    writing: Writing,
) -> MadeRequest:
    new_key_path = key_path if key is None else None
    require_targets(key_path, csr_path, writing, is_new_key=key is None)
    refuse_early(subject, policy, spec)
    is_protected = writing.passphrase is not None if key is None else key.is_encrypted
    if policy.key.encrypted is Answer.YES and not is_protected:
        hint = "add --passphrase-file FILE" if key is None else "encrypt it: openssl pkcs8 -topk8 -in KEY -out NEWKEY"
        refuse([critical("key-file", f"{policy.title} requires a passphrase on the private key", hint)], policy)
    if new_key_path is not None and writing.if_absent and reading.exists(new_key_path):
        key = keyfile.existing_key(new_key_path, spec, writing.passphrase)
    old_csr = csr_path if writing.if_absent and csr_path is not None and reading.exists(csr_path) else None
    if key is None and old_csr is not None:
        raise InputError(
            f"cannot complete {old_csr}: the CSR exists, but its key {key_path} does not",
            hint="move the CSR away, or give its key with --key",
        )
    private_key = key.key if key else keyfile.new_key(spec or default_spec(policy), writing.progress)
    if key is not None:
        facts = keys.key_facts(private_key.public_key())
        refuse([check.key_finding(facts.type, facts.bits, policy.key, partner=policy.title)], policy)
    make = new_csr if old_csr is None else functools.partial(read_existing, old_csr)
    checked = make(subject, private_key, policy)
    kept: list[Path | None] = []
    made_key_path = new_key_path if key is None else None
    if made_key_path is not None:
        kept.append(keyfile.write_key(made_key_path, private_key, writing))
    if csr_path is not None and old_csr is None:
        kept.append(write_csr(csr_path, checked.pem, writing, made_key_path))
    return MadeRequest(
        changed=key is None or old_csr is None,
        csr_path=csr_path,
        key_path=key_path,
        csr=checked,
        key_file=key.file if key else keyfile.is_private(key_path),
        kept=tuple(path for path in kept if path),
    )


def new_csr(subject: SubjectOptions, key: Any, policy: Policy) -> Checked:
    """Return a new CSR, read back from its own bytes and checked against the policy and the options.

    Raises:
        RefusedError: if the policy refuses it, or it does not match the options.
        InputError: if a value cannot be encoded, or the key cannot sign.
    """
    pem = build.build(subject, key, policy)
    request = objects.csr(pem, name="CSR")
    checked = _checked(request, pem, policy, keys.key_facts(key.public_key()))
    problem = build.difference(request, subject, policy)
    if problem:
        hint = "report this: the new CSR does not match the options"
        raise RefusedError(f"cannot use the new CSR: {problem}", hint=hint)
    return checked


def read_existing(path: Path, subject: SubjectOptions, key: Any, policy: Policy) -> Checked:
    """Return the CSR in a file, if it was made with this key and for this subject, and follows the policy.

    Raises:
        InputError: if it does not match.
        RefusedError: if the policy refuses it.
    """
    data = reading.read(path)
    request = objects.csr(data, name=str(path))
    hint = "choose another name, or use --force to replace the CSR"
    facts = keys.key_facts(key.public_key())
    if request.spki_sha256 != facts.spki_sha256:
        raise InputError(f"cannot use {path}: the CSR was created with another key", hint=hint)
    problem = build.difference(request, subject, policy)
    if problem:
        raise InputError(f"cannot use {path}: the CSR does not match the options: {problem}", hint=hint)
    return _checked(request, data, policy, facts)


def _checked(request: Csr, data: bytes, policy: Policy, facts: KeyFacts) -> Checked:
    findings = check.findings(request, data, policy, key=facts)
    refuse(findings, policy)
    return Checked(data, request.subject.text, facts, tuple(findings))


def refuse_early(subject: SubjectOptions, policy: Policy, spec: KeySpec | None, *, who: str = "") -> None:
    """Raise if a policy refuses a subject, a type of key, or any key that certkit makes, before a key is made.

    Raises:
        RefusedError: if it does; with the findings.
    """
    found = subjects.findings(subject.attributes(policy.subject.order), policy.subject, partner=policy.title)
    is_empty = not subject.attributes() and not subject.san and policy.subject.ignored is not Answer.YES
    if is_empty and found[0].is_good:
        hint = "set --common-name or --organization"
        found = [critical("subject", "the subject is empty, and there is no alternative name", hint)]
    if spec is not None:
        found.append(check.key_finding(spec.name, spec.bits, policy.key, partner=policy.title))
    refuse([*check.hardware(policy, is_in_file=True), *found], policy, who)


def refuse(findings: Sequence[Finding], policy: Policy, who: str = "") -> None:
    """Raise if findings are critical or unknown.

    Raises:
        RefusedError: if any is; with all the findings.
    """
    if bad := [finding for finding in findings if finding.is_bad]:
        reasons = "; ".join(finding.message for finding in bad)
        raise RefusedError(
            f"policy {policy.name} rejects {who or 'this'}: {reasons}",
            hint="; ".join(dict.fromkeys(finding.hint for finding in bad if finding.hint)),
            findings=findings,
        )


def require_targets(key_path: Path | None, csr_path: Path | None, writing: Writing, *, is_new_key: bool) -> None:
    """Raise if the files for key and CSR are the same, exist, or cannot be written.

    Raises:
        InputError: if they are; the message names the file.
    """
    if key_path is not None and csr_path is not None and reading.is_same(key_path, csr_path):
        raise InputError(
            f"cannot write {key_path}: the key and the CSR must be separate files", hint="give --out another name"
        )
    targets = [path for path in (key_path if is_new_key else None, csr_path) if path is not None]
    for path in targets:
        if not (writing.if_absent and reading.exists(path)):
            files.require_directory(path)
        if writing.force:
            files.require_replaceable(path)
        elif not writing.if_absent:
            files.require_absent(path)


def write_csr(path: Path, pem: bytes, writing: Writing, made_key_path: Path | None) -> Path | None:
    """Write the CSR, with `force` over an old one. A private key of that name is kept; return its new name.

    Raises:
        InputError: if it cannot be written; the hint names the key that was created for it.
    """
    try:
        is_precious = writing.force and reading.exists(path) and reading.holds_private_key(path)
        kept = files.set_aside(path, writing.now) if is_precious else None
        files.publish(path, pem, replace=writing.force)
    except InputError as error:
        if made_key_path is None:
            raise
        hint = f"{error.hint}; the key {made_key_path} was created, and --if-absent completes it"
        raise type(error)(error.message, hint=hint) from error
    return kept
