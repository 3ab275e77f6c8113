"""Tokens as text and as JSON: their lifetimes, and never the token."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certkit.durations import spoken
from certkit.printable import printable
from certkit.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certkit.findings import Status
    from certkit.wise.tokens import Token


def document(name: str, token: Token, *, now: datetime) -> dict[str, Any]:
    """A token of an identity as JSON."""
    return {
        "identity": name,
        "grant": token.grant,
        "scope": token.scope,
        "profile_id": token.profile_id,
        "expires_at": rfc3339(token.expires_at),
        "refresh_token_expires_at": _moment(token.refresh_expires_at),
        "created_at": _moment(token.created_at),
        "status": token.status(now).value,
    }


def text(name: str, token: Token, *, now: datetime, paint: Callable[[str, Status], str]) -> str:
    """A token of an identity as text, one fact per line."""
    status = token.status(now)
    refresh = "none" if token.refresh is None else "stored"
    if token.refresh is not None and token.refresh_expires_at is not None:
        refresh = _life(token.refresh_expires_at, now)
    lines = [
        f"{name}: {paint(status.value, status)}",
        f"  grant          {token.grant}",
        *([f"  profile        {printable(token.profile_id)}"] if token.profile_id else []),
        *([f"  scope          {printable(token.scope)}"] if token.scope else []),
        f"  access token   {_life(token.expires_at, now)}",
        f"  refresh token  {refresh}",
        *(["  -> a refresh was interrupted, so the token may not work"] if token.is_in_doubt(now) else []),
    ]
    return "".join(f"{line}\n" for line in lines)


def clock_warning(name: str, ahead: timedelta) -> str:
    """The warning about two clocks that differ."""
    which = "ahead of" if ahead > timedelta() else "behind"
    return f"{name}: Wise's clock is {spoken(abs(ahead))} {which} this host's. Check the time of this host"


def _life(end: datetime, now: datetime) -> str:
    left = end - now
    passed = left.total_seconds() <= 0
    return f"until {rfc3339(end)}, {f'{spoken(-left)} ago' if passed else f'{spoken(left)} left'}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
