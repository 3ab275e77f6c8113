"""Webhooks from Python: subscriptions at a stand-in for Wise, and the server that Wise calls."""

from __future__ import annotations

import pytest

import certkit
from certkit.testing import CA, serving
from tests import pki
from tests.wise.rehearsal.stage import Stage, document

EVENT = {"name": "transfers", "trigger_on": "EVENT", "schema_version": "1"}


def test_a_subscription_is_created_and_tested():
    """With an application token; its id is what a test delivery is asked for with."""
    stage = Stage()
    token = document(stage.token(grant_type="client_credentials"))["access_token"]
    with stage.serving() as listeners:
        found = certkit.webhooks(client_id="acme-client-id", token=token, base_url=listeners.addresses[1])
        assert token not in repr(found)
        made = found.create("https://127.0.0.1:9/hook", **EVENT)
        assert found.send_test(made) == 202
        with pytest.raises(certkit.InputError, match="not a subscription id"):
            found.send_test("../other")
        stranger = certkit.webhooks(client_id="acme-client-id", token="another", base_url=listeners.addresses[1])
        with pytest.raises(certkit.RefusedError, match="401"):
            stranger.create("https://127.0.0.1:9/hook", **EVENT)


def test_what_wise_would_refuse_is_refused_before_it_is_asked(caplog):
    """An address without a domain name; a schema version that Wise does not document is logged."""
    found = certkit.webhooks(client_id="acme", token="t", environment="sandbox")
    with pytest.raises(certkit.InputError, match="IP address"):
        found.create("https://127.0.0.1/hook", **EVENT)
    assert "schema version 1 is not in Wise's documentation" in caplog.text
    with pytest.raises(certkit.InputError, match="either"):
        certkit.webhooks(client_id="acme", token="t")


def test_a_server_that_demands_certificates_is_told_from_one_that_does_not():
    """It is called with no certificate and with a stranger's."""
    ca = CA()
    with serving(ca) as server:
        assert certkit.check_webhook(server.url, ca=[ca.pem]).status == "ok"


def test_a_trust_bundle(tmp_path):
    """Only CAs that are valid; written once, with nginx's lines for it."""
    root = pki.root()
    found = certkit.webhook_ca([root.pem, root.pem], now=pki.NOW)
    assert len(found.certificates) == 1
    path = tmp_path / "wise.pem"
    assert (found.write(path), found.write(path)) == (True, False)
    assert path.read_bytes() == found.pem
    assert f'ssl_client_certificate "{path}";' in found.nginx(path)
    with pytest.raises(certkit.RefusedError, match="is not a CA"):
        certkit.webhook_ca([root.issue().pem], now=pki.NOW)
