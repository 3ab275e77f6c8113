"""The rules of the authorization page: which clients may ask, and where the user is redirected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from certkit.errors import RefusedError
from certkit.wise.rehearsal.state import MAX_REMEMBERED, PROFILES, Code, RehearsalState, digest, new_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

CODE_MINUTES = 30
MAX_STATE_CHARACTERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """An authorization request; its `state` is returned unchanged."""

    redirect_uri: str
    state: str = ""


def asked(state: RehearsalState, parameters: Mapping[str, str], *, redirect_uris: tuple[str, ...]) -> ConsentRequest:
    """Parse an authorization request.

    Raises:
        RefusedError: if the client is unknown, or the redirect URI is not configured for it, so the user must not be
            sent there.
    """
    if parameters.get("client_id") != state.client_id:
        raise RefusedError("unknown client_id", hint=f"the client id of this rehearsal is {state.client_id}")
    uri = parameters.get("redirect_uri", "")
    if uri not in redirect_uris:
        hint = f"it must be written as it was configured: {', '.join(redirect_uris)}"
        raise RefusedError("wrong redirect_uri: it is not configured for this client", hint=hint)
    if len(parameters.get("state", "")) > MAX_STATE_CHARACTERS:
        raise RefusedError("the state is too long", hint=f"use at most {MAX_STATE_CHARACTERS} characters")
    return ConsentRequest(redirect_uri=uri, state=parameters.get("state", ""))


def grant(state: RehearsalState, asked: ConsentRequest, profile: str, *, now: datetime) -> tuple[RehearsalState, str]:
    """Return the state with a new code, and the URL that takes the code to the application.

    Raises:
        RefusedError: if the profile does not exist.
    """
    profile_id = next((each.id for each in PROFILES if str(each.id) == profile), None)
    if profile_id is None:
        raise RefusedError("no account was chosen", hint="go back and choose one of the accounts")
    word = new_token()
    code = Code(
        sha256=digest(word),
        redirect_uri=asked.redirect_uri,
        profile_id=profile_id,
        expires=now + timedelta(minutes=CODE_MINUTES),
    )
    kept = [each for each in state.codes if now < each.expires]
    address = _address(asked, code=word, profileId=str(profile_id))
    return replace(state, codes=(*kept, code)[-MAX_REMEMBERED:]), address


def deny(asked: ConsentRequest) -> str:
    """Return the URL that tells the application of the denial (RFC 6749 section 4.1.2.1)."""
    return _address(asked, error="access_denied")


def _address(asked: ConsentRequest, **parameters: str) -> str:
    if asked.state:
        parameters["state"] = asked.state
    return f"{asked.redirect_uri.rstrip('/')}/?{urlencode(parameters, errors='surrogateescape')}"
