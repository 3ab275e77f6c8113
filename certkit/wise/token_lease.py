"""Refreshing a token that several hosts share: all of them end with the token that Wise issued last.

A refresh invalidates the old access token, so hosts must not refresh at the same time. A host that refreshes writes a
lease into the token's document, by compare-and-set; the others wait for the new token and use it. A lease ends by
itself, because its holder may be killed.

Leases only avoid conflicts; what decides is which token Wise issued last (`Token.is_newer_than`). A host that cannot
write because another process has written compares both tokens, and overwrites only the older one. So even hosts that
refresh at the same time, because their clocks differ or one was suspended, end with the valid token in the store.

One risk remains: a run that is killed, or loses the network, between Wise's response and the write leaves a token in
the store that Wise no longer accepts. Its lease stays; once that has ended, the token counts as due, and the next run
refreshes it, or reports that the user has to grant access again. After the exchange of a code there is no refresh token
yet, so the user has to grant access again.
"""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from certkit.errors import CertkitError, ConflictError, InputError, RefusedError, StoreError
from certkit.stores.base import AbsentError
from certkit.wise import tokens
from certkit.wise.oauth_answers import UncertainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from certkit.stores.base import Store
    from certkit.wise.tokens import Kept, Token

    Clock = Callable[[], datetime]
    Ask = Callable[[Token], Token]
    Warn = Callable[[CertkitError], None]

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 20.0
_SILENT_SECONDS = 3.0


def renewed(
    store: Store, name: str, first: Kept, *, ask: Ask, clock: Clock, force: bool, longest_seconds: float, warn: Warn
) -> Token:
    """Return the successor of `first`, whichever host gets it; `first` itself if it is not due.

    `ask` gets the next token from Wise within `longest_seconds`. With `force`, a token that is not due is refreshed
    too, unless another run has done so in the meantime. Waiting for another run is a warning after 3 seconds.

    Raises:
        RefusedError: if Wise rejects the refresh.
        UncertainError: if it is unknown whether Wise has refreshed it.
        InputError: if Wise cannot be reached, or the token was removed.
        StoreError: if the store cannot be used.
    """
    lease = longest_seconds + _PATIENCE_SECONDS
    begin: float | None = time.monotonic()
    for patience_is_over in _waiting(lease):
        kept = tokens.read(store, name, first.token.document)
        if kept is None:
            hint = "get one: certkit wise token exchange"
            raise InputError(f"the token of {name} was removed in the meantime", hint=hint)
        token, now = kept.token, clock()
        if token.is_leased(now) and not patience_is_over:
            if begin is not None and time.monotonic() - begin > _SILENT_SECONDS:
                begin = None
                hint = f"this run waits for the result, up to {lease:.0f} seconds"
                warn(InputError(f"another process is refreshing the token of {name}", hint=hint))
            continue
        is_wanted = force and token.access == first.token.access
        if not is_wanted and not token.is_due(now) and not token.is_leased(now):
            return token
        try:
            ours = tokens.write(store, name, replace(token, lease=now + timedelta(seconds=lease)), over=kept.version)
        except ConflictError:
            continue
        return _renew(store, name, ours, token, ask, clock)
    raise InputError(f"{name}: other processes keep refreshing its token", hint="try again")


def keep(store: Store, name: str, token: Token, *, over: str | None = None) -> Token:
    """Store a token that Wise has just issued, unless the store has a newer one. Return the one in the store.

    Raises:
        InputError: if the token was removed in the meantime, and stays removed.
        StoreError: if the store cannot be used; the token is lost.
    """
    expects_none = over is None
    for is_last in _waiting(_PATIENCE_SECONDS):
        try:
            return tokens.write(store, name, token, over=over).token
        except ConflictError:
            there = tokens.read(store, name, token.document)
        except AbsentError:
            raise
        except StoreError as error:
            if is_last:
                retry = "then refresh it (certkit wise token refresh), or ask the user to grant access again"
                message = f"{name}: the new token could not be stored and is lost: {error.message}"
                raise StoreError(message, hint=f"{error.hint}; {retry}") from error
            continue  # the token cannot be requested again
        if there is None and not expects_none:
            raise InputError(f"{name}: the token was removed while it was being refreshed", hint="get another one")
        if there is not None and not token.is_newer_than(there.token):
            return there.token
        over = None if there is None else there.version
    raise InputError(f"{name}: other processes keep changing its token", hint="try again")


def _renew(store: Store, name: str, ours: Kept, before: Token, ask: Ask, clock: Clock) -> Token:
    """Get the next token from Wise under our lease, and store it."""
    with uninterrupted():
        try:
            made = ask(before)
        except UncertainError as error:
            _end_lease(store, name, ours, replace(error.rescued or before, lease=clock()))
            raise
        except RefusedError:
            there = tokens.read(store, name, before.document)
            if there is not None and there.token.access != before.access:
                return there.token  # another run was faster, with the same refresh token
            _end_lease(store, name, ours, before)
            raise
        except InputError:
            _end_lease(store, name, ours, before)
            raise
        return keep(store, name, made, over=ours.version)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay signals that end the process: between Wise's response and the write they would lose the only token."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_lease(store: Store, name: str, ours: Kept, token: Token) -> None:
    """End the lease. A token whose lease ends now is in doubt, and so is due."""
    with contextlib.suppress(StoreError):  # then it ends by itself
        tokens.write(store, name, token, over=ours.version)


def _waiting(seconds: float) -> Iterator[bool]:
    """Yield at growing intervals whether the time is over; the last turns yield True."""
    end = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    over = 0
    while over < 10:
        is_over = time.monotonic() >= end
        over += is_over
        yield is_over
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
