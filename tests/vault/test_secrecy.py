"""Nothing that is shown, logged or raised holds a token or a secret."""

from __future__ import annotations

import http.client
import logging
import traceback

import pytest

from certkit.net.proxy import Proxies
from certkit.secret import Secret
from certkit.vault.client import Vault
from certkit.vault.errors import VaultError
from certkit.vault.kv import Kv
from certkit.vault.settings import Login, VaultSettings
from tests.odd_http import errors, odd_server, reply, secret

SECRETS = ["s.the-token", "the-role-id", "the-secret-id", "the-private-key", "the-certificate", "the-password"]
LOG = logging.getLogger(__name__)
TOKEN = Secret(b"s.the-token")
KEY = Secret(b"the-private-key")
LOGIN = Login("approle", "approle", {"role_id": Secret(b"the-role-id"), "secret_id": Secret(b"the-secret-id")})
GRANTED = reply(200, {"auth": {"client_token": "s.the-token", "lease_duration": 60, "renewable": True}})


@pytest.fixture
def said(caplog, capfd, monkeypatch):
    """All that was printed and logged, with every library as talkative as it can be."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)

    def said():
        captured = capfd.readouterr()
        return captured.out + captured.err + caplog.text

    return said


def work(settings):
    """Log in, read and write; what it raised, as a traceback with all causes."""
    try:
        with Vault.connect(settings) as vault:
            secrets = Kv(vault.transport, "secret")
            secrets.write("x", {"private_key": KEY}, cas=0)
            LOG.info("%s %s %s %s", secrets.read("x"), vault, secrets, settings)
            list(secrets.read_many(["x"]))
    except VaultError as error:
        LOG.info("%r %s", error, error.hint)
        return "".join(traceback.format_exception(error))
    return ""


def test_success_shows_nothing(said):
    """Logging in, writing and reading."""
    written = reply(200, {"data": {"version": 1}})
    read = secret(1, private_key="the-private-key", certificate="the-certificate")
    with odd_server(GRANTED, written, read) as server:
        proxies = Proxies(always=server.address.replace("//", "//user:the-password@"))
        raised = work(VaultSettings(address="http://vault.example", login=LOGIN, proxies=proxies))
    assert raised == ""
    shown = said()
    assert "Stored(" in shown
    assert [text for text in SECRETS if text in shown] == []


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
@pytest.mark.parametrize(
    ("before", "told"), [([], "the-secret-id of the-role-id"), ([GRANTED], "s.the-token and the-private-key")]
)
def test_a_server_that_repeats_what_it_was_told_does_not_betray_it(said, status, before, told):
    """Its errors are shown without what was sent to it, in the login and in the write."""
    with odd_server(*before, errors(status, f"you sent {told}", told)) as server:
        raised = work(VaultSettings(address=server.address, login=LOGIN, max_retries=0))
    assert "(hidden)" in raised
    shown = said() + raised
    assert [text for text in SECRETS if text in shown] == []


@pytest.mark.parametrize(
    "answer", [b"", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe", reply(307, Location="x://")]
)
def test_failures_of_the_network_show_nothing(said, answer):
    """Broken, cut short, garbled, misled."""
    with odd_server(lambda connected: connected.sendall(answer)) as server:
        raised = work(VaultSettings(address=server.address, token=TOKEN, max_retries=0))
    assert raised
    shown = said() + raised
    assert [text for text in SECRETS if text in shown] == []


def test_a_token_with_a_line_break_goes_nowhere(odd_vault):
    """A server cannot make us send headers of its choice."""
    smuggled = {"auth": {"client_token": "a\r\nX-Evil: b", "lease_duration": 60, "renewable": True}}
    with odd_server(reply(200, smuggled), secret()) as server:
        vault = odd_vault(server, token=None, login=LOGIN)
        with pytest.raises(VaultError) as caught:
            Kv(vault.transport, "secret").read("x")
    assert caught.value.message == "the header X-Vault-Token would contain characters that are not allowed in headers"
    assert len(server.asked) == 1
