"""Implied volatility: the level of an index such as Deribit's DVOL, and how surprising its rise is."""

from __future__ import annotations

import math
from typing import Any, Final

from monitor.detect.baseline.surprise import Surprise
from monitor.detect.context.cached_reading import FOREVER, Standing
from monitor.detect.context.sampled_history import Trail

DAY_S: Final = 86_400
SLOT_S: Final = 900
FRESH_S: Final = 3_600
"""The index counts for this long after its last value, seconds."""
NORMAL_RISE: Final = 0.05
RISE_TAIL: Final = 4.0
"""Prior of a day's logarithmic rise: a Pareto tail of 4 from 5 % on. DVOL's rise from 37 to 44 on 2026-01-29, the
largest since November 2024, is then 2.2 decades."""


class ImpliedVolatility:
    """Level, 24 h change and the surprise of the rise (F25 of the detection notes).

    Unit: percent, annualised (points); surprise in decades. Typical: BTC 37 to 45; 37 to 44 within 2026-01-29.

    Example:
        >>> dvol = ImpliedVolatility()
        >>> for second, value in ((0, 37.0), (43_200, 38.0), (86_400, 44.0)):
        ...     dvol.add("deribit", second, value)
        >>> dvol.level(86_400), dvol.change_24h(86_400), round(dvol.surprise(86_400), 1)
        (44.0, 7.0, 2.2)
    """

    __slots__ = ("_jump", "_last", "_surprise", "_trail", "_venue")

    def __init__(self) -> None:
        self._venue = ""  # of the index that counts: the first one heard, since two indexes' levels differ
        self._last = (0, 0.0)
        self._trail = Trail(SLOT_S, DAY_S)
        self._surprise = Surprise(1.0, RISE_TAIL)
        self._jump = Standing[float]()

    def add(self, venue: str, second: int, value: float) -> None:
        """Take a value in percent; another venue's index is not mixed in."""
        self._venue = self._venue or venue
        if venue == self._venue:
            self._trail.add(second, value, 0)
            if second >= self._last[0]:
                self._last = (second, value)
            self._jump.drop()

    def level(self, second: int) -> float | None:
        """The last value, percent; None where it is stale."""
        return self._last[1] if self._last[0] and second - self._last[0] <= FRESH_S else None

    def _day_ago(self, second: int) -> float | None:
        found = self._trail.at(self._last[0] - DAY_S + SLOT_S // 2)
        if self.level(second) is None or found is None or self._last[0] - found.second > DAY_S + 2 * FRESH_S:
            return None
        return found.value

    def change_24h(self, second: int) -> float | None:
        """Change within 24 h, points; None before a day was seen."""
        before = self._day_ago(second)
        return None if before is None else self._last[1] - before

    def surprise(self, second: int) -> float:
        """Surprise of the day's rise in decades, 0 where it fell or is not known."""
        return self._jump.at(second, self._judge)

    def _judge(self, second: int) -> tuple[float, int]:
        fresh = self.level(second) is not None
        return self._surprise.of(self._rise(second)), self._last[0] + FRESH_S if fresh else FOREVER

    def _rise(self, second: int) -> float:
        before = self._day_ago(second)
        known = before is not None and before > 0 and self._last[1] > 0  # an index of zero has no logarithm
        return max(0.0, math.log(self._last[1] / before) / NORMAL_RISE) if before and known else 0.0

    def learn_minute(self, second: int) -> None:
        """Learn what a quiet minute shows."""
        if self._day_ago(second) is not None:
            self._surprise.observe(self._rise(second))
            self._jump.drop()

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [self._venue, self._last, self._trail.state(), self._surprise.state()]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._venue, self._last = state[0], (state[1][0], state[1][1])
        self._trail.load(state[2])
        self._surprise.load(state[3])
        self._jump.drop()
