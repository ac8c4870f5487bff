"""Defines what a step of the market yields: prints, forced orders, quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from monitor.lab.simulate.listings import Listing
from monitor.model.events import Side, TakerSide


class Print(NamedTuple):
    """One trade on one venue's order book; times are whole milliseconds, as the venues show them."""

    listing: Listing
    taker_side: TakerSide
    ticks: int
    lots: int
    time_us: int


class ForcedOrder(NamedTuple):
    """One forced order, executed whole.

    Attributes:
        order_id: number, unique within a market; venues do not show it.
        listing: symbol and venue.
        side: side of the liquidated position.
        lots: all of it, order book and backstop together.
        last_fill_lots: lots of the last of its fills.
        fill_ticks: average fill price.
        bankruptcy_ticks: price at which the position's margin was gone; no fill is worse than that.
        time_us: time of execution, whole milliseconds.
    """

    order_id: int
    listing: Listing
    side: Side
    lots: int
    last_fill_lots: int
    fill_ticks: int
    bankruptcy_ticks: int
    time_us: int

    @property
    def filled_micro_usd(self) -> int:
        """Return the notional at the average fill price."""
        return self.listing.micro_usd(self.fill_ticks, self.lots)

    @property
    def bankruptcy_micro_usd(self) -> int:
        """Return the notional at the bankruptcy price."""
        return self.listing.micro_usd(self.bankruptcy_ticks, self.lots)


class Quote(NamedTuple):
    """The state of one asset: mark and index price in USD, funding per 8 h, open interest of one side in lots.

    ``venue_lots`` is each venue's part of the open interest.
    """

    mark_price: float
    index_price: float
    funding_rate: float
    next_funding_us: int
    venue_lots: Mapping[str, int]


class Step(NamedTuple):
    """The prints and forced orders in [``start_us``, ``end_us``) by time, and the quotes at its end by asset."""

    start_us: int
    end_us: int
    prints: list[Print]
    forced: list[ForcedOrder]
    quotes: dict[str, Quote]
