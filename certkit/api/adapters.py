"""Adapters for requests and urllib3, which close idle connections once the identity has been renewed."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import requests.adapters
import urllib3

from certkit.api.context import IdentityContext

if TYPE_CHECKING:
    from certkit.api.following import ActivePair, Follower


class RequestsAdapter(requests.adapters.HTTPAdapter):
    """A transport adapter whose connections present the identity's certificate and trust its trust bundle only."""

    def __init__(self, follower: Follower, **options: Any) -> None:
        self._follower = follower
        self._context = IdentityContext(follower)
        self._seen: ActivePair = follower.current(may_wait=True)
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the pool with the identity's context."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Create the pool of a proxy with the identity's context."""
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:  # noqa: ARG002
        """Leave trust to the context: requests would add the public CAs of certifi, or its own file."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self._context}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Leave verification to the context."""
        if verify is False or cert:
            from certkit.errors import InputError

            hint = "leave verify= and cert= out: the identity has a trust bundle and a certificate"
            raise InputError("requests cannot use other settings for TLS with an identity", hint=hint)

    def __reduce__(self) -> str:
        raise TypeError("an adapter of an identity is not serialised")

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Send a request, over a new connection if the identity was renewed since the last one."""
        pair = self._follower.current(may_wait=True)
        if pair is not self._seen:
            self._seen = pair
            _close_idle(self.poolmanager)
        return super().send(request, *arguments, **options)


class _PoolManager(urllib3.PoolManager):
    """A pool manager of urllib3 that closes idle connections once the identity has been renewed."""

    _follower: Follower
    _seen: ActivePair

    def urlopen(self, *arguments: Any, **options: Any) -> Any:
        pair = self._follower.current(may_wait=True)
        if pair is not self._seen:
            self._seen = pair
            _close_idle(self)
        return super().urlopen(*arguments, **options)


def _close_idle(manager: urllib3.PoolManager) -> None:
    """Close the connections that wait in the pools, and have the next requests open new pools.

    A pool that another thread is about to use must stay open, so each idle connection leaves an empty place behind.
    """
    for key in manager.pools.keys():  # noqa: SIM118  urllib3's container has no iterator
        waiting: Any = getattr(manager.pools.get(key), "pool", None) or queue.LifoQueue()
        for _ in range(waiting.qsize()):
            try:
                connection = waiting.get_nowait()
            except queue.Empty:
                break
            if connection is not None:
                connection.close()
            waiting.put_nowait(None)
    manager.clear()


def pool_manager(follower: Follower, **options: Any) -> urllib3.PoolManager:
    """Return a PoolManager whose connections present the identity's certificate."""
    manager = _PoolManager(**options, ssl_context=IdentityContext(follower))
    manager._follower, manager._seen = follower, follower.current(may_wait=True)  # noqa: SLF001
    return manager
