"""Hides forced orders as feeds do: for the whole market, before any client is served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from monitor.lab.simulate.tape import ForcedOrder
from monitor.model.events import MICROS

SECOND_US: Final = MICROS


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


class FirstOfWindow:
    """Shows a symbol's first order a second after it, and hides what follows within that second (Binance, Aster).

    The exchange documents "the latest order within 1000 ms"; live rows show that the second begins with an order and
    that its report is pushed 1,003 to 1,012 ms after it (see :mod:`monitor.detect.flow.dead_time`).
    """

    def __init__(self) -> None:
        self._spacing = OnePerSecond()
        self._waiting: list[ForcedOrder] = []

    def feed(self, orders: Iterable[ForcedOrder], now_us: int) -> list[ForcedOrder]:
        """Take a step's orders, by time, and return those whose second is over at ``now_us``, the step's end."""
        self._waiting += self._spacing.feed(orders)
        over = [order for order in self._waiting if now_us - order.time_us >= SECOND_US]
        self._waiting = self._waiting[len(over) :]
        return over

    def flush(self) -> list[ForcedOrder]:
        """Return all held orders at once."""
        shown, self._waiting = self._waiting, []
        return shown


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
