"""A store that is opened when it is needed, kept open, and opened again by a forked child."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from certkit.errors import CertkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.stores.opening import Opener

    T = TypeVar("T")

# Connections of a parent process: closing them, even when they are collected, would end them for the parent too.
_abandoned: list[object] = []
_items: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


class StoreHandle:
    """A store by its URI, or the default store."""

    def __init__(self, uri: str | None, passphrase: Secret | None, opener: Opener) -> None:
        self.uri = uri or opener.environment.get("CERTKIT_STORE") or "the default store"
        self.is_local = False  # whether it is read without asking a server, which may take long; known once it is open
        self.environment = opener.environment
        self._arguments = (uri, passphrase)
        self.opener = opener
        self._open: tuple[Store, contextlib.ExitStack] | None = None
        in_child(self, StoreHandle.forget)

    @contextlib.contextmanager
    def use(self) -> Iterator[Store]:
        """Yield the open store. One that failed is closed, so that the next use logs in again."""
        if self._open is None:
            from certkit.stores.file.store import FileStore
            from certkit.stores.sealing import TransitWrapping

            uri, passphrase = self._arguments
            stack = contextlib.ExitStack()
            opened = stack.enter_context(self.opener.open(uri, passphrase=passphrase))
            self._open = opened, stack
            self.is_local = isinstance(opened, FileStore) and not isinstance(opened.wrapping, TransitWrapping)
        try:
            yield self._open[0]
        except CertkitError:
            self.close()
            raise

    def close(self) -> None:
        """Close the store, if it is open."""
        if self._open is not None:
            opened, self._open = self._open, None
            opened[1].close()

    def forget(self) -> None:
        """Forget a store that a parent process opened, without closing what the parent still uses."""
        if self._open is not None:
            _abandoned.append(self._open)
            self._open = None


def opener(environment: Mapping[str, str] | None) -> Opener:
    """Return what opens stores for programs: warnings go to the logger `certkit`."""
    import logging

    from certkit.api.arguments import now
    from certkit.stores.opening import Opener

    return Opener(os.environ if environment is None else environment, now, logging.getLogger("certkit").warning)


def in_child(item: T, work: Callable[[T], None]) -> None:
    """Have each forked child call `work(item)`, while the item exists: another thread may have held its locks."""
    _items[item] = work


def _work_in_child() -> None:
    for item, work in list(_items.items()):
        work(item)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_work_in_child)
