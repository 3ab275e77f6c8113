"""`certkit.wise.oauth`: what is sent to Wise, and what its answers mean."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from certkit.errors import InputError, RefusedError
from certkit.net.http import HttpError
from certkit.secret import Secret
from certkit.wise import oauth
from certkit.wise.oauth_answers import UncertainError
from tests import tls_servers, wise_server
from tests.pki import NOW
from tests.wise.conftest import CLIENT, endpoint, now, redirect

GOOD = {
    "access_token": "01234567-89ab",
    "token_type": "bearer",
    "refresh_token": "fedcba98-7654",
    "expires_in": 43199,
    "expires_at": "2026-11-24T00:00:00.000Z",
    "refresh_token_expires_in": 628639555,
    "refresh_token_expires_at": "2046-10-25T07:12:35.123Z",
    "scope": "transfers",
    "created_at": "2026-11-23T12:00:00.123456789Z",
}
BEGIN_AGAIN = "start again with `certkit wise authorize-url`"


def exchange(wise, at=NOW):
    """The token for a fresh code."""
    return oauth.exchange(endpoint(wise), CLIENT, redirect(wise), now=at)


def answering(wise, status, body, kind="application/json"):
    """Have the server give this answer to everything."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    wise.instead = lambda _: (status, kind, data)


# What is sent


def test_an_exchange(wise):
    """Has just the documented fields."""
    answer = redirect(wise)
    made = oauth.exchange(endpoint(wise), CLIENT, answer, now=now())
    assert wise.requests == [
        {
            "path": "/oauth/token",
            "grant_type": "authorization_code",
            "client_id": "acme-client",
            "code": answer.code.reveal().decode(),
            "redirect_uri": "https://acme.example/wise",
        }
    ]
    assert (made.grant, made.profile_id, made.access.reveal().decode()) == ("authorization_code", "123", wise.made[-1])


def test_a_refresh(wise):
    """Has just the documented fields."""
    made = exchange(wise)
    renewed = oauth.renew(endpoint(wise), CLIENT, made, now=now())
    assert wise.requests[1:] == [
        {"path": "/oauth/token", "grant_type": "refresh_token", "refresh_token": made.refresh.reveal().decode()}
    ]
    assert [renewed.access.reveal().decode()] == list(wise.valid.values())


def test_client_credentials(wise):
    """Have nothing but HTTP Basic."""
    made = oauth.client_credentials(endpoint(wise), CLIENT, now=now())
    assert wise.requests == [{"path": "/oauth/token", "grant_type": "client_credentials"}]
    assert (made.grant, made.refresh, made.profile_id) == ("client_credentials", None, None)


# Answers that are good


def test_all_that_an_answer_says(wise):
    """As documented, with nine digits of a second."""
    answering(wise, 200, GOOD)
    made = exchange(wise)
    assert (made.access, made.refresh) == (Secret(b"01234567-89ab"), Secret(b"fedcba98-7654"))
    assert made.expires_at == NOW + timedelta(seconds=43199)
    assert made.created_at == NOW + timedelta(microseconds=123456)
    assert (made.scope, made.client_id, made.received_at) == ("transfers", "acme-client", NOW)
    assert made.refresh_token_expires_at == NOW + timedelta(seconds=628639555)


def test_an_answer_that_says_little(wise):
    """Is enough with a token and its life; seconds count from now."""
    answering(
        wise, 200, {"access_token": "x", "expires_in": 60, "refresh_token_expires_in": 120, "token_type": "Bearer"}
    )
    made = exchange(wise)
    assert (made.expires_at, made.refresh_token_expires_at) == (
        NOW + timedelta(seconds=60),
        NOW + timedelta(seconds=120),
    )
    assert (made.refresh, made.created_at, made.scope) == (None, None, None)


