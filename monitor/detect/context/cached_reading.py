"""Cache of one derived value, invalidated when its input changes or when it expires."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

FOREVER: Final = sys.maxsize
"""Expiry of a value that only a change of its input makes another."""


class CachedReading(Generic[T]):
    """A value that is computed on demand and kept until its input changes or until its last second has passed.

    It is no state: a snapshot leaves it out, and after a restart the value is computed again.

    Example:
        >>> fresh = CachedReading[bool]()
        >>> fresh.at(100, lambda second: (True, 700)), fresh.at(700, lambda second: (False, 0))
        (True, True)
        >>> fresh.at(701, lambda second: (False, 1_000))
        False
    """

    __slots__ = ("_since", "_until", "_value")

    def __init__(self) -> None:
        self._since, self._until = 0, -1
        self._value: T

    def at(self, second: int, compute: Callable[[int], tuple[T, int]]) -> T:
        """Return the value as of a second; ``compute`` returns it with the last second for which it holds."""
        if not self._since <= second <= self._until:
            self._value, self._until = compute(second)
            self._since = second
        return self._value

    def invalidate(self) -> None:
        """Discard the value, because its input changed."""
        self._until = -1
