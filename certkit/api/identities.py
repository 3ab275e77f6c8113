"""Identities for programs: the active certificate, TLS contexts that follow it, and access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from certkit.api.auth import AccessTokens, token_auth
from certkit.api.following import Follower
from certkit.api.signatures import public
from certkit.x509.certificate import to_pem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.api.auth import TokenAuth
    from certkit.api.context import IdentityContext
    from certkit.api.handle import StoreHandle
    from certkit.api.tokens import WiseTokens
    from certkit.errors import CertkitError


@public
class Identity:
    """An identity in use: `certkit.identity(name)` opens one.

    It holds the active key and certificates in memory, and asks the store at most every `interval` seconds whether
    another generation is active, and at once after a server refused a handshake. If the store cannot be read, the pair
    in use stays. It may be shared by threads and event loops, and works in a forked child.
    """

    def __init__(
        self,
        name: str,
        handle: StoreHandle,
        *,
        tokens: WiseTokens,
        interval: float,
        on_error: Callable[[CertkitError], None] | None,
    ) -> None:
        self.name = name
        self.tokens = tokens
        self._follower = Follower(name, handle, interval, on_error)
        self._access_tokens = AccessTokens(tokens, self._follower)

    @property
    def certificate(self) -> bytes:
        """The active certificate, PEM."""
        return to_pem(self._follower.current(may_wait=True).credentials.chain[:1])

    @property
    def chain(self) -> bytes:
        """The active certificate and the CAs above it that go with it, PEM."""
        return to_pem(self._follower.current(may_wait=True).credentials.chain)

    @property
    def trust_bundle(self) -> bytes:
        """The CAs that the partner's servers are verified against, PEM."""
        return to_pem(self._follower.current(may_wait=True).anchors or ())

    @property
    def not_after(self) -> datetime:
        """When the active certificate expires, in UTC."""
        return self._follower.current(may_wait=True).credentials.chain[0].dates()[1]

    @property
    def generation(self) -> str:
        """The number of the active generation, such as `0002`."""
        return self._follower.current(may_wait=True).generation

    def reload(self) -> bool:
        """Read the store now. Return whether another generation, certificate or trust bundle is in use since.

        Raises:
            certkit.InputError: if the identity has no active certificate, or its key does not belong to it.
            certkit.StoreError: if the store cannot be read.
        """
        return self._follower.reload()

    def ssl_context(self, *, allow_temporary_file: bool = False) -> IdentityContext:
        """Return an `ssl.SSLContext` for clients: it presents the active certificate and trusts the trust bundle.

        It follows the identity: connections opened after a renewal present the new certificate. The private key is not
        written to any file system; where the system has no files in memory (`memfd_create`, Linux),
        `allow_temporary_file` permits a temporary file (0600, encrypted, removed at once).

        Raises:
            certkit.InputError: if the key cannot be loaded without a temporary file.
        """
        from certkit.api.context import IdentityContext

        return IdentityContext(self._follower, allow_temporary_file=allow_temporary_file)

    def token(self, *, profile_id: str | None = None, grant: str | None = None) -> str:
        """Return a valid access token. One that is due is renewed first, once for all processes that share the store.

        A token is remembered for up to `interval` seconds. `profile_id` and `grant` choose where the store has several.

        Raises:
            certkit.RefusedError: if Wise refuses to renew the token.
            certkit.InputError: if there is no such token, or it has expired and cannot be renewed.
            certkit.StoreError: if the store cannot be used.
        """
        return self._access_tokens.get(profile_id, grant)

    def auth(self, *, profile_id: str | None = None, grant: str | None = None) -> TokenAuth:
        """Return an authentication object for requests and httpx that sends `Authorization: Bearer TOKEN`.

        After an answer of 401 it gets another token, once, and sends the request again.
        """
        return token_auth(self._access_tokens, profile_id=profile_id, grant=grant)

    def requests_adapter(self, **options: Any) -> Any:
        """Return a transport adapter for requests: `session.mount("https://", acme.requests_adapter())`.

        `options` are those of `requests.adapters.HTTPAdapter`. Idle connections are closed after a renewal.
        """
        from certkit.api.adapters import RequestsAdapter

        return RequestsAdapter(self._follower, **options)

    def pool_manager(self, **options: Any) -> Any:
        """Return a `urllib3.PoolManager` that uses the identity. Idle connections are closed after a renewal.

        `options` are those of `urllib3.PoolManager`.
        """
        from certkit.api.adapters import pool_manager

        return pool_manager(self._follower, **options)

    def close(self) -> None:
        """Close the connection to the store. What was loaded stays usable; the store is opened again when needed."""
        self._follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<certkit.Identity {self.name} in {self._follower.store.uri}>"

    def __reduce__(self) -> str:
        raise TypeError("an identity that holds a private key is not serialised")
