"""`certkit wise`: tokens, on the installed command, against a server that behaves as Wise."""

from __future__ import annotations

import ipaddress
import os
import pty
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509

from certkit.identity import enroll, install
from certkit.policy.catalogue import load
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.stores.vault.store import VaultStore
from certkit.vault.client import Vault
from certkit.wise import endpoints, tokens
from certkit.x509.names import SubjectOptions
from tests import pki, wise_server
from tests.conftest import Command, command, environment
from tests.stores import vault_roles
from tests.wise_server import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI

NOW = datetime.now(UTC).replace(microsecond=0)
DATES = {"begin": NOW - pki.DAY, "end": NOW + 300 * pki.DAY}
ROOT = pki.root(begin=NOW - pki.YEAR, end=NOW + pki.YEAR)
LOOPBACK = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
SERVER = ROOT.issue(pki.name(CN="api"), extensions=(pki.SERVER, LOOPBACK), **DATES)
MANY = 8


class Wise(Command):
    """The installed command `certkit wise` over the store `store` in a folder of its own."""

    def __call__(self, *arguments, env=None, **options):
        """Run it with the client secret in the environment."""
        own = {"CERTKIT_STORE": "file:store", "CERTKIT_CLIENT_SECRET": CLIENT_SECRET}
        return super().__call__("wise", *arguments, env={**own, **(env or {})}, **options)

    def token(self, what, *arguments, **options):
        """Run `certkit wise token` for the identity acme."""
        return self("token", what, "--identity", "acme", *arguments, **options)

    @property
    def store(self):
        """The store, for what a test only needs to be there."""
        return FileStore(self.folder / "store")

    def expire(self, store=None):
        """Have the user's token expired an hour ago."""
        store = store or self.store
        kept = tokens.require(store, "acme")
        old = replace(kept.token, received_at=NOW - timedelta(hours=13), expires_at=NOW - timedelta(hours=1))
        tokens.write(store, "acme", old, over=kept.version)


@pytest.fixture
def wise(tmp_path):
    """The command."""
    return Wise(tmp_path)


@pytest.fixture
def server():
    """A server that behaves as Wise."""
    with wise_server.serving() as server:
        yield server


def pasted(server, *, profile="123", state=None):
    """Return the URL that Wise redirects a user to."""
    more = f"&state={state}" if state else ""
    return f"{REDIRECT_URI}/?code={server.code()}&profileId={profile}{more}"


def exchange(wise, server, url=None, *more, **options):
    """Exchange the code of a pasted address."""
    given = ("--redirect-url", url or pasted(server), "--redirect-uri", REDIRECT_URI, "--client-id", CLIENT_ID)
    return wise.token("exchange", *given, "--base-url", server.address, *more, **options)


def asked(wise, *more):
    """The address that `authorize-url` prints, and the state in it."""
    ran = wise(
        "authorize-url", "--environment", "sandbox", "--client-id", CLIENT_ID, "--redirect-uri", REDIRECT_URI, *more
    )
    assert (ran.code, ran.err) == (0, "")
    return ran.out, parse_qs(urlsplit(ran.out.strip()).query).get("state", [None])[0]


