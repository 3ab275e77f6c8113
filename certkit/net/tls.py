"""TLS: what a server presents, within one deadline from resolving its name to the end of the handshake.

Without a client certificate nothing is verified here: an expired certificate, or one of an unknown CA or another host,
is what `look` is for. A caller with a client certificate to present, or data to send, gives the `Channel` a verdict on
what the server presents; it is asked within the handshake, before the client certificate is sent.

TLS is pyOpenSSL's here: it shows the whole chain, takes a private key that is in memory only, and still knows old
servers. Vault's connections, servers and other people's clients use the ssl module. One event loop waits for many
servers at once.
"""

from __future__ import annotations

import contextlib
import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from certkit.errors import InputError
from certkit.net import proxy, starttls
from certkit.net.address import Address, with_port
from certkit.net.connecting import Deadline, NetError, step
from certkit.net.wire import Plain
from certkit.x509.certificate import Certificate
from certkit.x509.directory_name import Name

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from OpenSSL import SSL

    from certkit.net.proxy import Proxy
    from certkit.net.starttls import Starttls

    T = TypeVar("T")
    Verdict = Callable[["Presented"], None]

MAX_CERTIFICATES = 100
# OpenSSL takes 100 KiB of certificates and does not bound what it skips.
MAX_HANDSHAKE_BYTES = 512 * 1024
MAX_SESSION_BYTES = 16 * 1024 * 1024

_CHUNK = 64 * 1024
# Every cipher with a certificate that OpenSSL still knows.
_CIPHERS = b"ALL:COMPLEMENTOFALL:!aNULL:!PSK:!SRP:@SECLEVEL=0"
# What may carry a request, in TLS 1.2 (RFC 9325 section 4.2); 1.3 has no others.
_SOUND_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!aDSS:!PSK:!SRP"

# How long a TLS 1.3 server has to accept or refuse a client certificate: at least, and at most.
_PATIENCE_SECONDS = (0.03, 0.5)


class HandshakeEndedError(NetError):
    """The server ended the handshake; `alert` is its reason, or empty if it gave none.

    In TLS 1.3 a client learns of it only after its own end of the handshake, when it reads.
    """

    def __init__(self, message: str, *, hint: str, alert: str = "") -> None:
        super().__init__(message, hint=hint)
        self.alert = alert


class UntrustedError(InputError):
    """The server is not trusted, so it was sent neither a client certificate nor anything else."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A private key and its client certificate, followed by its issuers; everything stays in memory.

    Raises:
        InputError: if there is no certificate, or the key belongs to another one.
    """

    key: Any = field(repr=False)
    chain: tuple[Certificate, ...]

    def __post_init__(self) -> None:
        if not self.chain:
            raise InputError("a private key was given without its client certificate", hint="give both")
        try:
            public = self.chain[0].public_key()
        except InputError as error:
            message = f"the client certificate's key cannot be used: {error.message}"
            raise InputError(message, hint="use another certificate") from error
        if public != self.key.public_key():
            hint = "give the key that the certificate was requested with"
            raise InputError("the private key does not belong to the client certificate", hint=hint)

    @classmethod
    def of(cls, key: Any, certificates: Sequence[Certificate]) -> Self:
        """Return credentials from certificates in any order: the one with this key first, then the others.

        Raises:
            InputError: as for the class.
        """
        from certkit.x509.keys import is_pair

        own = next((each for each in certificates if is_pair(key, each)), None)
        first = [] if own is None else [own]
        return cls(key, (*first, *(each for each in certificates if each is not own)))


@dataclass(frozen=True, slots=True)
class Presented:
    """The certificates that a server presented: its chain in the order sent, its own certificate first.

    `unreadable` says what is wrong with certificates above it that cannot be read, and so are not in the chain.
    """

    chain: tuple[Certificate, ...]
    unreadable: tuple[str, ...] = ()


def context(client: Credentials | None = None) -> SSL.Context:
    """Return settings that accept any server certificate; build them once, since that costs more than a handshake.

    Raises:
        InputError: if TLS does not support the type of the client's key.
    """
    from OpenSSL import SSL

    made = _context(_CIPHERS, 0, client)
    made.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    return made


def strict_context(client: Credentials | None) -> SSL.Context:
    """Return settings for requests in HTTP/1.1 to servers that are verified: TLS 1.2 or 1.3, and strong ciphers only.

    Raises:
        InputError: if TLS does not support the type of the key.
    """
    from OpenSSL import SSL

    made = _context(_SOUND_CIPHERS, SSL.TLS1_2_VERSION, client)
    made.set_alpn_protos([b"http/1.1"])
    # OpenSSL shows a request for a client certificate in no other way than as a step of the handshake.
    made.set_info_callback(lambda connection, *_: connection.get_app_data().add(connection.get_state_string()))
    return made


