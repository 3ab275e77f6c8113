"""Certificates that servers present, with real servers on this machine: sound, old, demanding and hostile ones."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding

from certkit.errors import InputError
from certkit.net import connecting, tls
from certkit.net.starttls import Starttls
from tests import pki, tls_servers
from tests.conftest import openssl

NOW = datetime.now(UTC).replace(microsecond=0)
SOON = {"begin": NOW - pki.DAY, "end": NOW + pki.DAY}
TIMEOUT = 20.0


def trust(presented):
    """Trust a server, whatever it presents."""


def look(port, *, host="127.0.0.1", timeout=TIMEOUT, client=None, server_name=None, protocol=None, verdict=None):
    """Return what a server on this machine presents."""

    async def ask():
        return await tls.look(
            host,
            port,
            settings=tls.context(client),
            deadline=connecting.Deadline.after(timeout),
            server_name=server_name,
            protocol=Starttls(protocol) if protocol else None,
            verdict=verdict,
        )

    return asyncio.run(ask())


def failure(port, **options):
    """How it fails, without the words that name the server."""
    with pytest.raises(connecting.NetError) as raised:
        look(port, **options)
    begin = f"cannot connect to {options.get('host', '127.0.0.1')}:{port}: "
    assert raised.value.message.startswith(begin)
    return raised.value.trouble.value, raised.value.message.removeprefix(begin)


@pytest.fixture(scope="module")
def issuing(root):
    """A CA between the root and the servers."""
    return root.intermediate()


@pytest.fixture(scope="module")
def pair(issuing):
    """A server's certificate, with two CAs above it."""
    return issuing.issue(pki.name(CN="server.example"), extensions=[pki.SERVER])


def subjects(presented):
    """The common names of a chain."""
    return [each.subject.values("CN")[0] for each in presented.chain]


# --- What is seen ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_whole_chain_in_the_order_sent(pair, tmp_path, version):
    """The server's own certificate first, then those above it."""
    with tls_servers.tls(pair, tmp_path, version=ssl.TLSVersion[version]) as server:
        presented = look(server.port)
    assert presented.chain == (pair.value, *map(pki.value, pair.above))
    assert presented.unreadable == ()


def test_nothing_is_verified(tmp_path):
    """Expired, self-signed, a CA's, or for another name: it is returned, because a scan looks for such certificates."""
    expired = pki.root(begin=NOW - 20 * pki.DAY, end=NOW - 10 * pki.DAY)
    with tls_servers.tls(expired, tmp_path) as server:
        assert look(server.port, server_name="other.example").chain == (expired.value,)


@pytest.mark.parametrize("version", ["tls1", "tls1_1", "tls1_2"])
@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES128-SHA", "DHE-RSA-AES256-SHA", "AES128-SHA"])
def test_old_servers_are_seen(tmp_path, version, cipher):
    """Old versions, old ciphers, a small key and a SHA-1 signature, as far as OpenSSL still knows them."""
    make = ("req", "-x509", "-newkey", "rsa:1024", "-sha1", "-nodes", "-subj", "/CN=old.example")
    openssl(*make, "-keyout", tmp_path / "server.key", "-out", tmp_path / "chain.pem")
    with tls_servers.openssl_server(tmp_path, f"-{version}", "-cipher", f"{cipher}:@SECLEVEL=0") as port:
        presented = look(port)
    assert subjects(presented) == ["old.example"]


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(ec.generate_private_key(ec.SECP521R1()), id="ec-p521"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), id="ed25519"),
        pytest.param(rsa.generate_private_key(65537, 3072), id="rsa-3072"),
    ],
)
def test_keys_of_every_kind(root, tmp_path, key):
    """Whatever signs the handshake."""
    pair = root.issue(pki.name(CN="server.example"), key=key)
    with tls_servers.tls(pair, tmp_path) as server:
        assert look(server.port).chain[0] == pair.value


def test_the_server_is_asked_for_a_name(pair, tmp_path):
    """For the one that is given, and for none if none is."""
    with tls_servers.tls(pair, tmp_path) as server:
        look(server.port, server_name="acme.example")
        look(server.port)
    assert server.names == ["acme.example", None]


def test_a_name_stands_for_all_of_its_addresses(pair, tmp_path, monkeypatch):
    """One refuses, one does not answer, the third one does; each has its share of the time."""
    with tls_servers.tls(pair, tmp_path) as server, tls_servers.full_house() as full:
        ports = [tls_servers.free_port(), full, server.port]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        began = time.monotonic()
        assert look(443, host="many.example", timeout=4).chain[0] == pair.value
    assert 1.9 < time.monotonic() - began < 3.9


