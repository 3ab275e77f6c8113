"""Live endpoints as a source of certificates: how they are written, and many of them at once."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certkit.errors import InputError
from certkit.expiry.sources.base import Failure, Reason, Sighting
from certkit.expiry.sources.endpoint import Endpoint, EndpointSource, is_endpoint
from certkit.net import tls
from certkit.net.starttls import Starttls
from tests import pki, tls_servers

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def pair(root):
    """A server's certificate, with a CA above it."""
    return root.issue(pki.name(CN="server.example"), extensions=[pki.SERVER])


def look(*texts, timeout=20.0, client=None):
    """Return the certificates that these endpoints present."""
    endpoints = tuple(Endpoint.parse(text) for text in texts)
    return list(EndpointSource(endpoints, timeout, client, datetime.now(UTC)).look())


def wait_for(condition):
    """Wait until something is so, for as long as a busy machine may need."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- How they are written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port", "server_name", "starttls"),
    [
        ("example.com:443", "example.com", 443, "example.com", None),
        ("EXAMPLE.com:8443", "example.com", 8443, "example.com", None),
        ("example.com.:443", "example.com.", 443, "example.com", None),
        ("localhost:1", "localhost", 1, "localhost", None),
        ("my_host-1:65535", "my_host-1", 65535, "my_host-1", None),
        ("192.0.2.1:443", "192.0.2.1", 443, None, None),
        ("[::1]:8443", "::1", 8443, None, None),
        ("[fe80::1%eth0]:443", "fe80::1%eth0", 443, None, None),
        ("bücher.example:443", "xn--bcher-kva.example", 443, "xn--bcher-kva.example", None),
        ("tls://example.com:8443", "example.com", 8443, "example.com", None),
        ("TLS://example.com:8443/", "example.com", 8443, "example.com", None),
        ("tls://example.com", "example.com", 443, "example.com", None),
        ("tls://[2001:db8::1]", "2001:db8::1", 443, None, None),
        ("tls://example.com?starttls=smtp", "example.com", 25, "example.com", Starttls.SMTP),
        ("tls://example.com?starttls=imap", "example.com", 143, "example.com", Starttls.IMAP),
        ("tls://example.com?starttls=pop3", "example.com", 110, "example.com", Starttls.POP3),
        ("tls://example.com?starttls=ldap", "example.com", 389, "example.com", Starttls.LDAP),
        ("tls://example.com?starttls=postgres", "example.com", 5432, "example.com", Starttls.POSTGRES),
        ("tls://example.com?starttls=mysql", "example.com", 3306, "example.com", Starttls.MYSQL),
        ("tls://example.com:587/?starttls=SMTP", "example.com", 587, "example.com", Starttls.SMTP),
        ("tls://192.0.2.1:443?servername=Example.com", "192.0.2.1", 443, "example.com", None),
        ("tls://192.0.2.1:443?sni=example.com&starttls=ldap", "192.0.2.1", 443, "example.com", Starttls.LDAP),
        ("tls://example.com?servername=", "example.com", 443, None, None),
    ],
)
def test_endpoints(text, host, port, server_name, starttls):
    """HOST:PORT, or a tls:// address with options; the text is kept as it was given."""
    endpoint = Endpoint.parse(text)
    assert endpoint == Endpoint(host, port, server_name, starttls)
    assert str(endpoint) == text
    assert is_endpoint(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://example.com", "tls://example.com:443"),
        ("https://example.com:8443/path?starttls=smtp#top", "tls://example.com:8443"),
        ("https://[::1]/", "tls://[::1]:443"),
    ],
)
def test_the_host_of_an_address(text, same):
    """The path and the rest do not count."""
    endpoint = Endpoint.parse(text)
    assert endpoint == Endpoint.parse(same)
    assert str(endpoint) == same
    assert is_endpoint(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("example.com", "the port is missing"),
        ("example.com:99999", "invalid port"),
        ("example.com:0", "invalid port"),
        ("tls://example.com:99999", "invalid port"),
        ("tls://example.com:", "invalid host or port"),
        ("tls://example.com:https", "invalid host or port"),
        ("tls://", "invalid host or port"),
        ("tls://::1:443", "invalid host or port"),
        ("tls://[::g]:443", "invalid host or port"),
        ("tls://[192.0.2.1]:443", "invalid host or port"),
        ("tls://exa mple.com", "invalid host or port"),
        ("tls://exa\u202emple.com", "invalid host or port"),
        ("tls://-example.com", "invalid host or port"),
        ("tls://127.1", "invalid host or port"),
        ("tls://" + "a." * 200 + "example", "invalid host or port"),
        ("tls://example.com/path", "unexpected text after the port"),
        ("tls://example.com//", "unexpected text after the port"),
        ("tls://example.com#top", "unexpected text after the port"),
        ("http://example.com/", "'http' is not supported, only tls://"),
        ("example.com:443?starttls=smtp", "only tls:// addresses have options"),
        ("tls://example.com?starttls=ftp", "starttls must be one of smtp, imap, pop3, ldap, postgres, mysql"),
        ("tls://example.com?startls=smtp", "unknown option 'startls'"),
        ("tls://example.com?sni=a&servername=b", "servername appears twice"),
        ("tls://example.com?servername=192.0.2.1", "servername is not a host name"),
        ("tls://example.com?servername", "bad query field: 'servername'"),
    ],
)
def test_what_is_no_endpoint(text, why):
    """The error says what is wrong, and how endpoints are written."""
    with pytest.raises(InputError) as raised:
        Endpoint.parse(text)
    assert raised.value.message == f"invalid endpoint {text!r}: {why}"
    assert raised.value.hint.startswith("write HOST:PORT, [IPV6]:PORT, or tls://HOST:PORT?")


