"""The tokens of an identity: one document in the store for each grant and profile.

Every function with a store raises StoreError if that cannot be used, has no such identity, or a token is damaged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, StoreError
from certkit.findings import Status
from certkit.secret import Secret
from certkit.times import parse_moment

if TYPE_CHECKING:
    from certkit.stores.base import Document, Store

AUTHORIZATION_CODE, CLIENT_CREDENTIALS = "authorization_code", "client_credentials"
GRANTS = (AUTHORIZATION_CODE, CLIENT_CREDENTIALS)

# A token is due this long before it expires, or in the last quarter of its lifetime if that is shorter.
_MARGIN = timedelta(minutes=10)
_SHARE = 4

# The fields of a token's document, besides its secrets.
_TEXTS = ("grant", "client_id", "scope", "profile_id")
_MOMENTS = ("received_at", "expires_at", "refresh_token_expires_at", "created_at", "lease")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token with its lifetime.

    `received_at` and both expiry times are by the clock of the host that received it, `created_at` is by Wise's.
    `lease` is a time set by the host that is about to refresh the token: until then, the others wait. A lease that runs
    out without being ended leaves the token in doubt, because a refresh invalidates the old token. `clock_difference`
    is how far Wise's clock is ahead, for a token just received, if that is suspicious.
    """

    grant: str
    client_id: str
    access: Secret
    received_at: datetime
    expires_at: datetime
    refresh: Secret | None = None
    refresh_token_expires_at: datetime | None = None
    created_at: datetime | None = None
    scope: str | None = None
    profile_id: str | None = None
    lease: datetime | None = None
    clock_difference: timedelta | None = field(default=None, compare=False)

    @property
    def document(self) -> str:
        """The name of its document in the store."""
        return document_name(self.grant, self.profile_id)

    def is_refreshable(self, now: datetime) -> bool:
        """Whether it has a refresh token that has not expired."""
        return self.refresh is not None and (
            self.refresh_token_expires_at is None or now < self.refresh_token_expires_at
        )

    def is_due(self, now: datetime) -> bool:
        """Whether to refresh it: it ends soon, is in doubt, or our clock has been set back since it was received."""
        margin = min(_MARGIN, max(self.expires_at - self.received_at, timedelta()) / _SHARE)
        is_set_back = now < self.received_at - _MARGIN
        return now >= self.expires_at - margin or is_set_back or self.is_in_doubt(now)

    def is_expired(self, now: datetime) -> bool:
        """Whether it has expired."""
        return now >= self.expires_at

    def is_leased(self, now: datetime) -> bool:
        """Whether another process is refreshing it."""
        return self.lease is not None and now < self.lease

    def is_in_doubt(self, now: datetime) -> bool:
        """Whether a refresh was started and never completed."""
        return self.lease is not None and now >= self.lease

    def is_newer_than(self, other: Token) -> bool:
        """Return whether Wise issued it after the other one, which is then invalid.

        If the issue times are unknown, the expiry times decide.
        """
        if self.created_at is not None and other.created_at is not None:
            return self.created_at > other.created_at
        return self.expires_at > other.expires_at

    def status(self, now: datetime) -> Status:
        """Critical if it has expired; a warning if it ends soon and cannot be refreshed, or may not work."""
        if self.is_expired(now):
            return Status.CRITICAL
        is_ending = self.is_due(now) and not self.is_refreshable(now)
        return Status.WARNING if is_ending or self.is_in_doubt(now) else Status.OK

    def info(self, identity: str, *, now: datetime, changed: bool = False) -> TokenInfo:
        """Return the facts of the token, none of them secret."""
        return TokenInfo(
            identity=identity,
            grant=self.grant,
            scope=self.scope,
            profile_id=self.profile_id,
            expires_at=self.expires_at,
            has_refresh_token=self.refresh is not None,
            refresh_token_expires_at=self.refresh_token_expires_at,
            created_at=self.created_at,
            is_in_doubt=self.is_in_doubt(now),
            status=self.status(now),
            changed=changed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """The facts of a stored token, never the token: its grant, scope, profile and lifetimes (UTC, or None).

    `is_in_doubt` is True if a refresh was interrupted, so that the token may not work; `changed` is True if the call
    that returned this stored or removed the token.
    """

    identity: str
    grant: str
    scope: str | None
    profile_id: str | None
    expires_at: datetime
    has_refresh_token: bool
    refresh_token_expires_at: datetime | None
    created_at: datetime | None
    is_in_doubt: bool
    status: Status
    changed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A token in the store, with its version for compare-and-set."""

    token: Token
    version: str


def document_name(grant: str, profile_id: str | None = None) -> str:
    """Return the name of the document for a grant and a profile."""
    return grant if profile_id is None else f"{grant}.{profile_id}"


def access_token(
    store: Store, name: str, *, profile_id: str | None = None, grant: str | None = None, now: datetime
) -> Secret | None:
    """Return an identity's access token from the store; None if there is none, or it has expired.

    Wise is not asked whether it still works.

    Raises:
        InputError: if there are several, and neither profile nor grant selects one.
    """
    kept = find(store, name, profile_id=profile_id, grant=grant)
    return None if kept is None or kept.token.is_expired(now) else kept.token.access


def require(store: Store, name: str, *, profile_id: str | None = None, grant: str | None = None) -> Kept:
    """Return the token of an identity for a profile and grant, or the only one.

    Raises:
        InputError: if there is no such token, or there are several.
    """
    kept = find(store, name, profile_id=profile_id, grant=grant)
    if kept is None:
        hint = f"get one: certkit wise token exchange --identity {name}, or client-credentials"
        chosen = [f"{kind} {each!r}" for kind, each in (("profile", profile_id), ("grant", grant)) if each is not None]
        about = f" ({', '.join(chosen)})" if chosen else ""
        raise InputError(f"no token is stored for {name}{about}", hint=hint)
    return kept


def find(store: Store, name: str, *, profile_id: str | None = None, grant: str | None = None) -> Kept | None:
    """Return the token as `require` does, or None if there is no token.

    Raises:
        InputError: if there are several.
    """
    found = [
        each
        for each in _documents(store, name)
        if grant in {None, each.partition(".")[0]} and profile_id in {None, each.partition(".")[2]}
    ]
    if len(found) > 1:
        hint = "choose one with --profile ('' for the one without a profile) or --grant"
        raise InputError(f"{name} has several tokens: {', '.join(found)}", hint=hint)
    return read(store, name, found[0]) if found else None


def every(store: Store, name: str) -> list[Kept]:
    """Return all tokens of an identity."""
    found = (read(store, name, each) for each in _documents(store, name))
    return [each for each in found if each is not None]


def read(store: Store, name: str, document: str) -> Kept | None:
    """Return a token by the name of its document, or None."""
    found = store.document(name, document)
    return None if found is None else Kept(_parse(found, where=f"{name}, {document}"), found.version)


def write(store: Store, name: str, token: Token, *, over: str | None) -> Kept:
    """Store a token in place of a version of it, or as a new one (None).

    Raises:
        ConflictError: if the stored version is another one, or missing.
    """
    return Kept(token, store.put_document(name, token.document, _fields(token), over=over))


def _documents(store: Store, name: str) -> list[str]:
    return [each for each in store.documents(name) if each.partition(".")[0] in GRANTS]


def _fields(token: Token) -> dict[str, Secret]:
    """Return a token as the fields of a document, without those that have no value."""
    texts = {name: getattr(token, name) for name in _TEXTS}
    for name in _MOMENTS:
        if (moment := getattr(token, name)) is not None:
            texts[name] = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    fields = {name: Secret(text.encode()) for name, text in texts.items() if text is not None}
    fields["access_token"] = token.access
    return fields if token.refresh is None else {**fields, "refresh_token": token.refresh}


def _parse(document: Document, *, where: str) -> Token:
    fields = document.fields
    try:
        known: dict[str, Any] = {name: fields[name].reveal().decode() for name in _TEXTS + _MOMENTS if name in fields}
        known |= {name: parse_moment(known[name]) for name in _MOMENTS if name in known}
        return Token(access=fields["access_token"], refresh=fields.get("refresh_token"), **known)
    except (KeyError, TypeError, UnicodeDecodeError, InputError) as error:
        hint = "restore it from a backup, or get a new one: certkit wise token exchange"
        raise StoreError(f"cannot read {where}: not a token", hint=hint) from error
