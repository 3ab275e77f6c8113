"""Identities for programs: the active certificate, TLS contexts that follow it, and access tokens."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from certkit.errors import CertkitError, InputError
from certkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cryptography import x509

    from certkit.api.auth import TokenAuth
    from certkit.api.context import IdentityContext
    from certkit.stores.base import Issued, Store
    from certkit.wise.tokens import Token

INTERVAL_SECONDS = 60.0

_logger = logging.getLogger("certkit")

# A server that refuses every connection must not have the store read for each of them.
_PAUSE_AFTER_REFUSAL_SECONDS = 1.0
# Connections of a parent process: closing them, even when they are collected, would end them for the parent too.
_abandoned: list[object] = []
_known: weakref.WeakSet[Identity] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class ActivePair:
    """The active generation, in memory: its number, key, certificate chain (leaf first) and trust bundle.

    `issued` is what the store has of it, to see whether that changes.
    """

    generation: str
    key: Any = field(repr=False)
    chain: Sequence[x509.Certificate]
    anchors: Sequence[x509.Certificate]
    issued: Issued | None = field(repr=False)


def identity(
    name: str,
    *,
    store: str | None = None,
    passphrase: str | bytes | None = None,
    client_secret: str | bytes | None = None,
    interval: float = INTERVAL_SECONDS,
    on_error: Callable[[CertkitError], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Identity:
    """Open an identity for use in a program.

    Args:
        name: its name in the store.
        store: `file:DIR` or `vault://MOUNT/PREFIX`; by default CERTKIT_STORE, else the user's own store.
        passphrase: opens a sealed file store; by default CERTKIT_PASSPHRASE.
        client_secret: renews tokens; by default CERTKIT_CLIENT_SECRET.
        interval: seconds after which the store is asked again whether another generation is active.
        on_error: receives the error if that cannot be found out; the pair in use stays. Errors are also logged, as
            warnings of the logger `certkit`.
        environment: variables to use in place of `os.environ`.

    Raises:
        certkit.InputError: if there is no such identity, or it has no active certificate.
        certkit.StoreError: if the store cannot be read.
    """
    variables = os.environ if environment is None else environment
    return Identity(
        name,
        store=store,
        passphrase=_secret(passphrase, variables, "CERTKIT_PASSPHRASE"),
        client_secret=_secret(client_secret, variables, "CERTKIT_CLIENT_SECRET"),
        interval=interval,
        on_error=on_error,
        environment=variables,
    )


def _secret(value: str | bytes | None, environment: Mapping[str, str], variable: str) -> Secret | None:
    if value is None:
        value = environment.get(variable) or None
    return None if value is None else Secret(value.encode() if isinstance(value, str) else value)


class Identity:
    """An identity in use: `certkit.identity(name)` opens one.

    It holds the active key and certificates in memory, and asks the store at most every `interval` seconds whether
    another generation is active, and at once after a server refused a handshake. If the store cannot be read, the pair
    in use stays. It may be shared by threads and event loops, and works in a forked child.
    """

    def __init__(
        self,
        name: str,
        *,
        store: str | None,
        passphrase: Secret | None,
        client_secret: Secret | None,
        interval: float,
        on_error: Callable[[CertkitError], None] | None,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self._store = _StoreHandle(store, passphrase, environment)
        self._client_secret = client_secret
        self._interval = interval
        self._on_error = on_error
        self._tokens: dict[tuple[str | None, str | None], tuple[Token, float]] = {}
        self._after_fork()
        self._pair = self._read()
        self._checked = time.monotonic()
        _known.add(self)
        weakref.finalize(self, self._store.close)

    @property
    def certificate(self) -> bytes:
        """The active certificate, PEM."""
        return _pem(self.current(may_wait=True).chain[:1])

    @property
    def chain(self) -> bytes:
        """The active certificate and the CAs above it that go with it, PEM."""
        return _pem(self.current(may_wait=True).chain)

    @property
    def trust_bundle(self) -> bytes:
        """The CAs that the partner's servers are verified against, PEM."""
        return _pem(self.current(may_wait=True).anchors)

    @property
    def not_after(self) -> datetime:
        """When the active certificate expires, in UTC."""
        return self.current(may_wait=True).chain[0].not_valid_after_utc

    @property
    def generation(self) -> str:
        """The number of the active generation, such as `0002`."""
        return self.current(may_wait=True).generation

    def reload(self) -> bool:
        """Read the store now. Return whether another generation, certificate or trust bundle is in use since.

        Raises:
            certkit.InputError: if the identity has no active certificate, or its key does not belong to it.
            certkit.StoreError: if the store cannot be read.
        """
        with self._lock:
            before, self._checked = self._pair, time.monotonic()
            self._pair = self._read()
            return self._pair is not before

    def ssl_context(self, *, allow_temporary_file: bool = False) -> IdentityContext:
        """Return an `ssl.SSLContext` for clients: it presents the active certificate and trusts the trust bundle.

        It follows the identity: connections opened after a renewal present the new certificate. The private key is not
        written to any file system; where the system has no files in memory (`memfd_create`, Linux),
        `allow_temporary_file` permits a temporary file (0600, encrypted, removed at once).

        Raises:
            certkit.InputError: if the key cannot be loaded without a temporary file.
        """
        from certkit.api.context import IdentityContext

        return IdentityContext(self, allow_temporary_file=allow_temporary_file)

    def token(self, *, profile_id: str | None = None, grant: str | None = None) -> str:
        """Return a valid access token. One that is due is renewed first, once for all processes that share the store.

        A token is remembered for up to `interval` seconds. `profile_id` and `grant` choose where the store has several.

        Raises:
            certkit.RefusedError: if Wise refuses to renew the token.
            certkit.InputError: if there is no such token, or it has expired and cannot be renewed.
            certkit.StoreError: if the store cannot be used.
        """
        from certkit.api.auth import access_token

        return access_token(self, profile_id=profile_id, grant=grant)

    def auth(self, *, profile_id: str | None = None, grant: str | None = None) -> TokenAuth:
        """Return an authentication object for requests and httpx that sends `Authorization: Bearer TOKEN`.

        After an answer of 401 it gets another token, once, and sends the request again.
        """
        from certkit.api.auth import token_auth

        return token_auth(self, profile_id=profile_id, grant=grant)

    def requests_adapter(self, **options: Any) -> Any:
        """Return a transport adapter for requests: `session.mount("https://", acme.requests_adapter())`.

        `options` are those of `requests.adapters.HTTPAdapter`. Idle connections are closed after a renewal.
        """
        from certkit.api.adapters import RequestsAdapter

        return RequestsAdapter(self, **options)

    def pool_manager(self, **options: Any) -> Any:
        """Return a `urllib3.PoolManager` that uses the identity. Idle connections are closed after a renewal.

        `options` are those of `urllib3.PoolManager`.
        """
        from certkit.api.adapters import pool_manager

        return pool_manager(self, **options)

    def close(self) -> None:
        """Close the connection to the store. What was loaded stays usable; the store is opened again when needed."""
        with self._lock:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<certkit.Identity {self.name} in {self._store.uri}>"

    def __reduce__(self) -> str:
        raise TypeError("an identity that holds a private key is not serialised")

    def current(self, *, may_wait: bool) -> ActivePair:
        """Return the pair in use; if the store was not asked for `interval` seconds, it is asked first.

        Unless `may_wait`, a store that answers over the network is read in a thread of its own, and the next call sees
        what it found.
        """
        if time.monotonic() - self._checked >= self._interval:
            self._look(may_wait=may_wait)
        return self._pair

    def refused(self) -> None:
        """Take note that a server refused a handshake: the store is asked again at the next connection."""
        if time.monotonic() - self._checked >= _PAUSE_AFTER_REFUSAL_SECONDS:
            self._checked = float("-inf")
            if not self._store.is_local:
                self._look(may_wait=False)

    def _look(self, *, may_wait: bool) -> None:
        """Ask the store, unless another thread does so already."""
        if may_wait or self._store.is_local:
            if self._lock.acquire(blocking=False):
                try:
                    self._refresh()
                finally:
                    self._lock.release()
        else:
            threading.Thread(target=self._look, kwargs={"may_wait": True}, name="certkit", daemon=True).start()

    def _refresh(self) -> None:
        self._checked = time.monotonic()
        try:
            self._pair = self._read()
        except CertkitError as error:
            _logger.warning("identity %s stays at generation %s: %s", self.name, self._pair.generation, error.message)
            if self._on_error is not None:
                self._on_error(error)

    def _read(self) -> ActivePair:
        """Read the active pair; the one in use if the store has the same."""
        from certkit.identity import credentials, overview

        held: ActivePair | None = getattr(self, "_pair", None)
        with self._store.use() as store:
            found = store.load(self.name)
            is_same = held is not None and found.record.active == held.generation
            if held is not None and is_same and overview.generation(found, held.generation).issued == held.issued:
                return held
            shown = credentials.shown(store, found)
        if not shown.anchors:
            hint = f"give the partner's CA: certkit identity install {self.name} CERT --ca FILE"
            raise InputError(f"{self.name} has no trust bundle, so its partner's servers cannot be verified", hint=hint)
        return ActivePair(
            shown.generation,
            shown.credentials.key,
            shown.credentials.chain,
            tuple(shown.anchors),
            overview.generation(found, shown.generation).issued,
        )

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._store.forget()