# Answers that are none


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"access_token": None}, "it has no access_token"),
        ({"access_token": 7}, "its access_token cannot be used"),
        ({"access_token": "a b"}, "its access_token cannot be used"),
        ({"access_token": "a\r\nX: y"}, "its access_token cannot be used"),
    ],
)
def test_an_answer_without_a_token(wise, change, why):
    """The field is named, and that the code may be used up."""
    answering(wise, 200, {**GOOD, **change})
    with pytest.raises(UncertainError) as told:
        exchange(wise)
    assert told.value.message == f"cannot use the response of {wise.address.removeprefix('http://')}: {why}"
    assert told.value.hint == f"the code may be used up: if it is rejected now, {BEGIN_AGAIN}"


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("change", "life"),
    [
        ({"access_token": "x" * 90_000}, 12 * HOUR),
        ({"refresh_token": ["x"]}, 12 * HOUR),
        ({"token_type": "mac"}, 12 * HOUR),
        ({"token_type": 1}, 12 * HOUR),
        ({"scope": {}}, 12 * HOUR),
        ({"expires_in": "43200"}, 12 * HOUR),
        ({"expires_in": "7200.5 "}, timedelta(seconds=7200.5)),
        ({"expires_in": 60, "expires_at": "2040-01-01T00:00:00Z"}, timedelta(minutes=1)),
        ({"expires_in": None, "created_at": None}, 12 * HOUR),
        ({"expires_in": True, "created_at": None}, 12 * HOUR),
        ({"expires_in": "12h", "created_at": None}, 12 * HOUR),
        ({"expires_in": -1, "created_at": None}, 12 * HOUR),
        ({"expires_in": 1e300, "created_at": None}, 12 * HOUR),
        ({"expires_in": float("nan"), "created_at": None}, 12 * HOUR),
        ({"expires_in": 10**400, "created_at": None}, 12 * HOUR),
        ({"expires_in": None, "expires_at": None}, HOUR),
        ({"expires_in": None, "expires_at": "tomorrow"}, HOUR),
        ({"expires_in": None, "expires_at": 1763805600}, HOUR),
        ({"expires_in": None, "expires_at": "2001-01-01T00:00:00Z"}, HOUR),
        ({"created_at": "2026-11-23"}, 12 * HOUR),
        ({"created_at": []}, 12 * HOUR),
        ({"refresh_token_expires_at": []}, 12 * HOUR),
        ({"refresh_token_expires_in": "x"}, 12 * HOUR),
    ],
)
def test_what_only_informs_never_costs_a_token(wise, change, life):
    """It is kept with the lifetime in the response, by our clock; with an hour if there is none."""
    good = {**GOOD, "expires_in": 43200, **change}
    answering(wise, 200, good)
    made = exchange(wise)
    assert (made.access.reveal().decode(), made.expires_at) == (good["access_token"], NOW + life)


@pytest.mark.parametrize(("off", "told"), [(HOUR, HOUR), (-HOUR, -HOUR), (timedelta(minutes=4), None)])
def test_a_clock_that_disagrees(wise, off, told):
    """The lifetime counts from our clock; the difference from Wise's is reported."""
    created, expires = (f"{NOW + off + each:%Y-%m-%dT%H:%M:%SZ}" for each in (timedelta(), 12 * HOUR))
    answering(wise, 200, {**GOOD, "expires_in": 43200, "created_at": created, "expires_at": expires})
    made = exchange(wise)
    assert (made.expires_at, made.clock_difference) == (NOW + 12 * HOUR, told)


