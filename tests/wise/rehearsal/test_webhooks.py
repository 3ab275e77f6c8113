"""Webhook subscriptions in the rehearsal, and their test notifications."""

from __future__ import annotations

import http.server
import json
import ssl
import threading

import pytest
from cryptography import x509

from certkit.findings import Status
from certkit.policy import catalogue
from certkit.wise import deliveries
from certkit.wise.rehearsal import api, rehearsal
from certkit.wise.rehearsal.messages import WebRequest
from tests import pki
from tests.pki import NOW
from tests.wise.rehearsal.stage import Stage, document

PATH = "/v3/applications/acme-client-id/subscriptions"
ASKED = {
    "name": "transfers",
    "trigger_on": "transfers#state-change",
    "delivery": {"version": "2.0.0", "url": "https://127.0.0.1:9443/hook", "mtls_enabled": True},
}


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def token(stage):
    """An application token."""
    return document(stage.token(grant_type="client_credentials"))["access_token"]


def post(stage, token, path=PATH, body=ASKED):
    """Ask the API."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}"}
    return api.plain(stage.rehearsal, WebRequest(method="POST", path=path, headers=headers, body=data))


def test_a_subscription_is_made_and_tested(stage, token):
    """The answer tells it with its id, under which a test notification goes to its address."""
    reply = post(stage, token)
    made = document(reply)
    assert (reply.status, made.pop("created_on")) == (201, "2026-11-23T12:00:00Z")
    assert made == {**ASKED, "id": made["id"]}
    tested = post(stage, token, f"{PATH}/{made['id']}/test-notifications")
    assert (tested.status, document(tested)["rehearsal"]) == (202, "delivered: the webhook answered 200")
    assert [each.url for each in stage.rehearsal.notified] == ["https://127.0.0.1:9443/hook"]


def test_who_may_not_subscribe(stage, token):
    """No client without a token, no user, and no other application."""
    user = stage.tokens()["access_token"]
    assert post(stage, "guess").status == 401
    assert post(stage, user).status == 403
    assert post(stage, token, PATH.replace("acme", "other")).status == 403
    assert post(stage, token, f"{PATH}/guess/test-notifications").status == 404
    assert stage.rehearsal.state.subscriptions == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b"\xff",
        [],
        {},
        {**ASKED, "name": ""},
        {**ASKED, "name": 1},
        {**ASKED, "delivery": "x"},
        {**ASKED, "delivery": {**ASKED["delivery"], "mtls_enabled": "yes"}},
        *(
            {**ASKED, "delivery": {**ASKED["delivery"], "url": url}}
            for url in ("http://127.0.0.1/", "https://example.com/", "https://[", "https://127.0.0.1:x/", "https://")
        ),
    ],
)
def test_what_cannot_be_subscribed_to(stage, token, body):
    """400, whatever it is; only addresses of this machine are ever called."""
    assert post(stage, token, body=body).status == 400


def test_a_notification_arrives_with_a_client_certificate(tmp_path, root):
    """At a server that demands one of the rehearsal's CA; signed with the key that the rehearsal's policy publishes."""
    addresses = ("https://a.test", "https://b.test", "https://c.test")
    with rehearsal.opened(tmp_path / "rehearsal", addresses, clock=lambda: NOW) as held:
        certificate, key = root.issue(extensions=(pki.SERVER,)).write(tmp_path, "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(held.ca_file)
        seen, headers = [], {}

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shown = x509.load_der_x509_certificate(self.connection.getpeercert(binary_form=True))
                seen.append((shown.subject.rfc4514_string(), self.path, body))
                headers.update(self.headers)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.handle_request, daemon=True).start()
            stage = Stage()
            delivery = {**ASKED["delivery"], "url": f"https://127.0.0.1:{server.server_port}/hook?x=1"}
            post(stage, document(stage.token(grant_type="client_credentials"))["access_token"],
                 body={**ASKED, "delivery": delivery})  # fmt: skip
            [subscription] = stage.rehearsal.state.subscriptions
            assert held.notify(subscription) == "delivered: the webhook answered 204"
            key = catalogue.load(str(held.policy_file)).webhooks.signing_key.encode()
    assert headers["X-Test-Notification"] == "true"
    assert headers["X-Delivery-Id"]
    [(subject, path, body)] = seen
    assert (subject, path) == ("CN=webhooks\\, not Wise,O=certkit rehearsal", "/hook?x=1")
    assert json.loads(body) == {
        "subscription_id": subscription.id,
        "event_type": "transfers#state-change",
        "sent_at": "2026-11-23T12:00:00Z",
        "data": {"test": True, "from": "certkit rehearsal, not Wise"},
    }
    assert deliveries.verify(body, headers["X-Signature-SHA256"], key).status is Status.OK
    assert deliveries.verify(body + b"\n", headers["X-Signature-SHA256"], key).status is Status.CRITICAL


def test_a_webhook_that_is_not_there_is_told(tmp_path, stage, token):
    """The rehearsal says what went wrong."""
    post(stage, token, body={**ASKED, "delivery": {**ASKED["delivery"], "url": "https://127.0.0.1:1/"}})
    [subscription] = stage.rehearsal.state.subscriptions
    with rehearsal.opened(tmp_path / "rehearsal", ("", "", ""), clock=lambda: NOW) as held:
        assert "refused" in held.notify(subscription)
