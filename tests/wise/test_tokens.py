"""`certkit.wise.tokens`: what is kept of a token, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from certkit.errors import ConflictError, InputError, StoreError
from certkit.findings import Status
from certkit.secret import Secret
from certkit.stores.base import AbsentError
from certkit.wise import tokens
from certkit.wise.tokens import Token
from tests.pki import NOW

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TOKEN = Token(
    grant="authorization_code",
    client_id="acme",
    access=Secret(b"the-access-token"),
    received_at=NOW,
    expires_at=NOW + 12 * HOUR,
    refresh=Secret(b"the-refresh-token"),
    refresh_token_expires_at=NOW + 7300 * 24 * HOUR,
    created_at=NOW - timedelta(microseconds=1),
    scope="transfers",
    profile_id="123",
)
BARE = Token(
    grant="client_credentials",
    client_id="acme",
    access=Secret(b"application-token"),
    received_at=NOW,
    expires_at=NOW + 12 * HOUR,
)


@pytest.mark.parametrize("token", [TOKEN, BARE, replace(TOKEN, lease=NOW + MINUTE, profile_id=None)])
def test_a_token_is_kept(store, token):
    """All of it."""
    kept = tokens.write(store, "acme", token, over=None)
    assert tokens.require(store, "acme") == kept
    assert kept.token == token


def test_where_a_token_is(store):
    """By grant and profile; other programs read its fields."""
    tokens.write(store, "acme", TOKEN, over=None)
    tokens.write(store, "acme", BARE, over=None)
    assert store.documents("acme") == ["authorization_code.123", "client_credentials"]
    assert store.document("acme", "authorization_code.123").fields == {
        "grant": Secret(b"authorization_code"),
        "client_id": Secret(b"acme"),
        "access_token": Secret(b"the-access-token"),
        "refresh_token": Secret(b"the-refresh-token"),
        "scope": Secret(b"transfers"),
        "profile_id": Secret(b"123"),
        "received_at": Secret(b"2026-11-23T12:00:00Z"),
        "expires_at": Secret(b"2026-11-24T00:00:00Z"),
        "refresh_token_expires_at": Secret(b"2046-11-18T12:00:00Z"),
        "created_at": Secret(b"2026-11-23T11:59:59.999999Z"),
    }


def test_a_token_is_not_overwritten_unseen(store):
    """One that does not know it gets an error."""
    tokens.write(store, "acme", TOKEN, over=None)
    with pytest.raises(ConflictError):
        tokens.write(store, "acme", TOKEN, over=None)


def test_which_token_is_meant(store):
    """The only one, or the one that profile and grant tell."""
    for profile in ("123", "456"):
        tokens.write(store, "acme", replace(TOKEN, profile_id=profile), over=None)
    tokens.write(store, "acme", BARE, over=None)
    store.put_document("acme", "state.x", {}, over=None)
    assert tokens.require(store, "acme", profile_id="456").token.profile_id == "456"
    assert tokens.require(store, "acme", grant="client_credentials").token == BARE
    with pytest.raises(InputError, match=r"several tokens: authorization_code\.123, authorization_code\.456, client"):
        tokens.require(store, "acme")
    with pytest.raises(InputError, match=r"no token is stored for acme \(profile '45'\)"):
        tokens.require(store, "acme", profile_id="45")
    with pytest.raises(AbsentError):
        tokens.require(store, "nobody")


def test_the_access_token_for_other_commands(store):
    """As the store has it; none where there is none, or it has expired."""
    assert tokens.access_token(store, "acme", now=NOW) is None
    tokens.write(store, "acme", TOKEN, over=None)
    assert tokens.access_token(store, "acme", now=NOW) == Secret(b"the-access-token")
    assert tokens.access_token(store, "acme", grant="client_credentials", now=NOW) is None
    assert tokens.access_token(store, "acme", now=NOW + 12 * HOUR) is None


@pytest.mark.parametrize("missing", ["grant", "client_id", "access_token", "received_at", "expires_at"])
def test_what_is_no_token(store, missing):
    """Is an error, which shows nothing of it."""
    tokens.write(store, "acme", TOKEN, over=None)
    found = store.document("acme", "authorization_code.123")
    for fields in (
        {name: value for name, value in found.fields.items() if name != missing},
        {**found.fields, "expires_at": Secret(b"the-access-token")},
    ):
        known = store.document("acme", "authorization_code.123").version
        store.put_document("acme", "authorization_code.123", fields, over=known)
        with pytest.raises(StoreError, match=r"cannot read acme, authorization_code\.123: not a token"):
            tokens.require(store, "acme")


@pytest.mark.parametrize(
    ("at", "is_due", "status", "status_without_refresh"),
    [
        (NOW, False, Status.OK, Status.OK),
        (NOW + 11 * HOUR + 49 * MINUTE, False, Status.OK, Status.OK),
        (NOW + 11 * HOUR + 50 * MINUTE, True, Status.OK, Status.WARNING),
        (NOW + 12 * HOUR, True, Status.CRITICAL, Status.CRITICAL),
        (NOW + 24 * HOUR, True, Status.CRITICAL, Status.CRITICAL),
    ],
)
def test_the_life_of_a_token(at, is_due, status, status_without_refresh):
    """It is due ten minutes before its end; who cannot refresh it is warned then."""
    assert (TOKEN.is_due(at), TOKEN.status(at), BARE.status(at)) == (is_due, status, status_without_refresh)


def test_a_short_life():
    """Has a margin of its own: a quarter of it."""
    token = replace(TOKEN, expires_at=NOW + 8 * MINUTE)
    assert (token.is_due(NOW + 5 * MINUTE), token.is_due(NOW + 6 * MINUTE)) == (False, True)
    assert replace(TOKEN, expires_at=NOW - MINUTE).is_due(NOW)


def test_a_refresh_token_that_has_expired():
    """Is as good as none."""
    token = replace(TOKEN, refresh_token_expires_at=NOW + HOUR)
    assert (token.is_refreshable(NOW), token.is_refreshable(NOW + HOUR)) == (True, False)
    assert replace(TOKEN, refresh_token_expires_at=None).is_refreshable(NOW + HOUR)


def test_a_lease():
    """Holds others back, and leaves a doubt once it is over."""
    token = replace(TOKEN, lease=NOW + MINUTE)
    assert (token.is_leased(NOW), token.is_due(NOW), token.status(NOW)) == (True, False, Status.OK)
    after = NOW + MINUTE
    assert (token.is_leased(after), token.is_due(after), token.status(after)) == (False, True, Status.WARNING)


def test_which_token_is_newer():
    """By when Wise made them, to the microsecond; by when they end, where that is not said."""
    newer = replace(TOKEN, created_at=NOW, expires_at=NOW)
    assert (newer.is_newer_than(TOKEN), TOKEN.is_newer_than(newer), TOKEN.is_newer_than(TOKEN)) == (True, False, False)
    assert replace(BARE, expires_at=NOW + 13 * HOUR).is_newer_than(TOKEN)
    assert not BARE.is_newer_than(TOKEN)


def test_a_token_is_not_shown():
    """Not by accident."""
    assert "-token" not in repr(TOKEN)