def refused(ran, code, said, hint=""):
    """Return whether a command ended with an exit code, some words and a hint, on one line and nothing else."""
    assert (ran.code, ran.out) == (code, ""), ran
    assert ran.err.startswith("certkit: error: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert hint in ran.err


# authorize-url


@pytest.mark.parametrize(
    ("environment", "web"),
    [
        ("sandbox", "https://wise-sandbox.com"),
        ("sandbox-legacy", "https://sandbox.transferwise.tech"),
        ("production", "https://wise.com"),
    ],
)
def test_authorize_url(wise, environment, web):
    """Prints one line, the page of the environment, and makes nothing."""
    given = ("--environment", environment, "--client-id", "acme", "--redirect-uri", REDIRECT_URI, "--state", "s-1")
    ran = wise("authorize-url", *given)
    query = "client_id=acme&redirect_uri=https%3A%2F%2Facme.example%2Fwise&state=s-1"
    assert (ran.code, ran.out) == (0, f"{web}/oauth/authorize/?{query}\n")
    retired = "policy wise-sandbox-legacy was retired by the partner on 2026-06-30; use policy wise-sandbox instead"
    assert ran.err == (f"certkit: warning: {retired}\n" if environment == "sandbox-legacy" else "")
    assert wise("authorize-url", *given, "--json").json == {
        "url": f"{web}/oauth/authorize/?{query}",
        "environment": environment,
        "identity": None,
        "state": "s-1",
    }
    assert not (wise.folder / "store").exists()


def test_an_application_token_for_one_worker(wise, server):
    """With --no-store it is printed, and nothing is stored, not even the identity."""
    given = ("client-credentials", "--client-id", CLIENT_ID, "--base-url", server.address, "--no-store")
    ran = wise.token(*given)
    assert (ran.code, ran.out.count("\n"), len(ran.out) > 10) == (0, 1, True)
    assert not (wise.folder / "store" / "acme").exists()
    assert wise.token(*given, "--json").code == 3


def test_authorize_url_with_an_identity(wise):
    """Makes the identity for the environment, and another state each time."""
    first, second = asked(wise, "--identity", "acme")[1], asked(wise, "--identity", "acme")[1]
    assert first != second
    record = wise.store.load("acme").record
    assert (record.settings.policy, record.settings.base_url) == ("wise-sandbox", None)
    given = ("--environment", "production", "--client-id", CLIENT_ID, "--redirect-uri", REDIRECT_URI)
    ran = wise("authorize-url", *given, "--identity", "acme")
    refused(ran, 3, "acme: the identity is enrolled for wise-sandbox, not wise-production", "Leave --environment out")


def test_authorize_url_opens_a_browser_when_asked(wise):
    """And not otherwise."""
    script = wise.folder / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {wise.folder}/opened\n')
    script.chmod(0o755)
    env = {"BROWSER": str(script), "DISPLAY": ":0"}
    given = ("authorize-url", "--environment", "sandbox", "--client-id", "acme", "--redirect-uri", REDIRECT_URI)
    assert wise(*given, env=env).code == 0
    assert not (wise.folder / "opened").exists()
    ran = wise(*given, "--open", env=env)
    assert (wise.folder / "opened").read_text() == ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--client-id", "a:b", "--redirect-uri", REDIRECT_URI), "not a client id"),
        (("--client-id", "a", "--redirect-uri", "javascript:x"), "not a redirect URI"),
        (("--client-id", "a", "--redirect-uri", REDIRECT_URI, "--state", "a b"), "not a state"),
        (("--client-id", "a", "--redirect-uri", REDIRECT_URI, "--state", "s", "--identity", "x"), "exclude each other"),
        (("--client-id", "a", "--redirect-uri", REDIRECT_URI, "--identity", "../x"), "not a valid identity name"),
        (("--client-id", "a"), "missing option"),
    ],
)
def test_authorize_url_that_is_bad_usage(wise, arguments, said):
    """Makes nothing."""
    refused(wise("authorize-url", "--environment", "sandbox", *arguments), 3, said)
    assert not (wise.folder / "store").exists()


# token exchange


def test_the_whole_way(wise, server):
    """From the page to the token, with a state that is checked, once."""
    state = asked(wise, "--identity", "acme")[1]
    url = pasted(server, state=state)
    ran = exchange(wise, server, url, "--json")
    assert ran.code == 0
    assert ran.json == {
        "identity": "acme",
        "grant": "authorization_code",
        "scope": "transfers",
        "profile_id": "123",
        "expires_at": ran.json["expires_at"],
        "refresh_token_expires_at": ran.json["refresh_token_expires_at"],
        "created_at": ran.json["created_at"],
        "status": "ok",
    }
    assert wise.token("get").out == f"{server.made[-1]}\n"
    refused(exchange(wise, server, url), 2, "the state of this redirect was already used", "A code works only once")
    refused(exchange(wise, server, pasted(server, state="other")), 2, "the state in the redirect URL is unknown")


