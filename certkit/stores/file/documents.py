"""The secret documents of an identity in its directory: one file each, readable by its owner only.

In a sealed store a file has a single field, SEALED, with the document as the store's wrapping keeps it; documents that
were written before are read as they are. The version of a document is the digest of its bytes, so that nothing is
written over a version that the writer has not seen.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, PassphraseError, StoreError
from certkit.files.content import Access
from certkit.secret import Secret
from certkit.stores import record
from certkit.stores.base import Document
from certkit.stores.sealing import OPENING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certkit.files.folder import Folder
    from certkit.stores.sealing import Wrapping

TOKENS = "tokens"
SEALED = "sealed"
_SUFFIX = ".json"
_HINT = "restore it from a backup, or remove it and get another"


def is_file(name: str) -> bool:
    """Return whether a file of that name is a document."""
    return name.endswith(_SUFFIX) and record.is_document(name.removesuffix(_SUFFIX))


def names(folder: Folder) -> list[str]:
    """Return the names of the documents in an identity's directory, sorted."""
    if not folder.has(TOKENS):
        return []
    with folder.inside(TOKENS) as tokens:
        return sorted(name.removesuffix(_SUFFIX) for name in tokens.names() if is_file(name))


def read(folder: Folder, name: str, wrapping: Wrapping | None) -> Document | None:
    """Return a document in an identity's directory, or None.

    Raises:
        StoreError: if it cannot be read, or is not a JSON object of strings.
    """
    if not folder.has(TOKENS):
        return None
    with folder.inside(TOKENS) as tokens:
        data, where = tokens.read_if_there(name + _SUFFIX), str(tokens.path / (name + _SUFFIX))
    if data is None:
        return None
    fields = _fields(data, where=where)
    if (sealed := fields.get(SEALED)) is not None:
        if wrapping is None:
            raise PassphraseError(f"cannot read {where}: it is encrypted", hint=OPENING)
        opened = wrapping.open_text(sealed.reveal().decode("utf-8"), name=where)
        fields = _fields(opened.reveal(), where=where)
    return Document(fields=fields, version=_version(data))


def is_sealed(folder: Folder, name: str) -> bool:
    """Return whether a document is sealed."""
    with folder.inside(TOKENS) as tokens:
        return SEALED in _fields(tokens.read(name + _SUFFIX), where=str(tokens.path / (name + _SUFFIX)))


def write(
    folder: Folder, name: str, fields: Mapping[str, Secret], wrapping: Wrapping | None, *, over: str | None
) -> str:
    """Write a document over a version, or as a new one (None), and return its new version; the caller holds the lock.

    Raises:
        ConflictError: if the stored version is another one, or missing.
        StoreError: if it cannot be written; the old one remains.
    """
    try:
        texts = {each: value.reveal().decode("utf-8") for each, value in fields.items()}
    except UnicodeDecodeError:
        message = "cannot write a document: one of its fields is not UTF-8 text"
        raise StoreError(message, hint="give another value") from None
    content = Secret(f"{json.dumps(texts, indent=2)}\n".encode())
    if wrapping is not None:
        content = Secret(f"{json.dumps({SEALED: wrapping.seal_text(content)})}\n".encode())
    if not folder.has(TOKENS):
        with folder.make(TOKENS, Access()):
            folder.sync()
    with folder.inside(TOKENS) as tokens:
        there = tokens.read_if_there(name + _SUFFIX)
        if over != (None if there is None else _version(there)):
            path = tokens.path / (name + _SUFFIX)
            raise ConflictError(f"cannot write {path}: it has changed in the meantime", hint="check it, and try again")
        tokens.write(name + _SUFFIX, content, Access(), replace=there is not None)
    return _version(content.reveal())


def delete(folder: Folder, name: str) -> None:
    """Delete a document if it exists; the caller holds the lock."""
    if folder.has(TOKENS):
        with folder.inside(TOKENS) as tokens:
            tokens.remove(name + _SUFFIX)
            tokens.sync()


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _fields(data: bytes, *, where: str) -> dict[str, Secret]:
    try:
        return {name: Secret(value.encode("utf-8")) for name, value in json.loads(data).items()}
    except (ValueError, AttributeError, RecursionError):
        # Not "from": the error quotes the content.
        raise StoreError(f"cannot read {where}: not a JSON object of strings", hint=_HINT) from None