def test_a_refresh_token_survives_an_odd_answer(wise):
    """Of an answer to a refresh without a usable access token the new refresh token is kept."""
    made = exchange(wise)
    answering(wise, 200, {**GOOD, "access_token": None})
    with pytest.raises(UncertainError) as told:
        oauth.renew(endpoint(wise), CLIENT, made, now=now())
    assert told.value.rescued == replace(made, refresh=Secret(b"fedcba98-7654"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b"\xff\xfe\xfd",
        b"[]",
        b'"x"',
        b"null",
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_an_answer_that_is_no_document(wise, body):
    """HTML of a portal, or nonsense, is an error."""
    answering(wise, 200, body, "text/html")
    with pytest.raises(UncertainError, match="it is not a JSON object"):
        exchange(wise)


def test_an_answer_that_is_too_long(wise):
    """Is not read to its end."""
    answering(wise, 200, {**GOOD, "x": "y" * 20_000_000})
    with pytest.raises(UncertainError) as told:
        exchange(wise)
    assert told.value.hint.endswith(f"the code may be used up: if it is rejected now, {BEGIN_AGAIN}")


CODE = (
    "a code works once, within 30 minutes, and with the client id and redirect URI it was requested with; "
    + BEGIN_AGAIN
)
PAIR = "check the client id and secret; each environment has its own pair"
PLAIN = "once Wise enforces mTLS, the plain host does not serve the client: use an identity with a certificate"


@pytest.mark.parametrize(
    ("status", "body", "why", "hint"),
    [
        (
            400,
            {"error": "invalid_request", "error_description": "Missing grant type"},
            " refused: invalid_request: Missing grant type",
            "check --client-id, --redirect-uri and the address of the token endpoint",
        ),
        (
            400,
            {"error": "invalid_grant", "error_description": "Invalid user credentials."},
            " refused: invalid_grant: Invalid user credentials",
            CODE,
        ),
        (
            401,
            {"error": "invalid_grant", "error_description": "Invalid user credentials."},
            " refused: invalid_grant: Invalid user credentials",
            CODE,
        ),
        (401, {"error": "invalid_client"}, " refused: invalid_client", PAIR),
        (401, {"error": "unauthorized", "error_description": "No."}, " refused: unauthorized: No", f"{PAIR}; {PLAIN}"),
        (
            400,
            {"error": "something_new", "error_description": ["x"]},
            " refused: something_new",
            "see Wise's documentation of the error",
        ),
        (401, b"", " rejected the request: status 401", PAIR),
        (401, {"timestamp": "x"}, " rejected the request: status 401", PAIR),
        (403, b"<html>", " rejected the request: status 403", PLAIN),
        (
            400,
            b"<html>400 No required SSL certificate was sent</html>",
            " rejected the client certificate",
            "check that Wise issued it and that it has not expired: certkit probe, certkit verify",
        ),
    ],
)
def test_a_refusal(wise, status, body, why, hint):
    """Each documented one has its own words, and a hint what to do."""
    answering(wise, status, body)
    with pytest.raises(RefusedError) as told:
        exchange(wise)
    assert told.value.message == f"{wise.address.removeprefix('http://')}{why}"
    assert told.value.hint == hint


def test_a_refresh_token_that_was_revoked(wise):
    """Has a hint of its own."""
    made = exchange(wise)
    wise.valid.clear()
    with pytest.raises(RefusedError) as told:
        oauth.renew(endpoint(wise), CLIENT, made, now=now())
    assert told.value.hint == f"the refresh token was revoked or has expired; {BEGIN_AGAIN}"


def test_a_code_that_was_used(wise):
    """Is refused the second time."""
    answer = redirect(wise)
    oauth.exchange(endpoint(wise), CLIENT, answer, now=now())
    with pytest.raises(RefusedError, match="invalid_grant"):
        oauth.exchange(endpoint(wise), CLIENT, answer, now=now())


def test_a_wrong_secret(wise):
    """Is a refusal, and the code is still good."""
    answer = redirect(wise)
    with pytest.raises(RefusedError, match="invalid_client: Client authentication failed"):
        oauth.exchange(endpoint(wise), replace(CLIENT, secret=Secret(b"wrong")), answer, now=now())
    oauth.exchange(endpoint(wise), CLIENT, answer, now=now())


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (404, b"<html>", "does not respond as Wise does: status 404, no JSON"),
        (404, {"message": "x"}, "does not respond as Wise does: status 404"),
        (400, {"error": " "}, "does not respond as Wise does: status 400"),
        (400, {"error": {"code": 7}}, "does not respond as Wise does: status 400"),
        (302, b"", "redirects elsewhere: status 302, no JSON"),
        (204, b"", "does not respond as Wise does: status 204, no JSON"),
        (429, {"error": "slow_down"}, "is rate limiting requests (429)"),
    ],
)
def test_somebody_else_answers(wise, status, body, why):
    """Which is no refusal, and uses nothing up."""
    answering(wise, status, body)
    with pytest.raises(InputError) as told:
        exchange(wise)
    assert told.value.message == f"{wise.address.removeprefix('http://')} {why}"
    assert not isinstance(told.value, UncertainError)


def test_what_wise_says_is_fit_to_be_shown(wise):
    """Cut, on one line, without control characters, and without secrets, should it repeat them."""
    answer = redirect(wise)
    secrets = [answer.code.reveal().decode(), wise_server.CLIENT_SECRET, *wise.secrets]
    said = f"\x1b[31m {' '.join(secrets)}\r\n\u202e" + "x" * 1000
    answering(wise, 400, {"error": "invalid_grant", "error_description": said})
    with pytest.raises(RefusedError) as told:
        oauth.exchange(endpoint(wise), CLIENT, answer, now=now())
    assert [each for each in secrets if each in told.value.message] == []
    assert told.value.message.isprintable()
    assert "(hidden) (hidden)" in told.value.message
    assert len(told.value.message) < 300


def test_an_empty_secret_hides_nothing(wise):
    """A stored refresh token that was emptied by hand is not between all characters of what Wise says."""
    emptied = replace(exchange(wise), refresh=Secret(b""))
    answering(wise, 400, {"error": "invalid_grant", "error_description": "Bad token"})
    with pytest.raises(RefusedError) as told:
        oauth.renew(endpoint(wise), CLIENT, emptied, now=now())
    assert "Bad token" in told.value.message
    assert "(hidden)" not in told.value.message


