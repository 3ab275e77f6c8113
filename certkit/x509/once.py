"""Attributes that are computed on first use and then kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801  used as a decorator, like property
    """An attribute that is computed on first use and then kept in the instance.

    `functools.cached_property` takes a lock up to Python 3.11, which costs as much as reading a name.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        """Keep the method that computes the value."""
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        """Compute the value; the instance's own attribute hides this method from then on."""
        if instance is None:
            return self
        value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value
