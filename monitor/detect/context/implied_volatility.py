"""Implied volatility: the level of an index such as Deribit's DVOL, and the surprise of its rise."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from monitor.detect.baseline.surprise import Surprise, SurpriseState
from monitor.detect.context.cached_reading import FOREVER, CachedReading
from monitor.detect.context.sampled_history import HistoryState, SampledHistory

DAY_S: Final = 86_400
SLOT_S: Final = 900
FRESH_S: Final = 3_600
"""Age in seconds up to which the index's last value counts."""
NORMAL_RISE: Final = 0.05
"""Logarithmic rise of a day at which the Pareto tail of the prior begins."""
RISE_TAIL: Final = 4.0
"""Exponent of that tail. DVOL's rise from 37 to 44 on 2026-01-29, the largest since November 2024, is then 2.2
decades."""


class VolatilityState(msgspec.Struct, array_like=True):
    """Everything that :class:`ImpliedVolatility` remembers.

    Attributes:
        venue: of the index that counts, empty before the first value.
        last: second and value of the newest sample.
        history: values of the last day.
        surprise: distribution of a day's rise.
    """

    venue: str
    last: tuple[int, float]
    history: HistoryState
    surprise: SurpriseState


class ImpliedVolatility:
    """Level, change of 24 h, and the surprise of a day's rise.

    Unit: percent, annualised (points); surprise in decades. Typical: BTC 37 to 45; 37 to 44 within 2026-01-29.

    Example:
        >>> dvol = ImpliedVolatility()
        >>> for second, value in ((0, 37.0), (43_200, 38.0), (86_400, 44.0)):
        ...     dvol.add("deribit", second, value)
        >>> dvol.level(86_400), dvol.change_24h(86_400), round(dvol.surprise(86_400), 1)
        (44.0, 7.0, 2.2)
    """

    __slots__ = ("_history", "_jump", "_last", "_surprise", "_venue")

    def __init__(self) -> None:
        self._venue = ""  # of the index that counts: the first one received, since two indexes' levels differ
        self._last = (0, 0.0)
        self._history = SampledHistory(SLOT_S, DAY_S)
        self._surprise = Surprise(1.0, RISE_TAIL)
        self._jump = CachedReading[float]()

    def add(self, venue: str, second: int, value: float) -> None:
        """Take a value in percent; another venue's index is ignored."""
        self._venue = self._venue or venue
        if venue == self._venue:
            self._history.add(second, value, 0)
            if second >= self._last[0]:
                self._last = (second, value)
            self._jump.invalidate()

    def level(self, second: int) -> float | None:
        """Return the last value, percent; None where it is stale."""
        return self._last[1] if self._last[0] and second - self._last[0] <= FRESH_S else None

    def _day_ago(self, second: int) -> float | None:
        found = self._history.at(self._last[0] - DAY_S + SLOT_S // 2)
        if self.level(second) is None or found is None or self._last[0] - found.second > DAY_S + 2 * FRESH_S:
            return None
        return found.value

    def change_24h(self, second: int) -> float | None:
        """Return the change within 24 h, percentage points; None before a day was seen."""
        before = self._day_ago(second)
        return None if before is None else self._last[1] - before

    def surprise(self, second: int) -> float:
        """Return the surprise of the day's rise in decades; 0 where the index fell or is unknown."""
        return self._jump.at(second, self._judge)

    def _judge(self, second: int) -> tuple[float, int]:
        fresh = self.level(second) is not None
        return self._surprise.of(self._rise(second)), self._last[0] + FRESH_S if fresh else FOREVER

    def _rise(self, second: int) -> float:
        before = self._day_ago(second)
        known = before is not None and before > 0 and self._last[1] > 0  # an index of zero has no logarithm
        return max(0.0, math.log(self._last[1] / before) / NORMAL_RISE) if before and known else 0.0

    def learn_minute(self, second: int) -> None:
        """Learn the rise of a quiet minute."""
        if self._day_ago(second) is not None:
            self._surprise.observe(self._rise(second))
            self._jump.invalidate()

    def state(self) -> VolatilityState:
        """Return what a snapshot stores."""
        return VolatilityState(
            venue=self._venue, last=self._last, history=self._history.state(), surprise=self._surprise.state()
        )

    def load(self, state: VolatilityState) -> None:
        """Restore what :meth:`state` returned."""
        self._venue, self._last = state.venue, state.last
        self._history.load(state.history)
        self._surprise.load(state.surprise)
        self._jump.invalidate()
