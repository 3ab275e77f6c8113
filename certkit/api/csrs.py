"""Keys and CSRs, in memory or in files: `certkit csr create` and `key generate` for programs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.signatures import public

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from certkit.api.arguments import Data, Passphrase
    from certkit.api.checks import Report
    from certkit.csr.create import MadeRequest
    from certkit.csr.keyfile import MadeKey, Progress, Writing
    from certkit.x509.keys import KeySpec


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A CSR (PEM), its new private key (PKCS#8 PEM; None where a key was given), and how the policy judges it."""

    csr: bytes
    key: bytes | None = field(repr=False)
    report: Report


@public
def create_csr(
    *,
    policy: str = "general",
    key: Any = None,
    key_type: str | None = None,
    passphrase: Passphrase | None = None,
    **subject: Any,
) -> NewRequest:
    """Create a CSR, and a private key unless one is given, in memory; nothing is written.

    Args:
        policy: a policy's name, or the path of a policy file.
        key: a private key to use: data, or a key of the package cryptography.
        key_type: such as `ec-p256` or `rsa-3072`; by default the policy's first.
        passphrase: opens `key`, or encrypts the new one.
        **subject: as the options of `certkit csr create`: `organization`, `country`, `state`, `locality`, `units`,
            `common_name`, `email`, `san`, or `subject` (`NAME=VALUE` texts in order), `key_usage`,
            `extended_key_usage`, `qc_type`, `psd2_role`, `psd2_authority`, `psd2_authority_id`; lists are sequences of
            texts.

    Raises:
        certkit.RefusedError: if the policy refuses the subject, the key or the CSR.
        certkit.InputError: if an argument cannot be read or used.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.api.checks import Report
    from certkit.csr import create, keyfile
    from certkit.findings import skipped
    from certkit.policy import catalogue
    from certkit.x509 import keys

    rules, secret = catalogue.load(policy), arguments.secret(passphrase)
    if key is None:
        new = keyfile.new_key(_spec(key_type) or create.default_spec(rules))
        held = keyfile.HeldKey(new, skipped("key-file", "the key is in memory"), is_encrypted=secret is not None)
    else:
        held = arguments.held_key(key, secret)
    writing = keyfile.Writing(now=arguments.now())
    asked = arguments.subject(subject)
    made = create.create(asked, rules, key=held, key_path=None, csr_path=None, writing=writing).csr
    new_key = keys.to_pem(held.key, secret).reveal() if key is None else None
    return NewRequest(made.pem, new_key, Report.of(made.subject, made.findings))


@public
def write_csr(  # noqa: PLR0913  as many as the command has options
    csr_path: str | Path | None,
    *,
    key_path: str | Path | None = None,
    key: Any = None,
    policy: str = "general",
    key_type: str | None = None,
    if_absent: bool = False,
    force: bool = False,
    passphrase: Passphrase | None = None,
    progress: Progress = nullcontext,
    now: datetime | None = None,
    **subject: Any,
) -> MadeRequest:
    """Create a CSR and its key in files, as `certkit csr create` does; nothing is written before all is checked.

    Args:
        csr_path: the file for the CSR; None returns it only.
        key_path: the file for a new key, mode 0600.
        key: a private key to use instead: data, or a key of the package cryptography.
        policy: a policy's name, or the path of a policy file.
        key_type: such as `ec-p256` or `rsa-3072`; by default the policy's first.
        if_absent: keep files that are there and match, and create those that are missing.
        force: replace files that are there; an old key is kept beside it.
        passphrase: opens `key`, or encrypts the new one.
        progress: a context manager that is entered, with a message, while something takes long.
        now: names the file of an old key; by default the present.
        **subject: as for `create_csr`.

    Raises:
        certkit.RefusedError: if the policy refuses the subject, the key or the CSR.
        certkit.InputError: if a file is there and does not match, or something cannot be read or written.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.csr import create
    from certkit.errors import InputError
    from certkit.files.writing import file_path
    from certkit.policy import catalogue

    writing = _writing(if_absent=if_absent, force=force, passphrase=passphrase, progress=progress, now=now)
    if (key is None) == (key_path is None):
        problem = "give --key or --key-out" if key is None else "--key and --key-out exclude each other"
        raise InputError(problem, hint="--key-out KEY creates a new key, --key KEY uses an existing one")
    if key is not None and key_type is not None:
        raise InputError("--type applies only to a new key", hint="leave it out, or use --key-out")
    held = None if key is None else arguments.held_key(key, writing.passphrase)
    return create.create(
        arguments.subject(subject),
        catalogue.load(policy),
        key=held,
        key_path=file_path(key_path) if key_path is not None else held.path if held else None,
        csr_path=None if csr_path is None else file_path(csr_path),
        spec=_spec(key_type),
        writing=writing,
    )