# Trying again


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failure_of_the_server(wise, status):
    """Is asked again about for a refresh, which does no harm, and never for a code."""
    made = exchange(wise)
    times = []

    def once(form):
        times.append(form)
        return (status, "text/html", b"<html>") if len(times) == 1 else None

    wise.instead = once
    assert oauth.renew(endpoint(wise), CLIENT, made, now=now()).access.reveal().decode() == wise.made[-1]
    assert len(times) == 2
    times.clear()
    with pytest.raises(UncertainError, match=f"failed with status {status}"):
        exchange(wise)
    assert len(times) == 1


@pytest.mark.parametrize("grant", ["code", "refresh"])
def test_a_rate_limit_that_ends_soon(wise, grant):
    """Is waited for, as long as Wise says: nothing was done, so even a code may be sent again."""
    made = exchange(wise)
    times = []

    def once(form):
        times.append(time.monotonic())
        wise.headers = {"Retry-After": "1"} if len(times) == 1 else {}
        return (429, "text/html", b"") if len(times) == 1 else None

    wise.instead = once
    again = exchange(wise) if grant == "code" else oauth.renew(endpoint(wise), CLIENT, made, now=now())
    assert again.access.reveal().decode() == wise.made[-1]
    assert (len(times), times[1] - times[0] > 0.99) == (2, True)


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        ({}, "try again later"),
        ({"Retry-After": "120"}, "try again after 2 minutes"),
        ({"Retry-After": f"{NOW + timedelta(hours=2):%a, %d %b %Y %H:%M:%S GMT}"}, "try again after 2 hours"),
        ({"Retry-After": "soon"}, "try again later"),
        ({"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, "try again later"),
    ],
)
def test_a_rate_limit(wise, headers, hint):
    """Says when to try again; the trace id is what Wise's support asks for."""
    answering(wise, 429, {})
    wise.headers = {**headers, "x-trace-id": "d41d8cd9"}
    with pytest.raises(InputError) as told:
        exchange(wise)
    place = wise.address.removeprefix("http://")
    assert told.value.message == f"{place} is rate limiting requests (429) (trace id d41d8cd9)"
    assert (told.value.hint, len(wise.requests)) == (hint, 1)


def test_a_server_that_is_overloaded(wise):
    """May have used up the code; how long it asks to wait is shown all the same."""
    answering(wise, 503, {})
    wise.headers = {"Retry-After": "120"}
    with pytest.raises(UncertainError) as told:
        exchange(wise)
    assert told.value.hint.startswith("the code may be used up")
    assert told.value.hint.endswith("; the server asks to wait 2 minutes")


def test_a_server_that_is_not_trusted_is_asked_once(tmp_path, root):
    """It will not be trusted in half a second, and gets nothing to read."""
    untrusted = pytest.raises(HttpError, match="not trusted")
    with wise_server.serving(pair=root.issue(), folder=tmp_path) as server, untrusted as told:
        oauth.client_credentials(endpoint(server), CLIENT, now=now())
    assert (told.value.is_sent, server.requests, server.connections) == (False, [], 1)


def test_a_lost_answer_to_an_exchange(wise):
    """Is not asked for again: the code may be used up."""
    answering(wise, 0, b"")
    with pytest.raises(UncertainError) as told:
        exchange(wise)
    assert len(wise.requests) == 1
    assert told.value.hint.endswith(f"the code may be used up: if it is rejected now, {BEGIN_AGAIN}")


def test_nobody_listens(wise):
    """A code that was not sent is not used."""
    nobody = replace(endpoint(wise), url=f"http://127.0.0.1:{tls_servers.free_port()}/oauth/token")
    with pytest.raises(HttpError) as told:
        oauth.exchange(nobody, CLIENT, redirect(wise), now=now())
    assert not told.value.is_sent


def test_a_server_that_is_silent(wise):
    """Is waited for as long as was said."""
    with tls_servers.serving(tls_servers.silent) as server:
        silent = replace(endpoint(wise), url=f"http://127.0.0.1:{server.port}/oauth/token", timeout=0.2)
        with pytest.raises(UncertainError):
            oauth.exchange(silent, CLIENT, redirect(wise), now=now())
    assert silent.longest_seconds == pytest.approx(10.6)


def test_nothing_to_refresh_with(wise):
    """Is said before anybody is asked."""
    made = replace(exchange(wise), refresh=None)
    with pytest.raises(InputError, match="no refresh token"):
        oauth.renew(endpoint(wise), CLIENT, made, now=now())
    assert len(wise.requests) == 1


def test_secrets_are_not_shown(wise):
    """Not by accident."""
    shown = repr((CLIENT, endpoint(wise), exchange(wise)))
    assert [each for each in wise.secrets if each in shown] == []
