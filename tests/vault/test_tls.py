"""TLS with a real OpenBao: private CA, client certificates, names, and what goes wrong."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.errors import InputError
from certkit.net.proxy import Proxies
from certkit.secret import Secret
from certkit.vault import connection
from certkit.vault.errors import Fault, UncertainWrite, VaultError
from certkit.vault.kv import Kv
from certkit.vault.settings import Login, Tls, VaultSettings
from tests import pki
from tests.conftest import openssl


@pytest.fixture
def client_pair(openbao_tls, tmp_path):
    """The files of a client certificate of the server's own CA."""
    begin, end = datetime.now(UTC) - pki.DAY, datetime.now(UTC) + pki.YEAR
    pair = openbao_tls.ca.issue(pki.name(CN="acme-client"), begin=begin, end=end)
    certificate, key = pair.write(tmp_path, "client")
    return {"certificate": str(certificate), "key": str(key)}


def failure(work):
    """The error that some work ends with."""
    with pytest.raises(VaultError) as caught:
        work()
    return caught.value


def test_a_private_ca_is_trusted(connect, openbao_tls):
    """VAULT_CACERT names its certificate."""
    assert connect(openbao_tls.settings()).token().policies == ("root",)


def test_a_folder_of_cas_is_trusted(connect, openbao_tls, tmp_path):
    """VAULT_CAPATH names a folder whose files need no particular names; what is no certificate is passed over."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "our-ca.txt").write_bytes(openbao_tls.ca.pem)
    (tmp_path / "other.pem").write_bytes(pki.root().pem)
    (tmp_path / "README").write_text("certificates, from München")
    tls = {"ca_file": "", "ca_folder": str(tmp_path)}
    assert connect(openbao_tls.settings(tls=tls)).token().policies == ("root",)


def test_the_server_s_own_certificate_can_be_trusted(connect, openbao_tls):
    """As with Go, trust need not go up to a root."""
    own = str(openbao_tls.folder / "server.pem")
    assert connect(openbao_tls.settings(tls={"ca_file": own})).token().policies == ("root",)


@pytest.mark.parametrize("ca_file", ["", "other.pem"])
def test_a_server_of_an_unknown_ca_is_not_trusted(connect, openbao_tls, tmp_path, ca_file):
    """Neither by the system's roots nor by another CA."""
    (tmp_path / "other.pem").write_bytes(pki.root().pem)
    tls = {"ca_file": ca_file and str(tmp_path / ca_file)}
    error = failure(lambda: connect(openbao_tls.settings(tls=tls)).token())
    assert error.kind is Fault.TLS_UNTRUSTED
    assert error.message.startswith(f"cannot reach {openbao_tls.address}: its certificate is not trusted: ")
    assert error.hint == "set VAULT_CACERT to the certificate of the server's CA"


def test_another_name_can_be_expected(connect, openbao_tls):
    """VAULT_TLS_SERVER_NAME takes the place of the name of the address."""
    settings = openbao_tls.settings(tls={"server_name": "vault.internal"})
    assert connect(settings).token().policies == ("root",)


@pytest.mark.parametrize("name", ["common.internal", "vault.example"])
def test_the_name_must_fit(connect, openbao_tls, name):
    """It must be one of the certificate's; its common name does not count."""
    error = failure(lambda: connect(openbao_tls.settings(tls={"server_name": name})).token())
    assert error.kind is Fault.TLS_WRONG_NAME
    why = f"hostname mismatch, certificate is not valid for '{name}'"
    assert error.message == f"cannot reach {openbao_tls.address}: its certificate is for another name: {why}"


def test_verification_can_be_skipped(connect, openbao_tls):
    """VAULT_SKIP_VERIFY believes anybody."""
    tls = {"ca_file": "", "skip_verify": True, "server_name": "whatever"}
    assert connect(openbao_tls.settings(tls=tls)).token().policies == ("root",)


def test_a_client_certificate_is_shown(connect, openbao_tls, client_pair):
    """VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are accepted by a listener that requires them."""
    settings = openbao_tls.settings(address=openbao_tls.strict_address, tls=client_pair)
    assert connect(settings).token().policies == ("root",)


def test_without_a_client_certificate_the_refusal_is_explained(connect, openbao_tls):
    """With TLS 1.3 it comes after the handshake, as an alert or as a closed connection."""
    settings = openbao_tls.settings(address=openbao_tls.strict_address)
    error = failure(lambda: connect(settings).token())
    assert error.message.startswith(f"cannot reach {openbao_tls.strict_address}: ")
    assert error.kind in {Fault.TLS, Fault.CONNECTION}


