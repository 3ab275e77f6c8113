"""Connections to Vault: urllib3's, over sockets that are bounded in time and in size.

urllib3's time-outs are per read: a server that sends a byte now and then can stretch `Timeout(total=1)` as long as it
likes. So the socket is wrapped, and each read and write gets the time left until the deadline of the current request.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, InvalidChunkLength

from certkit.errors import InputError
from certkit.net import connecting, proxy
from certkit.vault.errors import Fault, VaultError
from certkit.vault.settings import read_named

if TYPE_CHECKING:
    from certkit.net.address import Address
    from certkit.net.connecting import Deadline
    from certkit.vault.settings import Tls

MAX_ANSWER_BYTES = 16 * 1024 * 1024

_PORTION_BYTES = 64 * 1024
# X509_V_ERR_... of OpenSSL's x509_vfy.h.
_WRONG_NAME = frozenset({62, 64})
_NOT_HTTP = ("the response is not valid HTTP", "check VAULT_ADDR: should it be https://?", Fault.NOT_VAULT)
# The alerts that refuse a client's certificate (RFC 8446 section 6.2); after any other, the server may have acted.
_REFUSES_CLIENT = re.compile("ALERT_(?:.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|DECRYPT_ERROR)")
_OUT_OF_DATE = {9: "is not valid yet", 10: "has expired"}


class TooLargeError(Exception):
    """An answer is larger than any that Vault would send."""


# What a request may raise where the connection breaks, the time is over, or the answer is not HTTP or is too large;
# `explained` tells them apart.
FAILURES = (OSError, HTTPError, http.client.HTTPException, TooLargeError)


class _BoundedSocket(io.RawIOBase):
    """A connected socket whose reads and writes end with a deadline and, for each answer, at a size.

    It takes the place of http.client's socket, and is also the raw end of the buffered reader that http.client makes of
    it. Neither end closes the socket: http.client does so before an answer that ends with the connection was read.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.deadline = connecting.Deadline.after(0)
        self.bytes_left = 0
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.socket.settimeout(self.deadline.left())
        count = self.socket.recv_into(buffer)
        self.bytes_left -= count
        self.has_ended = count == 0
        if self.bytes_left < 0:
            raise TooLargeError
        return count

    def sendall(self, data: bytes) -> None:
        self.socket.settimeout(self.deadline.left())
        self.socket.sendall(data)  # bounded as a whole, not for each packet

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self, _PORTION_BYTES)

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the deadline counts."""

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        """Do nothing: http.client closes too early (see the class)."""


class _StrictResponse(http.client.HTTPResponse):
    """A response with well-formed headers and a definite end, which http.client does not insist on."""

    def begin(self) -> None:
        super().begin()
        if getattr(getattr(self.fp, "raw", None), "has_ended", False):  # in the middle of the headers
            raise http.client.IncompleteRead(b"")
        lengths = set(self.msg.get_all("Content-Length", []))
        coding = self.msg.get("Transfer-Encoding", "chunked").lower()
        if self.msg.defects or len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)) or coding != "chunked":
            raise http.client.HTTPException("malformed headers")


_LENGTH = re.compile(r"[0-9]{1,12}")


class Connection(HTTPConnection):
    """A connection to a server, for one request at a time; its methods may raise `FAILURES`."""

    debuglevel = 0  # http.client would print the token
    auto_open = 0  # it would reconnect by itself, bypassing proxy and TLS
    response_class = _StrictResponse

    def __init__(self, connected: socket.socket, host: str) -> None:
        super().__init__(host)
        self._bounded = _BoundedSocket(connected)
        self.sock = self._bounded

    def ask(self, method: str, url: str, *, headers: dict[str, str], body: bytes | None, deadline: Deadline) -> None:
        """Send a request."""
        self._bounded.deadline = deadline
        self.request(method, url, body, headers, preload_content=False, decode_content=False)

    def answer(self, deadline: Deadline) -> tuple[int, dict[str, str], bytes]:
        """Wait for the answer to the request that was sent; return status, headers (in lower case) and body."""
        self._bounded.deadline, self._bounded.bytes_left = deadline, MAX_ANSWER_BYTES
        response = self.getresponse()
        if int(response.headers.get("content-length", 0)) > MAX_ANSWER_BYTES:
            raise TooLargeError
        body = b"".join(response.stream(_PORTION_BYTES))
        return response.status, {name.lower(): value for name, value in response.headers.items()}, body

    def hang_up(self) -> None:
        """Close the socket; never raise."""
        self.close()
        self._bounded.socket.close()


def connect(
    address: Address,
    *,
    through: proxy.Proxy | None,
    context: ssl.SSLContext | None,
    server_name: str,
    deadline: Deadline,
) -> Connection:
    """Return a connection to a server, through a proxy if there is one; with TLS if there is a context.

    Raises:
        NetError, OSError: if the server cannot be reached.
    """
    connected = connecting.run(proxy.reach(address, through, deadline=deadline))
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(deadline.left())
        if context is not None:
            name = server_name or address.host.removesuffix(".")
            connected = context.wrap_socket(connected, server_hostname=name)
    except BaseException:
        connected.close()
        raise
    return Connection(connected, address.host)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the context for all connections: building one costs more than a handshake.

    Without CA files the system's roots count, or SSL_CERT_FILE, which OpenSSL reads by itself. As in Go, any
    certificate among the trusted ones ends a chain, and a server's common name counts for nothing.

    Raises:
        InputError: if a file cannot be read, or does not hold a certificate or key.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if tls.ca_file:
        _trust(made, [Path(tls.ca_file)], tls.ca_file, "VAULT_CACERT")
    elif tls.ca_folder:
        paths = sorted(path for path in Path(tls.ca_folder).rglob("*") if path.is_file())
        _trust(made, paths, tls.ca_folder, "VAULT_CAPATH")
    else:
        made.load_default_certs()
    if tls.certificate:
        _identify(made, tls)
    if tls.skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _trust(made: ssl.SSLContext, paths: list[Path], where: str, variable: str) -> None:
    loaded = False
    for path in paths:
        try:
            made.load_verify_locations(cadata=read_named(path, variable).decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            continue
        loaded = True
    if not loaded:
        raise InputError(f"cannot read {where}: it contains no CA certificate ({variable})", hint="give PEM files")


def _identify(made: ssl.SSLContext, tls: Tls) -> None:
    def no_passphrase() -> str:
        # Without this, OpenSSL would ask for one on the terminal, and wait.
        raise ValueError("the key has a passphrase")

    read_named(tls.certificate, "VAULT_CLIENT_CERT")
    read_named(tls.key, "VAULT_CLIENT_KEY")
    try:
        made.load_cert_chain(tls.certificate, tls.key, password=no_passphrase)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise InputError(
            f"cannot use {tls.certificate} with {tls.key}: {_reason(error)} (VAULT_CLIENT_CERT)",
            hint="give a PEM certificate and its own key without a passphrase",
        ) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).replace("_", " ").lower()


def explained(error: Exception, *, place: str, seconds: float, was_sent: bool) -> VaultError:
    """Return the error for a failed request to `place`, with a hint; `was_sent` says that the request was sent."""
    while isinstance(error, HTTPError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # urllib3 wraps what our socket and http.client raise
    why, hint, kind = _failure(error, seconds)
    if kind is Fault.CONNECTION and was_sent and place.startswith("https:"):
        # In TLS 1.3 a server refuses a client after the handshake, and its alert may be lost in a reset.
        hint += "; it may require another client certificate (VAULT_CLIENT_CERT)"
    # Such an alert after the handshake refuses the client certificate: the server has not acted upon the request.
    was_sent = was_sent and not (isinstance(error, ssl.SSLError) and _REFUSES_CLIENT.search(error.reason or ""))
    return VaultError(f"cannot reach {place}: {why}", hint=hint, kind=kind, was_sent=was_sent)


def _failure(error: Exception, seconds: float) -> tuple[str, str, Fault]:
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error)
    trouble = getattr(error, "trouble", None)
    if isinstance(error, proxy.ProxyError):
        is_late = trouble is connecting.NetTrouble.TIMED_OUT
        return error.message, error.hint, Fault.TIMED_OUT if is_late else Fault.CONNECTION
    if trouble is connecting.NetTrouble.HOST_NOT_FOUND:
        # Anything but "no such name" is a failure of the resolver itself, and may pass.
        is_final = getattr(error.__cause__, "errno", socket.EAI_NONAME) in {socket.EAI_NONAME, socket.EAI_NODATA}
        found = "no such host" if is_final else "the host name cannot be resolved"
        return found, "check VAULT_ADDR", Fault.HOST_NOT_FOUND if is_final else Fault.CONNECTION
    if isinstance(error, TimeoutError) or trouble is connecting.NetTrouble.TIMED_OUT:
        hint = "check VAULT_ADDR and the network; VAULT_CLIENT_TIMEOUT sets the time"
        return f"no answer within {seconds:g} seconds", hint, Fault.TIMED_OUT
    if isinstance(error, TooLargeError):
        return f"the response is larger than {MAX_ANSWER_BYTES:,} bytes", "check VAULT_ADDR", Fault.TOO_LARGE
    if isinstance(error, http.client.RemoteDisconnected):
        why = "the server closed the connection without a response"
    elif isinstance(error, InvalidChunkLength):
        return _NOT_HTTP
    elif isinstance(error, http.client.IncompleteRead) or "prematurely" in str(error):
        why = "the response was truncated"
    elif isinstance(error, (HTTPError, http.client.HTTPException)):
        return _NOT_HTTP
    else:
        why = error.message if isinstance(error, InputError) else _reason(error)
    return why, "check VAULT_ADDR, and that the server is running", Fault.CONNECTION


def _tls_failure(error: ssl.SSLError) -> tuple[str, str, Fault]:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.lower().rstrip(".")
        if error.verify_code in _WRONG_NAME:
            hint = "set VAULT_TLS_SERVER_NAME to a name in the certificate, or VAULT_ADDR to the right host"
            return f"its certificate is for another name: {why}", hint, Fault.TLS_WRONG_NAME
        if error.verify_code in _OUT_OF_DATE:
            hint = "renew the server's certificate, or check the clock of this machine"
            return f"its certificate {_OUT_OF_DATE[error.verify_code]}", hint, Fault.TLS
        hint = "set VAULT_CACERT to the certificate of the server's CA"
        return f"its certificate is not trusted: {why}", hint, Fault.TLS_UNTRUSTED
    reason = _reason(error)
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return f"the server does not speak TLS ({reason})", "check VAULT_ADDR: should it be http://?", Fault.TLS
    if "ALERT" in (error.reason or ""):
        hint = "check VAULT_CLIENT_CERT and VAULT_CLIENT_KEY: the server may require a certificate, or reject this one"
        return f"the server rejected the TLS connection: {reason}", hint, Fault.TLS
    return f"TLS failed: {reason}", "check VAULT_ADDR and any gateway in front of the server", Fault.TLS