def _context(ciphers: bytes, least_version: int, client: Credentials | None) -> SSL.Context:
    from OpenSSL import SSL, crypto

    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_verify(SSL.VERIFY_NONE)
    made.set_min_proto_version(least_version)
    made.set_cipher_list(ciphers)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if client is None:
        return made
    own, *above = (each.loaded() for each in client.chain)
    try:
        made.use_certificate(own)
        made.use_privatekey(client.key)
        for each in above:
            made.add_extra_chain_cert(each)
    except crypto.Error as error:
        reason = next((each[-1] for each in error.args[0]), "") or "no reason given"
        hint = "ask its issuer for a correct one"
        raise InputError(f"OpenSSL cannot read the client certificate: {reason}", hint=hint) from error
    except (SSL.Error, TypeError) as error:
        raise InputError("TLS does not support this type of client certificate", hint="use another one") from error
    # Without a verdict, a connection with a client certificate trusts no server.
    made.set_verify(SSL.VERIFY_PEER, lambda *_: False)
    return made


async def look(
    host: str,
    port: int,
    *,
    settings: SSL.Context,
    deadline: Deadline,
    server_name: str | None = None,
    protocol: Starttls | None = None,
    verdict: Verdict | None = None,
    through: Proxy | None = None,
) -> Presented:
    """Return what the server at a host (a name or an IP address) and port presents.

    `server_name` is the name that it is asked for (RFC 6066 section 3); `protocol`, what it speaks before TLS. Settings
    with a client certificate need a `verdict`, which raises `UntrustedError` for a server that must not receive it.
    `through` is the proxy.

    Raises:
        NetError: if the server presents nothing readable; the message names the host and the port.
    """
    try:
        with await proxy.reach(Address("https", host, port, "/"), through, deadline=deadline) as connection:
            if protocol is not None:
                async with step(f"STARTTLS of {protocol}", deadline):
                    await starttls.negotiate(connection, protocol)
            channel = Channel(connection, settings, server_name=server_name, verdict=verdict)
            try:
                await channel.handshake(deadline=deadline)
                channel.close()
            except (HandshakeEndedError, UntrustedError):
                # A server that wants a client certificate ends the handshake after it has presented its chain.
                if not channel.has_chain:
                    raise
            return channel.presented()
    except NetError as error:
        message = f"cannot connect to {with_port(host, port)}: {error.message}"
        raise NetError(message, hint=error.hint, trouble=error.trouble) from error


