"""Access tokens for programs, and authentication objects for requests and httpx."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from certkit.errors import CertkitError, InputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from certkit.api.identities import Identity
    from certkit.stores.base import Store
    from certkit.wise.tokens import Kept, Token

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
    from certkit.wise import tokens

    place = (profile_id, grant)
    remembered = identity._tokens.get(place)  # noqa: SLF001
    if remembered is not None and other_than is None:
        token, read = remembered
        if not token.is_due(now()) and time.monotonic() - read < identity._follower.interval:  # noqa: SLF001
            return _text(token)
    with identity._follower.lock, identity._follower.store.use() as store:  # noqa: SLF001
        kept = tokens.find(store, identity.name, profile_id=profile_id, grant=grant)
        token = kept.token
        is_refused = other_than is not None and _text(token) == other_than
        if is_refused or token.is_due(now()) or token.is_leased(now()):
            try:
                token = _renewed(identity, store, kept, force=is_refused)
            except CertkitError as error:
                if is_refused or token.is_expired(now()):
                    raise
                logger.warning("the token of %s is due and was not renewed: %s", identity.name, error.message)
        if token.is_expired(now()):
            raise RefusedError(f"the access token of {identity.name} has expired", hint=_HINT)
        identity._tokens[place] = (token, time.monotonic())  # noqa: SLF001
    return _text(token)


_HINT = "give certkit.identity(…, client_secret=…), or run certkit wise token refresh"


def _renewed(identity: Identity, store: Store, kept: Kept, *, force: bool) -> Token:
    """Renew the token under the store's lease, so that one process asks Wise and all others use what it got."""
    from certkit.api.arguments import now
    from certkit.policy import catalogue
    from certkit.wise import endpoints, oauth
    from certkit.wise.token_lease import renewed

    secret = identity._client_secret  # noqa: SLF001
    if secret is None:
        raise InputError(f"the token of {identity.name} cannot be renewed without the client secret", hint=_HINT)
    found = store.load(identity.name)
    endpoint = endpoints.endpoint(store, found, catalogue.load(found.record.settings.policy))
    client = oauth.Client(id=kept.token.client_id, secret=secret)
    return renewed(
        store,
        identity.name,
        kept,
        ask=lambda token: oauth.renew(endpoint, client, token, now=now()),
        clock=now,
        force=force,
        longest_seconds=endpoint.longest_seconds,
    )


def _text(token: Token) -> str:
    return token.access.reveal().decode("ascii")


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

    Who hands it to httpx has imported httpx, so httpx is never imported for nothing.
    """
    httpx = sys.modules.get("httpx")
    if httpx is None:
        return TokenAuth(identity, profile_id=profile_id, grant=grant)
    kind: type[TokenAuth] = type("TokenAuth", (TokenAuth, httpx.Auth), {})
    return kind(identity, profile_id=profile_id, grant=grant)
