"""The three listeners: who is let in to the mTLS address, and what hostile clients get."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from certkit.errors import InputError
from certkit.wise.rehearsal import server
from tests import pki
from tests.pki import NOW
from tests.wise.rehearsal.stage import REDIRECT_URI, SECRET, Stage, basic, wait_until

PLAYGROUND = "/v1/authenticated/playground"


@pytest.fixture
def stage():
    return Stage()


def context(stage, folder, pair=None, version=None):
    """A client's settings: it trusts the rehearsal's CA, and shows a certificate if it has one."""
    made = ssl.create_default_context(cadata=stage.rehearsal.ca.pem.decode())
    made.maximum_version = version or ssl.TLSVersion.TLSv1_3
    if pair is not None:
        made.load_cert_chain(*pair.write(folder, "client"))
    return made


def call(address, settings, *, method="GET", path=PLAYGROUND, body=None, headers=None):
    """The status and the JSON of an answer of the mTLS address."""
    connection = http.client.HTTPSConnection(urlsplit(address).netloc, context=settings, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def said(listener, data):
    """Return a listener's output for some bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificate_and_token_open_the_playground(stage, tmp_path, version):
    """200; without a token, or with a wrong one, 401."""
    settings = context(stage, tmp_path, stage.client(), version)
    token = stage.tokens()["access_token"]
    with stage.serving() as listeners:
        address = listeners.addresses[2]
        good = call(address, settings, headers={"Authorization": f"Bearer {token}"})
        assert good == (200, {"message": "Certificate and token are good.", "from": "certkit rehearsal, not Wise"})
        assert call(address, settings)[0] == 401
        assert call(address, settings, headers={"Authorization": "Bearer x"})[0] == 401
    assert stage.log == [f"GET {PLAYGROUND} {status}" for status in (200, 401, 401)]


def test_the_token_endpoint_answers_there_too(stage, tmp_path):
    """Over mTLS, as a form."""
    headers = {"Authorization": basic("acme-client-id", SECRET)}
    with stage.serving() as listeners:
        status, found = call(
            listeners.addresses[2],
            context(stage, tmp_path, stage.client()),
            method="POST",
            path="/oauth/token",
            body="grant_type=client_credentials",
            headers=headers,
        )
    assert (status, found["token_type"]) == (200, "bearer")


def expired(stage):
    pair = stage.client()
    stage.now += timedelta(days=366)
    return pair


def early(stage):
    pair = stage.client()
    stage.now -= timedelta(days=1)
    return pair


def revoked(stage):
    pair = stage.client()
    stage.control("revoke-certificate", stage.rehearsal.state.certificates[0].serial)
    return pair


def foreign(_):
    return pki.root().issue(begin=NOW - pki.DAY, end=NOW + pki.YEAR)


def of_a_server(stage):
    server = stage.rehearsal.server
    return pki.Pair(server.certificate, server.key)


CASES = [
    (lambda _: None, "CERTIFICATE_REQUIRED", "peer did not return a certificate"),
    (expired, "CERTIFICATE_EXPIRED", "the client certificate has expired"),
    (early, "BAD_CERTIFICATE", "the client certificate is not valid yet"),
    (revoked, "CERTIFICATE_REVOKED", "the client certificate is revoked"),
    (foreign, "UNKNOWN_CA", "the client certificate was not issued by the rehearsal's CA"),
    (of_a_server, "UNSUPPORTED_CERTIFICATE", "the certificate is not valid for client authentication"),
]


@pytest.mark.parametrize(("client", "alert", "logged"), CASES)
def test_a_certificate_that_is_not_good_is_refused_by_an_alert(stage, tmp_path, client, alert, logged):
    """By the alert that TLS has for it, which the client gets to read; the log says why."""
    settings = context(stage, tmp_path, client(stage))
    with stage.serving() as listeners, pytest.raises(ssl.SSLError) as caught:
        call(listeners.addresses[2], settings)
    assert alert in caught.value.reason
    wait_until(lambda: stage.log == [f"mTLS refused: {logged}"])


def test_a_certificate_is_looked_at_on_every_connection(stage, tmp_path):
    """A certificate that is revoked while the rehearsal runs is refused from then on."""
    settings = context(stage, tmp_path, stage.client())
    with stage.serving() as listeners:
        assert call(listeners.addresses[2], settings)[0] == 401
        stage.control("revoke-certificate", stage.rehearsal.state.certificates[0].serial)
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REVOKED"):
            call(listeners.addresses[2], settings)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_server_certificate_is_for_both_names(stage, tmp_path, name):
    """A client that verifies host names is content with either."""
    with stage.serving() as listeners:
        port = listeners.api_mtls.port
        with socket.create_connection(("127.0.0.1", port)) as raw:
            context(stage, tmp_path, stage.client()).wrap_socket(raw, server_hostname=name).close()


