"""The certificates to trust: those of a file or a directory, and those of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import InputError
from certkit.files import reading

if TYPE_CHECKING:
    from cryptography import x509


def trusted(path: str) -> list[x509.Certificate]:
    """The certificates of a file, or of the files of a directory, of which some may hold other things.

    Raises:
        InputError: it cannot be read, or there are none.
    """
    from certkit.x509 import objects

    if not reading.is_directory(path):
        return objects.certificates(reading.read(path), name=path)
    listed = reading.listing(path)
    found = [each for file in listed for each in objects.certificates(reading.read(file), name=file, may_be_none=True)]
    if not found:
        raise InputError(f"cannot read, {path}: no file in it holds a certificate", hint="check --ca")
    return found


def system() -> list[x509.Certificate]:
    """The CAs that this machine trusts.

    Raises:
        InputError: there are none.
    """
    import ssl

    paths = ssl.get_default_verify_paths()
    for place in (paths.cafile, paths.capath):
        if place:
            return trusted(place)
    raise InputError("cannot read, system: this machine has no store of trusted CAs", hint="name a CA file with --ca")
