"""Attributes that are computed on first use and then kept."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

Value = TypeVar("Value")


class once(cached_property[Value]):  # noqa: N801  used as a decorator, like property
    """`functools.cached_property` without the lock that it has up to Python 3.11.

    A process that forks while another thread holds that lock has a child that waits for ever; and taking it costs as
    much as reading a name. Two threads may compute a value twice.
    """

    if not TYPE_CHECKING:

        def __get__(self, instance: object | None, owner: type | None = None) -> Any:
            """Compute the value; the instance's own attribute hides this method from then on."""
            if instance is None:
                return self
            value = instance.__dict__[self.attrname] = self.func(instance)
            return value
