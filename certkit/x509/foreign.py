"""The one place that catches whatever a library raises on hostile bytes: that, and warnings, become return values."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Given = TypeVar("Given")
Loaded = TypeVar("Loaded")
_IGNORE: list[Any] = [("ignore", None, Warning, None, 0)]


def attempt(load: Callable[[Given], Loaded], data: Given) -> Loaded | None:
    """Return the object that a library loads from the bytes, or None if it raises anything."""
    return try_or_error(load, data)[0]


def try_or_error(load: Callable[[Given], Loaded], data: Given) -> tuple[Loaded | None, Exception | None]:
    """Return the object that a library loads from the bytes, or its error, whose text is never shown."""
    # What warnings.catch_warnings does, which takes longer than reading a certificate: it also makes every module
    # forget what it has warned of, and nothing is remembered of warnings that are ignored. Of several threads only
    # those that found the filters as they were put them back.
    filters, warnings.filters = warnings.filters, _IGNORE
    try:
        return load(data), None
    except Exception as error:  # noqa: BLE001  parsers raise errors of many kinds
        return None, error
    finally:
        if filters is not _IGNORE:
            warnings.filters = filters