def test_ipv6(pair, tmp_path):
    """An address in square brackets on the outside, and without on the inside."""
    if not socket.has_ipv6:
        pytest.skip("there is no IPv6")
    with pytest.raises(connecting.NetError, match=r"cannot connect to \[::1\]:1: "):
        look(1, host="::1")


# --- Client certificates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_a_server_that_requires_a_client_certificate(pair, tmp_path, version):
    """It is reported by its chain: in TLS 1.2 it ends the handshake after it has shown it, in 1.3 later."""
    tls_servers.write(pair, tmp_path)
    with tls_servers.openssl_server(tmp_path, f"-{version}", "-cert_chain", "above.pem", "-Verify", "1") as port:
        presented = look(port)
    assert presented.chain == (pair.value, *map(pki.value, pair.above))


def test_nginx_that_requires_a_client_certificate(pair, tmp_path):
    """It does not refuse before HTTP."""
    with tls_servers.nginx(pair, tmp_path) as port:
        assert look(port).chain == (pair.value, *map(pki.value, pair.above))


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_client_certificate(root, tmp_path, version, kind):
    """It reaches the server, with the CA between, so that a server that knows the root only accepts it."""
    issuing = root.intermediate(begin=NOW - pki.DAY, end=NOW + pki.YEAR)
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    mine = issuing.issue(key=key, **SOON)
    client = tls.Credentials(mine.key, (mine.value, issuing.value))
    server_pair = root.issue(pki.name(CN="server.example"), **SOON)
    version = ssl.TLSVersion[version]
    with tls_servers.tls(server_pair, tmp_path, version=version, client_ca=root) as server:
        presented = look(server.port, client=client, verdict=trust)
        assert presented.chain[0] == server_pair.value
        for _ in range(100):
            if server.clients:
                break
            time.sleep(0.05)
    assert server.clients == [["Acme Ltd", "acme-client-id"]]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_certificate_is_shown_to_a_trusted_server_only(root, pair, tmp_path, version):
    """The verdict falls within the handshake: a server that it refuses never sees the certificate, and is reported."""
    mine = root.issue(**SOON)
    client = tls.Credentials(mine.key, (mine.value,))

    def refuse(presented):
        raise tls.UntrustedError(f"not {presented.chain[0].subject.text}", hint="")

    with tls_servers.recording(pair, tmp_path, ssl.TLSVersion[version]) as (port, shown, sent):
        assert look(port, client=client, verdict=refuse).chain[0] == pair.value
        assert failure(port, client=client)[1] == "the TLS handshake failed: certificate verify failed"
        time.sleep(0.1)
        assert (shown, sent) == ([], [])
        assert look(port, client=client, verdict=trust).chain[0] == pair.value
        for _ in range(100):
            if shown:
                break
            time.sleep(0.05)
    assert set(shown) == {"CN=acme-client-id,O=Acme Ltd"}


def test_a_client_s_key_stays_out_of_sight(root):
    """Of what is printed."""
    pair = root.issue()
    assert "key" not in repr(tls.Credentials(pair.key, (pair.value,)))


def test_a_client_certificate_and_the_key_of_another(root):
    """It is refused before any server is asked."""
    with pytest.raises(InputError, match="the private key does not belong to the client certificate"):
        tls.Credentials(root.issue().key, (root.issue().value,))


def test_a_client_s_key_without_a_certificate(root):
    """As above."""
    with pytest.raises(InputError, match="a private key was given without its client certificate"):
        tls.Credentials(root.issue().key, ())


def test_a_client_s_key_of_a_kind_that_cannot_sign(root):
    """There are certificates for such keys, and they are none for TLS."""
    key = x25519.X25519PrivateKey.generate()
    pair = root.issue(key=key)
    with pytest.raises(InputError, match="TLS does not support this type of client certificate"):
        tls.context(tls.Credentials(key, (pair.value,)))


# --- What goes wrong ------------------------------------------------------------------------------------------------

NOT_TLS = "the server does not speak TLS"
ALERT = "the server sent the TLS alert "


def record(kind, content):
    """A record of TLS 1.2."""
    return bytes([kind, 3, 3]) + len(content).to_bytes(2) + content


