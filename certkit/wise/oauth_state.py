"""The `state` of an authorization (RFC 6749 section 10.12): random, kept in the store, and valid for one exchange.

It proves that the redirect belongs to our own request, and was not sent by an attacker who wants us to use another
account. Every function raises StoreError if the store cannot be used.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from certkit.errors import ConflictError, InputError, RefusedError, StoreError
from certkit.secret import Secret
from certkit.times import parse_moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certkit.stores.base import Store
    from certkit.wise.redirect import Redirect

# A user has to log in and pick an account; the code that comes back lives for 30 minutes.
LIFE = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(days=1)
_PREFIX = "state."
_NOTE = "client"
_AGAIN = "start again with `certkit wise authorize-url`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """An authorization request with a state, and whether its redirect has arrived."""

    client_id: str
    redirect_uri: str
    asked_at: datetime
    used: bool = False


def remember(store: Store, name: str, *, client_id: str, redirect_uri: str, now: datetime) -> str:
    """Create a state for an existing identity, store it and return it; states that are no longer needed are removed."""
    state = secrets.token_urlsafe(32)
    asked = Authorization(client_id=client_id, redirect_uri=redirect_uri, asked_at=now)
    store.put_document(name, _document(state), _fields(asked), over=None)
    with contextlib.suppress(StoreError):  # not every token may delete
        for document, old, _ in _all(store, name):
            if now - old.asked_at > _FORGOTTEN_AFTER:
                store.delete_document(name, document)
    return state


def note(store: Store, name: str, *, client_id: str | None, redirect_uri: str | None) -> bool:
    """Store the parameters of the next authorization request, as far as they are given. Return whether any is new.

    Raises:
        StoreError: if the store cannot be used, or another process has stored some in the meantime.
    """
    there = store.document(name, _NOTE)
    known = {} if there is None else dict(there.fields)
    given = {"client_id": client_id, "redirect_uri": redirect_uri}
    fields = known | {each: Secret(text.encode()) for each, text in given.items() if text is not None}
    if fields == known:
        return False
    store.put_document(name, _NOTE, fields, over=None if there is None else there.version)
    return True


def noted(store: Store, name: str) -> tuple[str | None, str | None]:
    """Return the client id and redirect URI that `note` stored."""
    there = store.document(name, _NOTE)
    fields = {} if there is None else there.fields
    return _text(fields.get("client_id")), _text(fields.get("redirect_uri"))


def _text(field: Secret | None) -> str | None:
    return None if field is None else field.reveal().decode("utf-8", "replace")


@contextlib.contextmanager
def claimed(
    store: Store, name: str, redirect: Redirect, *, expected: str | None, client_id: str, now: datetime
) -> Iterator[None]:
    """A context that uses up the state of a redirect, if one was requested; an exception in it makes it valid again.

    `expected` is the state that the caller requires; a state that is not in the store is accepted only then. A bare
    code has no state to compare, so it is accepted only if no state is pending.

    Raises:
        RefusedError: if the state is missing, wrong, used or too old.
        InputError: if the client id or redirect URI differs from that of the authorization request.
    """
    is_vouched = redirect.is_whole and expected is not None
    if is_vouched and not _is_same(redirect.state, expected):
        raise RefusedError(f"{name}: the redirect's state is not the expected one", hint=_AGAIN)
    state = redirect.state if redirect.is_whole else expected
    document = None if state is None else _document(state)
    found = None if document is None else _read(store, name, document)
    if document is None or found is None:
        if not is_vouched:
            _refuse_unknown(store, name, redirect, expected=expected, now=now)
        yield
        return
    asked, version = found
    _refuse_unfit(name, asked, redirect, client_id=client_id, now=now)
    try:
        version = store.put_document(name, document, _fields(replace(asked, used=True)), over=version)
    except ConflictError as error:
        message = f"{name}: another run is using the state of this redirect"
        raise RefusedError(message, hint=f"see the result: certkit wise token show --identity {name}") from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(StoreError):  # then the user is asked once more
            store.put_document(name, document, _fields(asked), over=version)
        raise


def latest(store: Store, name: str) -> Authorization | None:
    """Return the latest authorization request in the store."""
    return max((asked for _, asked, _ in _all(store, name)), key=lambda asked: asked.asked_at, default=None)


def is_used(store: Store, name: str, redirect: Redirect) -> bool:
    """Return whether a redirect has been exchanged for a token before."""
    found = None if redirect.state is None else _read(store, name, _document(redirect.state))
    return found is not None and found[0].used


def _refuse_unfit(name: str, asked: Authorization, redirect: Redirect, *, client_id: str, now: datetime) -> None:
    """Refuse a state that is used, too old, or belongs to another request."""
    if asked.used:
        hint = f"a code works only once; {_AGAIN}"
        raise RefusedError(f"{name}: the state of this redirect was already used", hint=hint)
    if now - asked.asked_at > LIFE:
        minutes = LIFE.total_seconds() / 60
        raise RefusedError(f"{name}: the state of this redirect is older than {minutes:g} minutes", hint=_AGAIN)
    for option, then, given in (
        ("--client-id", asked.client_id, client_id),
        ("--redirect-uri", asked.redirect_uri, redirect.redirect_uri),
    ):
        if given != then:
            hint = f"give {option} {then}, or {_AGAIN}"
            raise InputError(f"{name}: the authorization URL had another {option}", hint=hint)


def _refuse_unknown(store: Store, name: str, redirect: Redirect, *, expected: str | None, now: datetime) -> None:
    """Refuse a redirect whose state is not in the store, if it has one or should have one."""
    if redirect.state is not None:
        hint = f"it may be old or belong to another request; {_AGAIN}"
        raise RefusedError(f"{name}: the state in the redirect URL is unknown", hint=hint)
    if any(not asked.used and now - asked.asked_at <= LIFE for _, asked, _ in _all(store, name)):
        hint = "paste the whole URL that the browser was redirected to"
        if not redirect.is_whole:
            hint = "paste the whole URL with --redirect-url, or give the returned state with --state"
        what = "the expected state is missing" if expected is None else "the state is not the expected one"
        raise RefusedError(f"{name}: {what}", hint=hint)


def _is_same(one: str | None, other: str | None) -> bool:
    """Compare two states in constant time."""
    digests = [hashlib.sha256((each or "").encode("utf-8", "replace")).digest() for each in (one, other)]
    return None not in {one, other} and secrets.compare_digest(*digests)


def _all(store: Store, name: str) -> list[tuple[str, Authorization, str]]:
    names = [each for each in store.documents(name) if each.startswith(_PREFIX)]
    return [(each, *found) for each in names if (found := _read(store, name, each)) is not None]


def _document(state: str) -> str:
    """Return the name of a state's document, with a digest because the state in a redirect is untrusted."""
    return _PREFIX + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def _read(store: Store, name: str, document: str) -> tuple[Authorization, str] | None:
    found = store.document(name, document)
    if found is None:
        return None
    try:
        texts = {each: value.reveal().decode() for each, value in found.fields.items()}
        asked = Authorization(
            client_id=texts["client_id"],
            redirect_uri=texts["redirect_uri"],
            asked_at=parse_moment(texts["asked_at"]),
            used="used" in texts,
        )
    except (KeyError, UnicodeDecodeError, InputError) as error:
        raise StoreError(f"cannot read {name}, {document}: not a state", hint=_AGAIN) from error
    return asked, found.version


def _fields(asked: Authorization) -> dict[str, Secret]:
    moment = asked.asked_at.astimezone(UTC).isoformat()
    texts = {"client_id": asked.client_id, "redirect_uri": asked.redirect_uri, "asked_at": moment}
    return {name: Secret(text.encode()) for name, text in (texts | ({"used": "yes"} if asked.used else {})).items()}
