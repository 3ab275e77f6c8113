"""Token requests to Wise, by its documented grants.

`POST <API>/oauth/token`, HTTP Basic with client id and secret, a form as body (Wise developer documentation, "User
tokens", "Client credentials" and "Testing in Sandbox", read on 2026-11-22).

Each request raises RefusedError if Wise rejects it, UncertainError if the response is lost or unusable, so that Wise
may have carried it out, and InputError if Wise cannot be reached: then nothing has changed.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from certkit.errors import InputError, RefusedError
from certkit.net import http, wire
from certkit.net.connecting import NetError
from certkit.probe import judge
from certkit.secret import Secret
from certkit.wise import oauth_answers
from certkit.wise.oauth_answers import CERTIFICATE_HINT, CLIENT_HINT, TokenRequest, UncertainError
from certkit.wise.tokens import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, Token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certkit.net.tls import Credentials
    from certkit.wise.redirect import Redirect
    from certkit.x509.certificate import Certificate

_PAUSES_SECONDS = (0.5, 1.0)
# If a server asks for a longer pause, this run does not repeat the request.
_LONGEST_WAIT_SECONDS = 5.0

_BEGIN_AGAIN = "start again with `certkit wise authorize-url`"
_CODE_HINT = (
    "a code works once, within 30 minutes, and with the client id and redirect URI it was requested with; "
    + _BEGIN_AGAIN
)
_REFRESH_HINT = f"the refresh token was revoked or has expired; {_BEGIN_AGAIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The client credentials of one environment."""

    id: str
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEndpoint:
    """A token endpoint, and how to connect to it.

    The client certificate is optional. `anchors` are the trusted CAs, by default the system's. `timeout` is in seconds,
    for each request.
    """

    url: str
    credentials: Credentials | None = None
    anchors: Sequence[Certificate] | None = None
    timeout: float = http.TIMEOUT_SECONDS

    @property
    def longest_seconds(self) -> float:
        """The longest time that a request with all its repetitions may take, in seconds."""
        return (len(_PAUSES_SECONDS) + 1) * self.timeout + len(_PAUSES_SECONDS) * _LONGEST_WAIT_SECONDS


def exchange(endpoint: TokenEndpoint, client: Client, redirect: Redirect, *, now: datetime) -> Token:
    """Exchange an authorization code for a token. A code that may be used up is not sent again."""
    question = TokenRequest(
        grant=AUTHORIZATION_CODE,
        form={
            "grant_type": "authorization_code",
            "client_id": client.id,
            "code": redirect.code.reveal().decode(),
            "redirect_uri": redirect.redirect_uri,
        },
        asked_at=now,
        refused=_CODE_HINT,
        doubt=f"the code may be used up: if it is rejected now, {_BEGIN_AGAIN}",
        is_repeatable=False,
        profile_id=redirect.profile_id,
    )
    return _ask(endpoint, client, question)


def renew(endpoint: TokenEndpoint, client: Client, token: Token, *, now: datetime) -> Token:
    """Refresh a token, which invalidates it. The refresh token is kept unless the response has a new one.

    A client-credentials token is requested again instead.

    Raises:
        InputError: also if there is no refresh token.
    """
    if token.grant == CLIENT_CREDENTIALS:
        return client_credentials(endpoint, client, now=now)
    if token.refresh is None:
        raise InputError("the token has no refresh token", hint=_BEGIN_AGAIN)
    question = TokenRequest(
        grant=token.grant,
        form={"grant_type": "refresh_token", "refresh_token": token.refresh.reveal().decode()},
        asked_at=now,
        refused=_REFRESH_HINT,
        doubt="the previous token may be invalid now; try again",
        profile_id=token.profile_id,
        before=token,
    )
    return _ask(endpoint, client, question)


def client_credentials(endpoint: TokenEndpoint, client: Client, *, now: datetime) -> Token:
    """Request a client-credentials token, which has no refresh token."""
    form = {"grant_type": "client_credentials"}
    question = TokenRequest(grant=CLIENT_CREDENTIALS, form=form, asked_at=now, refused=CLIENT_HINT, doubt="try again")
    return _ask(endpoint, client, question)


def _ask(endpoint: TokenEndpoint, client: Client, question: TokenRequest) -> Token:
    answer = _answer(endpoint, client, question)
    where = urlsplit(endpoint.url).netloc
    if answer.status == 200:
        return oauth_answers.token(answer, question, where=where, client_id=client.id)
    has_certificate = endpoint.credentials is not None
    hidden = _hidden(client, question)
    raise oauth_answers.refusal(answer, question, where=where, has_certificate=has_certificate, hidden=hidden)


def _answer(endpoint: TokenEndpoint, client: Client, question: TokenRequest) -> wire.HttpAnswer:
    """Send the request; repeat it a few times after a temporary failure if repeating does no harm."""
    request = wire.HttpRequest(
        method="POST",
        url=endpoint.url,
        headers={
            "Authorization": f"Basic {_basic(client)}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        body=urlencode(question.form).encode(),
    )
    now = question.asked_at
    for pause in (*_PAUSES_SECONDS, None):
        wait = pause
        try:
            answer = http.send(
                request, now=now, credentials=endpoint.credentials, anchors=endpoint.anchors, timeout=endpoint.timeout
            )
        except http.HttpError as error:
            if endpoint.credentials is not None and judge.is_about_certificates(error.alert):
                where = urlsplit(endpoint.url).netloc
                raise RefusedError(f"{where} refused: {judge.rejection(error.alert)}", hint=CERTIFICATE_HINT) from error
            # Repeating the request would not make the server trusted.
            may_pass = isinstance(error.__cause__, NetError | wire.AnswerError)
            if wait is None or not may_pass or not (question.is_repeatable or not error.is_sent):
                if error.is_sent:
                    raise UncertainError(error.message, hint=f"{error.hint}; {question.doubt}") from error
                raise
        else:
            asked_for = oauth_answers.retry_after(answer, now=now)
            wait = pause if asked_for is None else asked_for
            # 429 with a time: the server has done nothing, so a code may be sent again (RFC 6585 section 4).
            is_limited = answer.status == 429 and asked_for is not None
            may_repeat = is_limited or (answer.status >= 500 and question.is_repeatable)
            if pause is None or wait is None or wait > _LONGEST_WAIT_SECONDS or not may_repeat:
                return answer
        time.sleep(max(pause or 0, wait))
    raise AssertionError("the last try returns or raises")


def _basic(client: Client) -> str:
    return base64.b64encode(client.id.encode() + b":" + client.secret.reveal()).decode("ascii")


def _hidden(client: Client, question: TokenRequest) -> list[Secret]:
    """Return what no message may contain: the client secret, plain and as HTTP Basic, and the values of the form."""
    public = {"grant_type", "client_id", "redirect_uri"}
    sent = [value.encode() for name, value in question.form.items() if name not in public]
    return [client.secret, Secret(_basic(client).encode()), *map(Secret, sent)]
