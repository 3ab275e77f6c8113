"""Directories of a store: `Folder`, with the errors of a store."""

from __future__ import annotations

from certkit.errors import ConflictError, StoreError
from certkit.files.folder import Folder


class StoreFolder(Folder):
    """A directory of a store, open. Every method may raise StoreError, and ConflictError for a name that is taken."""

    error = StoreError
    conflict = ConflictError
    conflict_hint = "check what is there"
    link_hint = "replace it with its target: a store does not follow symbolic links"

    __slots__ = ()
