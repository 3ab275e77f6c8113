"""Access tokens for programs, and authentication objects for requests and httpx."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from certkit.api.arguments import now, secret
from certkit.api.following import THREAD_WAIT_SECONDS, logger
from certkit.api.tokens import text_of
from certkit.errors import CertkitError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from certkit.api.following import Follower
    from certkit.api.tokens import WiseTokens
    from certkit.wise.tokens import Token

_UNAUTHORIZED = 401


class _Remembered(NamedTuple):
    """A token, the monotonic time at which the store was last asked for it, and whether it was due then."""

    token: Token
    asked: float
    was_due: bool


class AccessTokens:
    """The access tokens of an identity: each is remembered, and the store is asked for it at the follower's interval.

    It may be shared by threads, and works in a forked child.
    """

    def __init__(self, tokens: WiseTokens, follower: Follower) -> None:
        self._tokens = tokens
        self._follower = follower
        self._remembered: dict[tuple[str | None, str | None], _Remembered] = {}

    @property
    def name(self) -> str:
        """The name of the identity."""
        return self._follower.name

    def get(self, profile_id: str | None, grant: str | None, *, refused: str | None = None) -> str:
        """Return a valid access token, which differs from one that the server `refused`.

        Raises:
            RefusedError: if Wise refuses to renew the token.
            InputError: if there is no such token, or it has expired and cannot be renewed.
            StoreError: if the store cannot be used.
        """
        place, moment = (profile_id, grant), now()
        known = self._remembered.get(place)
        if refused is None and known is not None and not known.token.is_expired(moment):
            is_newly_due = known.token.is_due(moment) and not known.was_due
            if is_newly_due or time.monotonic() - known.asked >= self._follower.interval:
                known = self._ask_again(place, known.token)
            if known is not None:
                return text_of(known.token)
        with self._follower.lock:
            return text_of(self._read(place, refused))

    def _ask_again(self, place: tuple[str | None, str | None], token: Token) -> _Remembered | None:
        """Ask the store for a token that is still valid: it is due, or another host may have renewed it.

        A remote store that is slow or gone is not waited for long. The result is None if the token was removed.
        """
        self._remember(place, token)

        def ask() -> None:
            if self._follower.lock.acquire(blocking=False):
                try:
                    self._read(place, None)
                except CertkitError:
                    self._remembered.pop(place, None)
                finally:
                    self._follower.lock.release()

        if self._follower.store.is_local:
            ask()
        else:
            self._follower.in_background(ask, THREAD_WAIT_SECONDS)
        return self._remembered.get(place)

    def _read(self, place: tuple[str | None, str | None], refused: str | None) -> Token:
        """Read a token in the store, renew it if need be, and remember it; the caller holds the lock.

        If the store cannot be read, a remembered token is used until it expires.
        """
        profile_id, grant = place
        known = self._remembered.get(place)
        try:
            with self._follower.store.use() as store:
                found = self._tokens._valid(  # noqa: SLF001  not part of the public API
                    store, profile_id=profile_id, grant=grant, refused=secret(refused)
                )
        except StoreError as error:
            if known is None or refused is not None or known.token.is_expired(now()):
                raise
            logger.warning("the token of %s stays as it is: %s", self.name, error.message)
            found = known.token
        self._remember(place, found)
        return found

    def _remember(self, place: tuple[str | None, str | None], token: Token) -> None:
        self._remembered[place] = _Remembered(token, time.monotonic(), token.is_due(now()))


class TokenAuth:
    """Sends `Authorization: Bearer TOKEN`, with requests and with httpx; after a 401 once more with another token."""

    def __init__(self, tokens: AccessTokens, *, profile_id: str | None, grant: str | None) -> None:
        self._tokens = tokens
        self._place = profile_id, grant

    def _token(self, refused: str | None = None) -> str:
        return self._tokens.get(*self._place, refused=refused)

    def __call__(self, request: Any) -> Any:
        """Authenticate a request of requests."""
        token = self._token()
        request.headers["Authorization"] = f"Bearer {token}"
        try:
            position = int(request.body.tell())  # a file is sent again from there
        except (AttributeError, OSError):
            position = None  # a pipe, or no file

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
        return f"<certkit.TokenAuth of {self._tokens.name}>"

    def __reduce__(self) -> str:
        raise TypeError("an authentication object is not serialised")


def token_auth(tokens: AccessTokens, *, profile_id: str | None, grant: str | None) -> TokenAuth:
    """Return a TokenAuth, which httpx takes only if it descends from its own class.

    A program that passes it to httpx has imported httpx already, so httpx is never imported for nothing.
    """
    httpx = sys.modules.get("httpx")
    if httpx is None:
        return TokenAuth(tokens, profile_id=profile_id, grant=grant)
    kind: type[TokenAuth] = type("TokenAuth", (TokenAuth, httpx.Auth), {})
    return kind(tokens, profile_id=profile_id, grant=grant)
