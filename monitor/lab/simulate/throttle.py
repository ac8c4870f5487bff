"""Hides forced orders as feeds do: for the whole market, before any client is served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from monitor.lab.simulate.tape import ForcedOrder
from monitor.model.events import MICROS

SECOND_US: Final = MICROS


class LatestPerSecond:
    """Shows the latest order of each symbol in every whole second, when the second is over (Binance)."""

    def __init__(self) -> None:
        self._latest: dict[str, ForcedOrder] = {}

    def feed(self, orders: Iterable[ForcedOrder], now_us: int) -> list[ForcedOrder]:
        """Take a step's orders, by time, and return what is shown at ``now_us``, the step's end.

        A step does not straddle the end of a second.
        """
        for order in orders:
            self.hold(order)
        return self.flush() if now_us % SECOND_US == 0 else []

    def hold(self, order: ForcedOrder) -> None:
        """Hold an order until :meth:`flush`; it replaces an earlier one of its symbol."""
        self._latest[order.listing.symbol] = order

    def flush(self) -> list[ForcedOrder]:
        """Return all held orders at once."""
        shown = list(self._latest.values())
        self._latest.clear()
        return shown


class OnePerSecond:
    """Lets an order pass when a second is over since the last one of its contract that passed (OKX).

    The exchange documents no more than "at most one order per contract per second"; this is the plainest reading.
    """

    def __init__(self) -> None:
        self._passed_us: dict[str, int] = {}

    def feed(self, orders: Iterable[ForcedOrder]) -> list[ForcedOrder]:
        """Take orders, by time, and return those that pass."""
        passing = []
        for order in orders:
            symbol = order.listing.symbol
            if symbol not in self._passed_us or order.time_us - self._passed_us[symbol] >= SECOND_US:
                self._passed_us[symbol] = order.time_us
                passing.append(order)
        return passing


class Batch:
    """Holds every order and sends all of them every ``interval_us`` on the clock (Bybit: 500 ms)."""

    def __init__(self, interval_us: int) -> None:
        self._interval_us = interval_us
        self._waiting: list[ForcedOrder] = []

    def feed(self, orders: Iterable[ForcedOrder], now_us: int) -> list[ForcedOrder]:
        """Take a step's orders and return what is sent at ``now_us``, the step's end."""
        self._waiting.extend(orders)
        return self.flush() if now_us % self._interval_us == 0 else []

    def flush(self) -> list[ForcedOrder]:
        """Return all held orders at once."""
        pushed, self._waiting = self._waiting, []
        return pushed
