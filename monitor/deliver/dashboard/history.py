"""The last minutes of the most interesting assets, second by second, for the dashboard's charts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from monitor.detect.scope import Scope
from monitor.model.events import MARKET, MICROS

SECONDS: Final = 300
"""Length of the charts: a flash cascade with its calm before and its relief after."""
CHARTED: Final = 9
"""Assets that are charted, the market among them: what fits on a screen."""


class Point(NamedTuple):
    """One second of one asset: risk 0 to 100, price or None, USD liquidated in it by side."""

    second: int
    risk: float
    price: float | None
    long: float
    short: float


class History:
    """Keeps points of the market and of those assets that matter now.

    An asset that comes in starts empty; one that no longer matters is forgotten, so the memory is bounded.
    """

    def __init__(self, seconds: int = SECONDS, charted: int = CHARTED) -> None:
        self._seconds = seconds
        self._charted = charted
        self._points: dict[str, deque[Point]] = {}
        self._totals: dict[str, tuple[int, int]] = {}

    def sample(self, second: int, scopes: Iterable[Scope]) -> None:
        """Take a point of each charted asset at ``second``; once a second."""
        chosen = self.chosen(scopes)
        for name in self._points.keys() - {scope.name for scope in chosen}:
            del self._points[name], self._totals[name]
        for scope in chosen:
            long, short = scope.totals[0], scope.totals[1]
            before = self._totals.get(scope.name, (long, short))
            self._totals[scope.name] = (long, short)
            points = self._points.setdefault(scope.name, deque(maxlen=self._seconds))
            risk = scope.leading()[2].points
            points.append(
                Point(second, risk, scope.price.last, (long - before[0]) / MICROS, (short - before[1]) / MICROS)
            )

    def chosen(self, scopes: Iterable[Scope]) -> list[Scope]:
        """Return the market, then assets by phase, risk and USD liquidated since the start."""
        ranked = sorted(scopes, key=_rank)
        return ranked[: self._charted]

    def points(self, name: str) -> Sequence[Point]:
        """Return an asset's points, oldest first."""
        return tuple(self._points.get(name, ()))


def _rank(scope: Scope) -> tuple[bool, bool, float, int, str]:
    _, phase, scored = scope.leading()
    return scope.name != MARKET, phase == "calm", -round(scored.points), -sum(scope.totals), scope.name
