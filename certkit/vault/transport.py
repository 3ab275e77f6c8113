"""Requests to Vault: connections that are kept, redirects, repetitions, and reads that see our own writes.

Modelled on OpenBao's `api/client.go` (read on 2026-11-23): what is repeated, which redirects are followed, and that the
time-out bounds a request together with its repetitions.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from certkit.vault import tls
from certkit.vault.answers import Deadline, NotHttpError, TooLargeError
from certkit.vault.connection import Connection, connect
from certkit.vault.errors import Kind, UncertainWrite, VaultError
from certkit.vault.failures import explained
from certkit.vault.response import Response, understood
from certkit.vault.route import Origin
from certkit.vault.written import Written

if TYPE_CHECKING:
    import ssl

    from certkit.vault.answers import Answer
    from certkit.vault.settings import Settings

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 307, 308})
# Refused before anything was done: over a quota (429), a state not yet reached (412).
_UNTOUCHED = frozenset({412, 429})
# What one server does not let us do, the one that redirected to it did not do either.
_REFUSED_BY_ALL = frozenset({401, 403, 404})
_WORTH_REPEATING = frozenset({*_UNTOUCHED, 500, 502, 503, 504})
_MAX_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `target` is path and query, `headers` whole lines, `secrets` what must not come back in an error."""

    method: str
    target: str
    headers: bytes
    body: bytes
    secrets: tuple[str, ...]

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method in {"GET", "HEAD"}


