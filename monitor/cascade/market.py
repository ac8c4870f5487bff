"""The market as a whole: a scope fed by the summaries of its assets.

It sees nothing but summaries, so whoever reads all assets' summaries can be the one that makes the market's view.
"""

from __future__ import annotations

from typing import Final

from monitor.cascade.asset import Summary
from monitor.cascade.flow import SIDE_INDEX
from monitor.cascade.price import Price
from monitor.cascade.scope import Scope
from monitor.cascade.settings import DetectorSettings
from monitor.events import Side

MARKET: Final = "MARKET"
STRESS_S: Final = 60
"""An asset counts as stressed for this long after it was, seconds: contagion takes seconds, not minutes."""
STEADINESS: Final = 1.4
"""How much steeper the tail of the market's sum is taken to be than one asset's, until it is learned."""
ACTIVE_S: Final = 3_600
"""An asset counts towards the breadth for this long after a liquidation, seconds."""


class Market(Scope):
    """The market; its sources are assets, its price is that of the first leader that has one."""

    _breadth_name = "assets_stressed"

    def __init__(self, settings: DetectorSettings) -> None:
        super().__init__(MARKET, settings, settings.floors.market_scale, STEADINESS)
        self.leader = ""
        self.venues: set[str] = set()
        self.flown_at: dict[str, int] = {}  # second of each asset's last liquidation
        self.stressed_at: dict[str, int] = {}  # second of its last stress
        self.leading_cascade: list[set[str]] = [set(), set()]  # leaders in a cascade, by side

    def take(self, summary: Summary) -> None:
        """Take an asset's summary."""
        asset = summary.asset
        for flown in summary.flown:
            self.liquidated(
                asset, flown.side, flown.second, flown.micros, flown.orders,
                complete=flown.complete, aggregated=flown.aggregated,
            )  # fmt: skip
        self.venues.update(summary.venues)
        if summary.flown:
            self.flown_at[asset] = summary.second
        if summary.stressed:
            self.stressed_at[asset] = summary.second
        leaders = self.settings.market.leaders
        if asset not in leaders:
            return
        for leading, in_cascade in zip(self.leading_cascade, summary.in_cascade, strict=True):
            if in_cascade:
                leading.add(asset)
            else:
                leading.discard(asset)
        if summary.price is None:
            return
        if not self.leader or leaders.index(asset) < leaders.index(self.leader):
            if self.leader:
                # Another asset's price: nothing carries over.
                self.price = Price(self.settings.baseline.daily_volatility, self.settings.judged.move_windows)
                for phases in self.phases:
                    phases.forget_price()
            self.leader = asset
        if asset == self.leader:
            self.price.mark(asset, summary.second, summary.price)
            self.touch()

    def breadth(self, second: int) -> float:
        """Share of the active assets that are stressed; 0 while too few are active to say."""
        active = [asset for asset, at in self.flown_at.items() if second - at < ACTIVE_S]
        if len(active) < self.settings.market.breadth_assets:
            return 0.0
        stressed = sum(second - self.stressed_at.get(asset, -STRESS_S) < STRESS_S for asset in active)
        return stressed / len(active)

    def _allowed(self, side: Side, second: int) -> bool:
        return bool(self.leading_cascade[SIDE_INDEX[side]]) or self.breadth(second) >= self.settings.market.breadth

    def _limit(self, window: str, side: Side) -> float | None:
        """What the sum would be if no asset but the leaders had more than its largest allowed share of it."""
        asset, largest = self.flow.largest_source(window, side)
        if not asset or asset in self.settings.market.leaders:
            return None
        others = self.flow.usd(window, side) - largest
        share = self.settings.market.largest_share
        return others + min(largest, others * share / (1.0 - share)) if share < 1 else None

    def state(self) -> dict[str, object]:
        """What a snapshot keeps."""
        return super().state() | {
            "leader": self.leader,
            "venues": sorted(self.venues), "flown_at": self.flown_at, "stressed_at": self.stressed_at,
            "leading_cascade": [sorted(assets) for assets in self.leading_cascade],
        }  # fmt: skip

    def load(self, state: dict) -> None:  # type: ignore[type-arg]
        """Become what :meth:`state` described."""
        super().load(state)
        self.venues = set(state["venues"])
        self.leader, self.flown_at, self.stressed_at = state["leader"], state["flown_at"], state["stressed_at"]
        self.leading_cascade = [set(assets) for assets in state["leading_cascade"]]
