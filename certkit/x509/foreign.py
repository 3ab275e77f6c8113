"""The one place where a library meets hostile bytes: whatever it raises or warns of becomes an answer of ours."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Given = TypeVar("Given")
Loaded = TypeVar("Loaded")


def attempt(load: Callable[[Given], Loaded], data: Given) -> Loaded | None:
    """Return what a library makes of the bytes, or None if it refuses them, for whatever reason."""
    return try_or_error(load, data)[0]


def try_or_error(load: Callable[[Given], Loaded], data: Given) -> tuple[Loaded | None, Exception | None]:
    """Return what a library makes of the bytes, or its error; the error's text is never for people."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load(data), None
    except Exception as error:  # noqa: BLE001  parsers raise errors of many kinds
        return None, error
