"""The certificates to trust: those of a file or a directory, and those of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import reading

if TYPE_CHECKING:
    from certkit.x509.certificate import Certificate

_ANY_USAGE = "2.5.29.37.0"
_TRUSTED = b"-----BEGIN TRUSTED CERTIFICATE-----"
_PURPOSES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2", "any": _ANY_USAGE}


@dataclass(slots=True)
class TrustSettings:
    """OpenSSL's trust settings (BEGIN TRUSTED CERTIFICATE) for a purpose: `client`, `server` or `any`.

    `trusted` are certificates that are trusted for it explicitly, CAs or not; `rejected` are those that are not.
    """

    purpose: str
    trusted: list[Certificate] = field(default_factory=list)
    rejected: list[Certificate] = field(default_factory=list)


def trusted(path: str, *, settings: TrustSettings | None = None) -> list[Certificate]:
    """Return the CA certificates of a file, or of the files of a directory, some of which may hold other objects.

    Trust settings beside a certificate are added to `settings`.

    Raises:
        InputError: if a file cannot be read, or no certificate is a CA's.
    """
    if not reading.is_directory(path):
        data = reading.read(path)
        return cas(certificates(data, path, settings), name=path, may_be_none=_TRUSTED in data)
    listed = reading.listing(path)
    found = [each for file in listed for each in certificates(reading.read(file), file, settings, may_be_none=True)]
    if not found:
        raise InputError(
            f"cannot read {path} as CA certificates: no file in it contains a certificate", hint="check --ca"
        )
    return cas(found, name=path)


def certificates(
    data: bytes, name: str, settings: TrustSettings | None, *, may_be_none: bool = False
) -> list[Certificate]:
    """Return the certificates of a file of CAs; trust settings beside one are added to `settings`.

    Raises:
        InputError: if there is none (unless there may be), or one cannot be read.
    """
    from certkit.x509 import objects
    from certkit.x509.items import Kind

    found = objects.items(data, Kind.CERTIFICATE, name=name, may_be_none=may_be_none)
    for each in found:
        if settings is not None and (is_trusted := _is_trusted(each.trust, settings.purpose)) is not None:
            (settings.trusted if is_trusted else settings.rejected).append(each.value)
    return [each.value for each in found]


def cas(found: list[Certificate], *, name: str, may_be_none: bool = False) -> list[Certificate]:
    """Return the certificates that can be trusted as CAs: only these can vouch for others.

    Raises:
        InputError: if no certificate can, unless the result may be empty.
    """
    from certkit.verify.path import is_anchor

    kept = [each for each in found if is_anchor(each)]
    if not kept and not may_be_none:
        raise InputError(
            f"cannot trust {name}: it contains no CA certificate (RFC 5280 section 4.2.1.9)",
            hint="give the partner's CA certificate; certkit verify --pin trusts exactly one certificate, CA or not",
        )
    return kept


def _is_trusted(settings: bytes, purpose: str) -> bool | None:
    """Return whether trust settings (X509_CERT_AUX) trust or reject a purpose; None if neither. Broken ones reject."""
    from certkit.x509 import der as tlv

    if not settings:
        return None
    try:
        nodes = tlv.parts(settings, tlv.SEQUENCE)
        lists = {
            node[0]: {tlv.oid(settings, each) for each in tlv.children(settings, node[2], node[3])}
            for node in nodes
            if node[0] in {tlv.SEQUENCE, 0xA0}
        }
    except tlv.DerError:
        return False
    trusts, rejects = lists.get(tlv.SEQUENCE, set()), lists.get(0xA0, set())
    wanted = {_PURPOSES[purpose], _ANY_USAGE}
    if wanted & rejects:
        return False
    if wanted & trusts:
        return True
    return False if trusts and purpose != "any" else None


def system() -> list[Certificate]:
    """Return the CAs that this machine trusts.

    Raises:
        InputError: if this machine trusts no CA.
    """
    import ssl

    paths = ssl.get_default_verify_paths()
    for place in (paths.cafile, paths.capath):
        if place:
            return trusted(place)
    raise InputError("cannot read system: this machine has no store of trusted CAs", hint="name a CA file with --ca")
