"""`certkit.wise.addresses`: where users grant access, and where client secrets may go."""

from __future__ import annotations

import pytest

from certkit.cli import wise as wise_commands
from certkit.errors import InputError
from certkit.policy import catalogue
from certkit.wise import addresses

URLS = {
    "sandbox": "https://wise-sandbox.com/oauth/authorize/?client_id=acme&redirect_uri=https%3A%2F%2Fa.example%2Fwise",
    "sandbox-legacy": (
        "https://sandbox.transferwise.tech/oauth/authorize/?client_id=acme&redirect_uri=https%3A%2F%2Fa.example%2Fwise"
    ),
    "production": "https://wise.com/oauth/authorize/?client_id=acme&redirect_uri=https%3A%2F%2Fa.example%2Fwise",
}
HOSTS = {
    "sandbox": ("https://api.wise-sandbox.com", "https://api-mtls.wise-sandbox.com"),
    "sandbox-legacy": ("https://api.sandbox.transferwise.tech", "https://api-mtls.sandbox.transferwise.tech"),
    "production": ("https://api.wise.com", "https://api-mtls.transferwise.com"),
}


@pytest.mark.parametrize("environment", URLS)
def test_the_page_of_each_environment(environment):
    """As documented, with the hosts of its policy."""
    policy = catalogue.load(addresses.ENVIRONMENTS[environment])
    url = addresses.authorize_url(policy, client_id="acme", redirect_uri="https://a.example/wise")
    assert url == URLS[environment]
    assert (policy.hosts.api, policy.hosts.api_mtls) == HOSTS[environment]


def test_the_environments_of_the_command_line():
    """Are these; they are spelt out there, to start fast."""
    assert set(wise_commands.ENVIRONMENTS) == set(addresses.ENVIRONMENTS) == set(URLS)


def test_a_state_and_odd_characters_are_quoted():
    """Nothing of a value becomes part of the address."""
    policy = catalogue.load("wise-sandbox")
    url = addresses.authorize_url(policy, client_id="a&b=c d", redirect_uri="https://a.example/?x=1&y=2", state="s#t+u")
    query = "client_id=a%26b%3Dc%20d&redirect_uri=https%3A%2F%2Fa.example%2F%3Fx%3D1%26y%3D2&state=s%23t%2Bu"
    assert url == f"https://wise-sandbox.com/oauth/authorize/?{query}"


def test_a_policy_without_the_page():
    """Is refused."""
    with pytest.raises(InputError, match=r"policy general: it has no hosts\.web"):
        addresses.authorize_url(catalogue.load("general"), client_id="a", redirect_uri="https://a.example/")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://proxy.example", "https://proxy.example"),
        ("https://proxy.example:8443/wise/", "https://proxy.example:8443/wise"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_a_base_url(given, used):
    """Is https, or leads to this machine."""
    assert addresses.require_base_url(given) == used


@pytest.mark.parametrize(
    "given",
    [
        "http://proxy.example",
        "http://localhost:8080",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "http://[::ffff:10.0.0.1]",
        "http://0.0.0.0",
        "http://2130706433",
        "http://127.1",
    ],
)
def test_plain_http_leaves_this_machine_never(given):
    """The client secret would be sent unencrypted; a name may be anybody's."""
    with pytest.raises(InputError, match="the client secret would be sent unencrypted"):
        addresses.require_base_url(given)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "api.wise.com",
        "ftp://127.0.0.1",
        "HTTP://127.0.0.1",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1\\@evil.example",
        "https://u:p@proxy.example",
        "https://proxy.example/?x",
        "https://proxy.example/#x",
        "https://proxy.example:99999",
        "https://proxy.example:x",
        "https://[::1",
        "https://",
        "https://a\nb",
        "https://é.example",
        "https://" + "a" * 3000,
    ],
)
def test_what_is_no_base_url(given):
    """Is refused, whatever it may look like to others."""
    with pytest.raises(InputError, match="not a base URL"):
        addresses.require_base_url(given)


@pytest.mark.parametrize("given", ["https://a.example/wise", "http://localhost:8000/", "https://a.example/?x=1"])
def test_a_redirect_uri(given):
    """Is http or https."""
    assert addresses.require_redirect_uri(given) == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "javascript:alert(1)",
        "https://a.example/#x",
        "https://a b",
        "//a.example",
        "a",
        "https://a..example/wise",
        "https://-a.example/wise",
        "https://a%41.example/wise",
        "https://a.example:0/wise",
        "http://127.1/wise",
        f"https://{'a' * 64}.example/wise",
    ],
)
def test_what_is_no_redirect_uri(given):
    """Is refused."""
    with pytest.raises(InputError, match="not a redirect URI"):
        addresses.require_redirect_uri(given)


@pytest.mark.parametrize("given", ["", "a:b", "a b", "a\n", "é", "x" * 513])
def test_what_is_no_client_id(given):
    """Is refused, before it is half of HTTP Basic."""
    with pytest.raises(InputError, match="not a client id"):
        addresses.require_client_id(given)
