"""Application of events to their assets: each id counts once, and impossible liquidations count not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from monitor.detect.asset import Asset
from monitor.detect.ingest.plausibility import Excess, Excluded, Exclusions, find_excess
from monitor.detect.roster import Roster
from monitor.model.events import (
    MICROS,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Trade,
    TradeBar,
    VolatilityIndex,
)

log = logging.getLogger(__name__)

LATE_S: Final = 2
"""Seconds between event time and arrival from which a liquidation is late: Bybit's batches take half a second."""

Handler = Callable[[Any, int], None]
"""Takes an event of one kind into the current second."""


class ApplierState(msgspec.Struct):
    """Counts of :class:`Applier`: liquidations, duplicates and late ones by venue, and excluded ones."""

    liquidations: int
    duplicates: dict[str, int]
    late: dict[str, int]
    excluded: list[Excluded]


class Applier:
    """Applies events to the assets of a roster, and counts them.

    Attributes:
        liquidations: number of liquidations that were applied.
        duplicates: by venue, events whose id had come before.
        late: by venue, liquidations that came late.
        excluded: impossible liquidations by venue and reason.
        handlers: by kind of event the method that takes it into the current second.
    """

    def __init__(self, roster: Roster) -> None:
        self.liquidations = 0
        self.duplicates: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.excluded = Exclusions()
        self.handlers: Mapping[type, Handler] = {
            Liquidation: self._liquidation,
            Trade: self._trade,
            TradeBar: self._trade_bar,
            MarkPrice: self._mark_price,
            OpenInterest: self._open_interest,
            VolatilityIndex: self._volatility_index,
        }
        self._roster = roster

    def _liquidation(self, event: Liquidation, second: int) -> None:
        known = self._roster.assets.get(event.asset)
        if known is not None:
            series = known.context.open_interest.series(event.venue, event.symbol)
            if excess := find_excess(event, series, known.scope.price, second):
                self._exclude(event, known, excess, second)
                return
        asset = self._roster.opened(event.asset, second)
        if not asset.seen.add(event.id, second):
            self._count_duplicate(event.venue)
            return
        if second - event.event_time_us // MICROS > LATE_S:
            self.late[event.venue] = self.late.get(event.venue, 0) + 1
        asset.liquidation(event)
        self.liquidations += 1

    def _exclude(self, event: Liquidation, asset: Asset, excess: Excess, second: int) -> None:
        """Count an impossible liquidation instead of applying it; the first of a venue and reason is logged.

        Only its id and the counts remain: the second does not even count as one in which the asset had an event.
        """
        self._roster.changed[asset.name] = None
        if not asset.seen.add(event.id, second):
            self._count_duplicate(event.venue)
            return
        if (event.venue, excess) not in self.excluded.counts:
            log.warning(
                "%s: a liquidation of %s of %.0f USD at %s is impossible by the %s: left out, further ones are counted",
                event.venue,
                event.symbol,
                event.notional_usd,
                event.price,
                excess,
            )
        self.excluded.add(event.venue, excess)

    def _trade(self, event: Trade, second: int) -> None:
        asset = self._roster.opened(event.asset, second)
        if asset.seen.add(f"{event.venue} {event.symbol} {event.id}", second):
            asset.trade(event)
        else:
            self._count_duplicate(event.venue)

    def _count_duplicate(self, venue: str) -> None:
        self.duplicates[venue] = self.duplicates.get(venue, 0) + 1

    def _trade_bar(self, event: TradeBar, second: int) -> None:
        self._roster.opened(event.asset, second).trade_bar(event)

    def _mark_price(self, event: MarkPrice, second: int) -> None:
        self._roster.opened(event.asset, second).mark_price(event)

    def _open_interest(self, event: OpenInterest, second: int) -> None:
        self._roster.opened(event.asset, second).interest(event)

    def _volatility_index(self, event: VolatilityIndex, second: int) -> None:
        self._roster.opened(event.asset, second).volatility_index(event)

    def state(self) -> ApplierState:
        """Return what a snapshot stores."""
        return ApplierState(
            liquidations=self.liquidations,
            duplicates=self.duplicates,
            late=self.late,
            excluded=self.excluded.state(),
        )

    def load(self, state: ApplierState) -> None:
        """Restore what :meth:`state` returned."""
        self.liquidations, self.duplicates, self.late = state.liquidations, state.duplicates, state.late
        self.excluded.load(state.excluded)
