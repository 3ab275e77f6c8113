"""`certkit wise webhook` and `certkit wise ca`: subscriptions, and the server that Wise calls."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from certkit.wise.rehearsal import rehearsal
from certkit.wise.rehearsal.state import HubSubscription
from tests import pki, tls_servers
from tests.conftest import require_program
from tests.pki import NOW
from tests.wise.rehearsal.stage import Stage, document
from tests.wise.test_deliveries import SIGNATURE

HOOK = "https://127.0.0.1:9443/hook"
EVENT = ("--name", "transfers", "--trigger-on", "EVENT", "--schema-version", "1", "--url", HOOK)
CLIENT = ("--client-id", "acme-client-id")

NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/chain.pem;
        ssl_certificate_key {folder}/server.key;
        {snippet}
        location / {{ return 204; }}
    }}
}}
"""


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def api(stage):
    """The address of a rehearsal's plain API."""
    with stage.serving() as listeners:
        yield listeners.addresses[1]


@pytest.fixture
def token(stage):
    """The environment with an application token."""
    return {"CERTKIT_TOKEN": document(stage.token(grant_type="client_credentials"))["access_token"]}


DELIVERY = Path(__file__).parents[1] / "wise" / "published_delivery.json"


def test_a_delivery_is_verified_with_the_published_key(certkit):
    """Exit 0 for Wise's published example; 2 with another key or one more byte."""
    given = ("wise", "webhook", "verify", "--header", SIGNATURE)
    ran = certkit(*given, "--environment", "sandbox", DELIVERY)
    assert (ran.code, "the signature of these 354 bytes is valid" in ran.out) == (0, True)
    assert certkit(*given, "--environment", "production", DELIVERY).code == 2
    assert certkit(*given, "--environment", "sandbox", "-", stdin=DELIVERY.read_bytes() + b"\n").code == 2
    assert certkit(*given, "--policy", "wise-sandbox", "--json", DELIVERY).json["status"] == "ok"
    assert certkit(*given, DELIVERY).code == 3
    assert certkit(*given, "--environment", "sandbox", "--policy", "general", DELIVERY).code == 3
    lacking = certkit(*given, "--policy", "general", DELIVERY)
    assert (lacking.code, "policy general has no webhooks.signing_key" in lacking.err) == (3, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://192.0.2.1/wise", "it has an IP address, and Wise calls domain names only"),
        ("https://[::1]/wise", "it has an IP address"),
        ("https://hooks.example:8443/wise", "it has port 8443, and Wise calls port 443 only"),
        ("https://hooks.example/wise?key=1", "it has a query string, which Wise does not accept"),
    ],
)
def test_an_address_that_wise_does_not_call_is_refused_before_any_request(certkit, url, said):
    """Nothing is sent: there is no network here."""
    event = (*EVENT[:-1], url)
    ran = certkit("wise", "webhook", "create", "--environment", "sandbox", *CLIENT, *event, env={"CERTKIT_TOKEN": "x"})
    assert (ran.code, said in ran.err) == (3, True), ran.err


