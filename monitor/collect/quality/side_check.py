"""Whether an exchange's liquidations die on the side that its mark price moves against: a test of our reading.

Longs are liquidated while the price falls and shorts while it rises, whatever a feed calls it. An adapter that reads
the side the wrong way round (most public ones do for some exchange) therefore disagrees with its own mark prices.

For each liquidation the mark price of its symbol five seconds before is compared with the one five seconds after. All
that a block of ten seconds holds is one vote, because a market moves as one: that of the majority of its liquidations.
Votes feed a one-sided sequential test (CUSUM) of "three in ten agree" against "seven in ten agree": a disagreeing vote
adds ln(7/3), an agreeing one takes it away, never below zero. By Wald's bound a feed of which seven in ten votes agree
raises an alarm at most once in e^h = 10^6 votes on average, which is four months of liquidations without a pause. An
inverted one is found after 17 votes: three minutes of a cascade.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import log
from typing import Final, NamedTuple

from monitor.model.events import MICROS, Liquidation, MarkPrice, Side

SPAN_US: Final = 5 * MICROS
"""Before and after a liquidation: mark prices come each second, and cascades last for minutes."""

BLOCK_US: Final = 10 * MICROS
"""One vote each: longer than the spans around a liquidation, so that votes share no price."""

LEAST_MOVE: Final = 1e-4
"""A basis point: below it a move is the grid of the price."""

KEEP_US: Final = 60 * MICROS
"""Liquidations are published up to 20 s late; their prices must still be there."""

STEP: Final = log(0.7 / 0.3)
ALARM: Final = log(1e6)
MOST_WAITING: Final = 10_000
"""Liquidations that wait for the price after them: two seconds of the worst minute."""


class SideStats(NamedTuple):
    """Votes so far, the test's statistic (alarm at :data:`ALARM`), and whether the side is suspect."""

    agreed: int
    disagreed: int
    evidence: float
    suspect: bool


class _Marks:
    """A symbol's mark prices of the last minute, one a second at most."""

    __slots__ = ("prices", "times_us")

    def __init__(self) -> None:
        self.times_us: deque[int] = deque()
        self.prices: deque[float] = deque()

    def add(self, time_us: int, price: float) -> None:
        """A later price."""
        if self.times_us and time_us < self.times_us[-1] + MICROS:
            return
        self.times_us.append(time_us)
        self.prices.append(price)
        while self.times_us[0] < time_us - KEEP_US:
            self.times_us.popleft()
            self.prices.popleft()

    def at(self, time_us: int) -> float | None:
        """The last price at a time, None where it was not seen."""
        number = bisect_right(self.times_us, time_us)
        return self.prices[number - 1] if number else None


class SideCheck:
    """One venue's test; fed with its events in the order in which they come."""

    __slots__ = ("_block", "_lead", "_marks", "_newest_us", "_waiting", "agreed", "disagreed", "evidence", "suspect")

    def __init__(self) -> None:
        self._marks: dict[str, _Marks] = {}
        self._waiting: deque[tuple[int, str, Side]] = deque()
        self._block = 0
        self._lead = 0
        self._newest_us = 0
        self.agreed = self.disagreed = 0
        self.evidence = 0.0
        self.suspect = False

    def mark(self, event: MarkPrice) -> None:
        """A mark price: judges the liquidations that waited for it."""
        marks = self._marks.get(event.symbol)
        if marks is None:
            marks = self._marks[event.symbol] = _Marks()
        marks.add(event.event_time_us, event.mark_price)
        self._newest_us = max(self._newest_us, event.event_time_us)
        waiting = self._waiting
        while waiting and waiting[0][0] + SPAN_US + MICROS <= self._newest_us:
            self._judge(*waiting.popleft())

    def liquidation(self, event: Liquidation) -> None:
        """A liquidation: waits for the prices after it."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((event.event_time_us, event.symbol, event.side))

    def _judge(self, time_us: int, symbol: str, side: Side) -> None:
        """Weigh one liquidation; a new block closes the one before."""
        marks = self._marks.get(symbol)
        before = marks.at(time_us - SPAN_US) if marks is not None else None
        after = marks.at(time_us + SPAN_US) if marks is not None else None
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
            self.evidence = min(2.0 * ALARM, self.evidence + STEP)  # so that a corrected reading is believed in time
        if self.evidence >= ALARM:
            self.suspect = True
        elif self.evidence == 0.0:
            self.suspect = False

    def stats(self) -> SideStats:
        """Where the test stands."""
        return SideStats(self.agreed, self.disagreed, self.evidence, self.suspect)
