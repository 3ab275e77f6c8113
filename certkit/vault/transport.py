"""Requests to Vault: hvac's calls over kept connections, with redirects, retries, and reads that see our writes.

Modelled on OpenBao's `api/client.go` (read on 2026-11-23): what is retried, which redirects are followed, and that the
time-out bounds a request together with its retries.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import re
import string
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import hvac  # type: ignore[import-untyped]
import hvac.adapters  # type: ignore[import-untyped]

from certkit.errors import InputError
from certkit.net import proxy
from certkit.net.address import Address
from certkit.net.connecting import Deadline
from certkit.printable import printable
from certkit.secret import Secret
from certkit.vault import connection
from certkit.vault.errors import NO_ACTIVE_NODE, Fault, UncertainWrite, VaultError, VaultRefusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from certkit.net.proxy import Proxy
    from certkit.vault.connection import Connection
    from certkit.vault.settings import VaultSettings

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 307, 308})
# Refused before anything was done: over a quota (429), a state not yet reached (412).
_UNTOUCHED = frozenset({412, 429})
# What a server denies, the server that redirected to it has not done either.
_REFUSED_BY_ALL = frozenset({401, 403, 404})
_WORTH_REPEATING = frozenset({*_UNTOUCHED, 500, 502, 503, 504})
_MAX_PAUSE_SECONDS = 10.0
_MAX_MESSAGE = 300
_SHORTEST_SECRET = 6  # a development server's token "root" would punch holes into every message
_PLAIN_HTTP_TO_HTTPS = b"client sent an http request to an https server"  # what servers written in Go respond


@dataclass(frozen=True, slots=True)
class VaultRequest:
    """One request; `target` is path and query, `secrets` what must not appear in an error."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultAnswer:
    """A response from Vault; `was_refused` says that the server did nothing."""

    status: int
    document: dict[str, Any] = field(repr=False)
    errors: Sequence[str] = ()
    retry_after: float = 0.0
    was_refused: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the request succeeded."""
        return self.status < 400


@dataclass(frozen=True, slots=True)
class _Server:
    """A server, its proxy, its name in messages, and the connections to it that are not in use."""

    address: Address
    origin: str
    through: Proxy | None
    place: str
    idle: deque[Connection] = field(default_factory=deque)


class Transport:
    """Connections to one server and those it redirects to; for any number of threads."""

    def __init__(self, settings: VaultSettings) -> None:
        self.address = settings.address
        self.token: Secret | None = settings.token
        self.before_request: Callable[[], None] = lambda: None
        self._settings = settings
        self._servers: dict[str, _Server] = {}
        self._home = self._server(settings.server)
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._index = ""  # the state that our latest write reached
        # `once` is for writes that must not happen twice, `again` for everything else.
        self.once = self.client(may_repeat=False)
        self.again = self.client(may_repeat=True)

    def _server(self, where: Address) -> _Server:
        """Return the server at an address; to find its proxy for each request would cost a tenth of that."""
        origin = where.origin
        if origin in self._servers:
            return self._servers[origin]
        place = f"{origin}, to which {self._home.origin} redirects" if self._servers else origin
        return self._servers.setdefault(origin, _Server(where, origin, self._settings.proxies.towards(where), place))

    def client(self, *, may_repeat: bool) -> Any:
        """Return hvac's client over this transport; nothing is None that hvac would look up in the environment."""
        return hvac.Client(
            url=self.address, token="", verify=True, adapter=Adapter, transport=self, may_repeat=may_repeat
        )

    def common_headers(self) -> dict[str, str | Secret]:
        """Return the headers of every request."""
        headers: dict[str, str | Secret] = {"User-Agent": "certkit", "X-Vault-Request": "true"}
        if self.token:
            headers["X-Vault-Token"] = self.token
        if self._settings.namespace:
            headers["X-Vault-Namespace"] = self._settings.namespace
        if self._index:
            # A follower that lags behind forwards the request to the leader: also a write, which it would reject if it
            # had not seen the version before.
            headers |= {"X-Vault-Index": self._index, "X-Vault-Inconsistent": "forward-active-node"}
        return headers

    def _note(self, index: str) -> None:
        """Remember the state in a response, unless a later one of the same cluster is known: writes may overtake."""
        if not re.fullmatch(r"[!-~]{1,4096}", index):
            return
        with self._lock:
            new, known = _position(index), _position(self._index)
            if not (new and known and new[0] == known[0] and new[1] < known[1]):
                self._index = index

    def send(self, request: VaultRequest, *, may_repeat: bool, begun: Connection | None = None) -> VaultAnswer:
        """Return the response to a request, which may be retried; `begun` is the connection it was already sent on.

        Without `may_repeat`, it is retried only if the server cannot have acted upon it.

        Raises:
            VaultError: if there is no response, or it is not Vault's.
            UncertainWrite: if the request may have changed something, and there is no successful response.
        """
        deadline = Deadline.after(self._settings.timeout)
        in_doubt = False
        for attempt in range(self._settings.max_retries + 1):
            outcome, was_passed_on = self._attempt(request, deadline, begun)
            begun = None
            is_write = request.method not in {"GET", "HEAD"}
            in_doubt = in_doubt or (is_write and _leaves_doubt(outcome, was_passed_on=was_passed_on))
            if isinstance(outcome, VaultAnswer):
                is_worth_repeating, pause = outcome.status in _WORTH_REPEATING, outcome.retry_after
            else:
                is_worth_repeating, pause = outcome.kind is Fault.CONNECTION, 0.0
            if not is_worth_repeating or (in_doubt and not may_repeat) or attempt == self._settings.max_retries:
                break
            # Jitter, so that the clients of a cluster that lost its leader do not all come back at once.
            pause = pause or min(self._settings.pause * 2**attempt, _MAX_PAUSE_SECONDS) * random.uniform(1.0, 1.5)  # noqa: S311
            if pause >= deadline.remaining:
                break
            time.sleep(pause)
        if in_doubt and not (isinstance(outcome, VaultAnswer) and outcome.is_good):
            raise self._uncertain(request, outcome) from (outcome if isinstance(outcome, VaultError) else None)
        if isinstance(outcome, VaultError):
            raise outcome
        return outcome

    def begin(self, request: VaultRequest) -> Connection | None:
        """Send a read whose answer `send` will wait for; return None where that is not possible."""
        deadline = Deadline.after(self._settings.timeout)
        try:
            connected = self._connection(self._home, deadline)
        except VaultError:
            return None
        try:
            self._put(request, self._home, request.target, connected, deadline)
        except OSError:
            connected.hang_up()
            return None
        return connected

    def _attempt(
        self, request: VaultRequest, deadline: Deadline, begun: Connection | None
    ) -> tuple[VaultAnswer | VaultError, bool]:
        """Return the outcome of a request, and whether another server was asked before the one that responded."""
        server, target = self._home, request.target
        was_passed_on = False
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                status, headers, body = self._exchange(request, server, target, deadline, begun)
                if status not in _REDIRECTS:
                    self._note(headers.get("x-vault-index", ""))
                    return _understood(status, headers, body, server.origin, request.secrets), was_passed_on
                was_passed_on, begun = True, None
                there = _redirected(headers.get("location", ""), replace(server.address, target=target))
                server, target = self._server(there), there.target
        except VaultError as error:
            return error, was_passed_on
        return _astray(server.origin, "too many redirects"), was_passed_on

    def _exchange(
        self, request: VaultRequest, server: _Server, target: str, deadline: Deadline, begun: Connection | None
    ) -> tuple[int, dict[str, str], bytes]:
        connected = begun or self._connection(server, deadline)
        try:
            if begun is None:
                self._put(request, server, target, connected, deadline)
            answer = connected.answer(deadline)
        except BaseException as error:
            connected.hang_up()
            if isinstance(error, connection.FAILURES):
                seconds = deadline.seconds
                raise connection.explained(error, place=server.place, seconds=seconds, was_sent=True) from error
            raise
        if server.through and answer[0] == 407 and not server.address.is_secure:
            connected.hang_up()
            refusal = server.through.refusal(answer[0])
            message = f"cannot reach {server.place}: {refusal.message}"
            raise VaultError(message, hint=refusal.hint, kind=Fault.CONNECTION)
        # Unsolicited data would be taken for the response to the next request.
        if connected.is_connected:
            server.idle.append(connected)
        else:
            connected.hang_up()
        return answer

    def _put(
        self, request: VaultRequest, server: _Server, target: str, connected: Connection, deadline: Deadline
    ) -> None:
        headers = {"Host": server.address.authority, **request.headers}
        if server.through and not server.address.is_secure:
            # A proxy is asked for the whole URL, unless it only passes on what is encrypted (RFC 9112 section 3.2.2).
            headers, target = {**headers, **server.through.headers}, server.origin + target
        connected.ask(request.method, target, headers=headers, body=request.body, deadline=deadline)

    def _connection(self, server: _Server, deadline: Deadline) -> Connection:
        with contextlib.suppress(IndexError):  # raised also where another thread was faster
            while kept := server.idle.pop():
                if kept.is_connected:  # neither closed by the server meanwhile, nor with something to read
                    return kept
                kept.hang_up()
        is_secure, through = server.address.is_secure, server.through
        with self._lock:
            if is_secure and self._context is None:
                self._context = connection.tls_context(self._settings.tls)
        try:
            return connection.connect(
                server.address,
                through=through,
                context=self._context if is_secure else None,
                server_name=self._settings.tls.server_name,
                deadline=deadline,
            )
        except (InputError, *connection.FAILURES) as error:
            place = server.place
            if through and not isinstance(error, proxy.ProxyError):
                place += f" through the proxy {through}"
            raise connection.explained(error, place=place, seconds=deadline.seconds, was_sent=False) from error

    def _uncertain(self, request: VaultRequest, outcome: VaultAnswer | VaultError) -> UncertainWrite:
        if isinstance(outcome, VaultError):
            reason = outcome.message
        else:
            reason = f"the server responded: {'; '.join(outcome.errors) or f'status {outcome.status}'}"
        where = f"{self._home.origin}{urlsplit(request.target).path}"
        return UncertainWrite(
            f"cannot tell whether {where} was written: {reason}",
            hint="check what is stored there before writing again",
            reason=reason,
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        for server in list(self._servers.values()):
            while server.idle:
                server.idle.pop().hang_up()


class Adapter(hvac.adapters.JSONAdapter):  # type: ignore[misc]
    """hvac's requests over a transport, in place of requests'.

    A `Secret` may be given wherever hvac takes a text, as the token or within a document: it is revealed here, as the
    last step before it is sent.
    """

    def __init__(self, *, base_uri: str, transport: Transport, may_repeat: bool, **_: object) -> None:
        # hvac's own constructor would make a session of requests'.
        self.base_uri, self._transport, self._may_repeat = base_uri, transport, may_repeat
        self._root = Address.parse(base_uri).target.rstrip("/")
        self._begun: dict[str, Connection] = {}

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        raise_exception: bool = True,  # noqa: FBT001, FBT002  hvac's
        json: object = None,
        params: Mapping[str, object] | None = None,
        **_: object,
    ) -> dict[str, Any]:
        """Return the JSON document of the response to a request of hvac's.

        Raises:
            VaultRefusal: if the server refuses.
            VaultError, UncertainWrite: as for `Transport.send`.
        """
        self._transport.before_request()
        request = self._made(method, url, headers=headers, document=json, params=params)
        begun = self._begun.pop(request.target, None)
        answer = self._transport.send(request, may_repeat=self._may_repeat, begun=begun)
        if raise_exception and not answer.is_good:
            data = answer.document.get("data")
            metadata = data.get("metadata") if isinstance(data, dict) else None
            version = metadata.get("version") if isinstance(metadata, dict) else None
            raise VaultRefusal(answer.status, answer.errors, version if isinstance(version, int) else None)
        return answer.document

    def begin(self, url: str, params: Mapping[str, object] | None = None) -> None:
        """Send a read before hvac asks for it, over a connection of its own; if that fails, nothing happens."""
        request = self._made("GET", url, params=params)
        if request.target not in self._begun:
            connected = self._transport.begin(request)
            if connected is not None:
                self._begun[request.target] = connected

    def close(self) -> None:
        """Abandon the reads that were begun; the transport stays open."""
        while self._begun:
            self._begun.popitem()[1].hang_up()

    def _made(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        document: object = None,
        params: Mapping[str, object] | None = None,
    ) -> VaultRequest:
        """Return a request in the form to send; lists are requested by GET, which more proxies allow."""
        method = method.upper()
        if method == "LIST":
            method, params = "GET", {**(params or {}), "list": "true"}
        target = f"{self._root}/{url.strip('/')}"
        # hvac quotes most of what it puts in a path; a blank that is left would end the request line.
        if not target.isascii() or not target.isprintable() or " " in target:
            target = quote(target, safe=string.punctuation)
        if params:
            target += f"?{urlencode(params)}"
        revealed: list[str] = []

        def reveal(value: Any) -> str:
            if not isinstance(value, Secret):
                raise TypeError(f"{type(value).__name__} is not JSON")
            revealed.append(value.reveal().decode("utf-8", "surrogateescape"))
            return revealed[-1]

        fields = self._transport.common_headers() | dict(headers or {})
        body = None if document is None else json.dumps(document, default=reveal).encode("ascii")
        if method not in {"GET", "HEAD"}:
            fields["Content-Type"] = "application/json"
        plain = {name: reveal(value) if isinstance(value, Secret) else value for name, value in fields.items()}
        for name, value in plain.items():
            if not value.isascii() or not value.isprintable():
                raise VaultError(
                    f"the header {name} would contain characters that are not allowed in headers",
                    hint="log in again",
                    kind=Fault.BAD_REQUEST,
                )
        return VaultRequest(method, target, plain, body, revealed)


