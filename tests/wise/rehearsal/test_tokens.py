"""The token endpoint of the rehearsal: each answer that Wise documents."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from certkit.wise.rehearsal import api
from certkit.wise.rehearsal.messages import WebRequest
from tests.pki import NOW
from tests.wise.rehearsal.stage import Stage, document

USER = {
    "token_type": "bearer",
    "expires_in": 43199,
    "expires_at": "2026-11-23T23:59:59Z",
    "refresh_token_expires_in": 628639555,
    "refresh_token_expires_at": "2046-10-25T10:05:55Z",
    "scope": "transfers",
}


@pytest.fixture
def stage():
    return Stage()


def failed(reply):
    """The status and the error of an answer."""
    return reply.status, document(reply)["error"], document(reply)["error_description"]


# What succeeds


def test_an_application_token_is_as_long_as_wises():
    """A JWT of 500 characters and more."""
    token = document(Stage().token(grant_type="client_credentials"))["access_token"]
    assert len(token) > 500
    assert token.count(".") == 2


def test_a_code_becomes_tokens_for_twelve_hours_and_twenty_years(stage):
    """The answer has every documented field; created_at has nine fractional digits."""
    reply = stage.exchange(stage.code())
    found = document(reply)
    access, refresh, created = (found.pop(name) for name in ("access_token", "refresh_token", "created_at"))
    assert (reply.status, found) == (200, USER)
    assert re.fullmatch(r"2026-11-23T12:00:00\.\d{9}Z", created)
    assert access != refresh
    assert stage.playground(access).status == 200


def test_a_refresh_gives_a_new_access_token_and_ends_the_one_before(stage):
    """Several workers must share one stored token."""
    first = stage.tokens()
    stage.now += timedelta(hours=1)
    second = document(stage.token(grant_type="refresh_token", refresh_token=first["refresh_token"]))
    assert second["refresh_token"] == first["refresh_token"]
    assert second["refresh_token_expires_in"] == 628639555 - 3600
    assert second["expires_at"] == "2026-11-24T00:59:59Z"
    assert stage.playground(first["access_token"]).status == 401
    assert stage.playground(second["access_token"]).status == 200


def test_an_application_token_comes_without_a_refresh_token(stage):
    """client_credentials: HTTP Basic only, twelve hours."""
    found = document(stage.token(grant_type="client_credentials"))
    assert stage.playground(found["access_token"]).status == 200
    assert sorted(found) == ["access_token", "created_at", "expires_at", "expires_in", "scope", "token_type"]


def test_a_registration_code_of_a_user_becomes_tokens(stage):
    """For users that were created over the API; here on the controls' page."""
    stage.control("add-user", email="user@example.com", registration_code="word")
    asked = {"grant_type": "registration_code", "client_id": "acme-client-id", "email": "user@example.com"}
    found = document(stage.token(**asked, registration_code="word"))
    assert found.items() >= USER.items()
    wrong = (401, "invalid_grant", "Invalid user credentials.")
    assert failed(stage.token(**asked, registration_code="another")) == wrong
    assert failed(stage.token(**{**asked, "email": "x@example.com"}, registration_code="word")) == wrong


def test_the_mtls_address_has_the_token_endpoint_too(stage):
    """It is unknown whether Wise moves it there, so both work."""
    assert stage.token(mutual=True, grant_type="client_credentials").status == 200


# What fails


@pytest.mark.parametrize("form", [{}, {"grant_type": ""}, {"other": "x"}])
def test_a_missing_grant_type(stage, form):
    """As Wise's documentation shows it."""
    assert failed(stage.token(**form)) == (400, "invalid_request", "Missing grant type")


def test_a_body_that_is_no_form_has_no_grant_type(stage):
    """JSON, bytes and thousands of fields are answered the same way."""
    headers = {"authorization": "Basic YWNtZS1jbGllbnQtaWQ6YS1jbGllbnQtc2VjcmV0"}
    for body in (b'{"grant_type": "client_credentials"}', bytes(range(256)), b"a=b&" * 1000, b"\xff=\xff&grant_type"):
        reply = api.plain(stage.rehearsal, WebRequest(method="POST", path="/oauth/token", headers=headers, body=body))
        assert failed(reply) == (400, "invalid_request", "Missing grant type")


def test_an_unknown_grant_type(stage):
    """RFC 6749 section 5.2."""
    assert failed(stage.token(grant_type="password"))[:2] == (400, "unsupported_grant_type")


@pytest.mark.parametrize("missing", ["client_id", "code", "redirect_uri"])
def test_a_missing_parameter_is_named(stage, missing):
    """A code needs all three."""
    reply = stage.exchange(**{"code": stage.code(), missing: ""})
    assert failed(reply) == (400, "invalid_request", f"Missing parameter: {missing}")


def test_a_code_works_once(stage):
    """The second exchange is refused, and the first one's tokens stay good."""
    code = stage.code()
    first = document(stage.exchange(code))
    assert failed(stage.exchange(code)) == (400, "invalid_grant", "Invalid user credentials.")
    assert stage.playground(first["access_token"]).status == 200


