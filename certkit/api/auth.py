"""Access tokens for programs, and authentication objects for requests and httpx."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from certkit.api.following import THREAD_WAIT_SECONDS, logger
from certkit.api.tokens import text_of
from certkit.errors import CertkitError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from certkit.api.identities import Identity
    from certkit.wise.tokens import Token

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

    place, follower = (profile_id, grant), identity._follower  # noqa: SLF001
    remembered = identity._remembered.get(place)  # noqa: SLF001
    is_usable = remembered is not None and other_than is None and not remembered[0].is_due(now())
    if is_usable and remembered is not None and time.monotonic() - remembered[1] >= follower.interval:
        # Another host may have renewed it. A store that is slow or gone is not waited for, as the token is valid.
        identity._remembered[place] = (remembered[0], time.monotonic())  # noqa: SLF001

        def again() -> None:
            if follower.lock.acquire(blocking=False):
                try:
                    _read(identity, place, None)
                except CertkitError:
                    identity._remembered.pop(place, None)  # noqa: SLF001  it was removed, which is said below
                finally:
                    follower.lock.release()

        if follower.store.is_local:
            again()
        else:
            follower.in_background(again, THREAD_WAIT_SECONDS)
        remembered = identity._remembered.get(place)  # noqa: SLF001
    if is_usable and remembered is not None:
        return text_of(remembered[0])
    with follower.lock:
        return text_of(_read(identity, place, other_than))


def _read(identity: Identity, place: tuple[str | None, str | None], other_than: str | None) -> Token:
    """Read the token in the store, renew it if need be, and remember it; the lock is held.

    If the store cannot be read, a token that is remembered and has not expired is used on.
    """
    from certkit.api.arguments import now
    from certkit.secret import Secret

    profile_id, grant = place
    refused = None if other_than is None else Secret(other_than.encode())
    known = identity._remembered.get(place)  # noqa: SLF001
    try:
        with identity._follower.store.use() as store:  # noqa: SLF001
            found = identity.tokens._fresh(store, profile_id=profile_id, grant=grant, refused=refused)  # noqa: SLF001
    except StoreError as error:
        if known is None or refused is not None or known[0].is_expired(now()):
            raise
        logger.warning("the token of %s stays as it is: %s", identity.name, error.message)
        found = known[0]
    identity._remembered[place] = (found, time.monotonic())  # noqa: SLF001
    return found


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
