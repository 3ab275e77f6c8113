"""What is said of a field that cannot be read, in place of its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read, and why."""

    reason: str

    def __bool__(self) -> Literal[False]:
        """Return False: nothing is known of the value."""
        return False
