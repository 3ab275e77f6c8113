"""Get tokens from Wise, and store them. Every function raises StoreError if the store cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certkit.errors import CertkitError, InputError
from certkit.wise import oauth, oauth_state, token_lease, tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.secret import Secret
    from certkit.stores.base import Store
    from certkit.wise.oauth import Client, TokenEndpoint
    from certkit.wise.redirect import Redirect
    from certkit.wise.token_lease import Clock, Warn
    from certkit.wise.tokens import Kept, Token


def exchange(
    store: Store,
    name: str,
    endpoint: TokenEndpoint,
    client: Client,
    *,
    redirect: Redirect,
    expected_state: str | None = None,
    now: datetime,
) -> Token:
    """Exchange the code of a redirect for a token, and store it. The state is used up as well.

    Raises:
        RefusedError: if the state is not valid, or Wise rejects the request.
        UncertainError: if it is unknown whether the code is used up.
        InputError: if Wise cannot be reached.
        StoreError: if the store cannot be used; if Wise has issued the token by then, it is lost.
    """
    known = _stored_version(store, name, tokens.document_name(tokens.AUTHORIZATION_CODE, redirect.profile_id))
    with token_lease.uninterrupted():
        # If no token is issued, the same redirect can be tried again; Wise decides whether its code still works.
        with oauth_state.claimed(store, name, redirect, expected=expected_state, client_id=client.id, now=now):
            made = oauth.exchange(endpoint, client, redirect, now=now)
        return token_lease.keep(store, name, made, over=known)


def client_credentials(store: Store, name: str, endpoint: TokenEndpoint, client: Client, *, now: datetime) -> Token:
    """Get a new client-credentials token, and store it.

    Raises:
        RefusedError: if Wise rejects the request.
        InputError: if Wise cannot be reached, or its response cannot be used.
    """
    known = _stored_version(store, name, tokens.document_name(tokens.CLIENT_CREDENTIALS))
    return token_lease.keep(store, name, oauth.client_credentials(endpoint, client, now=now), over=known)


def renew(
    store: Store,
    name: str,
    first: Kept,
    endpoint: TokenEndpoint,
    client: Client,
    *,
    clock: Clock,
    warn: Warn,
    force: bool = False,
) -> Token:
    """Refresh a token, or wait for another process that is doing so, and return the new one from the store.

    Raises:
        RefusedError: if Wise rejects the request.
        InputError: if Wise cannot be reached.
    """
    return token_lease.renewed(
        store,
        name,
        first,
        ask=lambda token: oauth.renew(endpoint, client, token, now=clock()),
        clock=clock,
        force=force,
        longest_seconds=endpoint.longest_seconds,
        warn=warn,
    )


def fresh(  # noqa: PLR0913  what a refresh needs, should there be one
    store: Store,
    name: str,
    first: Kept,
    *,
    endpoint: Callable[[], TokenEndpoint],
    secret: Callable[[], Secret | None],
    client_id: str | None = None,
    clock: Clock,
    warn: Warn,
    refused: Secret | None = None,
) -> Token:
    """Return the token, refreshed if it is due and a client secret is given.

    A failed refresh is only a warning while the token is valid. A token that the server `refused` is always refreshed.

    Raises:
        RefusedError: if it has expired, and Wise rejects the refresh.
        InputError: if it has expired, and Wise cannot be reached.
    """
    now, token = clock(), first.token
    is_refused = token.access == refused
    is_renewable = token.refresh is not None or token.grant == tokens.CLIENT_CREDENTIALS
    if not is_refused and (not is_renewable or not (token.is_due(now) or token.is_leased(now))):
        return token
    known = secret()
    if known is None:
        hint = "give --client-secret-file FILE, or set CERTKIT_CLIENT_SECRET"
        lacking = InputError(f"the token of {name} is not refreshed: no client secret is given", hint=hint)
        if is_refused:
            raise lacking
        if not token.is_expired(now):
            warn(lacking)
        return token
    try:
        client = oauth.Client(id=client_id or token.client_id, secret=known)
        return renew(store, name, first, endpoint(), client, clock=clock, warn=warn, force=is_refused)
    except CertkitError as error:
        if is_refused or token.is_expired(now):
            raise
        warn(error)
        return token


def _stored_version(store: Store, name: str, document: str) -> str | None:
    """Return the version of the stored token that a new one will replace.

    It is read before the request, because Wise's response cannot be requested twice.
    """
    there = tokens.read(store, name, document)
    return None if there is None else there.version
