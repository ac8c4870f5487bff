"""Find liquidations that are impossible for their asset: larger than its open interest, or far from its price.

Such a record is excluded: it is counted by venue and reason and enters no sum. The absolute ranges
(:mod:`monitor.model.validation`) hold for every coin alike; an asset's own limits follow from its state.
Decisions depend on the events before this one alone, so a replay excludes the same records.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET

from monitor.detect.context.open_interest import Series
from monitor.detect.price.price import Price
from monitor.model.events import Liquidation, micro_usd

Excess = Literal["open_interest", "price"]
"""Why a liquidation is excluded."""

INTEREST_FACTOR: Final = 3.0
"""A liquidation may be this many times the open interest of its symbol. Nobody can lose more than is open, but samples
are up to five minutes old (Binance is polled) and positions grow meanwhile; wrong units are off by ten or more."""

INTEREST_SLACK: Final = micro_usd(100_000.0)
"""Micro-USD that a liquidation may exceed that by: in a thin market a position may be opened and lost between two
samples of an open interest of nearly zero."""

LOOK_BACK_S: Final = (300, 3_600)
"""Seconds before the newest sample at which earlier ones are looked up: the open interest falls by what was liquidated,
and late reports of a cascade are measured by what was open before it."""

PRICE_FACTOR: Final = 10.0
"""A liquidation's price may be this many times the asset's last price, or this part of it. Bankruptcy and order prices
lie within the margin of it; the fastest crashes take hours for such a factor, wrong units are off by 1,000."""

PRICE_FRESH_S: Final = 600
"""Age in seconds from which a price judges nothing."""


def find_excess(event: Liquidation, series: Series | None, price: Price, second: int) -> Excess | None:
    """Return why a liquidation is impossible; None where it is possible or nothing is known to judge it by.

    Args:
        event: the liquidation.
        series: open interest of its symbol on its venue, None where it was never known.
        price: the asset's.
        second: the current one, by arrival.
    """
    if event.coverage == "aggregated":
        return None  # a sum of many over an hour
    if series is not None and second <= series.fresh_until:
        micros = micro_usd(event.notional_usd)
        if micros > _limit(series.last.micros) and micros > _limit(_highest(series)):
            return "open_interest"
    last = price.last
    if not last or event.price is UNSET or second - price.second > PRICE_FRESH_S:
        return None
    return None if last / PRICE_FACTOR <= event.price <= last * PRICE_FACTOR else "price"


def _limit(interest_micros: int) -> float:
    """Return the micro-USD that a liquidation may have at an open interest."""
    return INTEREST_FACTOR * interest_micros + INTEREST_SLACK


def _highest(series: Series) -> int:
    """Return the largest open interest of the last hour that is known, micro-USD."""
    earlier = (series.before(window_s) for window_s in LOOK_BACK_S)
    return max(series.last.micros, *(sample.micros if sample is not None else 0 for sample in earlier))


class Excluded(msgspec.Struct, array_like=True):
    """Number of liquidations of a venue that were excluded for one reason."""

    venue: str
    reason: Excess
    count: int


class Exclusions:
    """Count the excluded liquidations, by venue and reason."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[tuple[str, Excess], int] = {}

    def add(self, venue: str, reason: Excess) -> None:
        """Count one record."""
        key = (venue, reason)
        self.counts[key] = self.counts.get(key, 0) + 1

    def view(self) -> dict[tuple[str, str], int]:
        """Return a copy of the counts, for metrics."""
        return {(venue, reason): count for (venue, reason), count in self.counts.items()}

    def state(self) -> list[Excluded]:
        """Return what a snapshot stores."""
        return [Excluded(venue, reason, count) for (venue, reason), count in self.counts.items()]

    def load(self, state: list[Excluded]) -> None:
        """Restore what :meth:`state` returned."""
        self.counts = {(each.venue, each.reason): each.count for each in state}
