"""Keeps the last minutes of the assets with the highest risk, second by second, for the dashboard's charts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from monitor.detect.decide.signal import Totals
from monitor.detect.overview import Monitored
from monitor.model.events import MARKET

SECONDS: Final = 300
"""Length of the charts, seconds: a flash cascade with its calm before and its relief after."""
CHARTED: Final = 9
"""Number of charts including the market's: what fits on a screen."""


class Point(NamedTuple):
    """Holds one second of one asset: risk (0 to 100), price or None, USD liquidated in that second by side."""

    second: int
    risk: float
    price: float | None
    long: float
    short: float


class History:
    """Keeps points of the market and of the assets with the highest rank now.

    An asset's chart starts empty and is deleted when its rank falls, so memory is bounded.
    """

    def __init__(self, seconds: int = SECONDS, charted: int = CHARTED) -> None:
        self._seconds = seconds
        self._charted = charted
        self._points: dict[str, deque[Point]] = {}
        self._totals: dict[str, Totals] = {}

    def sample(self, second: int, monitored: Iterable[Monitored], *, is_blind: bool = False) -> None:
        """Add a point of each charted asset at ``second``; call it once a second.

        While the monitor is blind the price is unknown: the line has a gap instead of a flat stretch.
        """
        chosen = self.chosen(monitored)
        for name in self._points.keys() - {each.name for each in chosen}:
            del self._points[name], self._totals[name]
        for each in chosen:
            totals = each.scope.state.totals
            usd = totals.since(self._totals.get(each.name, totals)).usd()
            self._totals[each.name] = totals
            points = self._points.setdefault(each.name, deque(maxlen=self._seconds))
            risk, price = each.leading().score.points, None if is_blind else each.scope.price.last
            points.append(Point(second=second, risk=risk, price=price, long=usd.long, short=usd.short))

    def chosen(self, monitored: Iterable[Monitored]) -> list[Monitored]:
        """Return the market, then assets by phase, risk and USD liquidated since the start."""
        ranked = sorted(monitored, key=_rank)
        return ranked[: self._charted]

    def points(self, name: str) -> Sequence[Point]:
        """Return an asset's points, oldest first."""
        return tuple(self._points.get(name, ()))


def _rank(monitored: Monitored) -> tuple[bool, bool, float, int, str]:
    _, phase, scored = monitored.leading()
    totals, name = monitored.scope.state.totals, monitored.name
    return name != MARKET, phase == "calm", -round(scored.points), -(totals.long + totals.short), name