def test_nobody_listens():
    """The connection is refused."""
    assert failure(tls_servers.free_port()) == ("connection_failed", "connection refused")


def test_a_name_that_does_not_exist():
    """Top level `invalid` never does (RFC 6761)."""
    trouble, _ = failure(443, host="certkit.invalid", timeout=60)
    assert trouble == "host_not_found"


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..b"])
def test_what_cannot_be_a_name(host):
    """It is not found, and nothing worse."""
    trouble, words = failure(443, host=host)
    assert (trouble, words) == ("host_not_found", "not a host name")


NO_GOOD = {
    "http": (tls_servers.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NOT_TLS + ": it answers in plain HTTP"),
    "ssh": (tls_servers.saying(b"SSH-2.0-x\r\n"), NOT_TLS + ": it speaks SSH"),
    "smtp": (tls_servers.saying(b"220 mail.example\r\n"), NOT_TLS + ": it greets as mail servers do"),
    "imap": (tls_servers.saying(b"* OK ready\r\n"), NOT_TLS + ": it greets as IMAP servers do"),
    "pop3": (tls_servers.saying(b"+OK ready\r\n"), NOT_TLS + ": it greets as POP3 servers do"),
    "mysql": (tls_servers.saying(tls_servers.mysql_greeting(0)), NOT_TLS + ": it greets as MySQL servers do"),
    "prose": (tls_servers.saying(b"what do you want?\r\n"), NOT_TLS),
    "zeros": (tls_servers.flooding(b"\0"), NOT_TLS),
    "closes": (tls_servers.answering(b""), "the server closed the connection during the handshake"),
    "resets": (tls_servers.resetting, "the server reset the connection during the handshake"),
    "alert in parts": (tls_servers.dripping(record(21, b"\x02\x28")), ALERT + "handshake failure"),
    "alert": (tls_servers.answering(record(21, b"\x02\x28")), ALERT + "handshake failure"),
    "out of turn": (tls_servers.answering(record(22, b"\x0e\0\0\0")), "the TLS handshake failed: unexpected message"),
    "endless": (tls_servers.flooding(record(22, b"\0\0\0\0")), "the server sent more than 524,288 bytes"),
}


@pytest.mark.parametrize("case", NO_GOOD)
def test_servers_that_are_no_good(case):
    """Each is an error in plain words, within the timeout."""
    talk, words = NO_GOOD[case]
    with tls_servers.serving(talk) as server:
        assert failure(server.port) == ("tls_failed", words)


def test_a_server_that_knows_no_such_name(pair, tmp_path):
    """Its alert is named."""
    with tls_servers.tls(pair, tmp_path, refuses_names=True) as server:
        assert failure(server.port, server_name="no.example") == ("tls_failed", ALERT + "unrecognized name")


def test_a_server_without_a_certificate(tmp_path, pair):
    """One that agrees on a secret has none to show; nothing is agreed with it."""
    tls_servers.write(pair, tmp_path)
    with tls_servers.openssl_server(tmp_path, "-nocert", "-psk", "1234") as port:
        assert failure(port) == ("tls_failed", ALERT + "handshake failure")


def test_a_chain_without_an_end(root, tmp_path):
    """A hundred certificates are taken, more are not; nor are more bytes than OpenSSL takes."""
    leaf = root.issue()
    with tls_servers.tls(pki.Pair(leaf.certificate, leaf.key, (root.certificate,) * 99), tmp_path) as server:
        assert len(look(server.port).chain) == 100
    with tls_servers.tls(pki.Pair(leaf.certificate, leaf.key, (root.certificate,) * 100), tmp_path) as server:
        assert failure(server.port) == ("tls_failed", "the server sent more than 100 certificates")
    with tls_servers.tls(pki.Pair(leaf.certificate, leaf.key, (root.certificate,) * 400), tmp_path) as server:
        assert failure(server.port) == ("tls_failed", "the TLS handshake failed: excessive message size")


class Forged:
    """A certificate that OpenSSL reads although the BOOLEAN of a critical extension is not DER."""

    def __init__(self, certificate):
        self._certificate = certificate

    def public_bytes(self, _):
        """PEM, as servers' files are."""
        der = self._certificate.public_bytes(Encoding.DER)
        return ssl.DER_cert_to_PEM_cert(der.replace(b"\x01\x01\xff", b"\x01\x01\x01", 1)).encode()


