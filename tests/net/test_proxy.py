"""Which servers are reached through which proxy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure
from certkit.expiry.sources.endpoint import Endpoint, EndpointSource
from certkit.net import http, wire
from certkit.net.address import Address
from certkit.net.proxy import Proxies
from certkit.secret import Secret
from certkit.vault.settings import VaultSettings
from tests import pki, tls_servers
from tests.odd_http import odd_server, reply


def towards(url, tmp_path, **variables):
    """The proxy for an address, as text, or None."""
    proxy = VaultSettings.from_environment(variables, tmp_path).proxies.towards(Address.parse(url))
    return proxy and str(proxy)


def test_vault_s_own_proxy_has_no_exceptions(tmp_path):
    """VAULT_HTTP_PROXY wins over HTTPS_PROXY, NO_PROXY and loopback addresses; VAULT_PROXY_ADDR wins over it."""
    variables = {"VAULT_HTTP_PROXY": "http://own:1", "HTTPS_PROXY": "http://all:2", "NO_PROXY": "*"}
    assert towards("https://127.0.0.1:8200", tmp_path, **variables) == "http://own:1"
    assert towards("http://vault:8200", tmp_path, VAULT_PROXY_ADDR="newer:3", **variables) == "http://newer:3"


def test_the_proxy_of_the_environment_is_chosen_by_scheme(tmp_path):
    """HTTPS_PROXY or https_proxy for https, HTTP_PROXY for http."""
    variables = {"https_proxy": "secure:1", "HTTP_PROXY": "http://plain:2"}
    assert towards("https://vault", tmp_path, **variables) == "http://secure:1"
    assert towards("http://vault", tmp_path, **variables) == "http://plain:2"


def test_a_cgi_program_ignores_http_proxy(tmp_path):
    """There, whoever asks the web server can set it."""
    assert towards("http://vault", tmp_path, HTTP_PROXY="http://evil:2", REQUEST_METHOD="GET") is None


@pytest.mark.parametrize(
    ("exempt", "url", "is_exempt"),
    [
        ("*", "https://vault.example", True),
        ("vault.example", "https://vault.example", True),
        ("example", "https://vault.example", True),
        (".example", "https://vault.example", True),
        ("*.example", "https://vault.example", True),
        (".vault.example", "https://vault.example", False),
        ("ample", "https://vault.example", False),
        ("vault.example:8200", "https://vault.example:8200", True),
        ("vault.example:8201", "https://vault.example:8200", False),
        ("other, 10.0.0.0/8", "https://10.1.2.3:8200", True),
        ("10.0.0.0/8", "https://11.1.2.3:8200", False),
        ("10.1.2.3", "https://10.1.2.3:8200", True),
        ("[fd00::1]:8200", "https://[fd00::1]:8200", True),
        ("fd00::/8", "https://[fd00::1]", True),
        ("nonsense/99", "https://10.1.2.3", False),
        ("", "https://localhost:8200", True),
        ("", "https://127.8.9.1:8200", True),
        ("", "https://[::1]:8200", True),
        ("", "https://vault.example", False),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(exempt, url, is_exempt):
    """Addresses, networks, domains, ports; loopback addresses never go through the proxy of the environment."""
    proxy = Proxies(https="http://proxy:1", exempt=exempt, as_go=True).towards(Address.parse(url))
    assert (proxy is None) == is_exempt


def test_a_proxy_s_password_is_a_secret():
    """User and password of a proxy are sent as a header, and never shown."""
    proxy = Proxies(always="http://user:p%40ss@proxy:3128").towards(Address.parse("https://vault"))
    assert proxy.user == Secret(b"user:p@ss")
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}
    assert "p@ss" not in repr(proxy)
    assert str(proxy) == "http://proxy:3128"


# --- As curl reads the environment ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "url", "chosen"),
    [
        ({}, "https://a.example", None),
        ({"https_proxy": "http://p:1"}, "https://a.example", "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "https://a.example", "http://p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https://a.example", "http://p:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://q:1"}, "https://a.example", "http://q:1"),
        ({"https_proxy": "http://p:1"}, "http://a.example", None),
        ({"http_proxy": "http://p:1"}, "http://a.example", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "http://a.example", None),
        ({"https_proxy": "http://p:1"}, "https://127.0.0.1", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https://a.example", None),
        ({"https_proxy": "http://p:1", "NO_PROXY": ".example"}, "https://example", None),
        ({"https_proxy": "http://p:1", "NO_PROXY": "b.example a.example"}, "https://x.a.example.", None),
        ({"https_proxy": "http://p:1", "NO_PROXY": "a.example:444"}, "https://a.example", "http://p:1"),
        ({"https_proxy": "http://p:1", "NO_PROXY": "10.0.0.0/8,::1"}, "https://[::1]", None),
        (
            {"https_proxy": "http://p:1", "NO_PROXY": "*", "CERTKIT_PROXY": "http://c:1"},
            "https://a.example",
            "http://c:1",
        ),
        ({"https_proxy": "http://p:1", "CERTKIT_PROXY": ""}, "https://a.example", None),
    ],
)
def test_the_environment_is_read_as_curl_reads_it(environ, url, chosen):
    """Only the lower-case http_proxy counts; CERTKIT_PROXY comes first, and empty means none."""
    proxy = Proxies.of(environ).towards(Address.parse(url))
    assert (proxy and str(proxy)) == chosen


@pytest.mark.parametrize("url", ["socks5://user:word@p:1", "https://p:1", "http://p:1/path", "http://p p:1"])
def test_a_proxy_of_another_kind_is_refused(url):
    """Its address is not repeated: it may hold a password."""
    with pytest.raises(InputError, match="cannot use the proxy: ") as raised:
        Proxies(always=url).towards(Address.parse("https://a.example"))
    assert "word" not in raised.value.message + raised.value.hint


# --- A proxy that demands a password ----------------------------------------------------------------------------------

NOW = datetime.now(UTC).replace(microsecond=0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SAN = x509.SubjectAlternativeName([x509.DNSName("localhost")])


@pytest.fixture
def asked():
    """Return the requests to the proxy."""
    return []


@pytest.fixture
def proxy(asked):
    """A proxy that demands a password; its port."""
    with tls_servers.serving(tls_servers.tunnel(asked, user="me:p@ss")) as server:
        yield server.port


@pytest.fixture
def server(root, tmp_path):
    """A server behind the proxy: its port."""
    pair = root.issue(extensions=[pki.SERVER, SAN], begin=NOW - pki.DAY, end=NOW + pki.DAY)
    with tls_servers.web(pair, tmp_path, OK) as seen:
        yield int(seen[0])


def send(port, root):
    """A request, as for tokens and webhooks."""
    request = wire.HttpRequest(method="GET", url=f"https://localhost:{port}/")
    return http.send(request, now=datetime.now(UTC), anchors=[root.value]).body


def look(port, _):
    """A live host of `expiry`."""
    found, *_ = EndpointSource((Endpoint.parse(f"localhost:{port}"),)).look()
    if isinstance(found, Failure):
        raise InputError(found.message, hint=found.hint)
    return b"ok"


@pytest.mark.parametrize("work", [send, look])
def test_requests_and_live_hosts_go_through_the_proxy(root, server, proxy, asked, monkeypatch, work):
    """With user and password it makes a way to the host; without, the failure is said to be the proxy's."""
    monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{proxy}")
    assert work(server, root) == b"ok"
    assert asked[0].startswith(f"CONNECT localhost:{server} HTTP/1.1\r\n".encode())
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy}")
    with pytest.raises(InputError) as raised:
        work(server, root)
    why = f"the proxy http://127.0.0.1:{proxy} requires a user name and password (HTTP 407)"
    assert raised.value.message.endswith(why)
    monkeypatch.setenv("https_proxy", f"http://me:wrong@127.0.0.1:{proxy}")
    with pytest.raises(InputError, match=r"rejects the user name and password \(HTTP 407\)") as raised:
        work(server, root)
    assert "wrong" not in raised.value.message + raised.value.hint


def test_plain_http_goes_to_the_proxy_as_it_is(monkeypatch):
    """As for OCSP responders: the whole URL, and the password in a header; a 407 is the proxy's."""
    with odd_server(reply(200), reply(407)) as server:
        monkeypatch.setenv("http_proxy", server.address.replace("http://", "http://me:word@"))
        http.post("http://ocsp.example/x", b"ask", content_type="application/ocsp-request", now=NOW)
        with pytest.raises(InputError, match="rejects the user name and password"):
            http.post("http://ocsp.example/x", b"ask", content_type="application/ocsp-request", now=NOW)
    assert server.lines[0] == "POST http://ocsp.example/x"
    assert server.asked[0].headers["proxy-authorization"] == "Basic bWU6d29yZA=="
