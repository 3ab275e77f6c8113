"""HTML in which every value is escaped, unless it is HTML that was made here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


class Markup(str):
    """HTML made by `html`: only that stands in a page as it is."""

    __slots__ = ()


def html(template: str, /, **values: object) -> Markup:
    """The template with each `{name}` replaced: HTML as it is, everything else as escaped text without line ends."""
    return Markup(template.format_map({name: _safe(value) for name, value in values.items()}))


def joined(parts: Iterable[Markup]) -> Markup:
    """Pieces of HTML after each other."""
    return Markup("\n".join(parts))


def lines(text: str) -> Markup:
    """Text of several lines, escaped, its line ends kept, for an element that shows them."""
    return Markup("\n".join(_safe(line) for line in text.splitlines()))


def _safe(value: object) -> str:
    return value if isinstance(value, Markup) else escape(printable(str(value)))
