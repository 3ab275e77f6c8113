"""The active pair of an identity, read from its store and followed there."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from certkit.api.handle import in_child
from certkit.errors import CertkitError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certkit.api.handle import StoreHandle
    from certkit.identity.credentials import GenerationCredentials
    from certkit.stores.base import Issued

logger = logging.getLogger("certkit")

# How long an event loop and a thread wait for a remote store. The partner has accepted the connection by then,
# and would close it if a store that is slow or gone were waited for.
_LOOP_WAIT_SECONDS, THREAD_WAIT_SECONDS = 0.05, 2.0
# A server that refuses every connection must not have the store read for each of them.
_PAUSE_AFTER_REFUSAL_SECONDS = 1.0


class Follower:
    """The active pair of an identity, which follows the active pointer of its store.

    The store is asked at most every `interval` seconds, and at once after a server refused a handshake. If it cannot be
    read, the pair stays. It may be shared by threads and event loops, and works in a forked child.
    """

    def __init__(
        self, name: str, store: StoreHandle, interval: float, on_error: Callable[[CertkitError], None] | None
    ) -> None:
        self.name = name
        self.store = store
        self.interval = interval
        self._on_error = on_error
        self.lock = threading.RLock()
        self._issued: Issued | None = None  # the certificate of the pair, as it is stored, to detect a change
        self._pair = self._read()
        self._checked = time.monotonic()
        in_child(self, Follower._take_fresh_lock)
        weakref.finalize(self, store.close)

    def _take_fresh_lock(self) -> None:
        self.lock = threading.RLock()

    def __repr__(self) -> str:
        return f"{self.name} in {self.store.uri}"

    def reload(self) -> bool:
        """Read the store now; see `Identity.reload`."""
        with self.lock:
            before, self._checked = self._pair, time.monotonic()
            self._pair = self._read()
            return self._pair is not before

    def close(self) -> None:
        """Close the connection to the store; it is opened again when it is needed."""
        with self.lock:
            self.store.close()

    def current(self, *, may_wait: bool) -> GenerationCredentials:
        """Return the pair in use; if the store was not asked for `interval` seconds, it is asked first.

        A store that answers over the network is read in a thread of its own. Where that takes long (for an event loop,
        that must not wait, more than a moment), a later call sees what it found.
        """
        if time.monotonic() - self._checked >= self.interval:
            if self.store.is_local:
                self._look()
            else:
                self.in_background(self._look, THREAD_WAIT_SECONDS if may_wait else _LOOP_WAIT_SECONDS)
        return self._pair

    def refused(self) -> None:
        """Note that a server refused a handshake: the store is read again at the next connection."""
        if time.monotonic() - self._checked >= _PAUSE_AFTER_REFUSAL_SECONDS:
            self._checked = float("-inf")
            if not self.store.is_local:
                self.in_background(self._look, 0)

    def in_background(self, work: Callable[[], object], seconds: float) -> None:
        """Run a function that reads the store in a separate thread, and wait for it up to a time limit."""
        thread = threading.Thread(target=work, name="certkit", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread starts while the interpreter ends: then the pair stays
            thread.start()
            thread.join(seconds)

    def _look(self) -> None:
        """Ask the store, unless another thread does so already; if it cannot be read, the pair stays."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            self._checked = time.monotonic()
            self._pair = self._read()
        except CertkitError as error:
            logger.warning("identity %s stays at generation %s: %s", self.name, self._pair.generation, error.message)
            if self._on_error is not None:
                try:
                    self._on_error(error)
                except Exception:  # a request must not fail because of what is done about it
                    logger.exception("on_error of identity %s failed", self.name)
        finally:
            self.lock.release()

    def _read(self) -> GenerationCredentials:
        """Read the active pair; the one in use if the store has the same."""
        from certkit.identity import credentials, overview

        held: GenerationCredentials | None = getattr(self, "_pair", None)
        with self.store.use() as store:
            found = store.load(self.name)
            number = found.record.active
            issued = None if number is None else overview.generation(found, number).issued
            if held is not None and (number, issued) == (held.generation, self._issued):
                return held
            pair = credentials.of_generation(store, found)
        if not pair.anchors:
            hint = f"give the partner's CA: certkit identity install {self.name} CERT --ca FILE"
            raise InputError(f"{self.name} has no trust bundle, so its partner's servers cannot be verified", hint=hint)
        self._issued = issued
        return pair
