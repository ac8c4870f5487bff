"""Simulates one asset: positions on both sides, forced orders, background trades, and the price common to all."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from monitor.lab.simulate.book import MAINTENANCE, LeverageBook
from monitor.lab.simulate.forced import MILLISECOND_US, SIGN, ForcedQueue
from monitor.lab.simulate.impact import Impact
from monitor.lab.simulate.listings import VENUE_SHARES, Asset
from monitor.lab.simulate.scenario import Phase
from monitor.lab.simulate.tape import ForcedOrder, Print
from monitor.model.events import Side, TakerSide

DAILY_VOLUME: Final = 1.25
"""Average daily volume as a multiple of one side's open interest (open interest is 0.5 to 1.1 of it)."""
POSITION_LIFE_S: Final = 60.0
"""Mean life of a position that is not liquidated, seconds: half a day in reality, but 90 s need new shorts."""
REFILL_S: Final = 12.0
"""Time constant with which missing open interest comes back, seconds."""
SEED_ROUNDS: Final = 400
"""Number of openings that make the first book, so that distances to liquidation are a smooth mixture."""
MIN_DISTANCE: Final = 0.004
"""No position starts within 0.4 % of its liquidation: calm noise would have liquidated it before."""
ISOLATED_PER_S: Final = 0.8
"""Rate at which single positions are liquidated in calm, a second; scaled by the square root of open interest."""
ISOLATED_MEDIAN_USD: Final = 9_000.0
ISOLATED_SPREAD: Final = 0.8
ISOLATED_LONG_SHARE: Final = 0.6
"""Share of longs in calm: about six of ten liquidated dollars."""
TRADE_MEDIAN_USD: Final = 8_000.0
TRADE_SPREAD: Final = 1.4
HALF_SPREAD: Final = 0.5e-4
TAKER_LEAN: Final = 0.25
"""Takers follow the move: up to three of four buy when the last step rose by well over ``LEAN_MOVE``."""
LEAN_MOVE: Final = 5e-4
REBALANCE_S: Final = 1.0
"""Interval at which owners open and close positions, seconds."""


class AssetMarket:
    """The market of one asset; :class:`monitor.lab.simulate.market.Market` moves several together."""

    def __init__(self, asset: Asset, rng: np.random.Generator) -> None:
        self.asset = asset
        self.log_price = math.log(asset.price)
        self.adv_usd = asset.open_interest_usd * DAILY_VOLUME
        self.impact = Impact(asset.volatility, self.log_price)
        self.queue = ForcedQueue(asset, self.adv_usd, rng)
        self.books: dict[Side, LeverageBook] = {
            "long": self._seed_book("long", rng),
            "short": self._seed_book("short", rng),
        }
        self._rng = rng
        self._last_log_price = self.log_price
        self._unbalanced_s = 0.0

    @property
    def target_lots(self) -> int:
        """Return the open interest of one side to which the market tends, lots."""
        return round(self.asset.open_interest_usd / self.asset.lot_usd)

    @property
    def open_lots(self) -> int:
        """Return the open interest of one side, lots: the mean of both books, as counterparties hold no leverage."""
        return (self.books["long"].open + self.books["short"].open) // 2

    def _seed_book(self, side: Side, rng: np.random.Generator) -> LeverageBook:
        """Return a first book without positions close to liquidation."""
        book = LeverageBook(side, self.log_price)
        for _ in range(SEED_ROUNDS):
            book.add(self.log_price, self.target_lots // SEED_ROUNDS, rng)
        swept = sum(lots for _, lots in book.cross(self.log_price + SIGN[side] * MIN_DISTANCE))
        book.liquidated -= swept
        book.closed += swept
        return book

    def move(self, log_price: float) -> None:
        """Set the price and queue every position that it liquidates."""
        self._last_log_price, self.log_price = self.log_price, log_price
        for side, book in self.books.items():
            for liquidation, lots in book.cross(log_price):
                self.queue.put(side, lots, math.exp(liquidation) * (1 + SIGN[side] * MAINTENANCE))

    def liquidate_isolated(self, seconds: float) -> None:
        """Liquidate single positions at random, as happens in calm."""
        rate = ISOLATED_PER_S * math.sqrt(self.asset.open_interest_usd / 500e6)
        for _ in range(self._rng.poisson(rate * seconds)):
            side: Side = "long" if self._rng.random() < ISOLATED_LONG_SHARE else "short"
            usd = self._rng.lognormal(math.log(ISOLATED_MEDIAN_USD), ISOLATED_SPREAD)
            lots = self.books[side].take(max(1, round(usd / self.asset.lot_usd)))
            self.queue.put(side, lots, math.exp(self.log_price) * (1 + SIGN[side] * MAINTENANCE))

    def rebalance(self, seconds: float) -> None:
        """Close old positions and open new ones at the present price, as owners do."""
        self._unbalanced_s += seconds
        if self._unbalanced_s < REBALANCE_S:
            return
        share = -math.expm1(-self._unbalanced_s / POSITION_LIFE_S)
        refill = -math.expm1(-self._unbalanced_s / REFILL_S)
        self._unbalanced_s = 0.0
        for book in self.books.values():
            book.retire(share, self._rng)
            missing = self.target_lots - book.open
            book.add(self.log_price, round(missing * refill), self._rng)

    def execute(self, start_us: int, seconds: float, feedback: bool) -> tuple[list[ForcedOrder], list[Print]]:
        """Execute part of the queue; with ``feedback`` it moves the price from the next step on."""
        done = self.queue.execute(math.exp(self.log_price), self.impact.depth, start_us, seconds)
        if feedback:
            self.impact.push(done.book_usd / self.adv_usd)
        self.impact.relax(self.log_price, seconds)
        return done.orders, done.prints

    def trade(self, phase: Phase, start_us: int, seconds: float) -> list[Print]:
        """Return the step's background trades, not sorted by time."""
        mean = self.asset.trades_per_s * phase.activity * seconds
        counts = self._rng.poisson([mean * share for share in VENUE_SHARES.values()])
        lean = TAKER_LEAN * math.tanh((self.log_price - self._last_log_price) / LEAN_MOVE)
        prints: list[Print] = []
        for venue, count in zip(VENUE_SHARES, counts.tolist(), strict=True):
            if count:
                prints += self._prints(venue, count, 0.5 + lean, start_us, seconds)
        return prints

    def _prints(self, venue: str, count: int, buyers: float, start_us: int, seconds: float) -> list[Print]:
        listing = self.asset.listings[venue]
        usd = self._rng.lognormal(math.log(TRADE_MEDIAN_USD), TRADE_SPREAD, count)
        lots = np.maximum(1, np.rint(usd / self.asset.lot_usd)).astype(np.int64).tolist()
        buys = (self._rng.random(count) < buyers).tolist()
        share = self._rng.random(count)
        # Prints lie between the last step's price and this one's, half a spread off by the taker's side.
        logs = self._last_log_price + share * (self.log_price - self._last_log_price)
        logs += np.where(buys, HALF_SPREAD, -HALF_SPREAD)
        prices = np.exp(logs).tolist()
        offsets = (share * seconds * 1_000).astype(np.int64).tolist()
        taker: tuple[TakerSide, TakerSide] = ("sell", "buy")
        return [
            Print(listing, taker[bought], listing.ticks(price), quantity, start_us + offset * MILLISECOND_US)
            for bought, price, quantity, offset in zip(buys, prices, lots, offsets, strict=True)
        ]
