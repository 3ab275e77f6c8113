"""Arguments of the public functions: bytes or files, secrets, CAs, the time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cryptography import x509

    from certkit.x509.certificate import Certificate
    from certkit.x509.names import SubjectOptions

Found = TypeVar("Found")

SYSTEM = "system"
Data: TypeAlias = bytes | Path
"""The content of a file, or the path of one."""
Passphrase: TypeAlias = str | bytes | Secret
"""A secret; what is read from a prompt or a file stays wrapped."""


def now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.now(UTC)


def secret(value: Passphrase | None, environment: Mapping[str, str] | None = None, variable: str = "") -> Secret | None:
    """Return a secret argument; without one, that of a variable of the environment, if it is set."""
    if value is None and environment is not None:
        value = environment.get(variable) or None
    if value is None or isinstance(value, Secret):
        return value
    return Secret(value.encode() if isinstance(value, str) else value)


def content(data: Data, name: str) -> tuple[bytes, str]:
    """Return the bytes, and their name in messages: the path of a file, else `name`.

    Raises:
        InputError: if the file cannot be read.
    """
    from certkit.files import reading

    return (data, name) if isinstance(data, bytes) else (reading.read(data), str(data))


def gathered(read: Callable[..., Sequence[Found]], several: Iterable[Data], name: str) -> list[Found]:
    """Return all that a function of `certkit.x509.objects` reads in some data.

    Raises:
        InputError: if some of it cannot be read.
    """
    contents = (content(each, name) for each in several)
    return [found for data, where in contents for found in read(data, name=where)]


def anchors(several: Iterable[Data | str] | None) -> list[Certificate] | None:
    """Return the CA certificates in some data, files or directories, or of the `system`; None if nothing is given.

    Raises:
        InputError: if one cannot be read, or holds no CA's certificate.
    """
    from certkit.verify import anchors as known
    from certkit.x509 import objects

    if several is None:
        return None
    found: list[Certificate] = []
    for each in several:
        if isinstance(each, bytes):
            found += known.cas(objects.certificate_values(each, name="ca"), name="ca")
        else:
            found += known.system() if each == SYSTEM else known.trusted(str(each))
    return found


def trust_bundle(ca: Data | None) -> str | None:
    """Return the CAs that an identity is to trust as PEM, and nothing else of the data.

    Raises:
        InputError: if there is no certificate, or none that may be a CA's.
    """
    from certkit.errors import InputError
    from certkit.identity.install import is_root, pem
    from certkit.x509 import describe, objects

    if ca is None:
        return None
    data, name = content(ca, "ca")
    found = objects.certificates(data, name=name)
    if not any(describe.is_ca(each) or is_root(each) for each in found):
        hint = "give the partner's CA certificate, not the certificate issued for you"
        raise InputError(f"cannot trust {name}: it contains no CA certificate", hint=hint)
    return pem(found).decode("ascii")


def private_key(key: Any, passphrase: Secret | None) -> Any:
    """Return a private key, given as data or as a key of the package cryptography.

    Raises:
        InputError: if it cannot be read.
        PassphraseError: if it is encrypted, and the passphrase is missing or wrong.
    """
    from certkit.x509 import objects

    if not isinstance(key, bytes | Path):
        return key
    data, name = content(key, "the key")
    return objects.private_key(data, name=name, passphrase=passphrase).value


def pair(certificate: Data, key: Any, passphrase: Secret | None) -> tuple[list[x509.Certificate], Any]:
    """Return certificates and their private key, which is in the same data if it is None.

    Raises:
        InputError: if one cannot be read.
        PassphraseError: if the data or the key is encrypted, and the passphrase is missing or wrong.
    """
    from certkit.x509 import objects

    data, name = content(certificate, "the certificate")
    bundle = objects.bundle(data, name=name, passphrase=passphrase)
    held = bundle.key if key is None else private_key(key, passphrase)
    if held is None:
        held = objects.private_key(data, name=name, passphrase=passphrase).value
    return [objects.loaded(each, name) for each in bundle.certificates], held


def subject(options: Mapping[str, Any]) -> SubjectOptions:
    """Return what a CSR is to ask for; lists may be any sequences of texts.

    Raises:
        InputError: if a value cannot be part of a CSR.
    """
    from certkit.x509 import names

    given: dict[str, Any] = {name: value if isinstance(value, str) else tuple(value) for name, value in options.items()}
    found = names.SubjectOptions(**given)
    for san in found.san:
        names.parse_san(san)
    return found
