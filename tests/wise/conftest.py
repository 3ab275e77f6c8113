"""Fixtures: a server that behaves as Wise, and an identity with a token of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from certkit.secret import Secret
from certkit.stores.file.store import FileStore
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.wise import endpoints, oauth, token_lease, tokens
from certkit.wise.oauth import Client, TokenEndpoint
from certkit.wise.redirect import Redirect
from tests import wise_server
from tests.stores import vault_roles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certkit.stores.base import Store
    from certkit.wise.tokens import Token
    from tests.wise_server import Wise

CLIENT = Client(id=wise_server.CLIENT_ID, secret=Secret(wise_server.CLIENT_SECRET.encode()))
PREFIXES = (f"wise/{number}" for number in itertools.count())


def now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


@pytest.fixture
def wise() -> Iterator[Wise]:
    """A server that behaves as Wise."""
    with wise_server.serving() as wise:
        yield wise


@pytest.fixture(params=["file", "vault"])
def open_store(request, tmp_path) -> Iterator[Callable[[], Store]]:
    """A store, an empty one, as each host has it; in Vault with the rights of a consumer of `acme`."""
    if request.param == "file":
        yield lambda: FileStore(tmp_path / "store")
        return
    openbao = request.getfixturevalue("openbao")
    prefix, opened = next(PREFIXES), []
    settings = vault_roles.settings(openbao, "consumer", prefix=prefix, name="acme")
    with Vault.connect(openbao.settings()) as root:
        endpoints.identity(VaultStore(root, "secret", prefix), "acme", policy="wise-sandbox", base_url=None)

    def open_store() -> Store:
        opened.append(Vault.connect(settings))
        return VaultStore(opened[-1], "secret", prefix)

    yield open_store
    for vault in opened:
        vault.close()


@pytest.fixture
def store(tmp_path) -> Store:
    """A store in a directory, with an identity."""
    store = FileStore(tmp_path / "store")
    endpoints.identity(store, "acme", policy="wise-sandbox", base_url=None)
    return store


def endpoint(wise: Wise) -> TokenEndpoint:
    """Where the server is."""
    return TokenEndpoint(url=f"{wise.address}/oauth/token")


def redirect(wise: Wise, **fields: str) -> Redirect:
    """Return a redirect with a fresh code."""
    code = Secret(wise.code().encode())
    return Redirect(redirect_uri=wise_server.REDIRECT_URI, code=code, profile_id="123", **fields)


def begin(store: Store, wise: Wise, *, expired: bool = True) -> Token:
    """An identity with a token that is due, or one that is fresh."""
    endpoints.identity(store, "acme", policy="wise-sandbox", base_url=None)
    made = oauth.exchange(endpoint(wise), CLIENT, redirect(wise), now=now())
    if expired:
        made = replace(made, received_at=now() - timedelta(hours=13), expires_at=now() - timedelta(hours=1))
    return token_lease.keep(store, "acme", made)


def stored(store: Store) -> Token:
    """The user's token that is in the store."""
    return tokens.require(store, "acme", grant=tokens.AUTHORIZATION_CODE).token


def valid(wise: Wise) -> list[bytes]:
    """The access tokens of users that the server takes."""
    return [access.encode() for access in wise.valid.values()]


def renew(store: Store, wise: Wise, *, clock=now, force: bool = False, ask=None, warned=None) -> Token:
    """Do what a host does that refreshes the token."""
    own = endpoint(wise)
    return token_lease.renewed(
        store,
        "acme",
        tokens.require(store, "acme"),
        ask=ask or (lambda token: oauth.renew(own, CLIENT, token, now=clock())),
        clock=clock,
        force=force,
        longest_seconds=own.longest_seconds,
        warn=(warned if warned is not None else []).append,
    )