def _position(index: str) -> tuple[str, int] | None:
    """Return the cluster and the number of a state in OpenBao's form, base64 of `{"cluster": ..., "value": "90"}`."""
    try:
        document = json.loads(base64.b64decode(index, validate=True))
        return str(document["cluster"]), int(document["value"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _leaves_doubt(outcome: VaultAnswer | VaultError, *, was_passed_on: bool) -> bool:
    """Return whether a server may have acted without saying so.

    A standby redirects a write to its leader even after forwarding it to the leader itself without a response, for
    example because the leader died a moment ago.
    """
    if isinstance(outcome, VaultError):
        return outcome.was_sent or was_passed_on
    if was_passed_on:
        return not outcome.is_good and outcome.status not in _REFUSED_BY_ALL
    return outcome.status >= 500 and not outcome.was_refused


def _redirected(location: str, where: Address) -> Address:
    """Return the target of a redirect; method, body and token are kept, as in Vault's own client."""
    if not location:
        raise _astray(where.origin, "it has no location")
    try:
        there = Address.parse(location if "://" in location else urljoin(where.origin + where.target, location))
    except InputError as error:
        raise _astray(where.origin, error.message) from None
    if where.is_secure and not there.is_secure:
        raise _astray(where.origin, f"{there.origin} does not use TLS")
    return there


def _astray(origin: str, why: str) -> VaultError:
    return VaultError(
        f"cannot follow the redirect from {origin}: {why}",
        hint="check VAULT_ADDR, and the server's api_addr",
        kind=Fault.REDIRECT,
    )


def _understood(
    status: int, headers: Mapping[str, str], body: bytes, place: str, secrets: Sequence[str]
) -> VaultAnswer:
    """Return Vault's response, with the secrets of the request removed from its errors.

    Raises:
        VaultError: if the response is not Vault's.
    """
    document = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(body.decode())
    if not isinstance(document, dict):
        document = None
    if status < 400:
        if document is None and body:
            raise _not_vault(status, place)
        return VaultAnswer(status, document or {})
    errors = None if document is None else document.get("errors", [] if "data" in document else None)
    if not isinstance(errors, list):
        errors = None
    if _PLAIN_HTTP_TO_HTTPS in body[:200].lower() and errors is None:
        raise VaultError(f"cannot reach {place}: it requires TLS", hint="set VAULT_ADDR to https://...", kind=Fault.TLS)
    if errors is None and status < 500:
        raise _not_vault(status, place)
    pause = headers.get("retry-after", "")
    shown = [_shown(str(error), secrets) for error in (errors or [])[:10]]
    return VaultAnswer(
        status,
        document or {},
        errors=shown,
        retry_after=float(pause) if re.fullmatch(r"\d{1,4}", pause, re.ASCII) else 0.0,
        was_refused=errors is not None and (status in {501, 503} or any(NO_ACTIVE_NODE in each for each in shown)),
    )


def _shown(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "(hidden)")
    return printable(" ".join(text.split())[:_MAX_MESSAGE].rstrip("."))


def _not_vault(status: int, place: str) -> VaultError:
    return VaultError(
        f"cannot use {place}: its response (status {status}) is not from Vault",
        hint="check VAULT_ADDR and any gateway in front of the server",
        kind=Fault.NOT_VAULT,
        was_sent=True,
    )
