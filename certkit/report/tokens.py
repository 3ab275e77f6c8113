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
    from certkit.wise.tokens import TokenInfo


def document(found: TokenInfo) -> dict[str, Any]:
    """A token of an identity as JSON."""
    refresh_end, created = found.refresh_token_expires_at, found.created_at
    return {
        "identity": found.identity,
        "grant": found.grant,
        "scope": found.scope,
        "profile_id": found.profile_id,
        "expires_at": rfc3339(found.expires_at),
        "refresh_token_expires_at": refresh_end and rfc3339(refresh_end),
        "created_at": created and rfc3339(created),
        "status": found.status.value,
    }


def text(found: TokenInfo, *, now: datetime, paint: Callable[[str, Status], str]) -> str:
    """A token of an identity as text, one fact per line."""
    refresh = "stored" if found.has_refresh_token else "none"
    if found.has_refresh_token and found.refresh_token_expires_at is not None:
        refresh = _life(found.refresh_token_expires_at, now)
    lines = [
        f"{found.identity}: {paint(found.status.value, found.status)}",
        f"  grant          {found.grant}",
        *([f"  profile        {printable(found.profile_id)}"] if found.profile_id else []),
        *([f"  scope          {printable(found.scope)}"] if found.scope else []),
        f"  access token   {_life(found.expires_at, now)}",
        f"  refresh token  {refresh}",
        *(["  -> a refresh was interrupted, so the token may not work"] if found.is_in_doubt else []),
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