@contextlib.contextmanager
def alerting_server(pair, folder, version):
    """A server that reads a request, and ends the connection by an alert: what comes next it cannot decrypt."""
    certificate, key = pair.write(folder, "alerting")
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate, key)
    settings.minimum_version = settings.maximum_version = version

    def serve():
        connected, _ = listener.accept()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = settings.wrap_bio(incoming, outgoing, server_side=True)
        request = b""
        with connected:
            while not request.endswith(b"}"):
                try:
                    tls.do_handshake()
                    request += tls.read(65536)
                except ssl.SSLWantReadError:
                    connected.sendall(outgoing.read())
                    incoming.write(connected.recv(65536))
            incoming.write(b"\x17\x03\x03\x00\x30" + bytes(48))
            with contextlib.suppress(ssl.SSLError):
                tls.read(1)
            connected.sendall(outgoing.read())
            connected.shutdown(socket.SHUT_WR)
            connected.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", str(certificate)
        thread.join(5)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_alert_after_a_write_leaves_its_outcome_open(connect, tmp_path, version):
    """The server may have acted upon the request before something went wrong with the connection."""
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    begin, end = datetime.now(UTC) - pki.DAY, datetime.now(UTC) + pki.YEAR
    pair = pki.root().issue(begin=begin, end=end, extensions=[pki.SERVER, address])
    with alerting_server(pair, tmp_path, version) as (where, ca_file):
        settings = VaultSettings(address=where, token=Secret(b"s.token"), tls=Tls(ca_file=ca_file), timeout=5)
        with pytest.raises(UncertainWrite, match=r"rejected the TLS connection: .*alert bad record mac"):
            Kv(connect(settings).transport, "secret").write("a", {"b": "c"})


@pytest.mark.parametrize(
    ("alert", "was_sent"),
    [
        ("SSLV3_ALERT_BAD_CERTIFICATE", False),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", False),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", False),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", False),
        ("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", False),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", False),
        ("TLSV1_ALERT_UNKNOWN_CA", False),
        ("TLSV1_ALERT_ACCESS_DENIED", False),
        ("TLSV1_ALERT_DECRYPT_ERROR", False),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", False),
        ("TLSV1_ALERT_INTERNAL_ERROR", True),
        ("TLSV1_ALERT_USER_CANCELLED", True),
        ("SSLV3_ALERT_UNEXPECTED_MESSAGE", True),
        ("SSLV3_ALERT_BAD_RECORD_MAC", True),
        ("TLSV1_ALERT_RECORD_OVERFLOW", True),
    ],
)
def test_only_an_alert_about_the_client_says_that_nothing_was_done(alert, was_sent):
    """By OpenSSL's names of all alerts that can come after the handshake."""
    error = ssl.SSLError(1, alert)
    error.reason = alert
    explained = connection.explained(error, place="https://vault", seconds=1, was_sent=True)
    assert (explained.was_sent, explained.kind) == (was_sent, Fault.TLS)


def test_the_login_by_certificate_works(connect, openbao_tls, client_pair):
    """The certificate of the connection is the credential; a role may be named."""
    api = openbao_tls.plain.api
    api("POST", "sys/auth/cert", {"type": "cert"})
    ca = openbao_tls.ca.pem.decode()
    api("POST", "auth/cert/certs/acme", {"certificate": ca, "token_policies": "default", "token_ttl": "1h"})
    for fields in ({}, {"name": "acme"}):
        login = Login("cert", "cert", fields)
        token = connect(openbao_tls.settings(token=None, login=login, tls=client_pair)).token()
        assert token.display_name == "cert-acme"
    error = failure(lambda: connect(openbao_tls.settings(token=None, login=Login("cert", "cert", {}))))
    assert error.kind is Fault.LOGIN