def test_an_endpoint_with_a_password():
    """It is refused, and not shown."""
    with pytest.raises(InputError) as raised:
        Endpoint.parse("tls://user:secret@example.com")
    assert raised.value.message == "invalid endpoint 'tls://...@example.com': it contains a user name"


@pytest.mark.parametrize(
    "text",
    ["C:\\x", "C:x", "foo:bar", "a/b:443", "./host:443", "acme.pem", "::1:443", "identity:acme", "a:1:2", ":443"],
)
def test_what_is_not_meant_as_an_endpoint(text):
    """Files and other sources are not taken for endpoints."""
    assert not is_endpoint(text)


@given(st.text() | st.text().map("{}://".format) | st.text("tls:/[]?&=#@.0123456789a%é").map("tls://{}".format))
def test_any_text(text):
    """It is a usable endpoint, or an error with a message."""
    try:
        endpoint = Endpoint.parse(text)
    except InputError as error:
        told = error.message
    else:
        told = f"{endpoint.host} {endpoint.port} {endpoint.server_name}"
        assert told.isascii()
        assert 0 < endpoint.port < 65536
    assert told.isprintable()


# --- Looking at them ------------------------------------------------------------------------------------------------


def test_the_chain_under_the_name_that_was_given(pair, tmp_path):
    """The server's own certificate is the leaf."""
    with tls_servers.tls(pair, tmp_path) as server:
        text = f"tls://127.0.0.1:{server.port}?servername=acme.example"
        seen = look(text)
    root = pki.value(pair.above[0])
    assert seen == [Sighting(text, (pair.value, root))]
    assert server.names == ["acme.example"]


def test_starttls(pair, tmp_path):
    """As the address says."""
    with tls_servers.tls(pair, tmp_path, before=tls_servers.smtp) as server:
        text = f"tls://localhost:{server.port}?starttls=smtp"
        assert look(text) == [Sighting(text, (pair.value, pki.value(pair.above[0])))]


def test_a_client_certificate(root, tmp_path, monkeypatch):
    """It is shown to every server that this machine trusts for its name, and to no other."""
    mine = root.issue(begin=NOW - pki.DAY, end=NOW + pki.DAY)
    (tmp_path / "trusted.pem").write_bytes(root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    names = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.DNSName("b.example")])
    server_pair = root.issue(extensions=[pki.SERVER, names], begin=NOW - pki.DAY, end=NOW + pki.DAY)
    with tls_servers.tls(server_pair, tmp_path, client_ca=root) as server:
        texts = [f"tls://127.0.0.1:{server.port}?servername={name}.example" for name in "ab"]
        other = f"tls://127.0.0.1:{server.port}?servername=c.example"
        assert len(look(other, client=tls.Credentials(mine.key, (mine.value,)))) == 1
        assert len(look(*texts, client=tls.Credentials(mine.key, (mine.value,)))) == 2
        wait_for(lambda: len(server.clients) == 2)
    assert server.clients == [["Acme Ltd", "acme-client-id"]] * 2


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (tls_servers.silent, Reason.TIMED_OUT),
        (tls_servers.closing, Reason.TLS_FAILED),
        (None, Reason.CONNECTION_FAILED),
    ],
    ids=["silent", "closing", "nobody"],
)
def test_failures(pair, tmp_path, talk, reason):
    """They carry a reason of the closed list, and do not end the search."""
    with tls_servers.tls(pair, tmp_path) as sound, tls_servers.serving(talk or tls_servers.silent) as server:
        port = server.port if talk else tls_servers.free_port()
        found = look(f"127.0.0.1:{port}", f"localhost:{sound.port}", timeout=1)
    [failed] = [each for each in found if isinstance(each, Failure)]
    assert (failed.source, failed.reason) == (f"127.0.0.1:{port}", reason)
    assert failed.message.startswith(f"cannot connect to 127.0.0.1:{port}: ")
    assert failed.hint
    assert len(found) == 2


def test_a_name_that_does_not_exist():
    """As above; top level `invalid` never does (RFC 6761)."""
    [failed] = look("certkit.invalid:443", timeout=60)
    assert failed.reason is Reason.HOST_NOT_FOUND


