"""Tokens as text and as JSON: their lifetimes, and never the token."""

from __future__ import annotations

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
    """A token of an identity, as the contract of the command line has it."""
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
    """The same for people, a line each, and what to do where something is to be done."""
    status = token.status(now)
    lines = [
        f"{name}: {paint(status.value, status)}",
        f"  grant          {token.grant}",
        *([f"  profile        {printable(token.profile_id)}"] if token.profile_id else []),
        *([f"  scope          {printable(token.scope)}"] if token.scope else []),
        f"  access token   {_life(token.expires_at, now)}",
        f"  refresh token  {_refresh(token, now)}",
        *(
            ["  -> a renewal did not end, so it may not work: certkit wise token refresh"]
            if token.is_in_doubt(now)
            else []
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def _refresh(token: Token, now: datetime) -> str:
    if token.refresh is None:
        return "none"
    return "there is one" if token.refresh_expires_at is None else _life(token.refresh_expires_at, now)


def _life(end: datetime, now: datetime) -> str:
    left = end - now
    passed = left.total_seconds() <= 0
    return f"until {rfc3339(end)}, {f'{spoken(-left)} ago' if passed else f'{spoken(left)} left'}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