def test_an_exchange_that_can_be_mended(wise, server):
    """After a wrong secret the same redirect is good still."""
    state = asked(wise, "--identity", "acme")[1]
    url = pasted(server, state=state)
    ran = exchange(wise, server, url, env={"CERTKIT_CLIENT_SECRET": "wrong"})
    refused(ran, 2, "invalid_client: Client authentication failed", "Check the client id and secret")
    assert exchange(wise, server, url).code == 0


def test_an_identity_is_made(wise, server):
    """For a base URL, which it keeps; for an environment; and not for neither."""
    assert exchange(wise, server).code == 0
    settings = wise.store.load("acme").record.settings
    assert (settings.policy, settings.base_url) == ("wise-sandbox", server.address)
    given = ("token", "client-credentials", "--identity", "other", "--client-id", CLIENT_ID)
    refused(wise(*given), 3, "no identity 'other' in file:store", "--environment or --base-url")
    assert wise(*given, "--base-url", server.address, "--environment", "production").code == 0
    assert wise.store.load("other").record.settings.policy == "wise-production"


def test_tokens_of_several_profiles(wise, server):
    """Are apart; one is picked by its profile."""
    for profile in ("123", "456"):
        assert exchange(wise, server, pasted(server, profile=profile)).code == 0
    refused(wise.token("get"), 3, "several tokens: authorization_code.123, authorization_code.456", "with --profile")
    assert wise.token("get", "--profile", "456").out == f"{server.made[-1]}\n"
    assert wise.token("show", "--profile", "123", "--json").json["profile_id"] == "123"
    assert wise.token("revoke-local", "--profile", "123").code == 0
    assert wise.token("get").out == f"{server.made[-1]}\n"


@pytest.mark.parametrize("from_stdin", [False, True])
def test_just_the_code(wise, server, from_stdin):
    """Is enough; the profile is given, and the state if there was one."""
    state, code = asked(wise, "--identity", "acme")[1], server.code()
    given = ("--redirect-uri", REDIRECT_URI, "--client-id", CLIENT_ID, "--base-url", server.address, "--profile", "7")
    refused(wise.token("exchange", *given, "--code", code), 2, "the expected state is missing", "--redirect-url")
    more = ("--code", "-" if from_stdin else code, "--state", state)
    ran = wise.token("exchange", *given, *more, "--json", stdin=f"{code}\n".encode())
    assert (ran.code, ran.json["profile_id"]) == (0, "7")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--code", "a", "--client-id", "\udcff"), 3, "not a client id"),
        (("--redirect-url", "\udcff"), 3, "the pasted text is not a URL"),
        ((), 3, "give either --redirect-url or --code"),
        (("--code", "a", "--redirect-url", "b"), 3, "give either --redirect-url or --code"),
        (("--redirect-url", "https://evil.example/?code=a"), 3, "not a redirect to https://acme.example/wise"),
        (("--redirect-url", f"{REDIRECT_URI}?error=access_denied"), 2, "access was not granted: access_denied"),
        (("--redirect-url", f"{REDIRECT_URI}?code=a&profileId=1", "--profile", "2"), 3, "is for profile 1, not 2"),
        (("--code", "a", "--profile", "../x"), 3, "not a profile id"),
        (("--code", "a", "--base-url", "http://wise.example"), 3, "the client secret would be sent unencrypted"),
        (("--code", "a", "--timeout", "nan"), 3, "invalid value for '--timeout': not a number"),
    ],
)
def test_an_exchange_that_is_bad_usage(wise, arguments, code, said):
    """Creates no identity, and does not prompt."""
    given = ("--redirect-uri", REDIRECT_URI, "--client-id", "a", "--environment", "sandbox")
    refused(wise.token("exchange", *given, *arguments), code, said)
    assert not (wise.folder / "store").exists()


# The client secret


def test_a_client_secret_from_a_file(wise, server):
    """Is its first line."""
    (wise.folder / "secret").write_text(f"{CLIENT_SECRET}\r\nmore\n")
    env = {"CERTKIT_CLIENT_SECRET": "wrong"}
    assert exchange(wise, server, None, "--client-secret-file", "secret", env=env).code == 0
    (wise.folder / "secret").write_text("")
    ran = exchange(wise, server, None, "--client-secret-file", "secret", env=env)
    refused(ran, 3, "the client secret in secret is empty")


