"""Rendering of results as text: pure functions, one module for each format."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from certkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def needs(package: str, *, what: str) -> Iterator[None]:
    """Guard the import of an optional package, given by its well-known name.

    Raises:
        InputError: if it is not installed; the message says what needs it, the hint how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        hint = f"install it beside certkit: pip install {package}"
        raise InputError(f"cannot make {what}: {package} is not installed", hint=hint) from error
