"""Defines a pair of values, one for long positions and one for short positions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from monitor.model.events import Side

T = TypeVar("T")


class BySide(msgspec.Struct, Generic[T], array_like=True, frozen=True):
    """One value for long positions and one for short positions.

    Example:
        >>> usd = BySide(3.0, 5.0)
        >>> usd["short"], list(usd)
        (5.0, [3.0, 5.0])
    """

    long: T
    short: T

    def __getitem__(self, side: Side) -> T:
        return self.long if side == "long" else self.short

    def __iter__(self) -> Iterator[T]:
        yield self.long
        yield self.short
