"""Use case: private keys on disk, created once and found again."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certkit.errors import ExistsError, InputError
from certkit.files import reading
from certkit.findings import Finding, ok, skipped, warning
from certkit.x509 import keys
from certkit.x509.keys import KeySpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certkit.secret import Secret
    from certkit.x509.spki import KeyFacts

    Progress = Callable[[str], AbstractContextManager[object]]
    """Shows, while its context lasts, that something is under way; `nullcontext` shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """The treatment of existing files, and the passphrase of a new key.

    `if_absent` accepts a file that matches; `force` replaces it, and keeps an old key beside it.
    """

    if_absent: bool = False
    force: bool = False
    passphrase: Secret | None = None
    now: datetime
    progress: Progress = nullcontext


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A private key in memory, the finding about the file that it came from, and whether a passphrase protects it."""

    key: Any
    file: Finding
    is_encrypted: bool = False
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A private key on disk: whether it is new, its facts, and the old file that was kept."""

    changed: bool
    path: Path
    facts: KeyFacts
    kept: Path | None
    checks: tuple[Finding, ...]


def key_file_finding(path: Path) -> Finding:
    """Check whether a private key's file excludes group and others; not checked on Windows.

    Raises:
        InputError: if the file cannot be examined.
    """
    if not reading.keeps_modes():
        return skipped("key-file", "file permissions are not checked on Windows")
    if reading.is_exposed(path):
        import shlex

        return warning(
            "key-file",
            f"{path} is readable by its group or other users",
            f"make it private: chmod 600 {shlex.quote(str(path))}",
        )
    return is_private(path)


def is_private(path: Path | None) -> Finding:
    """Return the finding for a key file that certkit wrote itself."""
    return ok("key-file", f"{path} is private")


def generate_key(path: Path, spec: KeySpec | None, writing: Writing) -> MadeKey:
    """Create a private key at `path`, or with `if_absent` accept the existing one if it has that type (None: any).

    Raises:
        InputError: if the file exists and does not match, or cannot be written.
    """
    from certkit.files import writing as files

    if not (writing.if_absent and reading.exists(path)):
        files.require_directory(path)
        if not writing.force:
            files.require_absent(path)
        key = new_key(spec or KeySpec(keys.KEY_TYPES[0]), writing.progress)
        try:
            kept = write_key(path, key, writing)
        except ExistsError:  # another process was first
            if not writing.if_absent:
                raise
        else:
            return MadeKey(True, path, keys.key_facts(key.public_key()), kept, (is_private(path),))
    held = existing_key(path, spec, writing.passphrase)
    return MadeKey(False, path, keys.key_facts(held.key.public_key()), None, (held.file,))


def new_key(spec: KeySpec, progress: Progress = nullcontext) -> CertificateIssuerPrivateKeyTypes:
    """Create a private key in memory; slow types show progress."""
    with progress(f"creating a key of type {spec.name}") if spec.is_slow else nullcontext():
        return spec.generate()


def existing_key(path: Path, spec: KeySpec | None, passphrase: Secret | None) -> HeldKey:
    """Return the key in a file, which must have the requested type, and be encrypted if a passphrase was given.

    Raises:
        PassphraseError: if it is locked, and the passphrase is missing or wrong.
        InputError: if it cannot be read, or is not as requested.
    """
    from certkit.x509 import objects

    data = reading.read(path)
    item = objects.private_key(data, name=str(path), passphrase=passphrase)
    found = keys.key_facts(item.value.public_key()).type
    if spec is not None and found != spec.name:
        raise InputError(
            f"cannot use {path}: it contains a key of type {found}, not {spec.name}",
            hint="choose another name, or use --force to create a new key (the old one is kept)",
        )
    if passphrase is not None and not item.is_encrypted:
        raise InputError(
            f"cannot use {path}: the key is not encrypted, and a passphrase was given for it",
            hint="choose another name, or encrypt it: openssl pkcs8 -topk8 -in KEY -out NEWKEY",
        )
    return HeldKey(item.value, key_file_finding(path), item.is_encrypted)


def write_key(path: Path, key: Any, writing: Writing) -> Path | None:
    """Write a new private key; with `force`, keep the old file, and return its new name.

    Raises:
        InputError: if the name is taken, or the file cannot be written.
    """
    from certkit.files import writing as files

    content = keys.to_pem(key, writing.passphrase)
    if writing.force:
        return files.replace_key(path, content, writing.now)
    files.publish(path, content)
    return None