def test_a_code_works_for_thirty_minutes(stage):
    """To the second."""
    early, late = stage.code(), stage.code()
    stage.now += timedelta(minutes=30) - timedelta(seconds=1)
    assert stage.exchange(early).status == 200
    stage.now += timedelta(seconds=1)
    assert failed(stage.exchange(late)) == (400, "invalid_grant", "Invalid user credentials.")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "http://127.0.0.1:9000/callback/"}, (400, "invalid_grant")),
        ({"client_id": "another"}, (401, "invalid_client")),
    ],
)
def test_a_code_is_bound_to_redirect_uri_and_client(stage, changes, error):
    """A wrong one is refused and does not use the code up."""
    code = stage.code()
    assert failed(stage.exchange(code, **changes))[:2] == error
    assert stage.exchange(code).status == 200


def test_a_wrong_code(stage):
    """Also one that is no text."""
    for code in ("guess", "\udcff", "ü" * 10_000):
        assert stage.exchange(code.encode("utf-8", "surrogateescape")).status == 400


@pytest.mark.parametrize(
    ("client", "error"),
    [
        (("acme-client-id", "wrong"), "invalid_client"),
        (("acme-client-id", ""), "invalid_client"),
        (("another", "a-client-secret"), "invalid_client"),
        (None, "unauthorized"),
    ],
)
def test_a_client_that_does_not_prove_who_it_is(stage, client, error):
    """401, with a challenge; nothing else of the request is looked at."""
    reply = stage.token(client=client)
    assert failed(reply)[:2] == (401, error)
    assert reply.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic w7w=", "Bearer x", "basic YQ==", "\xff", "Basic \xff"])
def test_a_header_that_is_no_basic_authentication(stage, header):
    """401 whatever it says."""
    request = WebRequest(method="POST", path="/oauth/token", headers={"authorization": header})
    assert api.plain(stage.rehearsal, request).status == 401


def test_a_revoked_refresh_token(stage):
    """It may be revoked at any time; the access token lives on until it ends."""
    tokens = stage.tokens()
    stage.control("revoke-refresh-token", stage.rehearsal.state.grants[0].id)
    reply = stage.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert failed(reply) == (400, "invalid_grant", "Invalid user credentials.")
    assert stage.playground(tokens["access_token"]).status == 200


def test_a_refresh_token_ends_after_twenty_years(stage):
    """To the second; another's word is refused as well."""
    tokens = stage.tokens()
    stage.now += timedelta(seconds=628639555)
    for word in (tokens["refresh_token"], tokens["access_token"], "guess"):
        assert failed(stage.token(grant_type="refresh_token", refresh_token=word))[:2] == (400, "invalid_grant")


# The playground


def test_an_access_token_ends_after_twelve_hours(stage):
    """To the second; the controls end it at once."""
    tokens = stage.tokens()
    stage.now += timedelta(seconds=43198)
    assert stage.playground(tokens["access_token"]).status == 200
    stage.now += timedelta(seconds=1)
    assert failed(stage.playground(tokens["access_token"]))[:2] == (401, "invalid_token")


def test_the_controls_end_an_access_token(stage):
    """And the refresh token still works."""
    tokens = stage.tokens()
    stage.control("end-access-token", stage.rehearsal.state.grants[0].id)
    assert stage.playground(tokens["access_token"]).status == 401
    assert stage.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status == 200


def test_the_playground_without_a_token(stage):
    """401, with a challenge."""
    reply = stage.playground(None)
    assert (failed(reply)[:2], reply.headers) == ((401, "unauthorized"), {"WWW-Authenticate": "Bearer"})
    assert failed(stage.playground(" "))[:2] == (401, "unauthorized")
    assert failed(stage.playground("guess"))[:2] == (401, "invalid_token")


def test_once_mtls_is_enforced_the_plain_api_refuses_every_call(stage):
    """And the mTLS address does not, until it is relaxed."""
    stage.control("enforce")
    assert failed(stage.token(grant_type="client_credentials"))[:2] == (401, "unauthorized")
    assert stage.token(mutual=True, grant_type="client_credentials").status == 200
    stage.control("relax")
    assert stage.token(grant_type="client_credentials").status == 200


def test_what_is_remembered_holds_no_secret(stage):
    """Neither codes nor tokens nor registration codes, only their digests."""
    code = stage.code()
    tokens = document(stage.exchange(code))
    stage.control("add-user", email="user@example.com", registration_code="registration-word")
    for word in (code, tokens["access_token"], tokens["refresh_token"], "registration-word"):
        assert word not in repr(stage.kept)


def test_grants_of_no_use_are_forgotten(stage):
    """Application tokens that have ended do not pile up."""
    for _ in range(3):
        stage.token(grant_type="client_credentials")
    stage.now = NOW + timedelta(days=1)
    stage.token(grant_type="client_credentials")
    assert len(stage.rehearsal.state.grants) == 1