def test_an_endpoint_that_is_there_twice_is_asked_once(pair, tmp_path):
    """Both spellings are reported."""
    with tls_servers.tls(pair, tmp_path) as server:
        short, long = f"localhost:{server.port}", f"tls://LOCALHOST:{server.port}/"
        found = look(short, long, short)
    assert [each.source for each in found] == [short, long]
    assert server.accepted == 1


def test_no_endpoints():
    """Nothing is seen."""
    assert look() == []


# --- Many at once ---------------------------------------------------------------------------------------------------


def test_two_hundred_dead_hosts_cost_one_time_out(pair, tmp_path):
    """And those that live are seen in the meantime, though they come last."""
    with tls_servers.tls(pair, tmp_path) as sound, tls_servers.serving(tls_servers.silent) as dead:
        texts = [f"tls://127.0.0.1:{dead.port}?servername=h{number}" for number in range(200)]
        texts += [f"tls://127.0.0.1:{sound.port}?servername=h{number}" for number in range(20)]
        began = time.monotonic()
        found = look(*texts, timeout=3)
        took = time.monotonic() - began
    assert [type(each) for each in found] == [Sighting] * 20 + [Failure] * 200
    assert took < 6


def test_a_thousand_hosts_are_not_a_thousand_connections():
    """Nor threads."""
    with tls_servers.serving(tls_servers.silent) as server:
        texts = (f"tls://127.0.0.1:{server.port}?servername=h{number}" for number in range(1000))
        source = EndpointSource(tuple(map(Endpoint.parse, texts)), 0.5)
        connections, threads = [], []
        for number, failed in enumerate(source.look()):
            assert failed.reason is Reason.TIMED_OUT
            if number % 20 == 0:
                connections.append(connections_to(server.port))
                threads.append(sum(each.name != tls_servers.ATTENDING for each in threading.enumerate()))
    assert 0 < max(connections) < 300
    assert max(threads) < 10


def connections_to(port):
    """How many connections to a port of 127.0.0.1 are open, from the side that opens them; the other may lag behind."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    return [(row[2], row[3]) for row in rows].count((f"0100007F:{port:04X}", "01"))


def test_few_files_are_enough(pair, tmp_path):
    """Where a process may have few files open, fewer connections are open at a time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with tls_servers.tls(pair, tmp_path) as server:
        port = server.port
        code = (
            "import resource, sys; from certkit.expiry.sources.endpoint import Endpoint, EndpointSource;"
            f"resource.setrlimit(resource.RLIMIT_NOFILE, (80, {hard}));"
            f"made = [Endpoint('127.0.0.1', {port}, f'h{{n}}') for n in range(100)];"
            "seen = list(EndpointSource(tuple(made)).look()); print(len(seen), {type(each).__name__ for each in seen})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"100 {'Sighting'}\n"
    assert soft > 80


def test_who_takes_his_time_makes_nobody_late(pair, tmp_path):
    """Servers are asked while the taker is busy with what he has."""
    with tls_servers.tls(pair, tmp_path) as server:
        texts = (f"tls://127.0.0.1:{server.port}?servername=h{number}" for number in range(300))
        looking = EndpointSource(tuple(map(Endpoint.parse, texts)), 60).look()
        first = next(looking)
        wait_for(lambda: len(server.clients) == 300)
        found = [first, *looking]
    assert [type(each) for each in found] == [Sighting] * 300


def test_who_leaves_off_leaves_nothing_behind():
    """Connections are closed without waiting for a timeout."""
    with tls_servers.serving(tls_servers.silent) as silent, tls_servers.serving(tls_servers.closing) as closing:
        texts = [f"tls://127.0.0.1:{silent.port}?servername=h{number}" for number in range(100)]
        looking = EndpointSource(tuple(map(Endpoint.parse, [f"127.0.0.1:{closing.port}", *texts])), 60).look()
        began = time.monotonic()
        next(looking)
        looking.close()
        wait_for(lambda: silent.accepted and not silent.open)
    assert time.monotonic() - began < 20


def test_an_interrupt_does_not_wait_for_time_outs():
    """Ctrl-C ends a scan of silent servers and unresolved names."""
    code = (
        "import socket, sys, time; from certkit.expiry.sources.endpoint import Endpoint, EndpointSource;"
        "genuine = socket.getaddrinfo;"
        "socket.getaddrinfo = lambda *a, **o: genuine(*a, **o) if o.get('flags') else time.sleep(60);"
        "made = [Endpoint('127.0.0.1', int(sys.argv[1]), f'h{n}') for n in range(100)];"
        "made += [Endpoint(f'h{n}.example', 443) for n in range(100)];"
        "print('begun', flush=True); list(EndpointSource(tuple(made), 60).look())"
    )
    with tls_servers.serving(tls_servers.silent) as server:
        command = [sys.executable, "-W", "error", "-c", code, str(server.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            wait_for(lambda: server.open == 100)
            began = time.monotonic()
            os.kill(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert process.returncode == -signal.SIGINT
    assert said.decode().splitlines()[-1] == "KeyboardInterrupt"
    assert said.count(b"Traceback") == 1
