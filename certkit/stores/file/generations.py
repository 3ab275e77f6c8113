"""A generation in its directory: files that are written once, the certificate last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, StoreError
from certkit.stores.base import Generation, Issued

if TYPE_CHECKING:
    from certkit.files.content import Access
    from certkit.files.folder import Folder
    from certkit.secret import Secret

KEY = "key.pem"
CSR = "csr.pem"
CERTIFICATE = "certificate.pem"
FULLCHAIN = "fullchain.pem"
TRUST_BUNDLE = "ca.pem"
ANSWER = re.compile(r"answer-([0-9]{1,4})\.pem", re.ASCII)
FILES = (KEY, CSR, CERTIFICATE, FULLCHAIN, TRUST_BUNDLE)


def is_file(name: str) -> bool:
    """Return whether a file of a generation has that name."""
    return name in FILES or ANSWER.fullmatch(name) is not None


def add(generations: Folder, number: str, *, key: Secret, csr: bytes | None, access: Access) -> None:
    """Add a generation, both files at once; the key in the form to be kept.

    Raises:
        ConflictError: if a generation of that number exists.
        StoreError: if it cannot be written; nothing of it remains.
    """
    with generations.build(number, access) as folder:
        folder.write(KEY, key, access)
        if csr is not None:
            folder.write(CSR, csr, access)


def install(folder: Folder, number: str, issued: Issued, access: Access) -> Generation:
    """Write the certificate issued for a generation's request; the files of a killed run are replaced.

    Raises:
        ConflictError: if the request already has another certificate.
        StoreError: if it cannot be written; the generation then counts as pending.
    """
    known = _issued(folder)
    if known is None:
        folder.write(TRUST_BUNDLE, issued.trust_bundle, access, replace=True)
        folder.write(FULLCHAIN, issued.fullchain, access, replace=True)
        folder.write(CERTIFICATE, issued.certificate, access)
    elif known != issued:
        raise ConflictError(
            f"cannot install {folder.path}: it already has another certificate",
            hint="each generation has one certificate; renew to get another",
        )
    else:
        folder.sync()  # the run that wrote it may have been killed before it did so
    return Generation(number=number, csr=folder.read_if_there(CSR), issued=issued)


def keep_answer(folder: Folder, answer: bytes, access: Access) -> None:
    """Keep a certificate that was refused; repeating this changes nothing."""
    known = answers(folder)
    if answer not in known:
        folder.write(f"answer-{len(known) + 1}.pem", answer, access)


def answers(folder: Folder) -> list[bytes]:
    """Read the refused certificates, oldest first."""
    names = [name for name in folder.names() if ANSWER.fullmatch(name)]
    return [folder.read(name) for name in sorted(names, key=lambda name: (len(name), name))]


def read(folder: Folder, number: str) -> Generation:
    """Return a generation without its key."""
    if not folder.has(KEY):
        raise StoreError(
            f"cannot read {folder.path}: {KEY} is missing", hint="restore it from a backup, or move the directory away"
        )
    return Generation(number=number, csr=folder.read_if_there(CSR), issued=_issued(folder))


def _issued(folder: Folder) -> Issued | None:
    certificate = folder.read_if_there(CERTIFICATE)
    if certificate is None:
        return None
    if not certificate.rstrip().endswith(b"-----END CERTIFICATE-----"):
        message = f"cannot read {folder.path / CERTIFICATE}: it is empty or cut off"
        raise StoreError(message, hint="restore it from a backup")
    fullchain = folder.read(FULLCHAIN)
    if not fullchain.startswith(certificate):
        raise StoreError(
            f"cannot read {folder.path / FULLCHAIN}: it does not begin with the certificate",
            hint="restore both from a backup",
        )
    chain = fullchain.removeprefix(certificate)
    return Issued(certificate=certificate, chain=chain, trust_bundle=folder.read(TRUST_BUNDLE))
