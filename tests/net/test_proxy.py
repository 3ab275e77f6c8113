"""Which servers are reached through which proxy."""

from __future__ import annotations

import pytest

from certkit.net.address import Address
from certkit.net.proxy import Proxies
from certkit.secret import Secret
from certkit.vault.settings import Settings


def towards(url, tmp_path, **variables):
    """The proxy for an address, as text, or None."""
    proxy = Settings.from_environment(variables, tmp_path).proxies.towards(Address.parse(url))
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
    """User and password of a proxy become a header that nobody sees."""
    proxy = Proxies(always="http://user:p%40ss@proxy:3128").towards(Address.parse("https://vault"))
    assert proxy.user == Secret(b"user:p@ss")
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}
    assert "p@ss" not in repr(proxy)
    assert str(proxy) == "http://proxy:3128"
