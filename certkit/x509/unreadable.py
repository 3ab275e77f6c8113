"""The value of a field that cannot be read."""

from __future__ import annotations

from typing import Literal


class Unreadable:
    """A field that could not be read; `reason` says why."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        """Return whether the other is unreadable for the same reason."""
        return isinstance(other, Unreadable) and self.reason == other.reason

    def __hash__(self) -> int:
        """Return a hash of the reason."""
        return hash(self.reason)

    def __repr__(self) -> str:
        """Return the reason."""
        return f"Unreadable({self.reason!r})"

    def __bool__(self) -> Literal[False]:
        """Return False: the value is unknown."""
        return False
