"""Readings that stand until what they are made of changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

FOREVER: Final = sys.maxsize
"""Until the input changes."""


class Standing(Generic[T]):
    """One reading, worked out when it is asked for and kept until its input changes or time alone makes it another.

    It is no state: a snapshot leaves it out, and after a restart it is worked out again.

    Example:
        >>> fresh = Standing[bool]()
        >>> fresh.at(100, lambda second: (True, 700)), fresh.at(700, lambda second: (False, 0))
        (True, True)
        >>> fresh.at(701, lambda second: (False, 1_000))
        False
    """

    __slots__ = ("_since", "_until", "_value")

    def __init__(self) -> None:
        self._since, self._until = 0, -1
        self._value: T

    def at(self, second: int, work_out: Callable[[int], tuple[T, int]]) -> T:
        """The reading as of a second; ``work_out`` gives it with the last second up to which it stands."""
        if not self._since <= second <= self._until:
            self._value, self._until = work_out(second)
            self._since = second
        return self._value

    def drop(self) -> None:
        """What it is made of has changed."""
        self._until = -1
