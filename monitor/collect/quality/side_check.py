"""Tests that an exchange's liquidations have the side that its mark price moves against, to find a wrong reading.

Longs are liquidated while the price falls and shorts while it rises, whatever a feed calls them. An adapter that reads
the side the wrong way round (most public ones do for some exchange) therefore disagrees with its own mark prices.

For each liquidation the mark price of its symbol 5 s before is compared with the one 5 s after. All liquidations of a
block of 10 s give one vote, that of their majority, because they are not independent. The votes feed a one-sided
sequential test (CUSUM) of "30 % agree" against "70 % agree": a disagreeing vote adds ln(7/3), an agreeing one
subtracts it, never below zero. By Wald's bound a feed of which 70 % of the votes agree raises a false alarm at most
once in e^h = 10^6 votes on average, which is four months of liquidations without a pause. An inverted feed is found
after 17 votes, which is three minutes of a cascade.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import log
from typing import Final, NamedTuple

from monitor.model.events import MICROS, Liquidation, MarkPrice, Side

SPAN_US: Final = 5 * MICROS
"""Distance of both prices from the liquidation: mark prices come each second, and cascades last for minutes."""

BLOCK_US: Final = 10 * MICROS
"""Length of the block that gives one vote; two spans, so that the votes share no price."""

LEAST_MOVE: Final = 1e-4
"""Smallest relative price change that counts, one basis point; smaller ones are tick-size noise."""

KEEP_US: Final = 60 * MICROS
"""Time for which mark prices are kept, because liquidations are published up to 20 s late."""

STEP: Final = log(0.7 / 0.3)
ALARM: Final = log(1e6)
MOST_WAITING: Final = 10_000
"""Maximum number of liquidations waiting for the price after them: two seconds of the busiest known minute."""


class SideStats(NamedTuple):
    """Number of votes, the CUSUM statistic (alarm at :data:`ALARM`), and true if the side is suspect."""

    agreed: int
    disagreed: int
    evidence: float
    suspect: bool


class _MarkPrices:
    """Holds a symbol's mark prices of the last minute, at most one a second."""

    __slots__ = ("prices", "times_us")

    def __init__(self) -> None:
        self.times_us: deque[int] = deque()
        self.prices: deque[float] = deque()

    def add(self, time_us: int, price: float) -> None:
        """Add a price; earlier than a second after the last one it is ignored."""
        if self.times_us and time_us < self.times_us[-1] + MICROS:
            return
        self.times_us.append(time_us)
        self.prices.append(price)
        while self.times_us[0] < time_us - KEEP_US:
            self.times_us.popleft()
            self.prices.popleft()

    def at(self, time_us: int) -> float | None:
        """Return the last price at or before a time, None if there is none."""
        number = bisect_right(self.times_us, time_us)
        return self.prices[number - 1] if number else None


class SideCheck:
    """Runs one venue's test over its events in order of arrival."""

    __slots__ = (
        "_block",
        "_lead",
        "_mark_prices",
        "_newest_us",
        "_waiting",
        "agreed",
        "disagreed",
        "evidence",
        "suspect",
    )

    def __init__(self) -> None:
        self._mark_prices: dict[str, _MarkPrices] = {}
        self._waiting: deque[tuple[int, str, Side]] = deque()
        self._block = 0
        self._lead = 0
        self._newest_us = 0
        self.agreed = self.disagreed = 0
        self.evidence = 0.0
        self.suspect = False

    def mark(self, event: MarkPrice) -> None:
        """Add a mark price and compare the liquidations that it completes."""
        mark_prices = self._mark_prices.get(event.symbol)
        if mark_prices is None:
            mark_prices = self._mark_prices[event.symbol] = _MarkPrices()
        mark_prices.add(event.event_time_us, event.mark_price)
        self._newest_us = max(self._newest_us, event.event_time_us)
        waiting = self._waiting
        while waiting and waiting[0][0] + SPAN_US + MICROS <= self._newest_us:
            self._judge(*waiting.popleft())

    def liquidation(self, event: Liquidation) -> None:
        """Queue a liquidation until the price after it is known."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((event.event_time_us, event.symbol, event.side))

    def _judge(self, time_us: int, symbol: str, side: Side) -> None:
        """Count one liquidation in its block's majority; a new block first takes the vote of the last one."""
        mark_prices = self._mark_prices.get(symbol)
        before = mark_prices.at(time_us - SPAN_US) if mark_prices is not None else None
        after = mark_prices.at(time_us + SPAN_US) if mark_prices is not None else None
        if before is None or after is None or abs(after / before - 1.0) < LEAST_MOVE:
            return
        block = time_us // BLOCK_US
        if block > self._block:
            self._vote()
            self._block = block
        self._lead += 1 if (after < before) == (side == "long") else -1

    def _vote(self) -> None:
        lead, self._lead = self._lead, 0
        if lead > 0:
            self.agreed += 1
            self.evidence = max(0.0, self.evidence - STEP)
        elif lead < 0:
            self.disagreed += 1
            self.evidence = min(2.0 * ALARM, self.evidence + STEP)  # so that a corrected feed clears in reasonable time
        if self.evidence >= ALARM:
            self.suspect = True
        elif self.evidence == 0.0:
            self.suspect = False

    def stats(self) -> SideStats:
        """Return the state of the test."""
        return SideStats(self.agreed, self.disagreed, self.evidence, self.suspect)
