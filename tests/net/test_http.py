"""HTTP requests to real servers on this machine."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.net import http, tls, wire
from tests import pki, tls_servers
from tests.odd_http import odd_server, reply

NOW = datetime.now(UTC).replace(microsecond=0)
SOON = {"begin": NOW - pki.DAY, "end": NOW + pki.DAY}
SAN = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


def get(url, **options):
    """The answer to a GET."""
    return http.send(wire.HttpRequest(method="GET", url=url, headers=options.pop("headers", {})), now=NOW, **options)


def failure(url, **options):
    """How it fails, and whether anything was sent."""
    with pytest.raises(http.HttpError) as raised:
        get(url, **options)
    return raised.value.message, raised.value.is_sent


def test_what_is_asked_and_answered():
    """Method, path, headers and body go out; status, headers and body come back."""
    with odd_server(reply(201, {"a": 1}, X_Thing="one")) as server:
        request = wire.HttpRequest(method="POST", url=f"{server.address}/a?b=c", headers={"X-Mine": "1"}, body=b"abc")
        answer = http.send(request, now=NOW)
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (201, b'{"a": 1}', "one")
    [asked] = server.asked
    assert (asked.line, asked.body, asked.headers["x-mine"]) == ("POST /a?b=c HTTP/1.1", b"abc", "1")


def test_secrets_stay_out_of_sight():
    """Headers, bodies and queries are not printed, not even where a header is malformed."""
    request = wire.HttpRequest(method="GET", url="http://h/", headers={"Authorization": "s3cret"}, body=b"s3cret")
    assert "s3cret" not in repr(request)
    with odd_server(reply(200)) as server:
        message, is_sent = failure(f"{server.address}/?q=s3cret", headers={"A": "s3cret\n"})
    assert ("s3cret" not in message, is_sent, server.asked) == (True, False, [])


def test_a_redirect_is_not_followed():
    """It is an answer."""
    with odd_server(reply(302, Location="http://127.0.0.1:1/")) as server:
        assert get(server.address).status == 302


def test_whether_it_was_sent():
    """False only where surely no byte was."""
    assert failure(f"http://127.0.0.1:{tls_servers.free_port()}/")[1] is False
    with tls_servers.serving(tls_servers.answering(b"")) as server:
        url = f"http://127.0.0.1:{server.port}/"
        assert failure(url) == (f"cannot query {url}: the server closed the connection without a response", True)


def test_a_proxy_is_asked_with_the_whole_address():
    """Where there is no TLS."""
    with odd_server(reply(200)) as proxy:
        assert get("http://host.example/a", proxy=proxy.address.replace("//", "//u:p@")).status == 200
    assert proxy.lines == ["GET http://host.example/a"]
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic dTpw"


@pytest.mark.parametrize("trusts", [True, False])
def test_a_server_is_verified_before_a_byte_is_sent(root, tmp_path, trusts):
    """One that is not trusted sees no request."""
    pair = root.issue(extensions=[pki.SERVER, SAN], **SOON)
    anchors = [root.value if trusts else pki.root().value]
    with tls_servers.web(pair, tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as seen:
        url = f"https://localhost:{seen[0].decode()}/"
        if trusts:
            assert get(url, anchors=anchors).status == 200
        else:
            message, is_sent = failure(url, anchors=anchors)
            assert (message.startswith(f"cannot query {url}: the server is not trusted: "), is_sent) == (True, False)
    assert any(seen[1:]) == trusts


def test_a_refused_client_certificate_was_not_sent_to(root, tmp_path):
    """In TLS 1.3 too the alert is seen before the request goes out."""
    pair, client = root.issue(extensions=[pki.SERVER, SAN], **SOON), root.issue(**SOON)
    with tls_servers.tls(pair, tmp_path, client_ca=pki.root(pki.name(CN="Elsewhere"))) as server:
        url = f"https://localhost:{server.port}/"
        credentials = tls.Credentials(client.key, (client.value,))
        message, is_sent = failure(url, anchors=[root.value], credentials=credentials)
    assert (message, is_sent) == (f"cannot query {url}: the server sent the TLS alert unknown ca", False)