@contextlib.contextmanager
def nginx(directory, root, snippet):
    """An nginx with that snippet, which `nginx -t` finds good; its port."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or require_program("nginx")
    port = tls_servers.free_port()
    server = root.issue(extensions=(pki.SERVER, pki.x509.SubjectAlternativeName([pki.x509.DNSName("localhost")])))
    tls_servers.write(server, directory)
    (directory / "root.pem").write_bytes(root.pem)
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(folder=directory, port=port, snippet=snippet))
    command = [program, "-e", directory / "error.log", "-p", directory, "-c", configuration]
    tested = subprocess.run([*command, "-t"], capture_output=True, check=False)
    assert tested.returncode == 0, tested.stderr.decode()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tls_servers.ending(process):
        tls_servers.wait_for(lambda: tls_servers.listens(port), process)
        yield port


# Subscriptions


def test_a_subscription_is_made_with_mtls_and_tested(certkit, stage, api, token):
    """Its id is printed, and under it a test notification is asked for."""
    made = certkit("wise", "webhook", "create", "--base-url", api, *CLIENT, *EVENT, "--json", env=token)
    [kept] = stage.rehearsal.state.subscriptions
    assert (made.code, made.json) == (
        0,
        {
            "status": "ok",
            "changed": True,
            "id": kept.id,
            "name": "transfers",
            "trigger_on": "EVENT",
            "delivery": {"version": "1", "url": HOOK, "mtls_enabled": True},
        },
    )
    tested = certkit("wise", "webhook", "test", kept.id, "--base-url", api, *CLIENT, "--json", env=token)
    assert tested.json == {"status": "ok", "id": kept.id, "http_status": 202}
    assert [each.url for each in stage.rehearsal.notified] == [HOOK]


def test_without_json_the_id_alone_is_printed(certkit, tmp_path, stage, api, token):
    """For a script; the token comes from a file as well, and mTLS can be left out."""
    (tmp_path / "token").write_text(token["CERTKIT_TOKEN"] + "\n")
    options = ("--base-url", api, *CLIENT, "--token-file", "token", "--no-mtls")
    made = certkit("wise", "webhook", "create", *options, *EVENT)
    [kept] = stage.rehearsal.state.subscriptions
    assert (made.out, kept.mtls_enabled) == (f"{kept.id}\n", False)


def test_over_mtls_with_certificate_and_key(certkit, tmp_path, stage, token):
    """For a client that Wise wants to see a certificate of."""
    stage.client().write(tmp_path, "acme")
    (tmp_path / "ca.pem").write_bytes(stage.rehearsal.ca.pem)
    pair = ("--cert", "acme.pem", "--key", "acme.key", "--ca", "ca.pem")
    with stage.serving() as listeners:
        base = ("--base-url", listeners.addresses[2])
        assert certkit("wise", "webhook", "create", *base, *pair, *CLIENT, *EVENT, env=token).code == 0
        assert certkit("wise", "webhook", "create", *base, *pair[4:], *CLIENT, *EVENT, env=token).code == 3


def test_a_refusal_is_exit_2_and_does_not_show_the_token(certkit, stage, api, token):
    """With what the server says."""
    user = {"CERTKIT_TOKEN": stage.tokens()["access_token"]}
    for env, said in ((user, "An application token"), ({"CERTKIT_TOKEN": "guess"}, "status 401")):
        ran = certkit("wise", "webhook", "create", "--base-url", api, *CLIENT, *EVENT, env=env)
        assert (ran.code, said in ran.err, env["CERTKIT_TOKEN"] in ran.err) == (2, True, False)
    unknown = certkit("wise", "webhook", "test", "none", "--base-url", api, *CLIENT, env=token)
    assert (unknown.code, "status 404" in unknown.err, "the subscription id" in unknown.err) == (2, True, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((*CLIENT, *EVENT), "give either --environment or --base-url"),
        (
            ("--base-url", "https://127.0.0.1:1", "--environment", "sandbox", *CLIENT, *EVENT),
            "give either --environment or --base-url",
        ),
        (("--base-url", "http://example.com", *CLIENT, *EVENT), "would be sent unencrypted"),
        (("--base-url", "https://127.0.0.1:1", "--client-id", "a:b", *EVENT), "not a client id"),
        (
            ("--base-url", "https://127.0.0.1:1", "--cert", "x", *CLIENT, *EVENT),
            "--cert and --key must be given together",
        ),
        (("--base-url", "https://127.0.0.1:1", *CLIENT, *EVENT, "--url", "http://x/"), "not an https:// URL"),
        (("--base-url", "https://127.0.0.1:1", *CLIENT, *EVENT, "--url", "https://a b/"), "invalid host or port"),
        (("--base-url", "http://127.0.0.1:1", *CLIENT, *EVENT), "refused"),
    ],
)
def test_what_cannot_be_asked_is_exit_3(certkit, options, said):
    """In one line."""
    ran = certkit("wise", "webhook", "create", *options, env={"CERTKIT_TOKEN": "word"})
    assert (ran.code, len(ran.err.splitlines()), said in ran.err) == (3, 1, True), ran.err


@pytest.mark.parametrize("value", [None, "", "two words", "x" * 70_000, "\x01"])
def test_a_token_that_is_none_is_exit_3(certkit, api, value):
    """And is not shown."""
    env = {} if value is None else {"CERTKIT_TOKEN": value}
    ran = certkit("wise", "webhook", "create", "--base-url", api, *CLIENT, *EVENT, env=env)
    assert ran.code == 3
    assert "token" in ran.err
    assert "two words" not in ran.err


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'HTTP/1.0 201 Created\r\n\r\n{"id": "a/../b"}', 3),
        (b'HTTP/1.0 201 Created\r\n\r\n{"id": 1}', 3),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000, 3),
        (b"HTTP/1.0 200 OK\r\n\r\n\xff", 3),
        (b"HTTP/1.0 302 Found\r\nLocation: https://evil.example/\r\n\r\n", 3),
        (b"HTTP/1.0 500 Oops\r\n\r\nsecret-word", 3),
        (b"HTTP/1.0 400 Bad\r\n\r\n\x1b[31m secret-word \xe2\x80\xae", 2),
    ],
)
def test_an_odd_answer_is_told(certkit, body, code):
    """No traceback, no control characters, and no token that comes back."""

    def talk(connection):
        connection.recv(65536)
        connection.sendall(body)

    with tls_servers.serving(talk) as server:
        base = ("--base-url", f"http://127.0.0.1:{server.port}")
        ran = certkit("wise", "webhook", "create", *base, *CLIENT, *EVENT, env={"CERTKIT_TOKEN": "secret-word"})
    assert (ran.code, len(ran.err.splitlines())) == (code, 1)
    assert not {"\x1b", "\u202e"} & set(ran.err)
    assert "secret-word" not in ran.err


# The server that Wise calls


def test_the_bundle_and_the_snippet_make_nginx_let_in_wise_and_nobody_else(certkit, tmp_path, root):
    """`nginx -t` is content; a real handshake of the rehearsal's notifier goes through, and the check is ok."""
    with rehearsal.opened(tmp_path / "rehearsal", ("", "", ""), clock=lambda: NOW) as held:
        shown = certkit("wise", "ca", held.path / "rehearsal-ca.pem", "--out", "hook ca.pem")
        assert shown.out == (
            "# In the server block for Wise's webhooks, beside its own ssl_certificate:\n"
            f'ssl_client_certificate "{tmp_path}/hook ca.pem";\n'
            "ssl_verify_client on;\n"
            "ssl_verify_depth 2;\n"
        )
        with nginx(tmp_path, root, shown.out) as port:
            checked = certkit(
                "wise", "webhook", "check", f"https://localhost:{port}/hook", "--ca", "root.pem", "--json"
            )
            called = held.notify(_subscription(f"https://127.0.0.1:{port}/hook"))
    assert called == "delivered: the webhook answered 204"
    assert (checked.code, checked.json["status"]) == (0, "ok")
    assert [each["id"] for each in checked.json["checks"]] == ["client-certificate", "client-certificate"]


