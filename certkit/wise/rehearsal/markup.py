"""HTML templates that escape every value except HTML made by this module."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from certkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


class Markup(str):
    """HTML made by `html`, which is inserted unescaped."""

    __slots__ = ()


def html(template: str, /, **values: object) -> Markup:
    """Return the template with each `{name}` replaced; everything but Markup is escaped, without line breaks."""
    return Markup(template.format_map({name: _safe(value) for name, value in values.items()}))


def joined(parts: Iterable[Markup]) -> Markup:
    """Concatenate pieces of HTML."""
    return Markup("\n".join(parts))


def lines(text: str) -> Markup:
    """Return text of several lines, escaped and with its line breaks, for an element that preserves them."""
    return Markup("\n".join(_safe(line) for line in text.splitlines()))


def _safe(value: object) -> str:
    return value if isinstance(value, Markup) else escape(printable(str(value)))
