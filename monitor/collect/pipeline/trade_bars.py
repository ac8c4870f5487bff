"""Folds trades into bars of 100 ms per symbol, and deduplicates trades while two sockets overlap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from monitor.model.events import AnyEvent, Trade, TradeBar

BAR_US: Final = 100_000
"""Interval of the record contract, microseconds: a shorter one saves little, a longer one blurs a cascade's start."""


class TradeFolder:
    """Holds the open bars of one venue.

    A bar is published when a trade of a later interval arrives (event time) or when :meth:`flush_ended` finds its
    interval over (timer). A late trade of a published interval opens a further bar of that interval, so sums over
    bars always equal sums over trades.
    """

    __slots__ = ("_late", "_open", "interval_us")

    def __init__(self, interval_us: int = BAR_US) -> None:
        self.interval_us = interval_us
        self._open: dict[str, TradeBar] = {}
        self._late: dict[tuple[str, int], TradeBar] = {}

    def fold(self, trades: Iterable[Trade]) -> list[TradeBar]:
        """Add trades to the bars; return the bars that they completed."""
        ended: list[TradeBar] = []
        interval_us = self.interval_us
        for trade in trades:
            end_us = trade.event_time_us - trade.event_time_us % interval_us + interval_us
            bar = self._open.get(trade.symbol)
            if bar is None:
                self._open[trade.symbol] = _first(trade, end_us, interval_us)
            elif bar.event_time_us == end_us:
                _add(bar, trade)
            elif bar.event_time_us < end_us:
                ended.append(bar)
                self._open[trade.symbol] = _first(trade, end_us, interval_us)
            else:
                self._fold_late(trade, end_us)
        return ended

    def _fold_late(self, trade: Trade, end_us: int) -> None:
        bar = self._late.get((trade.symbol, end_us))
        if bar is None:
            self._late[trade.symbol, end_us] = _first(trade, end_us, self.interval_us)
        else:
            _add(bar, trade)

    def flush_ended(self, now_us: int) -> list[TradeBar]:
        """Remove and return the bars whose interval ended at least one interval ago, and all late bars."""
        ended = [bar for bar in self._open.values() if bar.event_time_us + self.interval_us <= now_us]
        for bar in ended:
            del self._open[bar.symbol]
        return self._take_late() + ended

    def flush(self) -> list[TradeBar]:
        """Remove and return every bar, complete or not."""
        bars = self._take_late() + list(self._open.values())
        self._open.clear()
        return bars

    def _take_late(self) -> list[TradeBar]:
        late = list(self._late.values())
        self._late.clear()
        return late


def _first(trade: Trade, end_us: int, interval_us: int) -> TradeBar:
    bar = TradeBar(
        venue=trade.venue,
        symbol=trade.symbol,
        asset=trade.asset,
        event_time_us=end_us,
        receive_time_us=trade.receive_time_us,
        interval_us=interval_us,
        open=trade.price,
        high=trade.price,
        low=trade.price,
        close=trade.price,
        buy_quantity=0.0,
        sell_quantity=0.0,
        buy_usd=0.0,
        sell_usd=0.0,
        trades=0,
    )
    _add(bar, trade)
    return bar


def _add(bar: TradeBar, trade: Trade) -> None:
    price = trade.price
    bar.close = price
    if price > bar.high:
        bar.high = price
    elif price < bar.low:
        bar.low = price
    if trade.taker_side == "buy":
        bar.buy_quantity += trade.quantity
        bar.buy_usd += trade.notional_usd
    else:
        bar.sell_quantity += trade.quantity
        bar.sell_usd += trade.notional_usd
    bar.trades += trade.trades
    bar.receive_time_us = trade.receive_time_us


class TradeOverlap:
    """Passes each trade once while two sockets of a rotation carry the same trades.

    Single trades may pass twice, because readers deduplicate them by id; trades folded into a bar have no id any more.
    Memory is bounded, because an overlap lasts a few seconds.
    """

    __slots__ = ("_seen", "duplicates")

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self.duplicates = 0

    def fresh(self, events: Iterable[AnyEvent]) -> list[AnyEvent]:
        """Return the events without trades that were passed before."""
        passed: list[AnyEvent] = []
        for event in events:
            if type(event) is Trade:
                key = (event.symbol, event.id)
                if key in self._seen:
                    self.duplicates += 1
                    continue
                self._seen.add(key)
            passed.append(event)
        return passed
