"""Wise's response to a token request: a token, or the reason why there is none.

Responses come over the network and are untrusted. Wise documents them in "User tokens", "Client credentials" and
"Testing in Sandbox" (read on 2026-11-22 and 2026-11-30); the rest is RFC 6749 section 5.

A refresh invalidates the old token, so a response with a usable token is never discarded: fields that only inform may
be missing or odd. A token's lifetime counts from our own clock by `expires_in`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certkit.durations import spoken
from certkit.errors import InputError, RefusedError
from certkit.printable import brief, printable
from certkit.secret import Secret
from certkit.times import parse_http_date, parse_moment
from certkit.wise.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from certkit.net.wire import HttpAnswer

_LONGEST_SECONDS = 10**10
# The assumed lifetime of a token if the response has none; Wise documents twelve hours.
_ASSUMED_LIFE = timedelta(hours=1)
_CLOCKS_MAY_DIFFER = timedelta(minutes=5)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_NUMBER = re.compile(r"\s*\d{1,10}(\.\d{0,9})?\s*", re.ASCII)
_TRACE_ID = re.compile(r"[!-~]{1,128}", re.ASCII)

CERTIFICATE_HINT = (
    "it may have expired, be revoked, or belong to another environment: check it in Developer Hub, and replace it with "
    "certkit identity renew --force"
)
CLIENT_HINT = "check the client id and secret; each environment has its own pair"
_PLAIN_HINT = "once Wise enforces mTLS, the plain host does not serve the client: use an identity with a certificate"


class UncertainError(InputError):
    """Wise may have carried out the request, but its response is lost or unusable.

    `rescued` is the old token with the new refresh token, if the response has one but no usable access token.
    """

    rescued: Token | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A token request, and what is needed to read its response: the profile and the old token.

    `refused` is the hint for `invalid_grant`, and `doubt` the one for a lost response. `is_repeatable` is True if
    repeating the request does no harm.
    """

    grant: str
    form: Mapping[str, str] = field(repr=False)
    refused: str
    doubt: str
    asked_at: datetime
    is_repeatable: bool = True
    profile_id: str | None = None
    before: Token | None = None


def token(answer: HttpAnswer, question: TokenRequest, *, where: str, client_id: str) -> Token:
    """Return the token in a response of `where` with status 200.

    Raises:
        UncertainError: if there is no usable access token.
    """
    found, before, now = _document(answer), question.before, question.asked_at
    document = found or {}
    access = _secret(document, "access_token")
    refresh = _secret(document, "refresh_token") or (before.refresh if before else None)
    if access is None:
        problem = "it is not a JSON object" if found is None else "it has no access_token"
        if document.get("access_token") is not None:
            problem = "its access_token cannot be used"
        error = UncertainError(f"cannot use the response of {where}: {problem}", hint=question.doubt)
        if before is not None:
            error.rescued = replace(before, refresh=refresh)
        raise error
    created, expires = _moment(document, "created_at"), _moment(document, "expires_at")
    life = _seconds(document, "expires_in")
    if life is None and expires and expires > (created or now):
        life = expires - (created or now)
    refresh_life, scope = _seconds(document, "refresh_token_expires_in"), document.get("scope")
    theirs = created or (expires - life if expires and life else now)
    ahead = theirs - now  # how far Wise's clock is ahead of ours
    return Token(
        grant=question.grant,
        client_id=client_id,
        access=access,
        received_at=now,
        expires_at=now + (life or _ASSUMED_LIFE),
        refresh=refresh,
        refresh_token_expires_at=now + refresh_life
        if refresh_life
        else _moment(document, "refresh_token_expires_at") or (before.refresh_token_expires_at if before else None),
        created_at=created,
        scope=printable(scope) if isinstance(scope, str) and len(scope) < 1000 else before.scope if before else None,
        profile_id=question.profile_id,
        clock_difference=ahead if abs(ahead) > _CLOCKS_MAY_DIFFER else None,
    )


