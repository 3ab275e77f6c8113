"""The rules of OAuth: the authorization page, and the token endpoint with each failure that Wise documents."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from certkit.errors import RefusedError
from certkit.times import rfc3339
from certkit.wise.rehearsal.messages import Reply, as_json, failure
from certkit.wise.rehearsal.state import (
    MAX_REMEMBERED,
    PROFILES,
    Code,
    Grant,
    digest,
    new_application_token,
    new_token,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from certkit.wise.rehearsal.messages import WebRequest
    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

ACCESS_SECONDS = 43199
REFRESH_SECONDS = 628639555
_CODE_MINUTES = 30
_MAX_STATE_CHARACTERS = 1024
_INVALID = "Invalid user credentials."


def require_configured(rehearsal: WiseRehearsal, asked: Mapping[str, str]) -> None:
    """Refuse an authorization request after which the user must not be redirected.

    Raises:
        RefusedError: if the client is unknown, or the redirect URI is not configured for it.
    """
    if asked.get("client_id") != rehearsal.state.client_id:
        hint = f"the client id of this rehearsal is {rehearsal.state.client_id}"
        raise RefusedError("unknown client_id", hint=hint)
    if asked.get("redirect_uri", "") not in rehearsal.redirect_uris:
        hint = f"it must be written as it was configured: {', '.join(rehearsal.redirect_uris)}"
        raise RefusedError("wrong redirect_uri: it is not configured for this client", hint=hint)
    if len(asked.get("state", "")) > _MAX_STATE_CHARACTERS:
        raise RefusedError("the state is too long", hint=f"use at most {_MAX_STATE_CHARACTERS} characters")


def decide(rehearsal: WiseRehearsal, asked: Mapping[str, str]) -> str:
    """Carry out the user's decision about a request, and return the URL that tells the application.

    A denial is an error there (RFC 6749 section 4.1.2.1), and the request's state is returned unchanged.

    Raises:
        RefusedError: if the profile does not exist.
    """
    told = {"error": "access_denied"}
    if asked.get("decision") == "grant":
        profile_id = next((each for each in PROFILES if str(each) == asked.get("profile")), None)
        if profile_id is None:
            raise RefusedError("no account was chosen", hint="go back and choose one of the accounts")
        word, now = new_token(), rehearsal.clock()
        code = Code(
            sha256=digest(word),
            redirect_uri=asked["redirect_uri"],
            profile_id=profile_id,
            expires=now + timedelta(minutes=_CODE_MINUTES),
        )
        kept = [each for each in rehearsal.state.codes if now < each.expires]
        rehearsal.update(codes=(*kept, code)[-MAX_REMEMBERED:])
        told = {"code": word, "profileId": str(profile_id)}
    if asked.get("state"):
        told["state"] = asked["state"]
    return f"{asked['redirect_uri'].rstrip('/')}/?{urlencode(told, errors='surrogateescape')}"


def answer(rehearsal: WiseRehearsal, request: WebRequest) -> Reply:
    """Answer `POST /oauth/token`."""
    refused = _refuse_client(rehearsal, request)
    if refused is not None:
        return refused
    form = request.fields()
    if not form.get("grant_type"):
        return failure(400, "invalid_request", "Missing grant type")
    grant = _GRANTS.get(form["grant_type"])
    if grant is None:
        return failure(400, "unsupported_grant_type", "Unsupported grant type")
    needs, give = grant
    for name in needs:
        if not form.get(name):
            return failure(400, "invalid_request", f"Missing parameter: {name}")
    if form.get("client_id", rehearsal.state.client_id) != rehearsal.state.client_id:
        return failure(401, "invalid_client", "Unknown client")
    return give(rehearsal, form, rehearsal.clock())


def bearer(rehearsal: WiseRehearsal, request: WebRequest) -> Grant | Reply:
    """Return the grant of a request's access token, or a 401 response."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return failure(401, "unauthorized", "Full authentication is required", challenge="Bearer")
    wanted, now = digest(token.strip()), rehearsal.clock()
    for grant in rehearsal.state.grants:
        if grant.access_sha256 == wanted and now < grant.access_expires:
            return grant
    challenge = 'Bearer error="invalid_token"'
    return failure(401, "invalid_token", "Invalid or expired access token", challenge=challenge)


