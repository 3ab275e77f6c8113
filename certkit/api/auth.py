"""Access tokens for programs, and authentication objects for requests and httpx."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from certkit.api.tokens import text_of
from certkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from certkit.api.identities import Identity

_UNAUTHORIZED = 401


def access_token(
    identity: Identity, *, profile_id: str | None, grant: str | None, other_than: str | None = None
) -> str:
    """Return a valid access token; with `other_than`, one that differs from a token that the server refused.

    Raises:
        RefusedError: if Wise refuses to renew the token.
        InputError: if there is no such token, or it has expired and cannot be renewed.
        StoreError: if the store cannot be used.
    """
    from certkit.api.arguments import now
    from certkit.api.following import logger
    from certkit.secret import Secret

    place, follower = (profile_id, grant), identity._follower  # noqa: SLF001
    remembered = identity._remembered.get(place)  # noqa: SLF001
    if remembered is not None and other_than is None:
        token, read = remembered
        if not token.is_due(now()) and time.monotonic() - read < follower.interval:
            return text_of(token)
    refused = None if other_than is None else Secret(other_than.encode())
    try:
        with follower.lock, follower.store.use() as store:
            token = identity.tokens._fresh(store, profile_id=profile_id, grant=grant, refused=refused)  # noqa: SLF001
    except StoreError as error:
        # A store that cannot be read is no reason to stop using a token that is valid.
        if remembered is None or refused is not None or remembered[0].is_expired(now()):
            raise
        logger.warning("the token of %s is used as it was read last: %s", identity.name, error.message)
        token = remembered[0]
    identity._remembered[place] = (token, time.monotonic())  # noqa: SLF001
    return text_of(token)


class TokenAuth:
    """Sends `Authorization: Bearer TOKEN`, with requests and with httpx; after a 401 once more with another token."""

    def __init__(self, identity: Identity, *, profile_id: str | None, grant: str | None) -> None:
        self._identity = identity
        self._place: dict[str, str | None] = {"profile_id": profile_id, "grant": grant}

    def _token(self, refused: str | None = None) -> str:
        return access_token(self._identity, **self._place, other_than=refused)

    def __call__(self, request: Any) -> Any:
        """Authenticate a request of requests."""
        token = self._token()
        request.headers["Authorization"] = f"Bearer {token}"
        position = _position(request.body)

        def once_more(response: Any, **options: Any) -> Any:
            if response.status_code != _UNAUTHORIZED or (position is None and hasattr(request.body, "read")):
                return response
            response.content  # noqa: B018  the connection is free again only once the answer is read
            response.close()
            again = response.request.copy()
            again.deregister_hook("response", once_more)
            if position is not None:
                again.body.seek(position)
            again.headers["Authorization"] = f"Bearer {self._token(token)}"
            answer = response.connection.send(again, **options)
            answer.history.append(response)
            answer.request = again
            return answer

        request.register_hook("response", once_more)
        return request

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Authenticate a request of httpx."""
        token = self._token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {self._token(token)}"
            yield request

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Authenticate a request of httpx under asyncio or trio; the store is read in a thread."""
        from anyio.to_thread import run_sync

        token = await run_sync(self._token)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {await run_sync(self._token, token)}"
            yield request

    def __repr__(self) -> str:
        return f"<certkit.TokenAuth of {self._identity.name}>"

    def __reduce__(self) -> str:
        raise TypeError("an authentication object is not serialised")


def _position(body: Any) -> int | None:
    """Where a body that is a file begins, so that it can be sent again; None for others, and for pipes."""
    try:
        return int(body.tell())
    except (AttributeError, OSError):
        return None


def token_auth(identity: Identity, *, profile_id: str | None, grant: str | None) -> TokenAuth:
    """Return a TokenAuth, which httpx takes only if it descends from its own class.

    A program that passes it to httpx has imported httpx already, so httpx is never imported for nothing.
    """
    httpx = sys.modules.get("httpx")
    if httpx is None:
        return TokenAuth(identity, profile_id=profile_id, grant=grant)
    kind: type[TokenAuth] = type("TokenAuth", (TokenAuth, httpx.Auth), {})
    return kind(identity, profile_id=profile_id, grant=grant)
