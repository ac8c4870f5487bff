"""Learns the seasonality of a baseline: how the normal level varies with the hour of the day and the weekend."""

from __future__ import annotations

from typing import Final

import msgspec

PROFILE: Final = (
    1.06, 1.09, 1.00, 0.88, 0.79, 0.75, 0.78, 0.85, 0.88, 0.87, 0.84, 0.89,
    1.03, 1.21, 1.27, 1.21, 1.15, 1.14, 1.13, 1.08, 1.03, 0.98, 0.91, 0.94,
)  # fmt: skip
"""The market's profile: volatility of five minutes by hour (UTC) over its mean, of BTC, ETH, SOL and XRP on 74 calm
days of 2023 and 2025, each hour averaged with its neighbours; highest when New York opens, lowest in Asia's
afternoon."""
WEEKEND: Final = 0.79
"""Volatility of a weekend day over that of a weekday, from the same days (0.74 on BTC to 0.82 on XRP)."""
HALF_LIFE_DAYS: Final = 28
"""Half-life, in days, of an hour's observations."""
_HOURS, _DAYS = 24, 7
_THURSDAY: Final = 3
"""Weekday of 1970-01-01, Monday being 0."""


class ShapeState(msgspec.Struct, array_like=True):
    """Everything that :class:`Shape` remembers.

    Attributes:
        counts: weight of the observations of each hour, then of weekdays and of weekends.
        means: their means, in the same order.
        hour: the hour, numbered since the epoch, that the factors are of.
        factors: the factors, in the same order.
    """

    counts: list[float]
    means: list[float]
    hour: int
    factors: list[float]


class Shape:
    """Estimates factors around one for each hour and the weekend, shrunk to the market's profile while data are few.

    Unit: dimensionless. Typical: on weekdays 0.8 at 05 UTC and 1.36 at 14 UTC, four fifths of it on weekends.

    Args:
        power: the baseline varies as volatility to this power: 1 for liquidated USD, 2 for a squared return.
        shrink: an hour's own mean has the weight n / (n + shrink) after n observations.
        per_day: number of observations that one hour of one day gives.

    Example:
        >>> shape = Shape(power=1, shrink=200, per_day=60)
        >>> round(shape.factor(14), 2), round(shape.factor(5), 2)
        (1.36, 0.81)
        >>> for day in range(28):
        ...     for _ in range(60):
        ...         shape.learn(24 * day + 5, 3.0)
        >>> round(shape.factor(24 * 28 + 5), 2)
        2.79
    """

    __slots__ = ("_cap", "_counts", "_factors", "_hour", "_means", "_prior", "_shrink")

    def __init__(self, power: float, shrink: float, per_day: float) -> None:
        self._shrink = shrink
        self._cap = per_day * HALF_LIFE_DAYS / 0.693  # the mean age of what a half-life of as many days keeps
        self._prior = [factor**power for factor in PROFILE] + [1.0, WEEKEND**power]
        self._counts = [0.0] * (_HOURS + 2)  # of each hour, then of weekdays and of weekends
        self._means = [0.0] * (_HOURS + 2)
        self._hour = 0  # the last one read or learned
        self._factors = self._shaped()  # as of that hour's beginning

    def factor(self, hour: int) -> float:
        """Return the factor of an hour, numbered since the epoch; it is constant within the hour."""
        self._enter(hour)
        return self._factors[hour % _HOURS] * self._factors[_HOURS + _is_weekend(hour)]

    def learn(self, hour: int, ratio: float, times: int = 1) -> None:
        """Learn the ratio of an hour's observations to the level without seasonality."""
        self._enter(hour)
        at, of_day = hour % _HOURS, _HOURS + _is_weekend(hour)
        for index, seen in ((at, ratio / self._factors[of_day]), (of_day, ratio / self._factors[at])):
            cap = self._cap if index < _HOURS else _HOURS * self._cap
            self._counts[index] = min(cap, self._counts[index] + times)
            self._means[index] += min(1.0, times / self._counts[index]) * (seen - self._means[index])

    def _enter(self, hour: int) -> None:
        if hour != self._hour:
            self._hour, self._factors = hour, self._shaped()

    def _shaped(self) -> list[float]:
        shrunk = []
        for index, (prior, count, mean) in enumerate(zip(self._prior, self._counts, self._means, strict=True)):
            shrink = self._shrink if index < _HOURS else _HOURS * self._shrink
            shrunk.append((shrink * prior + count * mean) / (shrink + count))
        # The level is learned elsewhere, so the hours average to one, and so do five weekdays and two days of weekend.
        hours = sum(shrunk[:_HOURS]) / _HOURS
        days = (5 * shrunk[_HOURS] + 2 * shrunk[_HOURS + 1]) / _DAYS
        return [factor / hours for factor in shrunk[:_HOURS]] + [factor / days for factor in shrunk[_HOURS:]]

    def state(self) -> ShapeState:
        """Return what a snapshot stores."""
        return ShapeState(counts=self._counts, means=self._means, hour=self._hour, factors=self._factors)

    def load(self, kept: ShapeState) -> None:
        """Restore a decoded :class:`ShapeState`."""
        self._counts, self._means, self._hour, self._factors = kept.counts, kept.means, kept.hour, kept.factors


def _is_weekend(hour: int) -> bool:
    return (hour // _HOURS + _THURSDAY) % _DAYS >= 5
