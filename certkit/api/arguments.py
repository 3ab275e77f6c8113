"""Arguments of the public functions: bytes or files, secrets, CAs, the time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from certkit.errors import InputError
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from certkit.csr.keyfile import HeldKey
    from certkit.findings import Finding
    from certkit.verify.anchors import TrustSettings
    from certkit.x509.certificate import Certificate
    from certkit.x509.names import SubjectOptions

T = TypeVar("T")

SYSTEM = "system"
TIMEOUT_SECONDS = 10.0
INTERVAL_SECONDS = 60.0
MAX_SECRET_FILE = 64 * 1024
Data: TypeAlias = bytes | Path
"""The content of a file, or the path of one."""
Passphrase: TypeAlias = str | bytes | Secret
"""A secret; one that was read from a prompt or a file stays wrapped."""


def now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.now(UTC)


def secret(value: Passphrase | None, environment: Mapping[str, str] | None = None, variable: str = "") -> Secret | None:
    """Return a secret argument; without one, that of a variable of the environment, if it is set."""
    if value is None and environment is not None:
        value = environment.get(variable) or None
    if value is None or isinstance(value, Secret):
        return value
    return Secret(value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)


def secret_line(
    file: str | None,
    environment: Mapping[str, str],
    variable: str,
    what: str,
    *,
    limit: int = MAX_SECRET_FILE,
    given: bytes | None = None,
) -> Secret | None:
    """Return the first line of a file, whose content may be `given`, else the value of a variable, else None.

    Raises:
        InputError: if the file cannot be read or begins with a byte order mark, or the secret is empty or too long.
    """
    from certkit.files import reading

    if file is None:
        value = environment.get(variable)
        return checked_secret(os.fsencode(value), variable, what, limit=limit) if value else None
    data = reading.read(file, limit=MAX_SECRET_FILE) if given is None else given
    # As Windows saves text; the mark would be part of the secret, and no other program would know it.
    if data.startswith(b"\xef\xbb\xbf") or (data[:2] in {b"\xff\xfe", b"\xfe\xff"} and b"\0" in data):
        hint = "save the file as plain text (PowerShell: Out-File -Encoding ascii)"
        raise InputError(f"the {what} in {file} begins with a byte order mark", hint=hint)
    return checked_secret(data.split(b"\n", 1)[0].removesuffix(b"\r"), file, what, limit=limit)


def checked_secret(value: bytes, where: str, what: str, *, limit: int) -> Secret:
    """Return a secret; raises an InputError if it is empty or too long."""
    if not value:
        raise InputError(f"the {what} in {where} is empty", hint=f"put the {what} in the first line")
    if len(value) > limit:
        raise InputError(f"the {what} in {where} is longer than {limit} bytes", hint="check that it is the right file")
    return Secret(value)


def content(data: Data, name: str) -> tuple[bytes, str]:
    """Return the bytes, and their name in messages: the path of a file, that of a stream, else `name`.

    Raises:
        InputError: if the file cannot be read.
    """
    from certkit.files import reading

    return (data, getattr(data, "name", name)) if isinstance(data, bytes) else (reading.read(data), str(data))


def gathered(read: Callable[..., Sequence[T]], several: Iterable[Data], name: str) -> list[T]:
    """Return everything that a function of `certkit.x509.objects` reads in some data.

    Raises:
        InputError: if an object cannot be read.
    """
    contents = (content(each, name) for each in several)
    return [found for data, where in contents for found in read(data, name=where)]


def anchors(several: Iterable[Data | str] | None, settings: TrustSettings | None = None) -> list[Certificate] | None:
    """Return the CA certificates in some data, files or directories, or of the `system`; None if nothing is given.

    OpenSSL's trust settings beside a certificate are added to `settings`.

    Raises:
        InputError: if a source cannot be read, or holds no CA certificate.
    """
    from certkit.verify.anchors import cas, certificates, system, trusted

    if several is None:
        return None
    found: list[Certificate] = []
    for each in several:
        if isinstance(each, bytes):
            data, name = content(each, "ca")
            found += cas(certificates(data, name, settings), name=name)
        else:
            found += system() if each == SYSTEM else trusted(str(each), settings=settings)
    return found


def trust_bundle(ca: Data | None, *, read: tuple[bytes, str] | None = None) -> str | None:
    """Return the CAs in the data that an identity is to trust, as PEM; other certificates are left out.

    `read` is the content of the data with its name, if it has been read: a pipe can be read only once.

    Raises:
        InputError: if there is no certificate, or none is a CA's.
    """
    from certkit.verify.path import is_anchor
    from certkit.x509 import objects
    from certkit.x509.certificate import to_pem

    if ca is None:
        return None
    data, name = read or content(ca, "ca")
    found = [each for each in objects.certificates(data, name=name) if is_anchor(each)]
    if not found:
        hint = "give the partner's CA certificate, not the certificate issued for you"
        raise InputError(f"cannot trust {name}: it contains no CA certificate", hint=hint)
    return to_pem(found).decode("ascii")


def held_key(
    key: Any, passphrase: Secret | None, name: str = "the key", *, read: tuple[bytes, str] | None = None
) -> HeldKey:
    """Return a private key, given as data or as a key of the package cryptography, and the finding about its file.

    `read` is as for `trust_bundle`.

    Raises:
        InputError: if it cannot be read.
        PassphraseError: if it is encrypted, and the passphrase is missing or wrong.
    """
    from certkit.csr.keyfile import HeldKey
    from certkit.x509 import objects

    if isinstance(key, HeldKey):
        return key
    if not isinstance(key, bytes | Path):
        if not hasattr(key, "private_bytes"):
            hint = "give bytes, a pathlib.Path, or a private key of the package cryptography"
            raise InputError(f"not a private key: a value of type {type(key).__name__}", hint=hint)
        return HeldKey(key, _key_file(key), is_encrypted=passphrase is not None)
    data, name = read or content(key, name)
    found = objects.private_key(data, name=name, passphrase=passphrase)
    return HeldKey(found.value, _key_file(key), found.is_encrypted, key if isinstance(key, Path) else None)


def _key_file(key: Any) -> Finding:
    from certkit.csr import keyfile
    from certkit.findings import skipped

    is_file = isinstance(key, Path)
    return keyfile.key_file_finding(key) if is_file else skipped("key-file", "the key was not read from a file")


def pair(
    certificate: Data, key: Any, passphrase: Secret | None, *, hint: str = "give its private key: --key KEY"
) -> tuple[list[Certificate], HeldKey]:
    """Return certificates and their private key, which is in the same data if it is None; `hint` is for no key at all.

    Raises:
        InputError: if one cannot be read, or there is no key.
        PassphraseError: if the data or the key is encrypted, and the passphrase is missing or wrong.
    """
    from certkit.csr.keyfile import HeldKey
    from certkit.x509 import containers, objects, private

    data, name = content(certificate, "the certificate")
    if key is None:
        containers.require_no_key_store(data, name=name)
    bundle = objects.bundle(data, name=name, passphrase=passphrase)
    if key is not None:
        held = held_key(key, passphrase)
    elif bundle.info is not None:
        containers.require_one_key(data, name=name)
        private.require_usable(bundle.info, name=name)
        held = HeldKey(bundle.key, _key_file(certificate), is_encrypted=passphrase is not None)
    elif b"PRIVATE KEY-----" in data:
        held = held_key(certificate, passphrase, read=(data, name))
    else:
        raise InputError(f"{name} contains no private key", hint=hint)
    return list(bundle.certificates), held


def subject(options: Mapping[str, Any]) -> SubjectOptions:
    """Return the contents of a CSR; lists may be any sequences of texts, or one text. None means not given.

    Raises:
        InputError: if an option is unknown, or its value cannot be part of a CSR.
    """
    import dataclasses

    from certkit.x509 import names

    known = [each.name for each in dataclasses.fields(names.SubjectOptions)]
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            raise InputError(f"unknown option {name!r}", hint=f"options of the subject: {', '.join(known)}")
        is_list = name in names.LISTS
        texts = (value,) if isinstance(value, str) or not is_list else value
        if value is not None and not (isinstance(texts, Iterable) and all(isinstance(each, str) for each in texts)):
            hint = f"not {type(value).__name__}"
            raise InputError(f"{name} must be {'a list of texts' if is_list else 'text'}", hint=hint)
        if value is not None:
            given[name] = tuple(texts) if is_list else value
    found = names.SubjectOptions(**given)
    for san in found.san:
        names.parse_san(san)
    return found