def _refuse_client(rehearsal: WiseRehearsal, request: WebRequest) -> Reply | None:
    """Return a 401 for a client that does not authenticate by HTTP Basic, else None."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    challenge = 'Basic realm="certkit rehearsal, not Wise"'
    if scheme.lower() != "basic":
        return failure(401, "unauthorized", "Full authentication is required", challenge=challenge)
    try:
        client_id, _, given = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        client_id = given = b""
    is_client = hmac.compare_digest(client_id, rehearsal.state.client_id.encode())
    if is_client & hmac.compare_digest(given, rehearsal.client_secret.reveal()):
        return None
    return failure(401, "invalid_client", "Bad credentials", challenge=challenge)


def _authorization_code(rehearsal: WiseRehearsal, form: Mapping[str, str], now: datetime) -> Reply:
    wanted, codes = digest(form["code"]), rehearsal.state.codes
    code = next((each for each in codes if each.sha256 == wanted), None)
    if code is None or now >= code.expires or form["redirect_uri"] != code.redirect_uri:
        return failure(400, "invalid_grant", _INVALID)
    left = tuple(each for each in codes if each is not code)
    return _new_grant(rehearsal, "authorization_code", now, profile_id=code.profile_id, codes=left)


def _registration_code(rehearsal: WiseRehearsal, form: Mapping[str, str], now: datetime) -> Reply:
    wanted = (form["email"], digest(form["registration_code"]))
    if wanted not in {(user.email, user.code_sha256) for user in rehearsal.state.users}:
        return failure(401, "invalid_grant", _INVALID)
    return _new_grant(rehearsal, "registration_code", now)


def _refresh_token(rehearsal: WiseRehearsal, form: Mapping[str, str], now: datetime) -> Reply:
    refresh = form["refresh_token"]
    old = next((each for each in rehearsal.state.grants if each.refresh_sha256 == digest(refresh)), None)
    if old is None or old.is_revoked or old.refresh_expires is None or now >= old.refresh_expires:
        return failure(400, "invalid_grant", _INVALID)
    access = new_token()
    # Replacing the digest of the old access token invalidates it.
    end = now + timedelta(seconds=ACCESS_SECONDS)
    grant = replace(old, access_sha256=digest(access), access_expires=end, created=now)
    return _granted(rehearsal, grant, access, refresh, now, old=old)


def _new_grant(
    rehearsal: WiseRehearsal, kind: str, now: datetime, *, profile_id: int | None = None, **changes: Any
) -> Reply:
    """Issue the tokens of a new grant, and make `changes` of the state with it."""
    is_application = kind == "client_credentials"
    access = new_application_token() if is_application else new_token()
    refresh = None if is_application else new_token()
    grant = Grant(
        id=digest(access)[:16],
        kind=kind,
        profile_id=profile_id,
        created=now,
        access_sha256=digest(access),
        access_expires=now + timedelta(seconds=ACCESS_SECONDS),
        refresh_sha256=None if refresh is None else digest(refresh),
        refresh_expires=None if refresh is None else now + timedelta(seconds=REFRESH_SECONDS),
    )
    return _granted(rehearsal, grant, access, refresh, now, **changes)


def _granted(
    rehearsal: WiseRehearsal,
    grant: Grant,
    access: str,
    refresh: str | None,
    now: datetime,
    *,
    old: Grant | None = None,
    **changes: Any,
) -> Reply:
    """Keep a grant, in place of an old one, without grants that are no longer needed; return its tokens."""
    kept = [each for each in rehearsal.state.grants if each is not old and each.is_of_use(now)]
    rehearsal.update(grants=(*kept, grant)[-MAX_REMEMBERED:], **changes)
    document: dict[str, object] = {
        "access_token": access,
        "token_type": "bearer",
        "expires_in": ACCESS_SECONDS,
        "expires_at": rfc3339(grant.access_expires),
        "scope": "transfers",
        # Nine fractional digits, because Wise may send them.
        "created_at": f"{grant.created:%Y-%m-%dT%H:%M:%S}.{grant.created.microsecond:06d}789Z",
    }
    if refresh is not None and grant.refresh_expires is not None:
        document |= {
            "refresh_token": refresh,
            "refresh_token_expires_in": int((grant.refresh_expires - now).total_seconds()),
            "refresh_token_expires_at": rfc3339(grant.refresh_expires),
        }
    return as_json(document)


_GRANTS: dict[str, tuple[tuple[str, ...], Callable[[WiseRehearsal, Mapping[str, str], datetime], Reply]]] = {
    "authorization_code": (("client_id", "code", "redirect_uri"), _authorization_code),
    "refresh_token": (("refresh_token",), _refresh_token),
    "client_credentials": ((), lambda rehearsal, _, now: _new_grant(rehearsal, "client_credentials", now)),
    "registration_code": (("client_id", "email", "registration_code"), _registration_code),
}