class Transport:
    """The way to one server, for any number of threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._origin = settings.origin
        self._idle: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._written = Written()

    def send(self, request: Request, *, may_repeat: bool, sent_on: Connection | None = None) -> Response:
        """The answer to a request, which may have been repeated; `sent_on` is where it was begun already.

        Without `may_repeat`, it is repeated only where the server cannot have acted upon it.

        Raises:
            VaultError: there is no answer, or none of Vault's.
            UncertainWrite: the request may have changed something, and there is no good answer.
        """
        deadline = Deadline(self._settings.timeout)
        in_doubt = False
        for attempt in range(self._settings.max_retries + 1):
            outcome, was_passed_on = self._attempt(request, deadline, None if attempt else sent_on)
            in_doubt = in_doubt or (not request.is_read and _leaves_doubt(outcome, was_passed_on=was_passed_on))
            if not _is_worth_repeating(outcome) or (in_doubt and not may_repeat):
                break
            if attempt == self._settings.max_retries or not self._waited(attempt, outcome, deadline):
                break
        if in_doubt and not (isinstance(outcome, Response) and outcome.ok):
            raise self._uncertain(request, outcome)
        if isinstance(outcome, VaultError):
            raise outcome
        return outcome

    def begin(self, request: Request, target: str) -> Connection | None:
        """Send a read, like another one for another target, to be ended by `send`; None where that is not possible."""
        deadline = Deadline(self._settings.timeout)
        try:
            connection = self._connection(self._origin, deadline)
        except VaultError:
            return None
        try:
            self._put(request, target, connection, deadline)
        except OSError:
            connection.close()
            return None
        return connection

    def _attempt(
        self, request: Request, deadline: Deadline, sent_on: Connection | None
    ) -> tuple[Response | VaultError, bool]:
        """What came of a request, and whether a server was asked before the one that answered."""
        origin, target = self._origin, request.target
        was_passed_on = False
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                answer = self._ask(origin, target, request, deadline, sent_on)
                if answer.status not in _REDIRECTS:
                    return self._understood(answer, origin, request), was_passed_on
                was_passed_on, sent_on = True, None
                origin, target = _redirected(answer, origin, target)
        except VaultError as error:
            return error, was_passed_on
        return _astray(origin, "there are too many redirects"), was_passed_on

    def _ask(
        self, origin: Origin, target: str, request: Request, deadline: Deadline, sent_on: Connection | None
    ) -> Answer:
        connection = sent_on or self._connection(origin, deadline)
        try:
            if sent_on is None:
                self._put(request, target, connection, deadline)
            answer = connection.answer(deadline)
        except (OSError, NotHttpError, TooLargeError) as error:
            connection.close()
            raise explained(error, place=self._place(origin), seconds=deadline.seconds, was_sent=True) from error
        except BaseException:
            connection.close()
            raise
        if answer.leaves_open:
            self._idle[origin].append(connection)
        else:
            connection.close()
        return answer

    def _put(self, request: Request, target: str, connection: Connection, deadline: Deadline) -> None:
        headers = request.headers + self._written.as_headers()
        connection.send(request.method, target, headers, request.body, deadline=deadline)

    def _place(self, origin: Origin) -> str:
        return str(origin) if origin == self._origin else f"{origin}, to which {self._origin} redirects"

    def _connection(self, origin: Origin, deadline: Deadline) -> Connection:
        return self._idle_connection(origin) or self._new_connection(origin, deadline)

    def _idle_connection(self, origin: Origin) -> Connection | None:
        idle = self._idle[origin]
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was faster
                return None
            if not connection.is_dropped:
                return connection
            connection.close()
        return None

    def _new_connection(self, origin: Origin, deadline: Deadline) -> Connection:
        proxy = self._settings.proxies.towards(origin)
        context = self._shared_context() if origin.scheme == "https" else None
        place = self._place(origin)
        if proxy is not None:
            place += f", through the proxy {proxy.origin}"
        try:
            return connect(
                origin,
                proxy=proxy,
                context=context,
                server_name=self._settings.tls.server_name,
                deadline=deadline,
            )
        except (OSError, NotHttpError, TooLargeError) as error:
            raise explained(error, place=place, seconds=deadline.seconds, was_sent=False) from error

    def _shared_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = tls.context(self._settings.tls)
            return self._context

    def _understood(self, answer: Answer, origin: Origin, request: Request) -> Response:
        self._written.note(answer.headers.get("x-vault-index", ""))
        return understood(answer, place=str(origin), secrets=request.secrets)

    def _waited(self, attempt: int, outcome: Response | VaultError, deadline: Deadline) -> bool:
        """Pause before a repetition; False where the time is too short for one."""
        pause = min(self._settings.pause * 2**attempt, _MAX_PAUSE_SECONDS) * random.uniform(1.0, 1.5)  # noqa: S311
        if isinstance(outcome, Response):
            pause = outcome.retry_after or pause
        if pause >= deadline.remaining:
            return False
        time.sleep(pause)
        return True

    def _uncertain(self, request: Request, outcome: Response | VaultError) -> UncertainWrite:
        reason = outcome.message if isinstance(outcome, VaultError) else f"the server answers: {outcome.text}"
        where = f"{self._origin}{urlsplit(request.target).path}"
        error = UncertainWrite(
            f"cannot tell whether it was done, {where}: {reason}",
            hint="look at what is there before doing it again",
            reason=reason,
        )
        error.__cause__ = outcome if isinstance(outcome, VaultError) else None
        return error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for idle in list(self._idle.values()):
            while idle:
                idle.pop().close()


def _leaves_doubt(outcome: Response | VaultError, *, was_passed_on: bool) -> bool:
    """Whether a server may have acted without saying so.

    A standby redirects a write to its leader also after it has handed it to the leader itself and got no answer, for
    example because the leader died of late.
    """
    if isinstance(outcome, VaultError):
        return outcome.was_sent or was_passed_on
    if was_passed_on:
        return not outcome.ok and outcome.status_code not in _REFUSED_BY_ALL
    return outcome.status_code >= 500 and not outcome.was_refused


def _is_worth_repeating(outcome: Response | VaultError) -> bool:
    if isinstance(outcome, VaultError):
        return outcome.kind is Kind.CONNECTION
    return outcome.status_code in _WORTH_REPEATING


def _redirected(answer: Answer, origin: Origin, target: str) -> tuple[Origin, str]:
    """Where an answer sends us; method, body and token go along, as they do with Vault's own client."""
    location = answer.headers.get("location", "")
    if not location:
        raise _astray(origin, "it does not say where to go")
    url = location if "://" in location else urljoin(f"{origin}{target}", location)
    try:
        there, parts = Origin.parse(url), urlsplit(url)
    except ValueError as error:
        raise _astray(origin, str(error)) from None
    if origin.scheme == "https" and there.scheme != "https":
        raise _astray(origin, f"{there} is without TLS")
    return there, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"


def _astray(origin: Origin, why: str) -> VaultError:
    return VaultError(
        f"cannot follow, a redirect from {origin}: {why}",
        hint="check VAULT_ADDR, and the server's api_addr",
        kind=Kind.REDIRECT,
    )
