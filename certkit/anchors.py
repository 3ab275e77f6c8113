"""The certificates to trust: those of a file or a directory, and those of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit import files
from certkit.errors import InputError

if TYPE_CHECKING:
    from cryptography import x509


def trusted(path: str) -> list[x509.Certificate]:
    """The certificates of a file, or of the files of a directory, of which some may hold other things.

    Raises:
        InputError: it cannot be read, or there are none.
    """
    from certkit.core import objects

    if not files.is_directory(path):
        return objects.certificates(files.read(path), name=path)
    listed = files.listing(path)
    found = [each for file in listed for each in objects.certificates(files.read(file), name=file, may_be_none=True)]
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