def test_no_client_secret(wise, server):
    """Is bad usage without a terminal, naming the option; the code is not used up."""
    url = pasted(server)
    ran = exchange(wise, server, url, env={"CERTKIT_CLIENT_SECRET": ""})
    refused(ran, 3, "no client secret given", "Give --client-secret-file FILE, or set CERTKIT_CLIENT_SECRET")
    assert exchange(wise, server, url).code == 0


def test_a_client_secret_at_a_terminal(wise, server):
    """Is asked for, and not shown."""
    words = [*command(), "wise", "token", "client-credentials", "--identity", "acme", "--client-id", CLIENT_ID]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(wise.folder)
        env = {**environment(), "CERTKIT_STORE": "file:store"}
        os.execvpe(words[0], [*words, "--base-url", server.address], env)
    shown = b""
    while b"Client secret" not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, f"{CLIENT_SECRET}\n".encode())
    try:
        while more := os.read(terminal, 1024):
            shown += more
    except OSError:  # the end of a terminal
        pass
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert CLIENT_SECRET.encode() not in shown


# show, get, refresh


def test_show(wise, server):
    """Prints lifetimes, never the token; expired is critical."""
    exchange(wise, server)
    assert wise.token("show", "--client-id", "x", "--client-secret-file", "x", "--base-url", "x", "--plain").code == 0
    ran = wise.token("show")
    assert ran.code == 0
    assert [
        line.split("  ")[0 if at == 0 else 1].split(" until")[0] for at, line in enumerate(ran.out.splitlines())
    ] == [
        "acme: ok",
        "grant",
        "profile",
        "scope",
        "access token",
        "refresh token",
    ]
    wise.expire()
    ran = wise.token("show", "--json")
    assert (ran.code, ran.json["status"], ran.json["expires_at"]) == (
        2,
        "critical",
        f"{NOW - pki.DAY / 24:%Y-%m-%dT%H:%M:%SZ}",
    )
    assert "access token   until" in wise.token("show").out


def test_get_renews_what_is_due(wise, server):
    """And prints the token, nothing else; with --no-refresh only what is alive."""
    exchange(wise, server)
    first = server.made[-1]
    assert wise.token("get").out == f"{first}\n"
    wise.expire()
    refused(wise.token("get", "--no-refresh"), 2, "acme: the access token has expired", "certkit wise token refresh")
    ran = wise.token("get")
    assert (ran.code, ran.out, ran.err) == (0, f"{server.made[-1]}\n", "")
    assert server.made[-1] != first
    assert "access_token" not in wise.token("get", "--json").json


def test_get_without_the_client_secret(wise, server):
    """Prints what is alive, and refuses what is not."""
    exchange(wise, server)
    assert wise.token("get", env={"CERTKIT_CLIENT_SECRET": ""}).out == f"{server.made[-1]}\n"
    wise.expire()
    ran = wise.token("get", env={"CERTKIT_CLIENT_SECRET": ""})
    refused(ran, 2, "acme: the access token has expired", "--client-secret-file")


def test_get_while_wise_is_away(wise, server):
    """A token that is due and alive is good enough, and a warning says why it is not renewed."""
    server.life = 1200
    exchange(wise, server)
    kept = tokens.require(wise.store, "acme")
    now = datetime.now(UTC)
    due = replace(kept.token, received_at=now - timedelta(hours=12), expires_at=now + timedelta(minutes=9))
    tokens.write(wise.store, "acme", due, over=kept.version)
    ran = wise.token("get", "--base-url", "http://127.0.0.1:1")
    assert (ran.code, ran.out) == (0, f"{server.made[-1]}\n")
    assert ran.err.startswith("certkit: warning: cannot query")


