"""Scopes and surroundings made by hand, for tests of what is decided of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.detect.decide.facts import Facts, Traits
from monitor.detect.decide.surroundings import StandIn, Venues
from monitor.detect.decide.visibility import NO_FEEDS, Feeds
from monitor.detect.scope import Scope
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MICROS, Side
from tests.detect.scenarios import START

SETTINGS = DetectorSettings()


@dataclass
class Isolated:
    """Surroundings in which nothing but the scope itself is known; each answer can be replaced."""

    is_disturbed: bool = False
    seen_at: int = 0
    rise: float = 14.0
    interest: Mapping[str, float] = field(default_factory=dict)
    watched: int = 0
    enough: bool = True
    allowed: bool = True
    instead: list[StandIn] = field(default_factory=list)
    confirming: list[Item] = field(default_factory=list)

    def venues(self, feeds: Feeds) -> Venues:
        """Return one venue."""
        return Venues(readable=["bybit"], interest=self.interest)

    def limit(self, window: str, side: Side) -> float | None:
        """Let everything count."""
        return None

    def flow_items(self, side: Side) -> list[Item]:
        """Return nothing."""
        return []

    def confirming_items(self, side: Side) -> list[Item]:
        """Return what was given."""
        return self.confirming

    def stand_ins(self, confirming: list[Item]) -> list[StandIn]:
        """Return what was given."""
        return self.instead

    def watch_since(self, side: Side) -> int:
        """Return what was given."""
        return self.watched

    def is_enough(self, facts: Facts, side: Side, price_share: float) -> bool:
        """Return what was given."""
        return self.enough

    def may_cascade(self, facts: Facts, side: Side, points: float) -> bool:
        """Return what was given."""
        return self.allowed


def made_scope(*, scale: float = 1.0) -> Scope:
    """Return a scope of an asset that nothing happened to."""
    return Scope(
        Traits(
            name="BTC",
            settings=SETTINGS,
            scale=scale,
            steadiness=1.0,
            move_windows=SETTINGS.judged.move_windows,
            rush_sigmas=SETTINGS.floors.rush_sigmas,
            breadth_feature="venues_stressed",
        )
    )


def closed_scope(
    *,
    usd: float = 0.0,
    orders: int = 1,
    side: Side = "long",
    interest_usd: float = 0.0,
    prices: tuple[float, ...] = (),
    scale: float = 1.0,
    surroundings: Isolated | None = None,
) -> Scope:
    """Return a scope after some seconds of prices, the orders falling into the last of them."""
    scope = made_scope(scale=scale)
    scope.flow.expect(interest_usd)
    around = surroundings or Isolated()
    last = START + max(0, len(prices) - 1)
    for second, price in enumerate(prices, START):
        scope.flow.windows.advance(second)
        scope.add_price("bybit", second, price)
        if second < last:
            scope.close(second, NO_FEEDS, around)
    scope.flow.windows.advance(last)
    if usd:
        scope.add_liquidation("bybit", side, last, round(usd * MICROS), orders, complete=True, aggregated=False)
    scope.close(last, NO_FEEDS, around)
    return scope


def facts_of(scope: Scope, *, seen_share: float = 1.0) -> Facts:
    """Return what is known of a scope, as if this share of the flow could be seen."""
    return scope.facts()._replace(seen_share=seen_share)
