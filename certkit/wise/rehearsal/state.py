"""The history of a rehearsal, as one value; of tokens and codes it contains only digests."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from certkit.errors import InputError

V = TypeVar("V")

VERSION = 1
_MARK = "rehearsal, not Wise"
# The number of entries kept of each kind; the oldest are dropped.
MAX_REMEMBERED = 1000


# The accounts that a user can choose when granting access.
PROFILES = {10000001: "Rehearsal Ltd, business", 10000002: "Robin Rehearsal, personal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code that has not been used."""

    sha256: str
    redirect_uri: str
    profile_id: int
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An access grant with its latest tokens."""

    id: str
    kind: str
    profile_id: int | None
    created: datetime
    access_sha256: str
    access_expires: datetime
    refresh_sha256: str | None = None
    refresh_expires: datetime | None = None
    is_revoked: bool = False

    def is_of_use(self, now: datetime) -> bool:
        """Whether its access token is valid, or can be renewed."""
        may_be_renewed = self.refresh_expires is not None and not self.is_revoked and now < self.refresh_expires
        return may_be_renewed or now < self.access_expires


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCertificate:
    """A certificate issued by Developer Hub."""

    name: str
    serial: str
    subject: str
    not_after: datetime
    pem: str
    revoked: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it is neither expired nor revoked."""
        return self.revoked is None and now <= self.not_after

    def standing(self, now: datetime) -> str:
        """Live, expired or revoked, in a word."""
        if self.revoked is not None:
            return "revoked"
        return "live" if self.is_live(now) else "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user created through the API, with a registration code."""

    email: str
    code_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSubscription:
    """A webhook subscription of the application."""

    id: str
    name: str
    trigger_on: str
    version: str
    url: str
    mtls_enabled: bool
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalState:
    """Everything that a rehearsal stores, none of it secret."""

    client_id: str
    redirect_uris: tuple[str, ...] = ()
    is_enforced: bool = False
    codes: tuple[Code, ...] = ()
    grants: tuple[Grant, ...] = ()
    certificates: tuple[HubCertificate, ...] = ()
    users: tuple[User, ...] = ()
    subscriptions: tuple[HubSubscription, ...] = ()


def new_token() -> str:
    """Return a random token that cannot be guessed."""
    return secrets.token_urlsafe(32)


def new_application_token() -> str:
    """Return a random token with the length and form of a JWT, like Wise's application tokens."""
    parts = ('{"alg":"RS256","typ":"JWT"}', f'{{"iss":"certkit rehearsal, not Wise","jti":"{secrets.token_hex(96)}"}}')
    head = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{secrets.token_urlsafe(256)}"


def digest(word: str) -> str:
    """Return the digest stored for a token, code or secret: its SHA-256 as hex."""
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()


_KINDS: dict[str, type[Any]] = {
    "codes": Code,
    "grants": Grant,
    "certificates": HubCertificate,
    "users": User,
    "subscriptions": HubSubscription,
}
_MOMENTS = {"expires", "created", "access_expires", "refresh_expires", "not_after", "revoked"}


def dump(state: RehearsalState) -> bytes:
    """Return the state as JSON for a file."""
    document = {"certkit": _MARK, "version": VERSION, **asdict(state)}
    return json.dumps(document, default=datetime.isoformat, indent=1).encode()


def load(data: bytes, *, name: str) -> RehearsalState:
    """Return the state from JSON.

    Raises:
        InputError: if it was not written by a rehearsal, or is damaged.
    """
    try:
        document = json.loads(data)
        if (document.pop("certkit"), document.pop("version")) != (_MARK, VERSION):
            raise ValueError("another version")  # noqa: TRY301  every kind of damage is reported in one place
        listed = {part: tuple(_value(kind, each) for each in document.pop(part)) for part, kind in _KINDS.items()}
        return RehearsalState(**{**document, **listed, "redirect_uris": tuple(document["redirect_uris"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        hint = "give another directory with --dir, or remove this one"
        raise InputError(f"cannot resume {name}: not the state of a rehearsal", hint=hint) from error


def _value(kind: type[V], document: dict[str, Any]) -> V:
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # a dataclass of `_KINDS`
    if set(document) != known:
        raise ValueError("other fields")
    moments = {name: datetime.fromisoformat(document[name]) for name in _MOMENTS & known if document[name] is not None}
    return kind(**{**document, **moments})
