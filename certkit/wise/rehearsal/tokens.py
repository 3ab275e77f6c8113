"""The token endpoint: its four grants, and each failure that Wise documents."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from certkit.times import rfc3339
from certkit.wise.rehearsal.messages import Reply, as_json, failure
from certkit.wise.rehearsal.state import Grant, RehearsalState, digest, new_application_token, new_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certkit.secret import Secret
    from certkit.wise.rehearsal.messages import WebRequest

ACCESS_SECONDS = 43199
REFRESH_SECONDS = 628639555

Outcome: TypeAlias = tuple[RehearsalState, Reply]
_INVALID = "Invalid user credentials."


def answer(state: RehearsalState, request: WebRequest, *, secret: Secret, now: datetime) -> Outcome:
    """Answer `POST /oauth/token`: return the new state and the response."""
    refused = _refuse_client(state, request, secret)
    if refused is not None:
        return state, refused
    form = request.form()
    if not form.get("grant_type"):
        return state, failure(400, "invalid_request", "Missing grant type")
    grant = _GRANTS.get(form["grant_type"])
    if grant is None:
        return state, failure(400, "unsupported_grant_type", "Unsupported grant type")
    needs, give = grant
    for name in needs:
        if not form.get(name):
            return state, failure(400, "invalid_request", f"Missing parameter: {name}")
    if form.get("client_id", state.client_id) != state.client_id:
        return state, failure(401, "invalid_client", "Unknown client")
    return give(state, form, now)


def bearer(state: RehearsalState, request: WebRequest, *, now: datetime) -> Grant | Reply:
    """Return the grant of a request's access token, or a 401 response."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    challenge = {"WWW-Authenticate": "Bearer"}
    if scheme.lower() != "bearer" or not token.strip():
        described = {"error": "unauthorized", "error_description": "Full authentication is required"}
        return as_json(described, status=401, headers=challenge)
    wanted = digest(token.strip())
    for grant in state.grants:
        if grant.access_sha256 == wanted and now < grant.access_expires:
            return grant
    described = {"error": "invalid_token", "error_description": "Invalid or expired access token"}
    return as_json(described, status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def revoke(state: RehearsalState, grant_id: str) -> RehearsalState:
    """Return the state with a grant's refresh token revoked."""
    return _changed(state, grant_id, is_revoked=True)


def end_access(state: RehearsalState, grant_id: str, *, now: datetime) -> RehearsalState:
    """Return the state with a grant's access token expired."""
    return _changed(state, grant_id, access_expires=now)


def _changed(state: RehearsalState, grant_id: str, **changes: bool | datetime) -> RehearsalState:
    found = tuple(replace(each, **changes) if each.id == grant_id else each for each in state.grants)  # type: ignore[arg-type]
    return replace(state, grants=found)


def _refuse_client(state: RehearsalState, request: WebRequest, secret: Secret) -> Reply | None:
    """Return a 401 for a client that does not authenticate by HTTP Basic, else None."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    challenge = {"WWW-Authenticate": 'Basic realm="certkit rehearsal, not Wise"'}
    if scheme.lower() != "basic":
        described = {"error": "unauthorized", "error_description": "Full authentication is required"}
        return as_json(described, status=401, headers=challenge)
    try:
        client_id, _, given = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        client_id = given = b""
    is_client = hmac.compare_digest(client_id, state.client_id.encode())
    if is_client & hmac.compare_digest(given, secret.reveal()):
        return None
    return as_json({"error": "invalid_client", "error_description": "Bad credentials"}, status=401, headers=challenge)


def _authorization_code(state: RehearsalState, form: Mapping[str, str], now: datetime) -> Outcome:
    wanted = digest(form["code"])
    code = next((each for each in state.codes if each.sha256 == wanted), None)
    if code is None or now >= code.expires or form["redirect_uri"] != code.redirect_uri:
        return state, failure(400, "invalid_grant", _INVALID)
    used = replace(state, codes=tuple(each for each in state.codes if each is not code))
    return _user_tokens(used, "authorization_code", code.profile_id, now)


def _registration_code(state: RehearsalState, form: Mapping[str, str], now: datetime) -> Outcome:
    wanted = (form["email"], digest(form["registration_code"]))
    if wanted not in {(user.email, user.code_sha256) for user in state.users}:
        return state, failure(401, "invalid_grant", _INVALID)
    return _user_tokens(state, "registration_code", None, now)


def _client_credentials(state: RehearsalState, _: Mapping[str, str], now: datetime) -> Outcome:
    access = new_application_token()
    grant = Grant(
        id=digest(access)[:16],
        kind="client_credentials",
        profile_id=None,
        created=now,
        access_sha256=digest(access),
        access_expires=now + timedelta(seconds=ACCESS_SECONDS),
    )
    return state.grant(None, grant, now=now), as_json(_document(grant, access, None, now))


def _refresh_token(state: RehearsalState, form: Mapping[str, str], now: datetime) -> Outcome:
    refresh = form["refresh_token"]
    old = next((each for each in state.grants if each.refresh_sha256 == digest(refresh)), None)
    if old is None or old.is_revoked or old.refresh_expires is None or now >= old.refresh_expires:
        return state, failure(400, "invalid_grant", _INVALID)
    access = new_token()
    # Replacing the digest of the old access token invalidates it.
    end = now + timedelta(seconds=ACCESS_SECONDS)
    grant = replace(old, access_sha256=digest(access), access_expires=end, created=now)
    return state.grant(old, grant, now=now), as_json(_document(grant, access, refresh, now))


def _user_tokens(state: RehearsalState, kind: str, profile_id: int | None, now: datetime) -> Outcome:
    access, refresh = new_token(), new_token()
    grant = Grant(
        id=digest(access)[:16],
        kind=kind,
        profile_id=profile_id,
        created=now,
        access_sha256=digest(access),
        access_expires=now + timedelta(seconds=ACCESS_SECONDS),
        refresh_sha256=digest(refresh),
        refresh_expires=now + timedelta(seconds=REFRESH_SECONDS),
    )
    return state.grant(None, grant, now=now), as_json(_document(grant, access, refresh, now))


def _document(grant: Grant, access: str, refresh: str | None, now: datetime) -> dict[str, object]:
    document: dict[str, object] = {"access_token": access, "token_type": "bearer"}
    if refresh is not None and grant.refresh_expires is not None:
        document |= {
            "refresh_token": refresh,
            "refresh_token_expires_in": int((grant.refresh_expires - now).total_seconds()),
            "refresh_token_expires_at": rfc3339(grant.refresh_expires),
        }
    return document | {
        "expires_in": ACCESS_SECONDS,
        "expires_at": rfc3339(grant.access_expires),
        "scope": "transfers",
        # Nine fractional digits, because Wise may send them.
        "created_at": f"{grant.created:%Y-%m-%dT%H:%M:%S}.{grant.created.microsecond:06d}789Z",
    }


_GRANTS: dict[str, tuple[tuple[str, ...], Callable[[RehearsalState, Mapping[str, str], datetime], Outcome]]] = {
    "authorization_code": (("client_id", "code", "redirect_uri"), _authorization_code),
    "refresh_token": (("refresh_token",), _refresh_token),
    "client_credentials": ((), _client_credentials),
    "registration_code": (("client_id", "email", "registration_code"), _registration_code),
}
