"""What every source of certificates answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509


@dataclass(frozen=True, slots=True)
class Sighting:
    """One certificate seen in one place; `is_leaf` is said of the first of a bundle."""

    source: str
    certificate: x509.Certificate
    is_leaf: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """A place that could not be looked at, or something there that cannot be read."""

    source: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A file of a directory that holds nothing to watch."""

    source: str


class Source(Protocol):
    """Somewhere certificates are seen."""

    def look(self) -> Iterator[Sighting | Failure | Passed]:
        """What is there, one at a time; a failure does not end the search."""
        ...