def test_refresh(wise, server):
    """Renews what is due, or what it is forced to; the client id is that of the token."""
    exchange(wise, server)
    before = len(server.made)
    kept = wise.token("refresh")
    assert (kept.code, "the token is not due, so it was not refreshed; --force" in kept.err) == (0, True)
    assert [wise.token("refresh", *quiet).err for quiet in (["-q"], ["--json"])] == ["", ""]
    assert len(server.made) == before
    ran = wise.token("refresh", "--force", "--json")
    assert (ran.code, ran.json["status"], ran.json["profile_id"]) == (0, "ok", "123")
    assert tokens.require(wise.store, "acme").token.access.reveal().decode() in server.valid.values()
    server.valid.clear()
    ran = wise.token("refresh", "--force")
    refused(ran, 2, "invalid_grant: Invalid user credentials", "The refresh token was revoked or has expired")


def test_a_token_of_the_application(wise, server):
    """Is stored beside those of users, and requested again when it is due."""
    given = ("--client-id", CLIENT_ID, "--base-url", server.address, "--json")
    ran = wise.token("client-credentials", *given)
    assert (ran.json["grant"], ran.json["profile_id"], ran.json["refresh_token_expires_at"]) == (
        "client_credentials",
        None,
        None,
    )
    wise.expire()
    assert wise.token("get").out == f"{server.made[-1]}\n"
    assert len(server.made) == 2


def test_revoke_local(wise, server):
    """Removes a token here; that Wise still takes it is said."""
    exchange(wise, server)
    ran = wise.token("revoke-local")
    assert (ran.code, ran.err) == (
        0,
        "certkit: warning: acme: Wise was not notified and accepts the token until it expires\n",
    )
    refused(wise.token("show"), 3, "no token is stored for acme", "certkit wise token exchange")
    again = wise.token("revoke-local", "--json")
    assert (again.code, again.json) == (0, {"identity": "acme", "changed": False, "status": "ok"})
    refused(wise("token", "revoke-local", "--identity", "nobody"), 3, "no identity 'nobody'")


# Many processes


def at_once(work):
    """Return the outputs of several processes that run the same command at once."""
    with ThreadPoolExecutor(MANY) as pool:
        return [each.result() for each in [pool.submit(work) for _ in range(MANY)]]


def test_many_processes_get_a_token_that_has_expired(wise, server):
    """All print the same one, which Wise takes, and was asked for once."""
    exchange(wise, server)
    wise.expire()
    assert {(ran.code, ran.out, ran.err) for ran in at_once(lambda: wise.token("get"))} == {
        (0, f"{server.made[-1]}\n", "")
    }
    assert list(server.valid.values()) == [server.made[-1]]
    assert [form["grant_type"] for form in server.requests].count("refresh_token") == 1


def test_many_hosts_get_a_token_from_vault(wise, server, openbao, tmp_path):
    """With the rights of a consumer: one asks Wise, all have what it got, and Vault has it too.

    The record names another server than Wise's, which each host must allow before a secret goes there.
    """
    allowing = tmp_path / "certkit.toml"
    allowing.write_text('[hosts]\nallow = ["127.0.0.1"]\n')
    with Vault.connect(openbao.settings()) as vault:
        store = VaultStore(vault, "secret", "cli/wise")
        endpoints.identity(store, "acme", policy=None, base_url=server.address)
        token = vault_roles.settings(openbao, "consumer", prefix="cli/wise", name="acme").token.reveal().decode()
        env = {"CERTKIT_STORE": "vault://secret/cli/wise", "VAULT_ADDR": openbao.address, "VAULT_TOKEN": token}
        assert exchange(wise, server, env=env).code == 0
        wise.expire(store)
        refused = wise.token("get", env=env)
        assert (refused.code, "neither the policy nor this host allows 127.0.0.1" in refused.err) == (3, True)
        assert [form["grant_type"] for form in server.requests].count("refresh_token") == 0
        env["CERTKIT_CONFIG"] = str(allowing)
        got = at_once(lambda: wise.token("get", env=env))
        assert {(ran.code, ran.out, ran.err) for ran in got} == {(0, f"{server.made[-1]}\n", "")}
        assert tokens.require(store, "acme").token.access.reveal().decode() == server.made[-1]
    assert [form["grant_type"] for form in server.requests].count("refresh_token") == 1


