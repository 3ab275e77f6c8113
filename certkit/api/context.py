"""A TLS context for other people's HTTP clients that always presents the identity's active certificate.

A context in use must never be changed: while `load_cert_chain` runs, other threads connect without a certificate. So
the context that clients hold (`IdentityContext`) never connects by itself. It keeps the settings that clients make on
it, and each connection is made by an inner context that was finished before the first connection saw it. A renewal
builds a new inner context and swaps it in by one assignment; connections that are open keep the one they were made
with.

The standard library loads private keys from a file only. The key is written, encrypted under a random passphrase that
never leaves this process, to a file that exists in memory only (`memfd_create`); so no key byte reaches a file system.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import ssl
import threading
import weakref
from typing import IO, TYPE_CHECKING, Any, Self

from certkit.api.handle import in_child
from certkit.errors import CertkitError, InputError
from certkit.x509.certificate import to_pem

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from certkit.api.following import Follower
    from certkit.identity.credentials import GenerationCredentials

# What a client may set on a context by assignment. The order matters when it is applied to a new one: a context that
# checks host names refuses to stop verifying.
_SETTINGS = (
    "check_hostname",
    "verify_mode",
    "verify_flags",
    "options",
    "minimum_version",
    "maximum_version",
    "hostname_checks_common_name",
    "post_handshake_auth",
    "keylog_filename",
)


class IdentityContext(ssl.SSLContext):
    """An `ssl.SSLContext` for clients whose connections present the identity's active certificate.

    It works wherever an `ssl.SSLContext` is accepted: `ssl`, asyncio, httpx, requests, urllib3, aiohttp. Servers are
    verified against the identity's trust bundle and by host name. Settings made on it (ALPN, ciphers, versions, further
    CAs) hold for all connections that are opened afterwards, across renewals. It is safe to use from many threads, with
    asyncio, and after a fork.
    """

    def __new__(cls, source: Follower, *, allow_temporary_file: bool = False) -> Self:  # noqa: D102
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self._source = source
        self._allow_temporary_file = allow_temporary_file
        self._calls = {}
        self._lock = threading.Lock()
        in_child(self, IdentityContext._take_fresh_lock)
        self._failed = None
        self._inner = None
        self._inner = self._build(source.current(may_wait=True), self._wanted())
        return self

    _source: Follower
    _allow_temporary_file: bool
    _calls: dict[tuple[str, tuple[Any, ...]], None]  # what inner contexts repeat, in the order of its first use
    _lock: threading.Lock
    _failed: GenerationCredentials | None
    _inner: _InnerContext | None

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,  # noqa: FBT001, FBT002
        do_handshake_on_connect: bool = True,  # noqa: FBT001, FBT002
        suppress_ragged_eofs: bool = True,  # noqa: FBT001, FBT002
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,  # noqa: ARG002
    ) -> ssl.SSLSocket:
        """Connect with the newest pair. `session` is ignored: a resumed session would keep an old certificate."""
        return self._current(may_wait=True).wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
        )

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,  # noqa: ARG002
    ) -> ssl.SSLObject:
        """Connect with the newest pair, as event loops do; the store is then read in a thread of its own."""
        inner = self._current(may_wait=False)
        return inner.wrap_bio(incoming, outgoing, server_side=server_side, server_hostname=server_hostname)

    def load_cert_chain(self, *_: Any, **__: Any) -> None:
        """Raise an InputError: the certificate is the identity's."""
        hint = "leave the client's option for a certificate (such as `cert=`) out"
        raise InputError("cannot load another certificate into an identity's context", hint=hint)

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Trust further CAs, beside the identity's trust bundle."""
        super().load_verify_locations(cafile, capath, cadata)
        self._repeat(
            "load_verify_locations", cafile, capath, bytes(cadata) if isinstance(cadata, bytearray) else cadata
        )

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """Trust the system's CAs, beside the identity's trust bundle."""
        super().load_default_certs(purpose)
        self._repeat("load_default_certs", purpose)

    def set_default_verify_paths(self) -> None:
        """Trust the CAs at OpenSSL's default places, beside the identity's trust bundle."""
        super().set_default_verify_paths()
        self._repeat("set_default_verify_paths")

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """Offer these protocols."""
        super().set_alpn_protocols(alpn_protocols)
        self._repeat("set_alpn_protocols", tuple(alpn_protocols), replaces=True)

    def set_ciphers(self, ciphers: str, /) -> None:
        """Offer these ciphers for TLS 1.2."""
        super().set_ciphers(ciphers)
        self._repeat("set_ciphers", ciphers, replaces=True)

    def set_ecdh_curve(self, name: str, /) -> None:
        """Offer this curve."""
        super().set_ecdh_curve(name)
        self._repeat("set_ecdh_curve", name, replaces=True)

    def get_ca_certs(self, binary_form: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return the CAs that servers are verified against."""
        return self._current(may_wait=True).get_ca_certs(binary_form)

    def cert_store_stats(self) -> dict[str, int]:
        """Count the certificates that servers are verified against."""
        return self._current(may_wait=True).cert_store_stats()

    def __repr__(self) -> str:
        return f"<certkit.IdentityContext of {self._source!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a context that holds a private key is not serialised")

    def _take_fresh_lock(self) -> None:
        self._lock = threading.Lock()

    def _repeat(self, method: str, *arguments: Any, replaces: bool = False) -> None:
        """Remember a call for the inner contexts to come. The dictionary is replaced, so that readers need no lock."""
        kept = {call: None for call in self._calls if not (replaces and call[0] == method)}
        self._calls = kept | {(method, arguments): None}

    def _wanted(self) -> tuple[Any, ...]:
        """Return the present settings."""
        return (*(getattr(self, name) for name in _SETTINGS), tuple(self._calls))

    def _current(self, *, may_wait: bool) -> _InnerContext:
        """Return the inner context for a new connection, rebuilt if the pair or a setting has changed."""
        pair, wanted = self._source.current(may_wait=may_wait), self._wanted()
        inner = self._inner
        if inner is None or inner.pair is not pair or inner.settings != wanted:
            with self._lock:
                inner = self._inner
                if inner is None or inner.pair is not pair or inner.settings != wanted:
                    inner = self._inner = self._rebuilt(inner, pair, wanted)
        return inner

    def _rebuilt(
        self, inner: _InnerContext | None, pair: GenerationCredentials, wanted: tuple[Any, ...]
    ) -> _InnerContext:
        """Return a new inner context; the one in use if only the pair has changed, and it cannot be built.

        A client may have loaded a file of CAs that is gone by the time of a renewal. No request fails because of that.
        """
        try:
            return self._build(pair, wanted)
        except (OSError, CertkitError) as error:
            if inner is None or inner.settings != wanted:
                raise
            if self._failed is not pair:
                self._failed = pair
                logging.getLogger("certkit").warning("a context of %r stays as it is: %s", self._source, error)
            return inner

    def _build(self, pair: GenerationCredentials, settings: tuple[Any, ...]) -> _InnerContext:
        """Return a new inner context.

        Raises:
            InputError: if the key does not belong to the certificate, or no file in memory can be made.
        """
        inner = _InnerContext(ssl.PROTOCOL_TLS_CLIENT)
        inner.source, inner.pair, inner.settings = weakref.ref(self._source), pair, settings
        for name, value in zip(_SETTINGS, settings, strict=False):
            if value is not None and getattr(inner, name) != value:
                setattr(inner, name, value)
        inner.load_verify_locations(cadata=b"".join(each.der for each in pair.anchors or ()))
        for method, arguments in settings[-1]:
            getattr(inner, method)(*arguments)
        passphrase = secrets.token_hex(32).encode()
        data = to_pem(pair.credentials.chain) + _sealed(pair.credentials.key, passphrase)
        with _file_of(data, allow_temporary_file=self._allow_temporary_file) as path:
            try:
                inner.load_cert_chain(path, password=lambda: passphrase)
            except ssl.SSLError as error:
                hint = "check the identity: certkit store check"
                reason = error.reason or "OpenSSL cannot read them"  # Python has no reason where PEM cannot be read
                raise InputError(f"cannot use the active key and certificate: {reason}", hint=hint) from error
        return inner


class _Socket(ssl.SSLSocket):
    """A socket that reports refusals; it is new until something was read."""

    context: _InnerContext
    _is_new = True

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002
        with self.context.reporting(is_new=True):
            super().do_handshake(block)

    def send(self, data: Any, flags: int = 0) -> int:
        with self.context.reporting(is_new=self._is_new):
            return super().send(data, flags)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002
        with self.context.reporting(is_new=self._is_new):
            found = super().read(len, buffer)
        if self._is_new and not found:
            self.context.refused()
        self._is_new = False
        return found


class _Object(ssl.SSLObject):
    """A TLS object that reports refusals, for event loops, which read all data before they see the end."""

    context: _InnerContext

    def do_handshake(self) -> None:
        with self.context.reporting(is_new=True):
            super().do_handshake()

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002
        with self.context.reporting(is_new=False):
            return super().read(len, buffer)


class _InnerContext(ssl.SSLContext):
    """The context that connections are made with: never changed once it is in use."""

    source: weakref.ref[Follower]
    pair: GenerationCredentials
    settings: tuple[Any, ...]
    sslsocket_class = _Socket
    sslobject_class = _Object

    def refused(self) -> None:
        """Notify the source that a server refused the certificate."""
        source = self.source()
        if source is not None:
            source.refused()

    @contextlib.contextmanager
    def reporting(self, *, is_new: bool) -> Iterator[None]:
        """Report a refusal: an alert, and for a new connection also its end.

        In TLS 1.3 a server refuses the certificate once the client has finished its handshake. The alert is there at
        the first read; but a client that writes a request first may find the connection closed and never read it.
        """
        try:
            yield
        except OSError as error:
            ends = isinstance(error, ssl.SSLEOFError | ConnectionError)
            if "ALERT" in (getattr(error, "reason", None) or "") or (is_new and ends):
                self.refused()
            raise


def _sealed(key: Any, passphrase: bytes) -> bytes:
    """Return the key as encrypted PEM.

    The old form derives its key in one round, where PKCS#8 takes thousands: enough under 256 random bits, and twice as
    fast. Not every kind of key has it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    protection = BestAvailableEncryption(passphrase)
    try:
        sealed: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, protection)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    return sealed


@contextlib.contextmanager
def _file_of(data: bytes, *, allow_temporary_file: bool) -> Iterator[str]:
    """Yield a path by which OpenSSL reads the bytes: of a file in memory, or of a 0600 temporary file where allowed."""
    file: IO[bytes]
    path = ""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, AttributeError):  # AttributeError: not Linux
            file = stack.enter_context(open(os.memfd_create("certkit", os.MFD_CLOEXEC), "wb"))
            path = f"/proc/self/fd/{file.fileno()}"
        if not os.path.exists(path):  # without /proc
            if not allow_temporary_file:
                what = "cannot load the key without a temporary file: this system has none in memory"
                raise InputError(what, hint="allow one with ssl_context(allow_temporary_file=True)")
            import tempfile

            file = stack.enter_context(tempfile.NamedTemporaryFile("wb", prefix="certkit-"))
            path = file.name
        file.write(data)
        file.flush()
        yield path
