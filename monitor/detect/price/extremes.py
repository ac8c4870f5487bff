"""Keeps the rolling maximum and minimum over event time."""

from __future__ import annotations

from collections import deque

import msgspec


class ExtremesState(msgspec.Struct, array_like=True):
    """Everything that :class:`Extremes` remembers: both queues of seconds and values, oldest first."""

    highs: list[tuple[int, float]]
    lows: list[tuple[int, float]]


class Extremes:
    """Tracks the highest and the lowest value of the last ``length_s`` seconds, both ends included.

    Two monotonic queues: O(1) amortised a push, and no more is kept than can still become an extreme.

    Example:
        >>> hour = Extremes(3600)
        >>> for second, price in ((0, 10.0), (10, 12.0), (20, 9.0)):
        ...     hour.push(second, price)
        >>> hour.high, hour.low
        (12.0, 9.0)
        >>> hour.push(3615, 9.5)
        >>> hour.high, hour.low
        (9.5, 9.0)
    """

    __slots__ = ("_highs", "_lows", "length_s")

    def __init__(self, length_s: int) -> None:
        self.length_s = length_s
        self._highs: deque[tuple[int, float]] = deque()
        self._lows: deque[tuple[int, float]] = deque()

    def push(self, second: int, value: float) -> None:
        """Add the value of ``second``; seconds never go back."""
        highs, lows = self._highs, self._lows
        while highs and highs[-1][1] <= value:
            highs.pop()
        while lows and lows[-1][1] >= value:
            lows.pop()
        highs.append((second, value))
        lows.append((second, value))
        self.expire(second)

    def expire(self, second: int) -> None:
        """Forget what is older than the window that ends at ``second``, but for the newest value."""
        start = second - self.length_s
        for queue in (self._highs, self._lows):
            while len(queue) > 1 and queue[0][0] < start:
                queue.popleft()

    @property
    def high(self) -> float:
        """Return the highest value in the window. Raises ``IndexError`` before the first push."""
        return self._highs[0][1]

    @property
    def low(self) -> float:
        """Return the lowest value in the window. Raises ``IndexError`` before the first push."""
        return self._lows[0][1]

    def state(self) -> ExtremesState:
        """Return what a snapshot stores."""
        return ExtremesState(highs=list(self._highs), lows=list(self._lows))

    def load(self, kept: ExtremesState) -> None:
        """Restore a decoded :class:`ExtremesState`."""
        self._highs, self._lows = deque(kept.highs), deque(kept.lows)