# The client certificate


@pytest.fixture
def active(wise):
    """An identity with a certificate in use."""
    policy = load("wise-sandbox")
    settings = Settings(policy="wise-sandbox", subject=SubjectOptions(organization="Acme Ltd"))
    identity = enroll.enroll(wise.store, "acme", settings, policy, now=NOW).identity
    request = x509.load_pem_x509_csr(identity.generations[0].csr)
    issued = ROOT.issue(pki.name(O="Acme Ltd", CN=CLIENT_ID), public_key=request.public_key(), **DATES)
    install.install(wise.store, wise.store.load("acme"), issued.pem, policy, trust_bundle=ROOT.pem, now=NOW)
    wise.store.change("acme", lambda record: record.activate("0001"))


def test_with_the_client_certificate(wise, active, tmp_path):
    """The active pair is shown, and the server verified by the identity's trust bundle; not so with --plain."""
    (tmp_path / "tls").mkdir()
    with wise_server.serving(pair=SERVER, folder=tmp_path / "tls", client_ca=ROOT) as server:
        given = ("client-credentials", "--client-id", CLIENT_ID, "--base-url", server.address)
        assert wise.token(*given).code == 0
        assert server.clients == [CLIENT_ID]
        ran = wise.token(*given, "--plain")
        assert (ran.code, ran.out) == (3, "")
        assert len(server.requests) == 1


def test_a_server_that_is_not_trusted(wise, tmp_path):
    """Does not get the client secret; with its CA it does."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    with wise_server.serving(pair=SERVER, folder=tmp_path / "tls") as server:
        given = ("client-credentials", "--client-id", CLIENT_ID, "--base-url", server.address)
        refused(wise.token(*given), 3, "the server is not trusted")
        assert server.requests == []
        assert wise.token(*given, "--ca", "root.pem").code == 0


# Secrets


def test_no_secret_is_shown_or_left_anywhere(wise, server):
    """In no output, even with tracebacks, and in no file but the store's, which is private."""
    said = []

    def say(*arguments, env=None):
        words = [*command(), "wise", "token", *arguments, "-vv"]
        own = {**environment(), "CERTKIT_STORE": "file:store", "CERTKIT_CLIENT_SECRET": CLIENT_SECRET, **(env or {})}
        done = subprocess.run(words, cwd=wise.folder, env=own, capture_output=True, check=False, timeout=60)
        said.append(done.stdout.decode() + done.stderr.decode())

    url = pasted(server)
    given = ("exchange", "--identity", "acme", "--redirect-uri", REDIRECT_URI, "--client-id", CLIENT_ID)
    given += ("--base-url", server.address, "--redirect-url")
    say(*given, url)
    say(*given, url)
    say(*given, pasted(server), env={"CERTKIT_CLIENT_SECRET": f"{CLIENT_SECRET}-wrong"})
    say("refresh", "--identity", "acme", "--force")
    say("refresh", "--identity", "acme", "--force", "--json")
    say("client-credentials", "--identity", "acme", "--client-id", CLIENT_ID)
    for what in ("show", "revoke-local"):
        say(what, "--identity", "acme", "--grant", "client_credentials")
    say("get", "--identity", "acme", "--json")
    for status, body in (
        (400, '{"error": "invalid_grant", "error_description": "%s"}'),
        (200, '{"access_token": 1, "%s": 2}'),
        (500, "%s"),
    ):
        # It repeats what it was sent.
        server.instead = lambda form, status=status, body=body: (
            status,
            "application/json",
            (body % f"{form['code']} {CLIENT_SECRET}").encode(),
        )
        say(*given, pasted(server))
    assert len(said) == 12
    shown = "".join(said)
    assert "acme" in shown
    assert [each for each in server.secrets if each in shown] == []
    for path in wise.folder.rglob("*"):
        if path.is_file() and any(each in path.read_text() for each in server.secrets):
            assert (path.parent.name, path.stat().st_mode & 0o777) == ("tokens", 0o600)
            assert CLIENT_SECRET not in path.read_text()