def test_the_pages_and_the_api_answer_over_http(stage):
    """Each under its own port; the log holds no query, for codes stand there."""
    with stage.serving() as listeners:
        page = said(listeners.web, b"GET /callback/?code=word HTTP/1.0\r\n\r\n")
        head = said(listeners.web, b"HEAD / HTTP/1.0\r\n\r\n")
        api = said(listeners.api, b"POST /oauth/token HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    assert page.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"\r\nX-Rehearsal: not Wise\r\n" in page
    assert head.endswith(b"\r\n\r\n")
    assert b'{"error": "unauthorized"' in api
    assert stage.log == ["GET /callback/ 200", "HEAD / 200", "POST /oauth/token 401"]


def test_a_client_that_stalls_keeps_nobody_waiting(stage, tmp_path):
    """One request at a time changes the state, but no connection is read or written meanwhile."""
    with stage.serving() as listeners, contextlib.ExitStack() as held:
        for listener in (listeners.web, listeners.api, listeners.api_mtls):
            for begun in (b"", b"GET / HTTP/1.0\r\n", b"POST /controls HTTP/1.0\r\nContent-Length: 9\r\n\r\na"):
                stalled = held.enter_context(socket.create_connection(("127.0.0.1", listener.port)))
                stalled.sendall(begun)
        unread = held.enter_context(socket.socket())
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        unread.connect(("127.0.0.1", listeners.web.port))
        unread.sendall(b"GET / HTTP/1.0\r\n\r\n")
        began = time.monotonic()
        page = said(listeners.web, b"GET /controls HTTP/1.0\r\n\r\n")
        form = b"action=enforce"
        change = said(listeners.web, b"POST /controls HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(form), form))
        status, _ = call(listeners.addresses[2], context(stage, tmp_path, stage.client()))
        assert time.monotonic() - began < server.TIMEOUT_SECONDS / 2
    assert (page[9:12], change[9:12], status) == (b"200", b"303", 401)


def test_a_code_that_many_use_at_once_works_once(stage):
    """One of them gets tokens, the others are refused."""
    code = stage.code()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: stage.exchange(code).status, range(8)))
    assert sorted(statuses) == [200, *[400] * 7]


def test_what_cannot_be_kept_has_not_happened(stage):
    """A full disk: the answer is 500, and the code still works afterwards."""
    code = stage.code()
    keep = stage.rehearsal.keep

    def full(_):
        raise InputError("cannot write state: no space left on device", hint="free some space and try again")

    stage.rehearsal.keep = full
    body = f"grant_type=authorization_code&client_id=acme-client-id&redirect_uri={REDIRECT_URI}&code={code}".encode()
    header = f"Authorization: {basic('acme-client-id', SECRET)}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with stage.serving() as listeners:
        answer = said(listeners.api, b"POST /oauth/token HTTP/1.0\r\n" + header + body)
    assert answer.startswith(b"HTTP/1.0 500 ")
    assert b"no space left" in answer
    stage.rehearsal.keep = keep
    assert stage.exchange(code).status == 200


HOSTILE = [
    (b"", b""),
    (b"\r\n\r\n", b""),
    (b"nonsense\r\n\r\n", b"400"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    (b"GET " + b"x" * 70_000 + b" HTTP/1.0\r\n\r\n", b"414"),
    (b"GET / HTTP/1.0\r\n" + b"".join(b"A%d: b\r\n" % number for number in range(200)) + b"\r\n", b"431"),
    (b"DELETE / HTTP/1.0\r\n\r\n", b"501"),
    (b"POST /oauth/token HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
    (b"POST /oauth/token HTTP/1.0\r\nContent-Length: -1\r\n\r\n", b"411"),
    (b"POST /oauth/token HTTP/1.0\r\nContent-Length: \xb2\r\n\r\n", b"411"),
    (b"POST /oauth/token HTTP/1.0\r\nContent-Length: 99999999999999999\r\n\r\n" + b"x" * 300_000, b"413"),
    (b"GET /\xff\xfe?\xff HTTP/1.0\r\n\xff: \xff\r\n\r\n", b"404"),
    (b"GET //evil.example/.. HTTP/1.0\r\nHost: \xff\r\n\r\n", b""),
]


def test_a_request_without_a_body(stage):
    """Lacks its grant type, as Wise's documentation has it."""
    asked = f"POST /oauth/token HTTP/1.0\r\nAuthorization: {basic('acme-client-id', SECRET)}\r\n\r\n"
    with stage.serving() as listeners:
        answer = said(listeners.api, asked.encode())
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"Missing grant type" in answer


@pytest.mark.parametrize(("data", "status"), HOSTILE)
def test_garbage_gets_a_short_answer_and_harms_nobody(stage, capfd, data, status):
    """On the web and the API; nothing is printed, and the next request is answered."""
    with stage.serving() as listeners:
        for listener in (listeners.web, listeners.api):
            answer = said(listener, data)
            assert status in answer[:200]
            assert said(listener, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 ")
    assert capfd.readouterr() == ("", "")


def test_garbage_on_the_mtls_address_harms_nobody(stage, tmp_path, capfd):
    """Neither plain HTTP, nor bytes, nor hanging up."""
    settings = context(stage, tmp_path, stage.client())
    with stage.serving() as listeners:
        for data in (b"GET / HTTP/1.0\r\n\r\n", bytes(range(256)) * 100, b""):
            said(listeners.api_mtls, data)
        assert call(listeners.addresses[2], settings)[0] == 401
    assert capfd.readouterr() == ("", "")


def test_it_listens_on_the_loopback_address_only(stage):
    """Whatever other addresses the machine has."""
    with stage.serving() as listeners:
        assert {each.server_address[0] for each in (listeners.web, listeners.api, listeners.api_mtls)} == {"127.0.0.1"}