def _document(answer: HttpAnswer) -> dict[str, Any] | None:
    """Return the JSON object of a response, or None."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _secret(document: Mapping[str, Any], name: str) -> Secret | None:
    value = document.get(name)
    return Secret(value.encode("ascii")) if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _seconds(document: Mapping[str, Any], name: str) -> timedelta | None:
    """Return a duration given as a number or as text; None if it is missing or absurd."""
    value: Any = document.get(name)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return timedelta(seconds=value) if 1 <= value < _LONGEST_SECONDS else None


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time given in ISO 8601; None if it is missing or invalid."""
    value = document.get(name)
    try:
        return parse_moment(value) if isinstance(value, str) else None
    except InputError:
        return None


def refusal(
    answer: HttpAnswer, question: TokenRequest, *, where: str, has_certificate: bool, hidden: Sequence[Secret]
) -> InputError | RefusedError:
    """Return the error for a response of `where` without a token; no `hidden` text appears in it."""
    status, trace = answer.status, trace_of(answer)
    seconds = retry_after(answer, now=question.asked_at)
    if status >= 500:
        wait = "" if seconds is None else f"; the server asks to wait {spoken(timedelta(seconds=seconds))}"
        return UncertainError(f"{where} failed with status {status}{trace}", hint=f"{question.doubt}{wait}")
    if status == 429:
        return rate_limited(answer, where, now=question.asked_at)
    document = _document(answer)
    error = (document or {}).get("error")
    if isinstance(error, str) and error.strip():  # RFC 6749 section 5.2
        description = (document or {}).get("error_description")
        message = f"{error}: {description}" if isinstance(description, str) and description else error
        hint = _hint(error, status, question, has_certificate=has_certificate)
        return RefusedError(f"{where} refused: {_shown(message, hidden=hidden)}{trace}", hint=hint)
    if status in {401, 403}:
        hint = CLIENT_HINT if status == 401 else "check whether Wise accepts the client certificate: certkit probe"
        if status == 403 and not has_certificate:
            hint = _PLAIN_HINT
        return RefusedError(f"{where} rejected the request: status {status}{trace}", hint=hint)
    if status == 400 and b"SSL certificate" in answer.body:
        hint = "check that Wise issued it and that it has not expired: certkit probe, certkit verify"
        return RefusedError(f"{where} rejected the client certificate", hint=hint)
    what = "redirects elsewhere" if 300 <= status < 400 else "does not respond as Wise does"
    hint = "check the address (--environment, --base-url), and proxies in between"
    return InputError(f"{where} {what}: status {status}{'' if document else ', no JSON'}{trace}", hint=hint)


def rate_limited(answer: HttpAnswer, where: str, *, now: datetime) -> InputError:
    """Return the error for a response of `where` with status 429."""
    seconds = retry_after(answer, now=now)
    when = "later" if seconds is None else f"after {spoken(timedelta(seconds=seconds))}"
    return InputError(f"{where} is rate limiting requests (429){trace_of(answer)}", hint=f"try again {when}")


def retry_after(answer: HttpAnswer, *, now: datetime) -> float | None:
    """Return the seconds to wait before the next request (RFC 9110 section 10.2.3); None if there is no such header."""
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}", text, re.ASCII):
        return float(text)
    moment = parse_http_date(text)
    return (moment - now).total_seconds() if moment and moment > now else None


def trace_of(answer: HttpAnswer) -> str:
    """Return the trace id for Wise's support, in parentheses."""
    found = answer.headers.get("x-trace-id", "")
    return f" (trace id {found})" if _TRACE_ID.fullmatch(found) else ""


def _hint(error: str, status: int, question: TokenRequest, *, has_certificate: bool) -> str:
    if error == "invalid_grant":
        return question.refused
    if error in {"invalid_client", "unauthorized", "unauthorized_client"} or status == 401:
        is_clear = has_certificate or error == "invalid_client"
        return CLIENT_HINT if is_clear else f"{CLIENT_HINT}; {_PLAIN_HINT}"
    if error == "invalid_request":
        return "check --client-id, --redirect-uri and the address of the token endpoint"
    return "see Wise's documentation of the error"


def _shown(said: str, *, hidden: Sequence[Secret]) -> str:
    """Return a server's text with secrets removed, escaped and shortened."""
    for text in (secret.reveal().decode("utf-8", "replace") for secret in hidden):
        said = said.replace(text, "(hidden)") if text else said  # an empty text is between all characters
    return brief(" ".join(said.split()).rstrip("."), 200)
