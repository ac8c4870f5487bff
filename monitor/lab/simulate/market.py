"""Moves several assets together: an outside path for BTC, the others after it, and forced orders on top.

The log price of an asset is exogenous + endogenous. The exogenous part draws from its own random stream, so two markets
with the same seed, one with feedback and one without, have the same outside path, and what differs is the cascade's own
effect. No clock is read: the caller gives the start of the first step, and each step begins where the last ended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from monitor.lab.simulate.asset_market import AssetMarket
from monitor.lab.simulate.listings import ASSETS, VENUE_SHARES, Asset
from monitor.lab.simulate.scenario import Phase, Progress, Scenario
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote, Step
from monitor.model.events import MICROS

STEP_US: Final = 100_000
"""Step of the market, microseconds: the finest interval at which the venues aggregate."""
FOLLOW_S: Final = 3.0
"""Lag with which the other assets follow BTC, seconds."""
REVERSION_S: Final = 60.0
"""Time constant with which outside noise returns to the scenario's path, seconds, so that calm stays calm."""
FUNDING_US: Final = 8 * 3_600 * MICROS
FUNDING_BASE: Final = 0.0001
"""Funding rate of 8 hours in calm (0.01 %); a tenth of the basis is added."""
INDEX_SHARE: Final = 0.8
"""Share of forced orders' effect on the perpetual that spot follows; the rest is basis."""


class Outside:
    """The exogenous part of every asset's log price, and BTC's own moves on their way to the others."""

    def __init__(self, assets: Sequence[Asset], rng: np.random.Generator) -> None:
        self._rng = rng
        self._start = np.array([math.log(asset.price) for asset in assets])
        self._beta = np.array([asset.beta for asset in assets])
        self._volatility = np.array([asset.volatility for asset in assets])
        self._noise = np.zeros(len(assets))
        self._followed = 0.0

    def step(self, push: float, noise: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return log prices without forced orders after ``seconds``, with BTC's path at ``push``."""
        draws = self._rng.standard_normal(len(self._noise))
        self._noise *= math.exp(-seconds / REVERSION_S)
        self._noise += self._volatility * noise * math.sqrt(seconds) * draws
        leader = push + self._noise[0]
        self._followed += (leader - self._followed) * -math.expm1(-seconds / FOLLOW_S)
        followed: np.ndarray[tuple[int], np.dtype[np.float64]] = self._start + self._beta * self._followed + self._noise
        followed[0] = self._start[0] + leader
        return followed


class Market:
    """A market of several assets.

    Before :meth:`begin` it stays calm, with the scenario at its start; histories are made from this time.

    Args:
        scenario: the scenario to play.
        seed: the same seed and steps give the same market, order by order.
        now_us: beginning of the first step, microseconds since the epoch, rounded down to a step.
        feedback: True if forced orders move the price.
        assets: assets to trade; the first one leads.
    """

    def __init__(
        self, scenario: Scenario, seed: int, now_us: int, *, feedback: bool = True, assets: Sequence[Asset] = ASSETS
    ) -> None:
        outside, orders = (np.random.default_rng([seed, stream]) for stream in range(2))
        self.scenario = scenario
        self.feedback = feedback
        self.now_us = now_us - now_us % STEP_US
        self.assets = {asset.name: AssetMarket(asset, orders) for asset in assets}
        self._outside = Outside(assets, outside)
        self._spill = 0.0
        self._begun_us: int | None = None

    @property
    def elapsed_s(self) -> float:
        """Return the seconds of the scenario that are over; 0 before it begins."""
        return 0.0 if self._begun_us is None else (self.now_us - self._begun_us) / MICROS

    @property
    def phase(self) -> Phase:
        """Return the scenario's phase in force."""
        return self.scenario.phase_at(self.elapsed_s)

    @property
    def progress(self) -> Progress:
        """Return the position in the scenario."""
        return self.scenario.progress(self.elapsed_s)

    def begin(self, now_us: int) -> None:
        """Begin the scenario at ``now_us``; no time passes in the market between its last step and then.

        Raises:
            ValueError: ``now_us`` lies before the end of the last step.
        """
        start = now_us - now_us % STEP_US
        if start < self.now_us:
            raise ValueError(
                f"the scenario cannot begin at {now_us}, before the end of the market's last step at {self.now_us}"
            )
        self.now_us = start
        self._begun_us = start

    def endogenous(self, asset: str) -> float:
        """Return by how much forced orders, the asset's own and BTC's that spill over, moved the log price."""
        market = self.assets[asset]
        first = next(iter(self.assets))
        return market.impact.log_price + (0.0 if asset == first else market.asset.beta * self._spill)

    def step(self, step_us: int = STEP_US) -> Step:
        """Advance the market by ``step_us``, a whole number of milliseconds, and return what happened."""
        start, seconds, phase = self.now_us, step_us / MICROS, self.phase
        self.now_us = start + step_us
        outside = self._outside.step(self.scenario.push_at(self.elapsed_s), phase.noise, seconds)
        leader = next(iter(self.assets.values()))
        self._spill += (leader.impact.log_price - self._spill) * -math.expm1(-seconds / FOLLOW_S)
        prints: list[Print] = []
        forced: list[ForcedOrder] = []
        for (name, market), base in zip(self.assets.items(), outside.tolist(), strict=True):
            market.move(base + self.endogenous(name))
            market.liquidate_isolated(seconds)
            orders, closing = market.execute(start, seconds, self.feedback)
            market.rebalance(seconds)
            forced += orders
            prints += closing
            prints += market.trade(phase, start, seconds)
        prints.sort(key=lambda one: one.time_us)
        forced.sort(key=lambda one: one.time_us)
        return Step(start, self.now_us, prints, forced, self.quotes())

    def quotes(self) -> dict[str, Quote]:
        """Return the present state of every asset."""
        return {name: self._quote(name, market) for name, market in self.assets.items()}

    def _quote(self, name: str, market: AssetMarket) -> Quote:
        endogenous = self.endogenous(name)
        basis = (1 - INDEX_SHARE) * endogenous
        lots = market.open_lots
        return Quote(
            mark_price=math.exp(market.log_price),
            index_price=math.exp(market.log_price - basis),
            funding_rate=round(FUNDING_BASE + basis / 10, 8),
            next_funding_us=(self.now_us // FUNDING_US + 1) * FUNDING_US,
            venue_lots={venue: int(lots * share) for venue, share in VENUE_SHARES.items()},
        )