class Channel:
    """TLS over a connected, non-blocking socket."""

    def __init__(
        self,
        connection: socket.socket,
        settings: SSL.Context,
        *,
        server_name: str | None,
        verdict: Verdict | None,
    ) -> None:
        """Prepare TLS with a server.

        `verdict` is called with what the server presents, and raises an error to refuse the server. OpenSSL asks for it
        when the server's Certificate message has come, so in TLS 1.2 and 1.3 before the client's own is sent, and in
        TLS 1.2 again if the server renegotiates.
        """
        from OpenSSL import SSL

        self._plain = Plain(connection)
        # It reads and writes memory, so that incoming bytes can be counted, and examined if they are not TLS.
        self._tls = SSL.Connection(settings, None)
        if server_name is not None:
            self._tls.set_tlsext_host_name(server_name.encode("ascii"))
        self._tls.set_connect_state()
        self._judged: bytes | None = None
        self._objection: Exception | None = None
        self._offers_later = False
        if verdict is not None:
            self._tls.set_verify(SSL.VERIFY_PEER, lambda *_: self._accepts(verdict))
            self._offer_later_authentication()
        self._steps: set[bytes] = set()
        self._tls.set_app_data(self._steps)
        self._begin = b""
        self._left = self._limit = MAX_HANDSHAKE_BYTES
        self._patience = 0.0
        self._early = b""

    async def handshake(self, *, deadline: Deadline) -> None:
        """Shake hands.

        Raises:
            HandshakeEndedError: if the server ended the handshake.
            NetError: if it failed in another way.
            Exception: what the verdict raised; then no client certificate was sent.
        """
        import asyncio

        from OpenSSL import SSL

        clock = asyncio.get_running_loop().time
        began = clock()
        async with step("TLS handshake", deadline):
            try:
                await self._run(self._tls.do_handshake)
            except (ConnectionError, EOFError) as error:
                raise _ended(error, "during") from error
            except SSL.Error as error:
                self._send_last()
                raise self._failure(error, "the TLS handshake") from error
        least, most = _PATIENCE_SECONDS
        self._patience = min(max(2 * (clock() - began), least), most)
        self._left = self._limit = MAX_SESSION_BYTES

    def _offer_later_authentication(self) -> None:
        """Offer to present the client certificate after the handshake too (RFC 8446 section 4.6.2).

        Apache asks for it then, once it knows from the request that it is wanted (SSLVerifyClient in a <Location>); in
        TLS 1.2 it renegotiates, which needs no offer. pyOpenSSL has no name for this in its interface, only in the
        library below it; where that changes, `can_be_asked_later` says so.
        """
        from OpenSSL import SSL

        with contextlib.suppress(AttributeError, KeyError):
            vars(SSL)["_lib"].SSL_set_post_handshake_auth(self._tls._ssl, 1)  # noqa: SLF001
            self._offers_later = True

    @property
    def can_be_asked_later(self) -> bool:
        """Whether the server could ask for a client certificate after the handshake."""
        from OpenSSL import SSL

        return self._offers_later or self._tls.get_protocol_version() < SSL.TLS1_3_VERSION

    def _accepts(self, verdict: Verdict) -> bool:
        """Return to OpenSSL whether to continue; it asks for each certificate of the chain and for each flaw it finds.

        OpenSSL's own findings do not count, only the verdict on the chain as it was sent. A chain is judged once.
        """
        from OpenSSL import crypto

        sent = self._tls.get_peer_cert_chain() or []
        chain = b"".join(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in sent)
        if chain != self._judged:
            self._judged, self._objection = chain, None
            try:
                verdict(self.presented())
            except Exception as error:  # noqa: BLE001  it must not pass through OpenSSL; the handshake raises it
                self._objection = error
        return self._objection is None

    async def settle(self, *, deadline: Deadline) -> None:
        """Wait for a TLS 1.3 server's immediate reaction to the client certificate: a ticket, or an alert.

        In TLS 1.3 the client's handshake ends with its own certificate, so the server refuses it only afterwards. A
        client that sends its request at once may never see the alert: the server closes the connection with the request
        unread, and the reset that this causes overtakes the alert. So wait and read first. Most servers send a session
        ticket as soon as they are content; one that says nothing is waited for as long as the handshake took, twice,
        which is tens of milliseconds.

        Raises:
            HandshakeEndedError: if the server ends the handshake.
        """
        from OpenSSL import SSL

        if not self.wants_certificate or self._tls.get_protocol_version() < SSL.TLS1_3_VERSION:
            return
        async with step("the end of the TLS handshake", deadline):
            if not await self._is_readable(self._patience):
                return
            try:
                self._tls.bio_write(await self._receive())
                with contextlib.suppress(SSL.WantReadError):
                    self._early += self._tls.recv(_CHUNK)
            except (ConnectionError, EOFError) as error:
                raise _ended(error, "after") from error
            except SSL.Error as error:
                raise self._failure(error, "TLS") from error

    async def _is_readable(self, seconds: float) -> bool:
        """Return whether data arrives within that many seconds, without reading it."""
        import asyncio

        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._plain.connection, readable.set)
        try:
            await asyncio.wait_for(readable.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._plain.connection)
        return True

    async def send(self, data: bytes) -> None:
        """Send data; if the server has gone, do nothing: what it sent before can still be received.

        Raises:
            OSError, NetError: if the connection or TLS fails.
        """
        from OpenSSL import SSL

        try:
            while data:
                data = data[await self._run(functools.partial(self._tls.send, data[:_CHUNK])) :]
        except EOFError:
            return
        except SSL.Error as error:
            raise self._failure(error, "TLS") from error

    async def receive(self) -> bytes:
        """Return what the server sends next; empty at the end.

        Raises:
            HandshakeEndedError: if it sends an alert.
            OSError, NetError: if the connection or TLS fails.
        """
        from OpenSSL import SSL

        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return await self._run(functools.partial(self._tls.recv, _CHUNK))
        except (SSL.ZeroReturnError, EOFError):
            return b""
        except SSL.Error as error:
            raise self._failure(error, "TLS") from error

    @property
    def wants_certificate(self) -> bool:
        """Whether the server has asked for a client certificate; known with `strict_context` only."""
        return any(b"read server certificate request" in step for step in self._steps)

    @property
    def accepted_cas(self) -> tuple[Name, ...]:
        """The CAs whose client certificates the server says it accepts; empty if it does not say."""
        return tuple(Name(each.der()) for each in self._tls.get_client_ca_list())

    @property
    def tls_version(self) -> str:
        """The version of TLS, as `TLSv1.3`."""
        return self._tls.get_protocol_version_name()

    @property
    def cipher(self) -> str | None:
        """The cipher, or None before there is one."""
        return self._tls.get_cipher_name()

    @property
    def has_chain(self) -> bool:
        """Whether the server has presented certificates."""
        return bool(self._tls.get_peer_cert_chain())

    def presented(self) -> Presented:
        """Return what the server has presented.

        Raises:
            NetError: if it presented nothing or too much, or its own certificate cannot be read.
        """
        from OpenSSL import crypto

        sent = self._tls.get_peer_cert_chain() or []
        if not sent:
            raise NetError("the server sent no certificate", hint="check its configuration")
        if len(sent) > MAX_CERTIFICATES:
            raise NetError(f"the server sent more than {MAX_CERTIFICATES} certificates", hint=_SERVER_HINT)
        chain: list[Certificate] = []
        unreadable = []
        for number, each in enumerate(sent, 1):
            try:
                chain.append(Certificate.parse(crypto.dump_certificate(crypto.FILETYPE_ASN1, each)))
            except InputError as error:
                if number == 1:
                    message = f"the server's certificate cannot be read: {error.message}"
                    raise NetError(message, hint=_SERVER_HINT) from error
                unreadable.append(f"certificate {number} of {len(sent)}: {error.message}")
        return Presented(tuple(chain), tuple(unreadable))

    def close(self) -> None:
        """Close TLS without waiting for an answer."""
        from OpenSSL import SSL

        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        self._send_last()

    async def _run(self, operation: Callable[[], T]) -> T:
        """Return the result of an operation of OpenSSL, after feeding it the data it needs to read.

        Its arithmetic blocks the event loop for a third of a millisecond, as a rule; the largest group for
        Diffie-Hellman that OpenSSL accepts from a server blocks it for three quarters of a second.
        """
        from OpenSSL import SSL

        while True:
            with contextlib.suppress(SSL.WantReadError):
                result = operation()
                await self._flush()
                return result
            await self._flush()
            self._tls.bio_write(await self._receive())

    async def _flush(self) -> None:
        if data := self._written():
            await self._plain.send(data)

    def _written(self) -> bytes:
        from OpenSSL import SSL

        try:
            return self._tls.bio_read(_CHUNK)
        except SSL.WantReadError:
            return b""

    def _send_last(self) -> None:
        last = self._written()
        with contextlib.suppress(OSError):
            self._plain.connection.send(last)

    async def _receive(self) -> bytes:
        data = await self._plain.receive()
        if not data:
            raise EOFError
        self._left -= len(data)
        if self._left < 0:
            raise NetError(f"the server sent more than {self._limit:,} bytes", hint=_SERVER_HINT)
        self._begin += data[: 16 - len(self._begin)]
        return data

    def _failure(self, error: SSL.Error, what: str) -> Exception:
        """Return the error in plain words."""
        if self._objection is not None:  # to the chain presented in a renegotiation
            return self._objection
        if not re.match(rb"[\x14-\x17]\x03", self._begin):
            for pattern, words, hint in _GREETINGS:
                if re.match(pattern, self._begin, re.DOTALL):
                    return NetError(f"the server does not speak TLS: {words}", hint=hint)
            return NetError("the server does not speak TLS", hint=_END_HINT)
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        reason = next((reason for _, _, reason in queue if reason), "unknown error")
        alert = _ALERT.fullmatch(reason)
        if alert is None:
            return NetError(f"{what} failed: {reason}", hint=_SERVER_HINT)
        return HandshakeEndedError(f"the server sent the TLS alert {alert[1]}", hint=_ALERT_HINT, alert=alert[1])


