"""Turns liquidated positions into executed forced orders: split, queue, execution, backstop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.lab.simulate.impact import backstop_share
from monitor.lab.simulate.listings import VENUE_SHARES, Asset, Listing
from monitor.lab.simulate.tape import ForcedOrder, Print
from monitor.model.events import Side, TakerSide

EXECUTION_S: Final = 4.0
"""Time constant of the execution of the queue, seconds."""
ORDER_MEDIAN_USD: Final = 12_000.0
ORDER_SPREAD: Final = 1.5
"""Log-normal spread of the sizes of positions, mean 37 kUSD: most are small, some are worth a million."""
SLIPPAGE: Final = 3e-4
"""Mean distance of a forced order's fill from the market in a full book (3 bp); more in a thin one."""
MILLISECOND_US: Final = 1_000

CLOSING_TAKER: Final[dict[Side, TakerSide]] = {"long": "sell", "short": "buy"}
SIGN: Final[dict[Side, int]] = {"long": -1, "short": 1}


@dataclass(frozen=True, slots=True)
class WaitingPosition:
    """A liquidated position in the queue; its margin is gone at ``bankruptcy`` USD."""

    order_id: int
    listing: Listing
    side: Side
    lots: int
    bankruptcy: float


@dataclass(frozen=True, slots=True)
class Execution:
    """The result of one step: orders, their prints, and the signed USD that reached the order books."""

    orders: list[ForcedOrder]
    prints: list[Print]
    book_usd: float


class ForcedQueue:
    """Queues one asset's liquidated positions until their forced orders are executed, over all venues."""

    def __init__(self, asset: Asset, adv_usd: float, rng: np.random.Generator) -> None:
        self.waiting: list[WaitingPosition] = []
        self._asset = asset
        self._adv_usd = adv_usd
        self._rng = rng
        self._listings = [asset.listings[venue] for venue in VENUE_SHARES]
        self._cumulative = np.cumsum(list(VENUE_SHARES.values()))
        self._next_id = 1

    @property
    def waiting_lots(self) -> int:
        """Return the lots in the queue."""
        return sum(position.lots for position in self.waiting)

    def put(self, side: Side, lots: int, bankruptcy: float) -> None:
        """Queue ``lots`` at one bankruptcy price as positions of random size and venue."""
        median = math.log(ORDER_MEDIAN_USD / self._asset.lot_usd)
        while lots > 0:
            size = min(lots, max(1, round(self._rng.lognormal(median, ORDER_SPREAD))))
            at = int(np.searchsorted(self._cumulative, self._rng.random()))
            listing = self._listings[min(at, len(self._listings) - 1)]
            self.waiting.append(WaitingPosition(self._next_id, listing, side, size, bankruptcy))
            self._next_id += 1
            lots -= size

    def execute(self, price: float, depth: float, start_us: int, seconds: float) -> Execution:
        """Execute a step's part of the queue at ``price`` USD in an order book of ``depth``."""
        if not self.waiting:
            return Execution([], [], 0.0)
        done = self._rng.random(len(self.waiting)) < -math.expm1(-seconds / EXECUTION_S)
        chosen = [position for position, is_done in zip(self.waiting, done, strict=True) if is_done]
        self.waiting = [position for position, is_done in zip(self.waiting, done, strict=True) if not is_done]
        total_usd = sum(position.lots for position in chosen) * self._asset.lot_usd
        absorbed = backstop_share(total_usd / self._adv_usd / seconds)
        orders = [self._fill(position, price, depth, start_us, seconds) for position in chosen]
        prints, book_usd = self._print_on_book(orders, absorbed)
        return Execution(orders, prints, book_usd)

    def _fill(
        self, position: WaitingPosition, price: float, depth: float, start_us: int, seconds: float
    ) -> ForcedOrder:
        sign = SIGN[position.side]
        slipped = price * (1 + sign * SLIPPAGE * self._rng.exponential() / depth)
        # The order's limit is the bankruptcy price: what the book does not give, the insurance fund pays.
        filled = max(slipped, position.bankruptcy) if position.side == "long" else min(slipped, position.bankruptcy)
        offset_ms = int(self._rng.random() * seconds * 1_000)
        return ForcedOrder(
            order_id=position.order_id,
            listing=position.listing,
            side=position.side,
            lots=position.lots,
            last_fill_lots=int(self._rng.integers(1, position.lots + 1)),
            fill_ticks=position.listing.ticks(filled),
            bankruptcy_ticks=position.listing.ticks(position.bankruptcy),
            time_us=start_us + offset_ms * MILLISECOND_US,
        )

    def _print_on_book(self, orders: list[ForcedOrder], absorbed: float) -> tuple[list[Print], float]:
        prints: list[Print] = []
        signed_lots = 0
        for order in orders:
            lots = round(order.lots * (1 - absorbed))
            signed_lots += SIGN[order.side] * lots
            if lots:
                taker = CLOSING_TAKER[order.side]
                prints.append(Print(order.listing, taker, order.fill_ticks, lots, order.time_us))
        return prints, signed_lots * self._asset.lot_usd