@pytest.mark.parametrize(
    ("snippet", "said"),
    [
        ("", ["accepted with no client", "accepted with an untrusted client"]),
        ("ssl_verify_client optional_no_ca;", ["accepted with no client", "accepted with an untrusted client"]),
        (
            "ssl_client_certificate {folder}/root.pem; ssl_verify_client optional;",
            ["accepted with no client", "rejected with an untrusted client"],
        ),
    ],
)
def test_a_server_that_lets_anybody_in_is_critical(certkit, tmp_path, root, snippet, said):
    """Without verification, with half of it, and with it for those only who show something."""
    with nginx(tmp_path, root, snippet.format(folder=tmp_path)) as port:
        ran = certkit("wise", "webhook", "check", f"https://localhost:{port}/", "--ca", "root.pem", "--json")
    found = [each["message"] for each in ran.json["checks"]]
    assert (ran.code, [message.startswith(start) for message, start in zip(found, said, strict=True)]) == (
        2,
        [True] * 2,
    )


def test_a_server_that_ends_the_handshake_is_well(certkit, tmp_path, stage):
    """By an alert, as the rehearsal's own mTLS address does."""
    (tmp_path / "ca.pem").write_bytes(stage.rehearsal.ca.pem)
    with stage.serving() as listeners:
        ran = certkit("wise", "webhook", "check", listeners.addresses[2], "--ca", "ca.pem")
    assert (ran.code, ran.out.count("rejected with")) == (0, 2)


@pytest.mark.parametrize(
    ("is_asking", "version", "code"),
    [(True, "TLSv1_2", 0), (True, "TLSv1_3", 0), (False, "TLSv1_2", 2), (False, "TLSv1_3", 2)],
)
def test_both_versions_of_tls_are_judged(certkit, tmp_path, root, is_asking, version, code):
    """TLS 1.2 tells who shows no certificate only "handshake failure"."""
    pair = root.issue(extensions=(pki.SERVER, pki.x509.SubjectAlternativeName([pki.x509.DNSName("localhost")])))
    (tmp_path / "root.pem").write_bytes(root.pem)
    tls_servers.write(pair, tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "server.key")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if is_asking:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(tmp_path / "root.pem")

    def talk(connection):
        secure = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(ssl.SSLError):
            secure.do_handshake()
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        # Read the rest of the input, so that a reset does not discard the alert.
        with socket.socket(fileno=secure.detach()) as raw:
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass

    with tls_servers.serving(talk) as server:
        ran = certkit("wise", "webhook", "check", f"https://localhost:{server.port}/", "--ca", "root.pem")
    assert ran.code == code, ran.out + ran.err


