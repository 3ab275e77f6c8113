"""TLS of the mTLS host: it requires a client certificate of the rehearsal's CA, valid by the rehearsal's clock."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
from typing import TYPE_CHECKING, Any

from certkit.wise.rehearsal import authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from OpenSSL import SSL

    from certkit.wise.rehearsal.rehearsal import WiseRehearsal

# OpenSSL's verification errors (x509_vfy.h), in words for the log of the rehearsal.
_PROBLEMS = {
    9: "the client certificate is not valid yet",
    10: "the client certificate has expired",
    18: "the client certificate is self-signed, not issued by the rehearsal's CA",
    20: "the client certificate was not issued by the rehearsal's CA",
    23: "the client certificate is revoked",
    26: "the certificate is not valid for client authentication",
}


class TlsStream(io.RawIOBase):
    """A TLS connection with the methods of a socket that `http.server` uses."""

    def __init__(self, connection: SSL.Connection) -> None:
        super().__init__()
        self._connection = connection

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; return 0 at the end.

        Raises:
            OSError: if nothing arrives in time, or the connection breaks.
        """
        from OpenSSL import SSL

        try:
            return int(self._connection.recv_into(buffer))
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return 0
        except SSL.Error as error:  # WantReadError: the socket's timeout
            raise OSError("no request within the time limit") from error

    def sendall(self, data: bytes) -> None:
        """Write all bytes.

        Raises:
            OSError: if the connection breaks.
        """
        from OpenSSL import SSL

        try:
            self._connection.sendall(data)
        except SSL.Error as error:
            raise OSError("the client closed the connection") from error

    def settimeout(self, _: float | None) -> None:
        """Do nothing: the socket below has a timeout of its own."""

    def makefile(self, *_: object) -> io.BufferedReader:
        """Return a reader for requests."""
        return io.BufferedReader(self)


@contextlib.contextmanager
def accepted(rehearsal: WiseRehearsal, connection: socket.socket, *, timeout: float) -> Iterator[TlsStream]:
    """Yield a TLS connection whose client has presented a valid certificate.

    `timeout` is in seconds, for each read or write.

    Raises:
        ConnectionError: if the client sent no certificate or an invalid one, and got an alert.
    """
    from OpenSSL import SSL

    connection.settimeout(None)
    limit = struct.pack("ll", int(timeout), 0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, limit)
    problems: list[int] = []
    secure = SSL.Connection(_settings(rehearsal, problems), connection)
    secure.set_accept_state()
    try:
        secure.do_handshake()
    except SSL.Error as error:
        known = (_PROBLEMS[each] for each in problems if each in _PROBLEMS)
        reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
        reason = str(reasons[-1][2]) if reasons else "the handshake was interrupted"
        raise ConnectionError(next(known, reason)) from error
    try:
        yield TlsStream(secure)
    finally:
        with contextlib.suppress(SSL.Error):
            secure.shutdown()


def _settings(rehearsal: WiseRehearsal, problems: list[int]) -> SSL.Context:
    """Return the TLS settings of this moment; each connection has its own, because time and revocations change.

    OpenSSL's error numbers for the client's certificate are appended to `problems`.
    """
    from OpenSSL import SSL, crypto

    now = rehearsal.clock()
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_options(SSL.OP_NO_TICKET)
    made.use_certificate(rehearsal.server.certificate)
    made.use_privatekey(rehearsal.server.key)

    def collect(_: SSL.Connection, __: crypto.X509, problem: int, ___: int, is_good: int) -> bool:
        if not is_good:
            problems.append(problem)
        return bool(is_good)

    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, collect)
    made.add_client_ca(rehearsal.ca.certificate)
    store = made.get_cert_store()
    assert store is not None  # noqa: S101  every context has one
    store.add_cert(crypto.X509.from_cryptography(rehearsal.ca.certificate))
    revoked = [
        (int(each.serial, 16), each.revoked) for each in rehearsal.state.certificates if each.revoked is not None
    ]
    store.add_crl(authority.revocation_list(rehearsal.ca, revoked, now=now))
    store.set_time(now)
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
    return made
