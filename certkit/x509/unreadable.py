"""The value of a field that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A field that could not be read; `reason` says why. It is false, because the value is unknown."""

    reason: str

    def __bool__(self) -> Literal[False]:
        """Return False."""
        return False