def test_a_host_may_end_with_a_dot(connect, openbao_tls, monkeypatch):
    """It is looked up so, and asked for, verified and named in requests without the dot."""
    real = socket.getaddrinfo
    found = {"vault.internal.": "127.0.0.1"}

    def look_up(host, *rest, flags=0, **more):
        return real(found.get(host, host) if not flags else host, *rest, flags=flags, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    address = openbao_tls.address.replace("127.0.0.1", "vault.internal.")
    assert connect(openbao_tls.settings(address=address)).token().policies == ("root",)


def test_https_to_a_plain_server_is_recognised(connect, openbao):
    """The address has the wrong scheme."""
    address = openbao.address.replace("http:", "https:")
    error = failure(lambda: connect(openbao.settings(address=address)).token())
    assert error.message == f"cannot reach {address}: the server does not speak TLS (wrong version number)"
    assert error.hint == "check VAULT_ADDR: should it be http://?"


def test_http_to_a_tls_server_is_recognised(connect, openbao_tls):
    """The other way round."""
    address = openbao_tls.address.replace("https:", "http:")
    error = failure(lambda: connect(openbao_tls.settings(address=address)).token())
    assert error.message == f"cannot reach {address}: it requires TLS"


def test_unusable_files_are_named(connect, openbao_tls, client_pair, tmp_path):
    """Which file, what is wrong with it, and by which variable it was given."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing here")
    cases = [
        ({"ca_file": "/nowhere"}, "cannot read /nowhere: no such file or directory (VAULT_CACERT)"),
        ({"ca_file": str(empty)}, f"cannot read {empty}: it contains no CA certificate (VAULT_CACERT)"),
        (
            {"ca_file": "", "ca_folder": str(tmp_path / "none")},
            f"cannot read {tmp_path}/none: it contains no CA certificate (VAULT_CAPATH)",
        ),
        (
            {**client_pair, "certificate": "/nowhere"},
            "cannot read /nowhere: no such file or directory (VAULT_CLIENT_CERT)",
        ),
        ({**client_pair, "key": str(empty)}, f"cannot use {client_pair['certificate']} with {empty}: "),
    ]
    for tls, message in cases:
        with pytest.raises(InputError) as caught:
            connect(openbao_tls.settings(tls=tls)).token()
        assert caught.value.message.startswith(message)


def test_a_key_with_a_passphrase_does_not_wait_for_a_prompt(connect, openbao_tls, client_pair, tmp_path):
    """OpenSSL would ask on the terminal."""
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", client_pair["key"], "-aes256", "-passout", "pass:word", "-out", locked)
    with pytest.raises(InputError) as caught:
        connect(openbao_tls.settings(tls={**client_pair, "key": str(locked)})).token()
    pair = f"{client_pair['certificate']} with {locked}"
    assert caught.value.message == f"cannot use {pair}: the key has a passphrase (VAULT_CLIENT_CERT)"


def test_an_expired_server_certificate_is_said_to_be_expired(connect, openbao_tls, tmp_path):
    """Its own hint: it is not a matter of trust."""
    begin = datetime.now(UTC) - pki.YEAR
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pair = openbao_tls.ca.issue(extensions=(pki.SERVER, address), begin=begin, end=begin + pki.DAY)
    certificate, key = pair.write(tmp_path, "expired")
    with handshaking_server(certificate, key) as address:
        error = failure(lambda: connect(openbao_tls.settings(address=address)).token())
    assert error.message == f"cannot reach {address}: its certificate has expired"
    assert error.kind is Fault.TLS


def test_a_proxy_passes_on_what_it_cannot_read(connect, openbao_tls):
    """Through a tunnel the server proves who it is, and the proxy sees no token."""
    target = openbao_tls.address.removeprefix("https://")
    with tunnelling_proxy() as (address, seen):
        settings = openbao_tls.settings(proxies=Proxies(always=address))
        assert connect(settings).token().policies == ("root",)
    assert seen[0].startswith(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode())
    assert openbao_tls.plain.token.encode() not in b"".join(seen)


@contextlib.contextmanager
def tunnelling_proxy():
    """A proxy for one connection; its address, and all that clients sent to it."""
    seen = []

    def relay(source, sink, log):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                log.append(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve():
        client, _ = listener.accept()
        with client:
            seen.append(client.recv(65536))
            host, _, port = seen[0].split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=relay, args=(server, client, []), daemon=True)
                back.start()
                relay(client, server, seen)
                back.join(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen


class handshaking_server:  # noqa: N801  used like a function
    """A server that shakes hands and says no more."""

    def __init__(self, certificate, key):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self):
        try:
            connected, _ = self._listener.accept()
            with connected, self._context.wrap_socket(connected, server_side=True):
                pass
        except OSError:
            pass

    def __exit__(self, *_):
        self._listener.close()