def test_a_server_that_hangs_up_without_a_reason_is_unknown(certkit, tmp_path, root):
    """It is unknown whether a certificate was missing: exit 3."""
    (tmp_path / "root.pem").write_bytes(root.pem)

    def talk(connection):
        connection.recv(65536)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")

    with tls_servers.serving(talk) as server:
        ran = certkit("wise", "webhook", "check", f"https://localhost:{server.port}/", "--ca", "root.pem", "--json")
    assert (ran.code, [each["status"] for each in ran.json["checks"]]) == (3, ["unknown", "unknown"])


def test_a_server_that_cannot_be_judged_is_exit_3(certkit, tmp_path, root, stage):
    """It is not there, or is not the one that it should be."""
    (tmp_path / "other.pem").write_bytes(root.pem)
    with stage.serving() as listeners:
        other = certkit("wise", "webhook", "check", listeners.addresses[2], "--ca", "other.pem")
    absent = certkit("wise", "webhook", "check", f"https://127.0.0.1:{tls_servers.free_port()}/", "--ca", "other.pem")
    assert (other.code, absent.code) == (3, 3)
    assert "not trusted" in other.err


# The bundle


def test_the_bundle_holds_each_ca_once_and_nothing_else(certkit, tmp_path, root):
    """Of several files with text around; the depth leaves room for one more."""
    middle = root.intermediate(end=pki.datetime.now(pki.UTC) + pki.YEAR)
    (tmp_path / "a.pem").write_bytes(b"# Wise\n" + root.pem + middle.pem)
    (tmp_path / "b.der").write_bytes(root.certificate.public_bytes(serialization.Encoding.DER))
    ran = certkit("wise", "ca", "a.pem", "b.der", "--out", "bundle.pem", "--json")
    assert (ran.code, ran.json["changed"], len(ran.json["subjects"])) == (0, True, 2)
    assert "ssl_verify_depth 3;" in ran.json["nginx"]
    assert (tmp_path / "bundle.pem").read_bytes() == root.pem + middle.pem
    again = certkit("wise", "ca", "a.pem", "--out", "bundle.pem", "--json")
    assert (again.code, again.json["changed"]) == (0, False)


def test_what_must_not_be_trusted_is_refused(certkit, tmp_path, root):
    """A leaf, and a CA of the past: exit 2, nothing is written."""
    old = pki.root(begin=NOW - 3 * pki.YEAR, end=NOW - pki.YEAR)
    for certificate, said in ((root.issue(), "is not a CA"), (old, "is not valid now")):
        (tmp_path / "ca.pem").write_bytes(root.pem + certificate.pem)
        ran = certkit("wise", "ca", "ca.pem", "--out", "bundle.pem")
        assert (ran.code, said in ran.err) == (2, True)
    assert not (tmp_path / "bundle.pem").exists()


def test_another_file_is_replaced_only_with_force_and_a_key_never(certkit, tmp_path, root):
    """Exit 3; the file stays."""
    pair = root.issue()
    pair.write(tmp_path, "acme")
    (tmp_path / "ca.pem").write_bytes(root.pem)
    assert certkit("wise", "ca", "ca.pem", "--out", "acme.pem").code == 3
    assert certkit("wise", "ca", "ca.pem", "--out", "acme.key", "--force").code == 3
    assert (tmp_path / "acme.key").read_bytes() == pair.key_pem
    assert certkit("wise", "ca", "ca.pem", "--out", "acme.pem", "--force").code == 0
    assert (tmp_path / "acme.pem").read_bytes() == root.pem


def test_a_file_without_certificates_is_exit_3(certkit, tmp_path):
    """Whatever is in it."""
    (tmp_path / "ca.pem").write_bytes(b"nonsense")
    assert certkit("wise", "ca", "ca.pem", "--out", "bundle.pem").code == 3
    assert certkit("wise", "ca", "missing.pem", "--out", "bundle.pem").code == 3
    assert "cannot be written to standard output" in certkit("wise", "ca", "ca.pem", "--out", "-").err


def _subscription(url):
    return HubSubscription(id="x", name="x", trigger_on="x", version="1", url=url, mtls_enabled=True, created=NOW)
