"""OAuth tokens of an identity, from the authorization to the end: `certkit wise token` for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.api.handle import StoreHandle
    from certkit.findings import Status
    from certkit.policy.rules import Policy
    from certkit.secret import Secret
    from certkit.stores.base import Store, StoredIdentity
    from certkit.wise.oauth import Client, TokenEndpoint
    from certkit.wise.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """A token in the store, without the token: its grant and scope, its profile, and its lifetimes (UTC, or None)."""

    identity: str
    grant: str
    scope: str | None
    profile_id: str | None
    expires_at: datetime
    refresh_token_expires_at: datetime | None
    created_at: datetime | None
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class WiseTokens:
    """The tokens of an identity at Wise; `IdentityStore.tokens(name)` returns this. Tokens stay in the store."""

    _name: str
    _handle: StoreHandle
    _load_policy: Callable[[str], Policy]
    _clock: Callable[[], datetime]
    _client_id: str | None
    _client_secret: Secret | None
    _policy: str | None
    _base_url: str | None
    _plain: bool
    _timeout: float

    def authorize_url(self, *, redirect_uri: str) -> str:
        """Return the URL where a user grants access; its random state is stored, and checked by `exchange`.

        Raises:
            certkit.InputError: if the client id or the redirect URI is invalid, or nothing tells the environment.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.wise import addresses, oauth_state

        client_id = self._require_client_id(None)
        addresses.require_redirect_uri(redirect_uri)
        with self._handle.use() as store:
            _, rules = self._identity(store)
            state = oauth_state.remember(
                store, self._name, client_id=client_id, redirect_uri=redirect_uri, now=self._clock()
            )
        return addresses.authorize_url(rules, client_id=client_id, redirect_uri=redirect_uri, state=state)

    def exchange(self, redirect_url: str, *, redirect_uri: str) -> TokenInfo:
        """Exchange the URL that the browser was redirected to for a user's token.

        Raises:
            certkit.RefusedError: if Wise or the user refused, or the state is not the one that was stored.
            certkit.InputError: if the URL is not such a redirect, or Wise cannot be reached.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.wise import addresses, exchange, redirect

        addresses.require_redirect_uri(redirect_uri)
        found = redirect.parse(redirect_url, redirect_uri=redirect_uri)
        with self._handle.use() as store:
            endpoint, client = self._endpoint(store), self._client(None)
            return self._info(exchange.exchange(store, self._name, endpoint, client, redirect=found, now=self._clock()))

    def client_credentials(self) -> TokenInfo:
        """Get a token of the application itself.

        Raises:
            certkit.RefusedError: if Wise refuses.
            certkit.InputError: if Wise cannot be reached.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.wise import exchange

        with self._handle.use() as store:
            endpoint, client = self._endpoint(store), self._client(None)
            return self._info(exchange.apply(store, self._name, endpoint, client, now=self._clock()))

    def refresh(self, *, profile_id: str | None = None, grant: str | None = None, force: bool = False) -> TokenInfo:
        """Renew a token that is due, or any with `force`; of several processes one asks Wise.

        Raises:
            certkit.RefusedError: if Wise refuses.
            certkit.InputError: if there is no such token, or Wise cannot be reached.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.wise import exchange, tokens

        with self._handle.use() as store:
            first = tokens.find(store, self._name, profile_id=profile_id, grant=grant)
            if not force and not first.token.is_due(self._clock()):
                return self._info(first.token)
            endpoint, client = self._endpoint(store), self._client(first.token.client_id)
            renewed = exchange.renew(store, self._name, first, endpoint, client, clock=self._clock, force=force)
            return self._info(renewed)

    def show(self, *, profile_id: str | None = None, grant: str | None = None) -> TokenInfo:
        """Return what is known about a token.

        Raises:
            certkit.InputError: if there is no such token, or there are several.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.wise import tokens

        with self._handle.use() as store:
            return self._info(tokens.find(store, self._name, profile_id=profile_id, grant=grant).token)

    def revoke_local(self, *, profile_id: str | None = None, grant: str | None = None) -> bool:
        """Remove a token from the store; return whether there was one. Wise accepts it until it expires.

        Raises:
            certkit.InputError: if there are several.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.wise import tokens

        with self._handle.use() as store:
            kept = tokens.look(store, self._name, profile_id=profile_id, grant=grant)
            if kept is not None:
                store.delete_document(self._name, kept.token.document)
            return kept is not None

    def _require_client_id(self, known: str | None) -> str:
        from certkit.wise import addresses

        client_id = self._client_id or known
        if client_id is None:
            raise InputError("the client id is missing", hint="give tokens(…, client_id=…)")
        return addresses.require_client_id(client_id)

    def _client(self, known: str | None) -> Client:
        from certkit.wise.oauth import Client

        if self._client_secret is None:
            hint = "give tokens(…, client_secret=…), or set CERTKIT_CLIENT_SECRET"
            raise InputError("the client secret is missing", hint=hint)
        return Client(id=self._require_client_id(known), secret=self._client_secret)

    def _identity(self, store: Store) -> tuple[StoredIdentity, Policy]:
        """Return the identity, which is created if it is absent, and its policy."""
        from certkit.wise import addresses, endpoints

        base_url = addresses.optional(addresses.require_base_url, self._base_url)
        found = endpoints.identity(store, self._name, policy=self._policy, base_url=base_url)
        return found, self._load_policy(found.record.settings.policy)

    def _endpoint(self, store: Store) -> TokenEndpoint:
        from certkit.wise import endpoints

        found, rules = self._identity(store)
        return endpoints.endpoint(
            store,
            found,
            rules,
            base_url=self._base_url,
            plain=self._plain,
            timeout=self._timeout,
        )

    def _info(self, token: Token) -> TokenInfo:
        return TokenInfo(
            identity=self._name,
            grant=token.grant,
            scope=token.scope,
            profile_id=token.profile_id,
            expires_at=token.expires_at,
            refresh_token_expires_at=token.refresh_expires_at,
            created_at=token.created_at,
            status=token.status(self._clock()),
        )