@public
def write_csrs(
    entries: Data | Iterable[Mapping[str, Any]],
    directory: str | Path,
    *,
    policy: str = "general",
    key_type: str | None = None,
    if_absent: bool = False,
    passphrase: Passphrase | None = None,
    progress: Progress = nullcontext,
    now: datetime | None = None,
) -> Sequence[MadeRequest]:
    """Create a key and a CSR for each entry in a directory, all of them or none, as `certkit csr create --batch` does.

    Entries are mappings with a `name` and subject options by the names of the command's options, or such a file (JSON
    Lines); `directory` gets `NAME.key` and `NAME.csr`. The other arguments are those of `write_csr`; the `type` of an
    entry goes before `key_type`, and `passphrase` encrypts the keys.

    Raises:
        certkit.RefusedError: if the policy refuses one of them.
        certkit.InputError: if an entry cannot be used, or a file is there and does not match.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.csr import batch
    from certkit.policy import catalogue

    rules = catalogue.load(policy)
    given = entries if isinstance(entries, bytes | Path) else b"\n".join(json.dumps(dict(e)).encode() for e in entries)
    data, name = arguments.content(given, "entries")
    parsed = batch.parse(data, rules, name=name, spec=_spec(key_type))
    writing = _writing(if_absent=if_absent, force=False, passphrase=passphrase, progress=progress, now=now)
    return batch.create(parsed, rules, Path(directory), writing=writing)


@public
def generate_key(
    key_type: str = "ec-p256", *, passphrase: Passphrase | None = None, progress: Progress = nullcontext
) -> bytes:
    """Create a private key (PKCS#8 PEM) in memory, such as `ec-p256` or `rsa-3072`; a passphrase encrypts it.

    Raises:
        certkit.InputError: if there is no such type.
    """
    from certkit.csr import keyfile
    from certkit.x509 import keys
    from certkit.x509.keys import KeySpec

    key = keyfile.new_key(KeySpec.parse(key_type), progress)
    return keys.to_pem(key, arguments.secret(passphrase)).reveal()


@public
def write_key(
    path: str | Path,
    *,
    key_type: str | None = None,
    if_absent: bool = False,
    force: bool = False,
    passphrase: Passphrase | None = None,
    progress: Progress = nullcontext,
    now: datetime | None = None,
) -> MadeKey:
    """Create a private key in a file, mode 0600 from its first byte, as `certkit key generate` does.

    The arguments are those of `write_csr`; without `key_type` a new key is `ec-p256`.

    Raises:
        certkit.InputError: if the file is there and does not match, or cannot be written.
    """
    from certkit.csr import keyfile
    from certkit.files.writing import file_path

    writing = _writing(if_absent=if_absent, force=force, passphrase=passphrase, progress=progress, now=now)
    return keyfile.generate_key(file_path(path), _spec(key_type), writing)


def _writing(
    *, if_absent: bool, force: bool, passphrase: Passphrase | None, progress: Progress, now: datetime | None
) -> Writing:
    from certkit.csr import keyfile
    from certkit.errors import InputError

    if if_absent and force:
        raise InputError("--if-absent and --force exclude each other", hint="give only one of them")
    return keyfile.Writing(
        if_absent=if_absent,
        force=force,
        passphrase=arguments.secret(passphrase),
        now=now or arguments.now(),
        progress=progress,
    )


def _spec(key_type: str | None) -> KeySpec | None:
    from certkit.x509.keys import KeySpec

    return None if key_type is None else KeySpec.parse(key_type)
