"""The usual volatility of a day: the median of the last thirty days' realised ones.

A mean is moved for weeks by one crash, and the next fall looks small beside it; a median hardly notices.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Any, Final

DAY_S: Final = 86_400
DAYS: Final = 30
"""Days that the median is of."""
STEP_S: Final = 300
STEPS: Final = DAY_S // STEP_S
"""Returns over five minutes in a whole day ..."""
LEAST_STEPS: Final = STEPS // 2
"""... and how many of these must have been seen for it to count."""
LOWEST_VOLATILITY: Final = 0.004
"""Of a day. Pegged coins move less; a basis point must not look like a crash."""


class UsualVolatility:
    """Standard deviation of a day's return as most days have it, a ratio (BTC 0.024, SOL 0.034, WIF 0.055).

    Returns go from the first price of a clock's five minutes to that of the next: in a recording of candles these are
    closes. Between a low and a high of its candles the same day looks half as wild again.

    Args:
        assumed: before any day was seen; it counts as one more day until there are thirty.

    Example:
        >>> usual = UsualVolatility(0.03)
        >>> for at in range(0, 4 * 86_400, 60):
        ...     usual.take(at, 100.0 if at // 300 % 2 else 100.1)
        >>> round(usual.value, 4)
        0.017
    """

    __slots__ = ("_anchor", "_assumed", "_count", "_day", "_days", "_sum", "value")

    def __init__(self, assumed: float) -> None:
        self.value = assumed
        self._assumed = assumed
        self._anchor: tuple[int, float] | None = None  # number of the five minutes, and their first price
        self._days: deque[tuple[int, float]] = deque()  # number of the day, what it realised
        self._day = 0
        self._sum = 0.0  # squared returns of the current day
        self._count = 0

    def take(self, second: int, price: float) -> None:
        """Take the price of a second; seconds never go back."""
        step = second // STEP_S
        if self._anchor is None:
            self._anchor = (step, price)
            return
        steps = step - self._anchor[0]
        if not steps:
            return
        day = second // DAY_S
        if day != self._day:
            self._begin_day(day)
        if steps < STEPS:
            self._sum += math.log(price / self._anchor[1]) ** 2
            self._count += steps
        self._anchor = (step, price)

    def _begin_day(self, day: int) -> None:
        """Take the day that ended, and forget those that are too old: a recording may go on years later."""
        days = self._days
        if self._count >= LEAST_STEPS and self._sum:
            days.append((self._day, math.sqrt(self._sum / self._count * STEPS)))
        while days and days[0][0] < day - DAYS:
            days.popleft()
        assumed = [self._assumed] if len(days) < DAYS else []
        self.value = max(LOWEST_VOLATILITY, median([*(volatility for _, volatility in days), *assumed]))
        self._day, self._sum, self._count = day, 0.0, 0

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [self.value, self._anchor, list(self._days), self._day, self._sum, self._count]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self.value, anchor, days, self._day, self._sum, self._count = state
        self._anchor = (anchor[0], anchor[1]) if anchor else None
        self._days = deque((at, volatility) for at, volatility in days)