def _ended(error: Exception, when: str) -> HandshakeEndedError:
    how = "reset" if isinstance(error, ConnectionResetError) else "closed"
    return HandshakeEndedError(f"the server {how} the connection {when} the handshake", hint=_END_HINT)


# The names that OpenSSL gives to alerts begin with the version that brought them, in its older releases.
_ALERT = re.compile(r"(?:sslv3 alert|tls alert|ssl/tls alert|tlsv1 alert|tlsv1|tlsv13 alert|tlsv13) (.+)")

_SERVER_HINT = "examine the server with openssl s_client"
_END_HINT = "if it speaks another protocol before TLS, name it, as in tls://HOST:PORT?starttls=smtp"
_ALERT_HINT = "it may expect another server name: tls://HOST:PORT?servername=NAME; openssl s_client shows more"

_GREETINGS = (
    (rb"HTTP/", "it answers in plain HTTP", "check the port"),
    (rb"SSH-", "it speaks SSH", "check the port"),
    (rb"\d{3}[ -]", "it greets as mail servers do", "use tls://HOST:PORT?starttls=smtp"),
    (rb"\* ", "it greets as IMAP servers do", "use tls://HOST:PORT?starttls=imap"),
    (rb"\+OK", "it greets as POP3 servers do", "use tls://HOST:PORT?starttls=pop3"),
    (rb"...\0[\x0a\xff]", "it greets as MySQL servers do", "use tls://HOST:PORT?starttls=mysql"),
)
