"""Asking Wise for tokens, by the documented grants.

`POST <API>/oauth/token`, HTTP Basic with client id and secret, a form as body (Wise developer documentation, "User
tokens", "Client credentials" and "Testing in Sandbox", read on 2026-11-22).
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from certkit.errors import InputError, RefusedError
from certkit.net import http
from certkit.probe import judge
from certkit.secret import Secret
from certkit.wise import oauth_answers
from certkit.wise.oauth_answers import CERTIFICATE_HINT, CLIENT_HINT, Question, UncertainError
from certkit.wise.tokens import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, Token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from certkit.net.tls import Credentials
    from certkit.wise.redirect import Redirect

_PAUSES_SECONDS = (0.5, 1.0)

_BEGIN_AGAIN = "begin again with `certkit wise authorize-url`"
_CODE_HINT = (
    "a code works once, for 30 minutes, and with the client id and redirect URI that it was asked for with; "
    + _BEGIN_AGAIN
)
_REFRESH_HINT = f"the refresh token was revoked or has expired; {_BEGIN_AGAIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The client credentials, one pair for each environment."""

    id: str
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where tokens come from, and how it is reached.

    A client certificate may go with it. `anchors` are the CAs to trust, without them those of the system. Each request
    may take `timeout` seconds.
    """

    url: str
    credentials: Credentials | None = None
    anchors: Sequence[x509.Certificate] | None = None
    timeout: float = http.TIMEOUT_SECONDS

    @property
    def longest_seconds(self) -> float:
        """How long a request may take with all its repetitions."""
        return (len(_PAUSES_SECONDS) + 1) * self.timeout + sum(_PAUSES_SECONDS)


def exchange(endpoint: Endpoint, client: Client, redirect: Redirect, *, now: datetime) -> Token:
    """The token for an authorization code. A code that may have been used up is not sent again.

    Raises:
        RefusedError: Wise refuses.
        UncertainError: nobody knows whether the code is used up.
        InputError: Wise cannot be asked; the code is not used.
    """
    from oauthlib.oauth2 import WebApplicationClient

    code = redirect.code.reveal().decode()
    form = WebApplicationClient(client.id).prepare_request_body(code=code, redirect_uri=redirect.redirect_uri)
    question = Question(
        grant=AUTHORIZATION_CODE,
        form=Secret(form.encode()),
        refused=_CODE_HINT,
        doubt=f"the code may be used up: if it is refused now, {_BEGIN_AGAIN}",
        is_repeatable=False,
        profile_id=redirect.profile_id,
    )
    return _ask(endpoint, client, question, now=now)


def renew(endpoint: Endpoint, client: Client, token: Token, *, now: datetime) -> Token:
    """The token after this one, which Wise makes invalid. The refresh token stays if no other comes.

    A token of the application itself is got anew.

    Raises:
        RefusedError: Wise refuses.
        UncertainError: nobody knows whether the token before is still good.
        InputError: Wise cannot be asked, or there is nothing to refresh with; nothing has changed.
    """
    if token.grant == CLIENT_CREDENTIALS:
        return client_credentials(endpoint, client, now=now)
    if token.refresh is None:
        raise InputError("this token has no refresh token", hint=_BEGIN_AGAIN)
    from oauthlib.oauth2 import WebApplicationClient

    form = WebApplicationClient(client.id).prepare_refresh_body(refresh_token=token.refresh.reveal().decode())
    question = Question(
        grant=token.grant,
        form=Secret(form.encode()),
        refused=_REFRESH_HINT,
        doubt="the token before it may be invalid now; try again",
        profile_id=token.profile_id,
        before=token,
    )
    return _ask(endpoint, client, question, now=now)


def client_credentials(endpoint: Endpoint, client: Client, *, now: datetime) -> Token:
    """A token of the application itself, which has no refresh token.

    Raises:
        RefusedError: Wise refuses.
        UncertainError: the answer is lost or cannot be used.
        InputError: Wise cannot be asked.
    """
    from oauthlib.oauth2 import BackendApplicationClient

    form = BackendApplicationClient(client.id).prepare_request_body()
    question = Question(grant=CLIENT_CREDENTIALS, form=Secret(form.encode()), refused=CLIENT_HINT, doubt="try again")
    return _ask(endpoint, client, question, now=now)


def _ask(endpoint: Endpoint, client: Client, question: Question, *, now: datetime) -> Token:
    answer = _answer(endpoint, client, question, now=now)
    where = urlsplit(endpoint.url).netloc
    if answer.status != 200:
        has_certificate = endpoint.credentials is not None
        hidden = _hidden(client, question)
        raise oauth_answers.refusal(answer, question, where=where, has_certificate=has_certificate, hidden=hidden)
    try:
        return oauth_answers.token(answer, question, client_id=client.id, now=now)
    except InputError as error:
        raise UncertainError(f"cannot use the answer of {where}: {error.message}", hint=question.doubt) from error


def _answer(endpoint: Endpoint, client: Client, question: Question, *, now: datetime) -> http.HttpAnswer:
    """What the server answers; asked again, a few times, where that does no harm."""
    request = http.HttpRequest(
        method="POST",
        url=endpoint.url,
        headers={
            "Authorization": f"Basic {_basic(client)}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        body=question.form.reveal(),
    )
    for pause in (*_PAUSES_SECONDS, None):
        try:
            answer = http.send(
                request,
                now=now,
                credentials=endpoint.credentials,
                anchors=endpoint.anchors,
                timeout=endpoint.timeout,
            )
        except http.HttpError as error:
            if endpoint.credentials is not None and judge.is_about_certificates(error.alert):
                where = urlsplit(endpoint.url).netloc
                raise RefusedError(f"refused by {where}: {judge.said(error.alert)}", hint=CERTIFICATE_HINT) from error
            may_repeat = question.is_repeatable or not error.is_sent
            if pause is None or not may_repeat:
                if error.is_sent:
                    raise UncertainError(error.message, hint=f"{error.hint}; {question.doubt}") from error
                raise
        else:
            if pause is None or answer.status < 500 or not question.is_repeatable:
                return answer
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _basic(client: Client) -> str:
    return base64.b64encode(client.id.encode() + b":" + client.secret.reveal()).decode("ascii")


def _hidden(client: Client, question: Question) -> list[Secret]:
    """What no message may show: the client secret, as it is and in HTTP Basic, and what was sent in the form."""
    public = {"grant_type", "client_id", "redirect_uri"}
    sent = [value.encode() for name, value in parse_qsl(question.form.reveal().decode()) if name not in public]
    return [client.secret, Secret(_basic(client).encode()), *map(Secret, sent)]
