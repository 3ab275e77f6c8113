"""Directories of a store: `Folder`, with the errors of a store."""

from __future__ import annotations

from certkit.errors import ConflictError, StoreError
from certkit.files.folder import Folder


class StoreFolder(Folder):
    """A directory of a store, open. Every method may raise StoreError, and ConflictError for a name that is taken."""

    error = StoreError
    conflict = ConflictError
    conflict_hint = "look at what is there"
    link_hint = "put what it leads to in its place: a store follows no symbolic links"

    __slots__ = ()
