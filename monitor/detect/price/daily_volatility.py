"""Estimates the usual volatility of a day as the median of the last thirty days' realised volatilities.

One crash moves a mean for weeks, and the next fall then looks small beside it; a median hardly changes.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Final

import msgspec

DAY_S: Final = 86_400
DAYS: Final = 30
"""Number of days whose realised volatility the median takes."""
STEP_S: Final = 300
STEPS: Final = DAY_S // STEP_S
"""Number of five-minute returns in a whole day."""
LEAST_STEPS: Final = STEPS // 2
"""Minimum number of these returns that a day needs to count in the median."""
LOWEST_VOLATILITY: Final = 0.004
"""Lower bound of a day's volatility, a ratio: pegged coins move less, and a basis point must not look like a crash."""


class UsualVolatilityState(msgspec.Struct, array_like=True):
    """Everything that :class:`UsualVolatility` remembers.

    Attributes:
        value: the estimate.
        anchor: number of the current five minutes and their first price; None before the first price.
        days: number and realised volatility of each day in the median.
        day: number of the current day.
        squares: sum of the current day's squared returns.
        count: number of five-minute steps in that sum.
    """

    value: float
    anchor: tuple[int, float] | None
    days: list[tuple[int, float]]
    day: int
    squares: float
    count: int


class UsualVolatility:
    """Estimates the standard deviation of a usual day's return, a ratio (BTC 0.024, SOL 0.034, WIF 0.055).

    A return goes from the first price of five minutes of the clock to that of the next five: in a recording of candles
    these are closes. Measured between lows and highs of the candles, the same day has half as much volatility again.

    Args:
        assumed: the volatility before any day was measured; it counts as one more day until there are thirty.

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
        self._days: deque[tuple[int, float]] = deque()  # number of the day, its realised volatility
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
        """Add the day that ended and drop days that are too old: a recording may continue years later."""
        days = self._days
        if self._count >= LEAST_STEPS and self._sum:
            days.append((self._day, math.sqrt(self._sum / self._count * STEPS)))
        while days and days[0][0] < day - DAYS:
            days.popleft()
        assumed = [self._assumed] if len(days) < DAYS else []
        self.value = max(LOWEST_VOLATILITY, median([*(volatility for _, volatility in days), *assumed]))
        self._day, self._sum, self._count = day, 0.0, 0

    def state(self) -> UsualVolatilityState:
        """Return what a snapshot stores."""
        return UsualVolatilityState(
            value=self.value,
            anchor=self._anchor,
            days=list(self._days),
            day=self._day,
            squares=self._sum,
            count=self._count,
        )

    def load(self, kept: UsualVolatilityState) -> None:
        """Restore a decoded :class:`UsualVolatilityState`."""
        self.value, self._anchor, self._days = kept.value, kept.anchor, deque(kept.days)
        self._day, self._sum, self._count = kept.day, kept.squares, kept.count