class _StoreHandle:
    """A store that is opened when it is needed and then kept open, in each process."""

    def __init__(self, uri: str | None, passphrase: Secret | None, environment: Mapping[str, str]) -> None:
        self.uri = uri or environment.get("CERTKIT_STORE") or "the default store"
        self.is_local = not self.uri.startswith("vault://")
        self._arguments = (uri, passphrase, environment)
        self._open: tuple[Store, contextlib.ExitStack] | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator[Store]:
        """The open store. One that failed is closed, so that the next use logs in again."""
        if self._open is None:
            self._open = self._opened()
        try:
            yield self._open[0]
        except CertkitError:
            self.close()
            raise

    def close(self) -> None:
        """Close the store, if it is open."""
        if self._open is not None:
            opened, self._open = self._open, None
            opened[1].close()

    def forget(self) -> None:
        """Forget a store that a parent process opened, without closing what the parent still uses."""
        if self._open is not None:
            _abandoned.append(self._open)
            self._open = None

    def _opened(self) -> tuple[Store, contextlib.ExitStack]:
        from certkit.stores.opening import Opener

        uri, passphrase, environment = self._arguments
        stack = contextlib.ExitStack()
        opener = Opener(environment, _now, _logger.warning)
        return stack.enter_context(opener.open(uri, passphrase=passphrase)), stack


def _now() -> datetime:
    return datetime.now(UTC)


def _pem(certificates: Sequence[x509.Certificate]) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _forget_the_parent() -> None:
    for each in list(_known):
        each._after_fork()  # noqa: SLF001


os.register_at_fork(after_in_child=_forget_the_parent)
