"""OAuth tokens of an identity, from the authorization to the end: `certkit wise token` for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certkit.api import arguments
from certkit.api.signatures import public
from certkit.errors import InputError, RefusedError
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certkit.api.handle import StoreHandle
    from certkit.api.machine import Machine
    from certkit.policy.rules import Policy
    from certkit.stores.base import Store, StoredIdentity
    from certkit.wise.oauth import Client, TokenEndpoint
    from certkit.wise.tokens import Token, TokenInfo


@public
def authorize_url(
    *,
    client_id: str,
    redirect_uri: str,
    environment: str | None = None,
    policy: str | None = None,
    state: str | None = None,
) -> str:
    """Return the URL where a user grants access, as `certkit wise authorize-url` prints it.

    `WiseTokens.authorize_url` also keeps a random state, and `exchange` checks it.

    Args:
        client_id: the client id in this environment.
        redirect_uri: the redirect URI that Wise has for the client.
        environment: `sandbox`, `sandbox-legacy` or `production`; or give `policy`, such as a rehearsal's.
        policy: a policy's name, or the path of a policy file.
        state: returned in the redirect.

    Raises:
        certkit.InputError: if an argument cannot be used.
        certkit.PolicyError: if there is no such policy.
    """
    from certkit.policy import catalogue
    from certkit.wise import addresses

    addresses.require_client_id(client_id)
    addresses.require_redirect_uri(redirect_uri)
    addresses.optional(addresses.require_state, state)
    if (environment is None) == (policy is None):
        raise InputError("give either --environment or --policy", hint="--environment sandbox, for example")
    rules = catalogue.load(policy or addresses.policy_of(environment or ""))
    return addresses.authorize_url(rules, client_id=client_id, redirect_uri=redirect_uri, state=state)


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class WiseTokens:
    """The tokens of an identity at Wise; `IdentityStore.tokens(name)` returns this. Tokens stay in the store.

    Every method raises `certkit.StoreError` if the store cannot be used, and those that call Wise raise
    `certkit.RefusedError` if Wise refuses, and `certkit.InputError` if it cannot be reached.
    """

    _name: str
    _handle: StoreHandle = field(repr=False)
    _machine: Machine = field(repr=False)
    _client_secret: Callable[[], Secret | None] = field(repr=False)
    _client_id: str | None = None
    _policy: str | None = None
    _base_url: str | None = None
    _plain: bool = False
    _ca: Sequence[arguments.Data | str] | None = field(default=None, repr=False)
    _timeout: float = arguments.TIMEOUT_SECONDS

    def __reduce__(self) -> str:
        raise TypeError("the tokens of an identity are not serialised")

    def authorize_url(self, *, redirect_uri: str) -> str:
        """Return the URL where a user grants access; its random state is stored, and checked by `exchange`.

        Raises:
            certkit.InputError: if the client id or the redirect URI is invalid, or nothing tells the environment.
        """
        from certkit.wise import addresses, oauth_state

        client_id = self._require_client_id(None)
        addresses.require_redirect_uri(redirect_uri)
        with self._handle.use() as store:
            _, rules = self._identity(store)
            asked = {"client_id": client_id, "redirect_uri": redirect_uri}
            state = oauth_state.remember(store, self._name, **asked, now=self._machine.opener.clock())
        return addresses.authorize_url(rules, **asked, state=state)

    def exchange(
        self,
        redirect_url: str | None = None,
        *,
        redirect_uri: str,
        code: str | None = None,
        profile_id: str | None = None,
        state: str | None = None,
    ) -> TokenInfo:
        """Exchange the URL that the browser was redirected to, or the code in it, for a user's token.

        `state` is one that was given to `authorize_url` and not stored.

        Raises:
            certkit.RefusedError: if Wise or the user refused, or the state is not the one that was stored.
            certkit.InputError: if the URL is not such a redirect, or Wise cannot be reached.
        """
        from certkit.wise import addresses, exchange, redirect

        addresses.require_redirect_uri(redirect_uri)
        given = redirect.given(redirect_url, code, redirect_uri=redirect_uri, profile_id=profile_id)
        client, now = self._client(None), self._machine.opener.clock()
        with self._handle.use() as store:
            endpoint = self._endpoint(store)
            found = exchange.exchange(
                store, self._name, endpoint, client, redirect=given, expected_state=state, now=now
            )
            return self._info(found, changed=True)

    def client_credentials(self) -> TokenInfo:
        """Get a token of the application itself, which is valid for 12 hours, and store it."""
        from certkit.wise import exchange

        client = self._client(None)
        with self._handle.use() as store:
            endpoint, now = self._endpoint(store), self._machine.opener.clock()
            return self._info(exchange.client_credentials(store, self._name, endpoint, client, now=now), changed=True)

    def worker_token(self) -> str:
        """Return a new token of the application itself that is not stored: Wise advises one for each worker."""
        from certkit.wise import oauth

        client = self._client(None)
        with self._handle.use() as store:
            endpoint = self._endpoint(store, keep=False)
            return text_of(oauth.client_credentials(endpoint, client, now=self._machine.opener.clock()))

    def refresh(self, *, profile_id: str | None = None, grant: str | None = None, force: bool = False) -> TokenInfo:
        """Refresh a token that is due, or any with `force`; of several processes, only one calls Wise.

        Raises:
            certkit.InputError: if there is no such token.
        """
        from certkit.wise import exchange, tokens

        clock = self._machine.opener.clock
        with self._handle.use() as store:
            first = tokens.require(store, self._name, profile_id=profile_id, grant=grant)
            if not force and not first.token.is_due(clock()):
                return self._info(first.token)
            client, endpoint = self._client(first.token.client_id), self._endpoint(store)
            warn = self._machine.opener.warn_about
            renewed = exchange.renew(store, self._name, first, endpoint, client, clock=clock, warn=warn, force=force)
            return self._info(renewed, changed=True)

    def get(self, *, profile_id: str | None = None, grant: str | None = None, refresh: bool = True) -> str:
        """Return the access token; with `refresh`, one that is due is refreshed first, given a client secret.

        Raises:
            certkit.RefusedError: if it has expired, or Wise refuses to refresh it.
            certkit.InputError: if there is no such token, or there are several.
        """
        with self._handle.use() as store:
            return text_of(self._handed_out(store, profile_id=profile_id, grant=grant, refresh=refresh))

    def _handed_out(self, store: Store, **which: Any) -> Token:
        found = self._valid(store, **which)
        if found.is_in_doubt(self._machine.opener.clock()):
            self._machine.opener.warn(f"{self._name}: a refresh was interrupted, so the token may not work")
        return found

    def _valid(
        self,
        store: Store,
        *,
        profile_id: str | None,
        grant: str | None,
        refresh: bool = True,
        refused: Secret | None = None,
    ) -> Token:
        """Return a token that is valid; with `refresh`, it is refreshed if it is due, or the server `refused` it.

        Raises:
            RefusedError: if it has expired, or Wise refuses to refresh it.
            InputError: if there is no such token, or it cannot be refreshed.
        """
        from certkit.wise import exchange, tokens

        clock = self._machine.opener.clock
        kept = tokens.require(store, self._name, profile_id=profile_id, grant=grant)
        found = kept.token
        if refresh:
            found = exchange.fresh(
                store,
                self._name,
                kept,
                endpoint=lambda: self._endpoint(store),
                secret=self._client_secret,
                client_id=self._client_id,
                clock=clock,
                warn=self._machine.opener.warn_about,
                refused=refused,
            )
        if found.is_expired(clock()):
            hint = "renew it: certkit wise token refresh, or give a client secret (--client-secret-file)"
            raise RefusedError(f"{self._name}: the access token has expired", hint=hint)
        return found

    def show(
        self, *, profile_id: str | None = None, grant: str | None = None, refresh: bool | None = None
    ) -> TokenInfo:
        """Return what is known about a token; given `refresh`, about the one that `get(refresh=refresh)` returns.

        Raises:
            certkit.RefusedError: if `refresh` is given, and `get` would raise it.
            certkit.InputError: if there is no such token, or there are several.
        """
        from certkit.wise import tokens

        with self._handle.use() as store:
            if refresh is None:
                return self._info(tokens.require(store, self._name, profile_id=profile_id, grant=grant).token)
            return self._info(self._handed_out(store, profile_id=profile_id, grant=grant, refresh=refresh))

    def revoke_local(self, *, profile_id: str | None = None, grant: str | None = None) -> TokenInfo | None:
        """Remove a token from the store, and return it, or None if there was none. Wise accepts it until it expires.

        Raises:
            certkit.InputError: if there are several.
        """
        from certkit.wise import tokens

        with self._handle.use() as store:
            kept = tokens.find(store, self._name, profile_id=profile_id, grant=grant)
            if kept is None:
                return None
            store.delete_document(self._name, kept.token.document)
            return self._info(kept.token, changed=True)

    def _require_client_id(self, known: str | None) -> str:
        from certkit.wise import addresses

        client_id = self._client_id or known
        if client_id is None:
            raise InputError("the client id is missing", hint="give --client-id")
        return addresses.require_client_id(client_id)

    def _client(self, known: str | None) -> Client:
        from certkit.wise.oauth import Client

        client_id, secret = self._require_client_id(known), self._client_secret()
        if secret is None:
            hint = "give tokens(…, client_secret=…), or set CERTKIT_CLIENT_SECRET"
            raise InputError("the client secret is missing", hint=hint)
        return Client(id=client_id, secret=secret)

    def _identity(self, store: Store, *, keep: bool = True) -> tuple[StoredIdentity, Policy]:
        """Return the identity, which is created if it is absent unless `keep` is False, and its policy."""
        from certkit.wise import addresses, endpoints

        base_url = addresses.optional(addresses.require_base_url, self._base_url)
        found = endpoints.identity(store, self._name, policy=self._policy, base_url=base_url, keep=keep)
        return found, self._machine.policy(found.record.settings.policy)

    def _endpoint(self, store: Store, *, keep: bool = True) -> TokenEndpoint:
        from certkit.wise import endpoints

        found, rules = self._identity(store, keep=keep)
        endpoint = endpoints.endpoint(
            store,
            found,
            rules,
            base_url=self._base_url,
            plain=self._plain,
            anchors=arguments.anchors(self._ca),
            timeout=self._timeout,
        )
        how = "without" if endpoint.credentials is None else "with"
        self._machine.opener.explain(f"token endpoint {endpoint.url}, {how} a client certificate")
        return endpoint

    def _info(self, token: Token, *, changed: bool = False) -> TokenInfo:
        if token.clock_difference is not None:
            from certkit.report import tokens

            self._machine.opener.warn(tokens.clock_warning(self._name, token.clock_difference))
        return token.info(self._name, now=self._machine.opener.clock(), changed=changed)


def text_of(token: Token) -> str:
    """Return the access token itself."""
    return token.access.reveal().decode("ascii")


def secret_source(
    value: arguments.Passphrase | Callable[[], arguments.Passphrase | None] | None, handle: StoreHandle
) -> Callable[[], Secret | None]:
    """Return a function that returns the client secret: the one that is given, made of it, or CERTKIT_CLIENT_SECRET."""
    if callable(value):

        def asked() -> Secret | None:
            found: Any = value()
            if not isinstance(found, str | bytes | Secret | None):
                raise InputError(f"client_secret() returned {type(found).__name__}", hint="return text, bytes or None")
            return arguments.secret(found)

        return asked
    known = arguments.secret(value, handle.environment, "CERTKIT_CLIENT_SECRET")
    return lambda: known
