"""Facts of keys, CSRs, certificates and CRLs as JSON-ready data (the contract of `inspect`).

A hostile or odd object may load and raise only when one of its fields is read, so each field stands for
itself: one that cannot be read is None and is named in `problems`.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from certkit.printable import printable
from certkit.times import rfc3339
from certkit.x509 import csr as requests
from certkit.x509 import keys, names, objects
from certkit.x509.objects import Item, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cryptography import x509

    Field = Callable[[Any], Any]


def describe(item: Item) -> dict[str, Any]:
    """The facts of one object, beginning with its `kind`; `problems` is there only if a field is unreadable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"kind": item.kind.value, **_DESCRIBERS[item.kind](item)}


def certificate(found: x509.Certificate) -> dict[str, Any]:
    """The facts of a certificate."""
    return _fields(found, _CERTIFICATE_FIELDS)


def facts(found: x509.Certificate) -> dict[str, str]:
    """Return what identifies a certificate, spelt as in JSON: dates, fingerprint, serial, and the names.

    Raises:
        Exception: of any kind; a field of a hostile certificate may raise when it is read.
    """
    from cryptography.hazmat.primitives.hashes import SHA256

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "not_before": rfc3339(found.not_valid_before_utc),
            "not_after": rfc3339(found.not_valid_after_utc),
            "fingerprint_sha256": found.fingerprint(SHA256()).hex(),
            "serial": names.serial_hex(found.serial_number),
            "subject": names.distinguished_name(found.subject),
            "issuer": names.distinguished_name(found.issuer),
        }


def san(extensions: x509.Extensions) -> list[str]:
    """The alternative names among some extensions, as `TYPE:value`."""
    from cryptography import x509

    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            return [names.san_text(name) for name in extension.value]
    return []


def is_ca(found: x509.Certificate) -> bool:
    """Whether the certificate says that it is a CA's (basicConstraints, RFC 5280 section 4.2.1.9)."""
    constraints = extension(found, "BasicConstraints")
    return constraints is not None and bool(constraints.ca)


def leaf_of(found: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate of a bundle that is meant: the first one that is no CA's; the first, if all are or none is."""
    for certificate in found:
        try:
            if not is_ca(certificate):
                return certificate
        except Exception:  # noqa: BLE001  an extension that cannot be read has a finding of its own
            return certificate
    return found[0]


@functools.cache
def _extension_oid(name: str) -> x509.ObjectIdentifier:
    from cryptography import x509

    oid: x509.ObjectIdentifier = getattr(x509, name).oid
    return oid


def extension(found: x509.Certificate, name: str) -> Any:
    """The value of an extension by the name of its class in `cryptography.x509`, or None.

    Raises:
        ValueError: the certificate's extensions cannot be read.
    """
    wanted = _extension_oid(name)
    for each in found.extensions:
        if each.oid == wanted:
            return each.value
    return None


def access_location(found: x509.Certificate, method: x509.ObjectIdentifier) -> str:
    """An address in a certificate's authority information (RFC 5280 section 4.2.2.1); empty if there is none."""
    try:
        entries = extension(found, "AuthorityInformationAccess") or ()
    except ValueError:
        return ""
    return next((names.san_parts(each.access_location)[1] for each in entries if each.access_method == method), "")


def _fingerprint(found: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256

    return found.fingerprint(SHA256()).hex()


def _key(public_key: Any) -> dict[str, Any]:
    return asdict(keys.key_facts(public_key))


def _next_update(found: x509.CertificateRevocationList) -> str | None:
    moment = found.next_update_utc
    return rfc3339(moment) if moment else None


_CERTIFICATE_FIELDS: dict[str, Field] = {
    "subject": lambda found: names.distinguished_name(found.subject),
    "issuer": lambda found: names.distinguished_name(found.issuer),
    "serial": lambda found: names.serial_hex(found.serial_number),
    "not_before": lambda found: rfc3339(found.not_valid_before_utc),
    "not_after": lambda found: rfc3339(found.not_valid_after_utc),
    "key": lambda found: _key(found.public_key()),
    "san": lambda found: san(found.extensions),
    "fingerprint_sha256": _fingerprint,
    "is_ca": is_ca,
}
_CSR_FIELDS: dict[str, Field] = {
    "subject": lambda found: names.distinguished_name(found.subject),
    "key": lambda found: _key(found.public_key()),
    "san": lambda found: san(found.extensions),
    "signature_valid": requests.is_signature_valid,
}
_CRL_FIELDS: dict[str, Field] = {
    "issuer": lambda found: names.distinguished_name(found.issuer),
    "this_update": lambda found: rfc3339(found.last_update_utc),
    "next_update": _next_update,
    "revoked_count": len,
}
_PUBLIC_KEY_FIELDS: dict[str, Field] = {"key": _key}
_PRIVATE_KEY_FIELDS: dict[str, Field] = {"key": lambda found: _key(found.public_key())}


def _fields(found: Any, wanted: Mapping[str, Field]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    problems = []
    for name, read in wanted.items():
        try:
            facts[name] = read(found)
        except Exception as error:  # noqa: BLE001  hostile bytes meet a parser: it has its own kinds of error
            facts[name] = None
            problems.append(f"{name}: {printable(objects.short_reason(error))}")
    return {**facts, "problems": problems} if problems else facts


def _private_key(item: Item) -> dict[str, Any]:
    facts = {"key": None} if item.value is None else _fields(item.value, _PRIVATE_KEY_FIELDS)
    return {**facts, "encrypted": item.is_encrypted}


def _pkcs12(item: Item) -> dict[str, Any]:
    if item.value is None:
        return {"contents": None, "encrypted": True}
    contents = []
    if item.value.key is not None:
        contents.append({"kind": Kind.PRIVATE_KEY.value, **_fields(item.value.key, _PRIVATE_KEY_FIELDS)})
    contents += [{"kind": Kind.CERTIFICATE.value, **certificate(found)} for found in item.value.certificates]
    problems = [problem for entry in contents for problem in entry.pop("problems", [])]
    facts = {"contents": contents, "encrypted": item.is_encrypted}
    return {**facts, "problems": problems} if problems else facts


_DESCRIBERS: dict[Kind, Callable[[Item], dict[str, Any]]] = {
    Kind.PRIVATE_KEY: _private_key,
    Kind.PUBLIC_KEY: lambda item: _fields(item.value, _PUBLIC_KEY_FIELDS),
    Kind.CSR: lambda item: _fields(item.value, _CSR_FIELDS),
    Kind.CERTIFICATE: lambda item: certificate(item.value),
    Kind.CRL: lambda item: _fields(item.value, _CRL_FIELDS),
    Kind.PKCS12: _pkcs12,
}
