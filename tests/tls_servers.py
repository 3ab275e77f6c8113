"""Servers for tests: sound ones that speak TLS, some of them after a dialogue of another protocol, and hostile ones."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from tests.conftest import require_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.pki import Pair

    Talk = Callable[[socket.socket], None]

ATTENDING = "a connection of a server for tests"
PROTOCOLS = ("smtp", "imap", "pop3", "ldap", "postgres", "mysql")


@dataclass
class Server:
    """A server that is running: its port, and what it has seen of its clients."""

    port: int
    names: list[str | None] = field(default_factory=list)
    clients: list[list[str]] = field(default_factory=list)
    open: int = 0
    accepted: int = 0


@contextlib.contextmanager
def serving(talk: Talk, *, server: Server | None = None) -> Iterator[Server]:
    """A TCP server on 127.0.0.1 that lets `talk` loose on each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = server or Server(0)
    server.port = listener.getsockname()[1]
    connections: list[socket.socket] = []
    lock = threading.Lock()

    def attend(connection: socket.socket) -> None:
        with lock:
            server.open += 1
        try:
            with contextlib.suppress(OSError), connection:
                talk(connection)
        finally:
            with lock:
                server.open -= 1

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(30)
                server.accepted += 1
                connections.append(connection)
                threading.Thread(target=attend, args=(connection,), name=ATTENDING, daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        for each in (listener, *connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        accepting.join()


@contextlib.contextmanager
def tls(
    pair: Pair,
    folder: Path,
    *,
    before: Talk = lambda _: None,
    version: ssl.TLSVersion | None = None,
    client_ca: Pair | None = None,
    refuses_names: bool = False,
) -> Iterator[Server]:
    """A server that presents a pair's certificate and those above it, once `before` has been said.

    With `client_ca`, it wants a client certificate of that CA and remembers the subjects that were presented.
    """
    server = Server(0)
    context = _context(pair, folder)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem.decode())

    def named(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
        server.names.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if refuses_names else None

    context.sni_callback = named

    def talk(connection: socket.socket) -> None:
        before(connection)
        with context.wrap_socket(connection, server_side=True) as secure:
            certificate = secure.getpeercert() or {}
            server.clients.append([value for part in certificate.get("subject", ()) for _, value in part])
            secure.recv(1)

    with serving(talk, server=server):
        yield server


@contextlib.contextmanager
def web(
    pair: Pair,
    folder: Path,
    answer: bytes,
    *,
    version: ssl.TLSVersion | None = None,
    client_ca: Pair | None = None,
    after: Talk = lambda _: None,
) -> Iterator[list[bytes]]:
    """A server that reads a request and says the same to each; the requests, behind its port as the first entry."""
    context = _context(pair, folder)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem.decode())
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            heard = b""
            while b"\r\n\r\n" not in heard and (more := secure.recv(65536)):
                heard += more
            seen.append(heard)
            secure.sendall(answer)
            after(secure)

    with serving(talk) as server:
        seen.append(str(server.port).encode())
        yield seen


@contextlib.contextmanager
def recording(pair: Pair, folder: Path, version: ssl.TLSVersion) -> Iterator[tuple[int, list[str], list[bytes]]]:
    """A server that asks for a client certificate; its port, the subjects of those it was shown, and what it was sent.

    It notes a certificate as soon as the client's message has come, whatever becomes of the handshake.
    """
    from OpenSSL import SSL

    write(pair, folder)
    shown: list[str] = []
    sent: list[bytes] = []

    def note(_: object, certificate: Any, __: int, depth: int, ___: int) -> bool:
        if depth == 0:
            shown.append(certificate.to_cryptography().subject.rfc4514_string())
        return True

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(version.value)
    context.set_max_proto_version(version.value)
    context.use_certificate_chain_file(str(folder / "chain.pem"))
    context.use_privatekey_file(str(folder / "server.key"))
    context.set_verify(SSL.VERIFY_PEER, note)

    def talk(connection: socket.socket) -> None:
        connection.settimeout(None)
        secure = SSL.Connection(context, connection)
        secure.set_accept_state()
        with contextlib.suppress(SSL.Error):
            secure.do_handshake()
            sent.append(secure.recv(65536))
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(talk) as server:
        yield server.port, shown, sent


def refusing(pair: Pair, folder: Path, alert: int) -> Talk:
    """Shake hands in TLS 1.2 until the client has shown its certificate, and then say this alert."""
    context = _context(pair, folder)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(folder / "chain.pem")

    def talk(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = context.wrap_bio(incoming, outgoing, server_side=True)
        while not outgoing.pending:
            incoming.write(connection.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                secure.do_handshake()
        connection.sendall(outgoing.read())
        connection.recv(65536)
        connection.sendall(bytes([0x15, 3, 3, 0, 2, 2, alert]))

    return talk


def tunnel(seen: list[bytes], *, user: str = "") -> Talk:
    """A proxy that makes a way to any host; it remembers what it was asked, and may demand `USER:PASSWORD`."""

    def talk(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        seen.append(head)
        if user and b"Proxy-Authorization: Basic " + base64.b64encode(user.encode()) not in head:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # a body; unread, it would be answered by a reset
                pass
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as other:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pour, args=(other, connection), daemon=True)
            back.start()
            _pour(connection, other)
            back.join(10)

    return talk


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _context(pair: Pair, folder: Path) -> ssl.SSLContext:
    write(pair, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "server.key")
    return context


def write(pair: Pair, folder: Path) -> None:
    """Write what servers read: chain.pem, with the root too, above.pem, without the server's own, and server.key."""
    own, *above = (each.public_bytes(serialization.Encoding.PEM) for each in (pair.certificate, *pair.above))
    (folder / "chain.pem").write_bytes(b"".join([own, *above]))
    (folder / "above.pem").write_bytes(b"".join(above))
    (folder / "server.key").write_bytes(pair.key_pem)


@contextlib.contextmanager
def openssl_server(folder: Path, *options: str) -> Iterator[int]:
    """Openssl's own server with chain.pem and server.key of a folder; its port."""
    port = free_port()
    command = [require_program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-naccept", "100"]
    command += ["-cert", "chain.pem", "-key", "server.key", *options]
    with (folder / "s_server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log)
    # It hangs up at the end of its standard input.
    with ending(process):
        wait_for(lambda: b"ACCEPT" in (folder / "s_server.log").read_bytes(), process)
        yield port


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
        ssl_client_certificate {folder}/{client_ca};
        ssl_verify_client on;
        ssl_session_cache off;
        ssl_session_tickets off;
        {more}
    }}
}}
"""


@contextlib.contextmanager
def nginx(pair: Pair, folder: Path, *, client_ca: str = "chain.pem", more: str = "") -> Iterator[int]:
    """An nginx that wants client certificates, of the CAs in a file of the folder; its port."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or require_program("nginx")
    port = free_port()
    write(pair, folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, client_ca=client_ca, more=more))
    command = [program, "-e", folder / "error.log", "-p", folder, "-c", configuration]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with ending(process):
        wait_for(lambda: listens(port), process)
        yield port