def test_a_certificate_above_that_cannot_be_read(pair, tmp_path):
    """The others are read, and it is reported."""
    first, second = pair.above
    with tls_servers.tls(pki.Pair(pair.certificate, pair.key, (Forged(first), second)), tmp_path) as server:
        presented = look(server.port)
    assert presented.chain == (pair.value, pki.value(second))
    [problem] = presented.unreadable
    rule = "a BOOLEAN that is neither 00 nor FF (X.690 section 11.1)"
    assert problem == f"certificate 2 of 3: the certificate breaks a rule of its encoding: {rule}"


def test_a_server_s_own_certificate_that_cannot_be_read(issuing, tmp_path):
    """There is nothing to look at."""
    pair = issuing.issue(extensions=[pki.SERVER, pki.key_usage(digital_signature=True)])
    with tls_servers.tls(pki.Pair(Forged(pair.certificate), pair.key, pair.above), tmp_path) as server:
        trouble, words = failure(server.port)
    assert trouble == "tls_failed"
    assert words.startswith("the server's certificate cannot be read: ")


# --- Time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "talk", [tls_servers.silent, tls_servers.dripping(record(22, b"\2" * 16384))], ids=["silent", "dripping"]
)
def test_a_handshake_that_does_not_end(talk):
    """The limit is one for all of it, however often something comes in."""
    with tls_servers.serving(talk) as server:
        words = "no response within 0.3 seconds (TLS handshake)"
        assert failure(server.port, timeout=0.3) == ("timed_out", words)


def test_a_dialogue_that_does_not_end():
    """The same limit."""
    with tls_servers.serving(tls_servers.silent) as server:
        words = "no response within 0.3 seconds (STARTTLS of smtp)"
        assert failure(server.port, timeout=0.3, protocol="smtp") == ("timed_out", words)


def test_a_connection_that_nobody_takes():
    """The same limit."""
    with tls_servers.full_house() as port:
        assert failure(port, timeout=0.3) == ("timed_out", "no response within 0.3 seconds (connecting)")


