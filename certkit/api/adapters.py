"""Adapters for requests and urllib3, which close idle connections once the identity has been renewed."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import requests.adapters
import urllib3

from certkit.api.context import IdentityContext

if TYPE_CHECKING:
    from certkit.api.following import Follower


class RequestsAdapter(requests.adapters.HTTPAdapter):
    """A transport adapter whose connections present the identity's certificate and trust its trust bundle only."""

    def __init__(self, follower: Follower, **options: Any) -> None:
        self._follower = follower
        self._context = IdentityContext(follower)
        super().__init__(**options)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002
        """Create the pool with the identity's context."""
        sizes = {"num_pools": connections, "maxsize": maxsize, "block": block}
        self.poolmanager = _PoolManager(self._follower, ssl_context=self._context, **sizes, **options)

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


class _PoolManager(urllib3.PoolManager):
    """A pool manager of urllib3 that closes idle connections once the identity has been renewed."""

    def __init__(self, follower: Follower, **options: Any) -> None:
        self._follower, self._seen = follower, follower.current(may_wait=True)
        super().__init__(**options)

    def connection_from_host(self, *arguments: Any, **options: Any) -> Any:
        pair = self._follower.current(may_wait=True)
        if pair is not self._seen:
            self._seen = pair
            self._close_idle()
        return super().connection_from_host(*arguments, **options)

    def _close_idle(self) -> None:
        """Close the connections that wait in the pools, and have the next requests open new pools.

        A pool that another thread is about to use must stay open, so each idle connection leaves an empty place behind.
        """
        for key in self.pools.keys():  # noqa: SIM118  urllib3's container has no iterator
            waiting: Any = getattr(self.pools.get(key), "pool", None) or queue.LifoQueue()
            for _ in range(waiting.qsize()):
                try:
                    connection = waiting.get_nowait()
                except queue.Empty:
                    break
                if connection is not None:
                    connection.close()
                waiting.put_nowait(None)
        self.clear()


def pool_manager(follower: Follower, **options: Any) -> urllib3.PoolManager:
    """Return a PoolManager whose connections present the identity's certificate."""
    return _PoolManager(follower, **options, ssl_context=IdentityContext(follower))