APACHE = """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
Mutex file:{folder}
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule ssl_module {modules}/mod_ssl.so
DocumentRoot {folder}/www
<Directory {folder}/www>
    Require all granted
</Directory>
SSLEngine on
SSLCertificateFile {folder}/chain.pem
SSLCertificateKeyFile {folder}/server.key
SSLCACertificateFile {folder}/clients.pem
SSLProtocol {version}
{more}
<Location /mtls>
    SSLVerifyClient require
    SSLVerifyDepth 3
</Location>
"""


@contextlib.contextmanager
def apache(pair: Pair, folder: Path, *, client_ca: Pair, version: str, more: str = "") -> Iterator[int]:
    """An Apache that asks for a client certificate only below /mtls, after it has read the request; its port."""
    program = shutil.which("apache2", path="/usr/sbin:/usr/local/sbin") or require_program("apache2")
    port = free_port()
    write(pair, folder)
    (folder / "www" / "mtls").mkdir(parents=True)
    for place in ("www", "www/mtls"):
        (folder / place / "file").write_text("ok")
    (folder / "clients.pem").write_bytes(client_ca.pem)
    configuration = folder / "apache.conf"
    modules = "/usr/lib/apache2/modules"
    configuration.write_text(APACHE.format(folder=folder, port=port, modules=modules, version=version, more=more))
    process = subprocess.Popen(
        [program, "-DFOREGROUND", "-f", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with ending(process):
        wait_for(lambda: listens(port), process)
        yield port


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """See to it that a process ends."""
    with process:
        try:
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def wait_for(is_so: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so, for ten seconds and while the process lives."""
    for _ in range(200):
        if is_so():
            return
        assert process.poll() is None, process.args
        time.sleep(0.05)
    raise TimeoutError(process.args)


def free_port() -> int:
    """A port of 127.0.0.1 without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Return whether a port has a listener."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def full_house() -> Iterator[int]:
    """A port whose listener accepts no more connections, so that connecting to it hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)
            guest.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()[1]


# --- Dialogues before TLS, from the servers' side -------------------------------------------------------------------


def smtp(connection: socket.socket) -> None:
    """RFC 5321 and RFC 3207, with replies of several lines."""
    connection.sendall(b"220-mail.example ESMTP\r\n220 at your service\r\n")
    assert _line(connection).upper().startswith("EHLO ")
    connection.sendall(b"250-mail.example\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n")
    assert _line(connection).upper() == "STARTTLS"
    connection.sendall(b"220 2.0.0 ready\r\n")


def imap(connection: socket.socket) -> None:
    """RFC 9051; a client may ask what the server can do first."""
    connection.sendall(b"* OK [CAPABILITY IMAP4rev2 STARTTLS] ready\r\n")
    while True:
        tag, command = _line(connection).split(" ", 1)
        if command.upper() == "STARTTLS":
            connection.sendall(b"* CAPABILITY IMAP4rev2 STARTTLS\r\n" + tag.encode() + b" OK begin\r\n")
            return
        assert command.upper() == "CAPABILITY"
        connection.sendall(b"* CAPABILITY IMAP4rev2 STARTTLS\r\n" + tag.encode() + b" OK done\r\n")


def pop3(connection: socket.socket) -> None:
    """RFC 1939 and RFC 2595."""
    connection.sendall(b"+OK POP3 ready <1.2@mail.example>\r\n")
    assert _line(connection).upper() == "STLS"
    connection.sendall(b"+OK begin\r\n")


LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"


def ldap_answer(code: int, text: bytes = b"", *, padded: bool = False) -> bytes:
    """An extended response to message 1 (RFC 4511 section 4.12), its length as Active Directory writes it or short."""
    response = b"\x0a\x01" + bytes([code]) + b"\x04\x00" + b"\x04" + bytes([len(text)]) + text
    message = b"\x02\x01\x01\x78" + bytes([len(response)]) + response
    return b"\x30" + (b"\x84" + struct.pack(">I", len(message)) if padded else bytes([len(message)])) + message


def ldap(connection: socket.socket) -> None:
    """RFC 4511 section 4.14."""
    assert _octets(connection, len(LDAP_REQUEST)) == LDAP_REQUEST
    connection.sendall(ldap_answer(0, padded=True))


def postgres(connection: socket.socket) -> None:
    """PostgreSQL's SSLRequest: a length of 8, and 80877103."""
    assert struct.unpack(">II", _octets(connection, 8)) == (8, 80877103)
    connection.sendall(b"S")


def mysql_greeting(capabilities: int) -> bytes:
    """MySQL's "Protocol::HandshakeV10", as packet 0."""
    low, high = struct.pack("<H", capabilities & 0xFFFF), struct.pack("<H", capabilities >> 16)
    payload = b"\x0a8.0.36-certkit\0" + struct.pack("<I", 7) + b"12345678\0" + low + b"\x21" + b"\x02\0" + high
    payload += bytes([21]) + bytes(10) + b"123456789012\0" + b"mysql_native_password\0"
    return struct.pack("<I", len(payload))[:3] + b"\0" + payload


def mysql(connection: socket.socket) -> None:
    """MySQL's connection phase: a greeting, and "Protocol::SSLRequest" as packet 1."""
    connection.sendall(mysql_greeting(0x0008_AA00))
    header = _octets(connection, 4)
    assert header == b"\x20\0\0\x01"
    request = _octets(connection, 32)
    assert struct.unpack("<I", request[:4])[0] & 0x0800
    assert request[9:] == bytes(23)


DIALOGUES = {"smtp": smtp, "imap": imap, "pop3": pop3, "ldap": ldap, "postgres": postgres, "mysql": mysql}


def _octets(connection: socket.socket, count: int) -> bytes:
    heard = b""
    while len(heard) < count:
        more = connection.recv(count - len(heard))
        assert more, heard
        heard += more
    return heard


def _line(connection: socket.socket) -> str:
    heard = b""
    while not heard.endswith(b"\n"):
        heard += _octets(connection, 1)
    return heard.decode().rstrip("\r\n")


# --- Servers that are no good ---------------------------------------------------------------------------------------


def silent(connection: socket.socket) -> None:
    """Read, and never answer."""
    while connection.recv(65536):
        pass


def answering(words: bytes, *, end: bool = True) -> Talk:
    """Say these words once the client has said something; then close the connection, or read on."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(words)
        if not end:
            silent(connection)

    return talk


def closing(_: socket.socket) -> None:
    """Say nothing and go."""


def saying(words: bytes) -> Talk:
    """Say these words at once, and then nothing."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(words)
        silent(connection)

    return talk


def flooding(words: bytes, *, begin: bytes = b"") -> Talk:
    """Say the same for ever."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(begin)
        block = words * (65536 // len(words) + 1)
        while True:
            connection.sendall(block)

    return talk


def dripping(words: bytes) -> Talk:
    """Say these words an octet at a time: never silent, and not done for long."""

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in words:
            connection.sendall(bytes([octet]))
            time.sleep(0.02)
        silent(connection)

    return talk


def resetting(connection: socket.socket) -> None:
    """End the connection the hard way once the client has said something."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
