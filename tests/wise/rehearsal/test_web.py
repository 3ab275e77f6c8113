"""The pages of the rehearsal: the authorization page, the settings, the controls, and who may use them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from certkit.wise.rehearsal import web
from certkit.wise.rehearsal.messages import WebRequest
from tests.wise.rehearsal.stage import REDIRECT_URI, Stage, csr, shown

ASKED = {"client_id": "acme-client-id", "redirect_uri": REDIRECT_URI}


@pytest.fixture
def stage():
    return Stage()


@pytest.mark.parametrize("path", ["/oauth/authorize/", "/oauth/authorize"])
def test_the_authorization_page_asks_for_an_account(stage, path):
    """The user chooses among two, and knows where it goes."""
    read = shown(stage.get(path, urlencode({**ASKED, "state": "<'\">"})))
    assert [each.text for each in read.one("fieldset").all("label")] == [
        "Rehearsal Ltd, business (10000001)",
        "Robin Rehearsal, personal (10000002)",
    ]
    assert {each.attributes["name"]: each.attributes["value"] for each in read.all("input", type="hidden")} == {
        **ASKED,
        "state": "<'\">",
    }


def test_access_leads_back_with_code_profile_and_state(stage):
    """To `<redirect_uri>/?code=...&profileId=...`; the state is as it was."""
    reply = stage.consent(profile="10000002", state="a b&c=d ü")
    address, _, query = reply.headers["Location"].partition("?")
    found = parse_qs(query)
    assert (reply.status, address) == (303, f"{REDIRECT_URI}/")
    assert (found["profileId"], found["state"], list(found)) == (
        ["10000002"],
        ["a b&c=d ü"],
        ["code", "profileId", "state"],
    )


def test_no_access_leads_back_with_an_error(stage):
    """RFC 6749 section 4.1.2.1; there is no code."""
    reply = stage.consent(decision="deny", state="x")
    assert reply.headers["Location"] == f"{REDIRECT_URI}/?error=access_denied&state=x"
    assert stage.rehearsal.state.codes == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"redirect_uri": "http://127.0.0.1:9000/other"}, "wrong redirect_uri"),
        ({"redirect_uri": f"{REDIRECT_URI}/"}, "wrong redirect_uri"),
        ({"redirect_uri": ""}, "wrong redirect_uri"),
        ({"client_id": "another"}, "unknown client_id"),
        ({"state": "x" * 1025}, "state is too long"),
    ],
)
def test_a_wrong_request_goes_nowhere(stage, changes, said):
    """Neither to ask nor to grant: the user is not sent to a URI that is not configured."""
    for reply in (stage.get("/oauth/authorize/", urlencode({**ASKED, **changes})), stage.consent(**changes)):
        assert (reply.status, "Location" in reply.headers) == (400, False)
        page = shown(reply)
        assert said in page.one("div", class_="refused").text.lower()
        assert (page.one("h1").text, page.one("h2").text) == ("Request refused", "Reason")


def test_an_account_that_is_none(stage):
    """The form was changed, or nothing was chosen."""
    assert "no account was chosen" in shown(stage.consent(profile="1")).one("main").text.lower()


def test_without_a_redirect_uri_of_its_own_a_page_shows_the_address(stage):
    """Nothing has to run there: the address is copied from the page."""
    stage.rehearsal.state = type(stage.rehearsal.state)(client_id="acme-client-id")
    location = stage.consent(redirect_uri="http://127.0.0.1:8790/callback").headers["Location"]
    parts = urlsplit(location)
    assert shown(stage.get(parts.path, parts.query)).one("textarea").text == location


def test_the_settings_list_linked_applications(stage):
    """After the exchange, and until the refresh token is revoked."""
    assert "No application is linked" in shown(stage.get("/settings")).one("main").text
    stage.tokens()
    assert shown(stage.get("/settings")).one("tbody").text == (
        "acme-client-id Rehearsal Ltd, business 2026-11-23T12:00:00Z"
    )
    stage.control("revoke-refresh-token", stage.rehearsal.state.grants[0].id)
    assert "No application is linked" in shown(stage.get("/settings")).one("main").text


def test_the_controls_offer_what_can_be_changed(stage):
    """A button for each token and each live certificate, and none for what is gone."""
    stage.tokens()
    stage.paste("first", csr())
    offered = [each.text for each in shown(stage.get("/controls")).all("button")]
    assert offered == [
        "Enforce mTLS",
        "Revoke the refresh token",
        "Expire the access token",
        "Revoke first",
        "Add the user",
    ]
    for form in shown(stage.get("/controls")).all("form", class_="inline"):
        fields = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
        assert stage.post("/controls", fields).headers == {"Location": "/controls"}
    assert [each.text for each in shown(stage.get("/controls")).all("button")] == [
        "Allow the plain API",
        "Add the user",
    ]


@pytest.mark.parametrize("form", [{}, {"action": "explode"}, {"action": "add-user", "email": "x"}])
def test_a_control_that_is_none(stage, form):
    """Refused, and nothing changes."""
    assert stage.post("/controls", form).status == 400
    assert stage.kept == []


@pytest.mark.parametrize("path", ["/", "/settings", "/developer-hub", "/controls", "/callback/"])
def test_every_page_says_that_it_is_a_rehearsal_and_runs_no_script(stage, path):
    """And the policy of the page allows its one style and nothing else."""
    reply = stage.get(path)
    read = shown(reply)
    assert (reply.status, read.all("script"), read.all("link")) == (200, [], [])
    assert "rehearsal, not Wise" in read.one("title").text
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")


def test_a_page_that_is_not_there(stage):
    """Also where only forms are sent, or only pages are got."""
    assert stage.get("/<script>").status == 404
    assert shown(stage.post("/settings", {})).one("h1").text == "Page not found"


@pytest.mark.parametrize("host", ["127.0.0.1:8790", "localhost:8790"])
def test_the_rehearsal_answers_to_its_own_names(stage, host):
    """Forms too, from pages of either name."""
    assert stage.get("/", host=host).status == 200
    assert stage.post("/controls", {"action": "enforce"}, host=host, origin=f"http://{host}").status == 303


def test_another_site_cannot_use_it_through_a_persons_browser(stage):
    """Neither under a name of its own (DNS rebinding) nor by a form (CSRF)."""
    assert stage.get("/", host="evil.example:8790").status == 403
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9999", ""):
        reply = stage.post("/controls", {"action": "enforce"}, host="127.0.0.1:8790", origin=origin)
        assert reply.status == 403
    assert stage.kept == []


@pytest.mark.parametrize("body", [b"", bytes(range(256)), b"&" * 10_000, b"%" * 100, b"csr=%00&name=%ff", b"=" * 99])
@pytest.mark.parametrize("path", ["/developer-hub", "/controls", "/oauth/authorize/"])
def test_garbage_is_refused_on_a_page(stage, path, body):
    """Whatever is sent."""
    reply = web.answer(stage.rehearsal, WebRequest(method="POST", path=path, body=body))
    assert reply.status == 400
    shown(reply)
