"""Proxies, on every command that connects to somewhere."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest
from cryptography import x509

from tests import pki, tls_servers

NOW = datetime.now(UTC).replace(microsecond=0)
SAN = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
PAIR = ("--cert", "acme.pem", "--key", "acme.key", "--ca", "root.pem")
WISE = ("--base-url", "https://HERE", "--client-id", "acme", "--ca", "root.pem")
WEBHOOK = ("--name", "a", "--trigger-on", "transfers#state-change", "--schema-version", "2.0.0")
VAULT = ("--store", "vault://secret/certkit")
# What each command asks the proxy for; HERE is a server of the test.
COMMANDS = {
    "probe": (("probe", "https://HERE/", *PAIR), "CONNECT HERE"),
    "expiry of a host": (("expiry", "HERE"), "CONNECT HERE"),
    "expiry of tls://": (("expiry", "tls://HERE"), "CONNECT HERE"),
    "expiry of Vault": (("expiry", "vault://secret/certkit"), "CONNECT vault.example:8200"),
    "inspect": (("inspect", "HERE"), "CONNECT HERE"),
    "verify": (("verify", "acme.pem", "--ca", "root.pem", "--ocsp"), "POST http://ocsp.example/"),
    "token": (("wise", "token", "client-credentials", "--identity", "acme", *WISE, "--no-store"), "CONNECT HERE"),
    "webhook check": (("wise", "webhook", "check", "https://HERE/hook"), "CONNECT HERE"),
    "webhook create": (
        ("wise", "webhook", "create", "--url", "https://a.example/", *WEBHOOK, *WISE),
        "CONNECT HERE",
    ),
    "list": (("identity", "list", *VAULT), "CONNECT vault.example:8200"),
    "renew": (("identity", "renew", "--all", *VAULT), "CONNECT vault.example:8200"),
    "store check": (("store", "check", *VAULT), "CONNECT vault.example:8200"),
}
DEMANDS = "requires a user name and password (HTTP 407)"


@pytest.fixture
def asked():
    """Return the requests to the proxy."""
    return []


@pytest.fixture
def proxy(asked):
    """The address of a proxy that demands a password."""
    with tls_servers.serving(tls_servers.tunnel(asked, user="me:word")) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def ask(request, certkit, root, tmp_path):
    """A function that runs the command of the test with variables and options."""
    (tmp_path / "server").mkdir()
    root.write(tmp_path, "root")
    own = root.issue(extensions=[pki.SERVER, SAN], begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY)
    ocsp = x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP, uri("http://ocsp.example/"))
    extensions = [pki.CLIENT, x509.AuthorityInformationAccess([ocsp])]
    root.issue(extensions=extensions, begin=NOW - pki.DAY, end=NOW + 300 * pki.DAY).write(tmp_path, "acme")
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "secret").chmod(0o600)
    with tls_servers.web(own, tmp_path / "server", b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n") as seen:
        arguments, _ = COMMANDS[request.param]
        here = f"localhost:{int(seen[0])}"
        fixed = {
            "VAULT_ADDR": "https://vault.example:8200",
            "VAULT_TOKEN": "token",
            "VAULT_MAX_RETRIES": "0",
            "CERTKIT_CLIENT_SECRET": "secret",
            "CERTKIT_TOKEN": "token",
        }

        def run(*options, **variables):
            ran = certkit(*(each.replace("HERE", here) for each in arguments), *options, env={**fixed, **variables})
            return ran.out + ran.err

        yield run


def uri(text):
    """A URI as a general name."""
    return x509.UniformResourceIdentifier(text)


@pytest.mark.parametrize("ask", COMMANDS, indirect=True)
def test_every_command_uses_the_proxy(request, ask, asked, proxy):
    """Of the environment, but for NO_PROXY; CERTKIT_PROXY wins, and --proxy over that. A 407 is said to be the proxy's.

    With user and password the proxy leads on.
    """
    _, wanted = COMMANDS[request.node.callspec.params["ask"]]
    open_, known = f"http://{proxy}", f"http://me:word@{proxy}"
    environment = {"HTTPS_PROXY": open_, "http_proxy": open_}

    def is_asked(*options, **variables):
        asked.clear()
        said = " ".join(ask(*options, **variables).split())
        line = wanted.replace("HERE", "localhost:").encode()
        assert all(each.startswith(line) for each in asked), asked
        assert bool(asked) == (f"the proxy {open_} {DEMANDS}" in said) or "me:word" in str(variables), said
        assert "word" not in said.replace("password", "")
        return bool(asked)

    assert is_asked(**environment)
    assert not is_asked(**environment, NO_PROXY="localhost,.example")
    assert not is_asked("--proxy", "", **environment)
    assert is_asked("--proxy", open_, NO_PROXY="*", CERTKIT_PROXY="http://127.0.0.1:1")
    assert is_asked(**environment, NO_PROXY="*", CERTKIT_PROXY=open_)
    if wanted == "CONNECT HERE":
        assert is_asked(NO_PROXY="*", CERTKIT_PROXY=known)
        assert DEMANDS not in ask(NO_PROXY="*", CERTKIT_PROXY=known)
