"""What Wise's answers to a request for a token mean: a token, or why there is none.

They come over the network, and are hostile until shown otherwise. What Wise documents of them was read on 2026-11-22
("User tokens", "Client credentials", "Testing in Sandbox"); the rest is RFC 6749 section 5.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError, RefusedError
from certkit.printable import printable
from certkit.secret import Secret
from certkit.times import parse_moment
from certkit.wise.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from certkit.net.http import HttpAnswer

_MAX_SAID = 200
_LONGEST_LIFE = 10**10
_TOKEN = re.compile(r"[!-~]{1,8192}", re.ASCII)

CERTIFICATE_HINT = (
    "it may have expired, be revoked, or be of another environment: look in Developer Hub, and replace it with "
    "certkit identity renew --force"
)
CLIENT_HINT = "check the client id and secret; each environment has a pair of its own"
_PLAIN_HINT = "once Wise enforces mTLS, the plain host does not serve the client: use an identity with a certificate"


class UncertainError(InputError):
    """Wise may have done what was asked, but its answer is lost or cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request for a token, and what goes with its answer: the profile, and the token before it.

    `refused` is the hint if it is refused as `invalid_grant`, and `doubt` the one if nobody knows what came of it.
    `is_repeatable` says that asking twice does no harm.
    """

    grant: str
    form: Secret
    refused: str
    doubt: str
    is_repeatable: bool = True
    profile_id: str | None = None
    before: Token | None = None


def token(answer: HttpAnswer, question: Question, *, client_id: str, now: datetime) -> Token:
    """The token of an answer with status 200.

    Raises:
        InputError: a field is missing, or of another kind than documented.
    """
    document, before = _document(answer), question.before
    if document is None:
        raise InputError("it is no JSON object", hint=question.doubt)
    life = timedelta(seconds=_seconds(document, "expires_in") or 0)
    return Token(
        grant=question.grant,
        client_id=client_id,
        access=_secret(document, "access_token") or _missing("access_token"),
        received_at=now,
        expires_at=_moment(document, "expires_at") or (now + life if life else _missing("expires_at")),
        refresh=_secret(document, "refresh_token") or (before.refresh if before else None),
        refresh_expires_at=_refresh_end(document, now) or (before.refresh_expires_at if before else None),
        created_at=_moment(document, "created_at"),
        scope=_scope(document) or (before.scope if before else None),
        profile_id=question.profile_id,
    )


def _document(answer: HttpAnswer) -> dict[str, Any] | None:
    """The JSON object of an answer; None where there is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _missing(name: str) -> Any:
    raise InputError(f"it has no {name}", hint="")


def _odd(name: str) -> InputError:
    return InputError(f"{name} is of another kind than documented", hint="")


def _secret(document: Mapping[str, Any], name: str) -> Secret | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _odd(name)
    return Secret(value.encode("ascii"))


def _scope(document: Mapping[str, Any]) -> str | None:
    value = document.get("scope")
    if value is not None and not (isinstance(value, str) and len(value) < 1000):
        raise _odd("scope")
    kind = document.get("token_type")
    if kind is not None and not (isinstance(kind, str) and kind.lower() == "bearer"):
        raise InputError("token_type is not bearer", hint="")
    return None if value is None else printable(value)


def _seconds(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LONGEST_LIFE:
        raise _odd(name)
    return value


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _odd(name)
    return parse_moment(value)


def _refresh_end(document: Mapping[str, Any], now: datetime) -> datetime | None:
    seconds = _seconds(document, "refresh_token_expires_in")
    end = _moment(document, "refresh_token_expires_at")
    return end or (now + timedelta(seconds=seconds) if seconds else None)


def refusal(
    answer: HttpAnswer, question: Question, *, where: str, has_certificate: bool, hidden: Sequence[Secret]
) -> InputError | RefusedError:
    """What it means that `where` does not answer with a token; should it repeat what is `hidden`, that is not shown."""
    status = answer.status
    if status >= 500:
        return UncertainError(f"{where} fails with status {status}", hint=question.doubt)
    if status == 429:
        return InputError(f"{where} has no time for us: status 429", hint="try again later")
    document = _document(answer)
    error = _error(document)
    if error is not None:
        said = _shown(": ".join(error), hidden=hidden)
        hint = _hint(error[0], status, question, has_certificate=has_certificate)
        return RefusedError(f"refused by {where}: {said}", hint=hint)
    if status in {401, 403}:
        hint = _door_hint(status, has_certificate=has_certificate)
        return RefusedError(f"refused by {where}: status {status}", hint=hint)
    if status == 400 and b"SSL certificate" in answer.body:
        hint = "see whether it is the one that Wise issued, and not expired: certkit probe, certkit verify"
        return RefusedError(f"refused by {where}: it does not accept the client certificate", hint=hint)
    what = "leads elsewhere" if 300 <= status < 400 else "does not answer as Wise does"
    hint = "check the address: --environment, --base-url, and what stands between"
    return InputError(f"{where} {what}: status {status}{'' if document else ', and no JSON'}", hint=hint)


def _error(document: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The OAuth error of an answer, and what is said of it (RFC 6749 section 5.2); None where there is none."""
    if document is None or not isinstance(document.get("error"), str) or not document["error"].strip():
        return None
    from oauthlib.oauth2 import OAuth2Error
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response

    description = document.get("error_description")
    plain = {"error": document["error"], "error_description": description if isinstance(description, str) else None}
    try:
        parse_token_response(json.dumps(plain))
    except OAuth2Error as error:
        return tuple(filter(None, (error.error, error.description)))
    return None


def _hint(error: str, status: int, question: Question, *, has_certificate: bool) -> str:
    if error == "invalid_grant":
        return question.refused
    if error in {"invalid_client", "unauthorized", "unauthorized_client"} or status == 401:
        is_clear = has_certificate or error == "invalid_client"
        return CLIENT_HINT if is_clear else f"{CLIENT_HINT}; {_PLAIN_HINT}"
    if error == "invalid_request":
        return "check --client-id and --redirect-uri, and that it is the token address of Wise"
    return "see what Wise says"


def _door_hint(status: int, *, has_certificate: bool) -> str:
    if status == 401:
        return CLIENT_HINT
    if not has_certificate:
        return _PLAIN_HINT
    return "see whether Wise accepts the client certificate: certkit probe"


def _shown(said: str, *, hidden: Sequence[Secret]) -> str:
    """What a server says, fit to be shown: without secrets, escaped, and cut."""
    for secret in hidden:
        said = said.replace(secret.reveal().decode("utf-8", "replace"), "(hidden)")
    said = printable(" ".join(said.split()))
    return said.rstrip(".") if len(said) <= _MAX_SAID else f"{said[:_MAX_SAID]}…"