@pytest.fixture
def hanging(monkeypatch):
    """Look-ups of names that do not end before the test does; how many there are at a time."""
    end, genuine, begun = threading.Event(), socket.getaddrinfo, []

    def look_up(host, port, *arguments, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            return genuine(host, port, *arguments, flags=flags, **options)
        begun.append(host)
        end.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield begun
    end.set()


def test_a_look_up_that_does_not_end(hanging):
    """The same limit, though nothing can end the look-up itself."""
    words = "no response within 0.3 seconds (resolving the host name)"
    assert failure(443, host="slow.example", timeout=0.3) == ("timed_out", words)


def test_look_ups_without_number(hanging, pair, tmp_path):
    """So many hang at a time and no more; addresses need none."""

    async def ask():
        deadline = connecting.Deadline.after(1.5)
        names = [connecting.connect(f"h{number}.example", 443, deadline=deadline) for number in range(600)]
        return await asyncio.gather(*names, return_exceptions=True)

    errors = asyncio.run(ask())
    assert {error.trouble.value for error in errors} == {"timed_out"}
    assert len(hanging) <= 512
    with tls_servers.tls(pair, tmp_path) as server:
        assert look(server.port).chain[0] == pair.value


# --- STARTTLS -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", tls_servers.PROTOCOLS)
def test_starttls(pair, tmp_path, protocol):
    """After the dialogue of each protocol, the chain is seen."""
    with tls_servers.tls(pair, tmp_path, before=tls_servers.DIALOGUES[protocol]) as server:
        assert look(server.port, protocol=protocol).chain == (pair.value, *map(pki.value, pair.above))


@pytest.mark.parametrize("protocol", tls_servers.PROTOCOLS)
def test_openssl_agrees_with_the_servers_of_these_tests(pair, tmp_path, protocol):
    """Another client has the same dialogue with them, and sees the same certificate."""
    with tls_servers.tls(pair, tmp_path, before=tls_servers.DIALOGUES[protocol]) as server:
        command = ("s_client", "-connect", f"127.0.0.1:{server.port}", "-starttls", protocol)
        seen = openssl(*command, check=False).stdout
    assert b"subject=CN = server.example" in seen or b"subject=CN=server.example" in seen


REFUSING = {
    "smtp greeting": ("smtp", tls_servers.saying(b"554 no\r\n"), "554 no"),
    "smtp offer": (
        "smtp",
        tls_servers.saying(b"220 hello\r\n250-mail\r\n250 HELP\r\n"),
        "the server does not offer it",
    ),
    "smtp": (
        "smtp",
        tls_servers.saying(b"220 hello\r\n250 STARTTLS\r\n454 4.7.0 TLS not available\r\n"),
        "454 4.7.0 TLS not available",
    ),
    "imap greeting": ("imap", tls_servers.saying(b"* BYE busy\r\n"), "* BYE busy"),
    "imap": ("imap", tls_servers.saying(b"* OK\r\n* X\r\na NO not here\r\n"), "a NO not here"),
    "pop3 greeting": ("pop3", tls_servers.saying(b"-ERR busy\r\n"), "-ERR busy"),
    "pop3": ("pop3", tls_servers.saying(b"+OK\r\n-ERR what?\r\n"), "-ERR what?"),
    "ldap": ("ldap", tls_servers.saying(tls_servers.ldap_answer(52, b"not now")), "result 52 not now"),
    "postgres": ("postgres", tls_servers.saying(b"N"), "it answers N"),
    "mysql": (
        "mysql",
        tls_servers.saying(tls_servers.mysql_greeting(0x8200)),
        "the server does not offer it",
    ),
    "mysql error": (
        "mysql",
        tls_servers.saying(b"\x17\0\0\0\xff\x69\x04Host is not allowed."),
        "Host is not allowed.",
    ),
}


@pytest.mark.parametrize("case", REFUSING)
def test_a_server_that_refuses_starttls(case):
    """In its own words."""
    protocol, talk, words = REFUSING[case]
    with tls_servers.serving(talk) as server:
        refused = ("tls_failed", f"the server rejected STARTTLS: {words}")
        assert failure(server.port, protocol=protocol) == refused


STRANGE = {
    "smtp": ("smtp", tls_servers.saying(b"SSH-2.0-x\r\n"), "SSH-2.0-x"),
    "smtp control characters": (
        "smtp",
        tls_servers.saying(b"\x1b[2J\x9b \xe2\x80\xae\r\n"),
        "\\1B[2J\\C2\\9B â\\C2\\80®",
    ),
    "smtp line": ("smtp", tls_servers.flooding(b"2"), "its line is too long"),
    "smtp lines": ("smtp", tls_servers.flooding(b"220-hello\r\n"), "it sent more than 65,536 octets"),
    "imap": ("imap", tls_servers.saying(b"220 hello\r\n"), "220 hello"),
    "imap lines": ("imap", tls_servers.flooding(b"* OK\r\n"), "it sent more than 65,536 octets"),
    "pop3": ("pop3", tls_servers.saying(b"* OK\r\n"), "* OK"),
    "ldap": ("ldap", tls_servers.saying(b"220 hello\r\n"), "its answer is not an LDAP message"),
    "ldap empty": ("ldap", tls_servers.saying(b"\x30\x00"), "unexpected answer"),
    "ldap cut": ("ldap", tls_servers.saying(b"\x30\x05\x02\x01\x01\x78\x7f"), "unexpected answer"),
    "ldap long": ("ldap", tls_servers.saying(b"\x30\x84\xff\xff\xff\xff"), "it announces 4,294,967,295 octets"),
    "ldap endless": ("ldap", tls_servers.saying(b"\x30\x80\x02"), "its answer is not an LDAP message"),
    "postgres": ("postgres", tls_servers.saying(b"X"), "unexpected answer"),
    "mysql": ("mysql", tls_servers.flooding(b"220 hello\r\n"), "it announces 3,158,578 octets"),
    "mysql version": ("mysql", tls_servers.saying(b"\x03\0\0\0\x09xx"), "unexpected greeting"),
    "mysql cut": ("mysql", tls_servers.saying(b"\x03\0\0\0\x0a8\0"), "unexpected greeting"),
    "closed": ("smtp", tls_servers.closing, "it closed the connection"),
    "injection": (
        "smtp",
        tls_servers.saying(b"220 hello\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n"),
        "it sent more plain text after agreeing to TLS",
    ),
    "postgres injection": (
        "postgres",
        tls_servers.saying(b"SELECT"),
        "it sent more plain text after agreeing to TLS",
    ),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_server_of_another_kind(case):
    """Its output is bounded, and shown without control characters."""
    protocol, talk, words = STRANGE[case]
    with tls_servers.serving(talk) as server:
        failed = failure(server.port, protocol=protocol, timeout=TIMEOUT)
    assert failed == ("tls_failed", f"the server does not speak {protocol}: {words}")
