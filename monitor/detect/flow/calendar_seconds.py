"""Estimates what a feed hides that shows at most one forced order per symbol and calendar second.

The number of seconds with a report gives an estimate of the number of orders, and the sizes of the reports one of
their sizes:

- **latest**: a report is a random one of its second, so ``rate = -ln(1 - k / W)`` and ``S = W rate mean(report)``. With
  a report in every second the rate has no upper bound: the estimate is *censored*, its high end open.
- **largest**: ``P(max <= x) = exp(-rate (1 - F(x)))``, so ``rate = k / ((W - k) + sum(1 - F(report)))``, also where
  every second has one; beside a report of x there were ``rate F(x)`` smaller ones, ``rate E_F[mark; mark < x]`` USD.
  ``F`` is the distribution of single orders in calm.

Feeds whose second begins with an order, as Binance's does, are estimated by :mod:`monitor.detect.flow.dead_time`.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from monitor.detect.flow.hidden_flow import FAST_S, LENGTH_S, NOTHING_HIDDEN, QUIET_SHARE, Hidden, interval
from monitor.detect.flow.order_sizes import Marks, MarksState
from monitor.model.events import MICROS, Side, saturated

TAIL_UNIT: Final = 1_000_000
"""Number of units in one, for sums of ``1 - F`` in integers, so that adding and evicting never drifts."""


class _Window:
    """Keeps rolling sums over the seconds of a window."""

    __slots__ = ("below", "length", "reports", "seconds", "squares", "tails", "usd")

    def __init__(self, length: int) -> None:
        self.length = length
        self.seconds = 0  # with a report
        self.usd = [0, 0]  # micro-USD of longs and shorts
        self.reports = [0, 0]
        self.tails = 0  # sum of 1 - F(largest) in TAIL_UNIT
        self.below = 0  # sum of E_F[mark; mark < largest], micro-USD
        self.squares = 0  # sum of E_F[mark ** 2; mark < largest], USD squared

    def add(self, slot: _Second, sign: int) -> None:
        self.seconds += sign
        for side in range(2):
            self.usd[side] += sign * slot.usd[side]
            self.reports[side] += sign * slot.reports[side]
        self.tails += sign * slot.tail
        self.below += sign * slot.below
        self.squares += sign * slot.square


class _Second:
    """Holds what one second reported, and the terms of its largest report that :class:`_Window` sums up."""

    __slots__ = ("below", "largest", "reports", "square", "tail", "usd")

    def __init__(self) -> None:
        self.usd = [0, 0]
        self.reports = [0, 0]
        self.largest = self.tail = self.below = self.square = 0


class SecondState(msgspec.Struct, array_like=True):
    """Holds one second's reports as a snapshot stores them; see :class:`_Second` and :class:`_Window`."""

    second: int
    usd: list[int]
    reports: list[int]
    largest: int
    tail: int
    below: int
    square: int


class CalendarState(msgspec.Struct, array_like=True, tag="calendar"):
    """Everything that :class:`CalendarSeconds` remembers.

    Attributes:
        largest: true if a report is the largest of its second.
        second: the current second.
        seconds: the seconds of the last minute that had a report.
        marks: distribution of order sizes.
    """

    largest: bool
    second: int
    seconds: list[SecondState]
    marks: MarksState


class CalendarSeconds:
    """Keeps the last minute's reports of one symbol's feed, and estimates what they hide. O(1) a report and a second.

    Unit: micro-USD. Source: one report a second at most, so the share of seconds without one gives the rate whatever
    the convention. Typical: saturation below 0.05 in calm, 1 in a cascade, where a feed of the latest shows a tenth of
    ten orders a second and a feed of the largest 60 %.

    Args:
        largest: true if a report is the largest of its second; else it is the latest.

    Example:
        Two orders a second (the middle of a minute of 86 % saturation), each worth 1,000 USD, seen one a second:

        >>> import random
        >>> generator, feed = random.Random(4), CalendarSeconds()
        >>> for second in range(60):
        ...     feed.advance(second)
        ...     if generator.random() < 1 - math.exp(-2.0):
        ...         feed.add(second * MICROS, "long", 1_000 * MICROS)
        >>> round(feed.saturation(), 2)
        0.87
        >>> shown, hidden = feed.reported(0), feed.hidden(0)
        >>> shown // MICROS, (shown + hidden.mid) // MICROS
        (52000, 120894)
    """

    __slots__ = ("_fast", "_second", "_seconds", "_slow", "largest", "marks")

    def __init__(self, *, largest: bool = False) -> None:
        self.largest = largest
        self.marks = Marks()
        self._second = 0  # the current one
        self._seconds: dict[int, _Second] = {}
        self._slow, self._fast = _Window(LENGTH_S), _Window(FAST_S)

    @property
    def empty(self) -> bool:
        """Return True if the last minute had no report."""
        return not self._seconds

    def add(self, time_us: int, side: Side, micros: int) -> None:
        """Add a report of micro-USD; one older than a minute is ignored, one ahead of time counts in this second."""
        at = min(time_us // MICROS, self._second)
        if at <= self._second - LENGTH_S:
            return
        windows = [window for window in (self._slow, self._fast) if at > self._second - window.length]
        slot = self._seconds.get(at)
        if slot is None:
            slot = self._seconds[at] = _Second()
        else:
            for window in windows:
                window.add(slot, -1)
        index = 0 if side == "long" else 1
        slot.usd[index] = saturated(slot.usd[index] + micros)
        slot.reports[index] += 1
        if micros > slot.largest and self.largest:
            slot.largest = micros
            slot.tail = round(self.marks.beyond(micros / MICROS) * TAIL_UNIT)
            slot.below = saturated(round(self.marks.moment(1, micros / MICROS) * MICROS))
            slot.square = saturated(round(self.marks.moment(2, micros / MICROS)))
        for window in windows:
            window.add(slot, 1)
        if self._slow.seconds <= QUIET_SHARE * LENGTH_S:
            self.marks.learn(micros / MICROS)

    def advance(self, second: int) -> None:
        """Make ``second`` the current one and evict what leaves the windows."""
        before, self._second = self._second, second
        if not self._seconds:
            return
        for window in (self._fast, self._slow):
            first = before - window.length + 1
            for gone in range(first, min(before, second - window.length) + 1):
                slot = self._seconds.get(gone)
                if slot is not None:
                    window.add(slot, -1)
                    if window is self._slow:
                        del self._seconds[gone]

    def saturation(self, length_s: int = LENGTH_S) -> float:
        """Return the share (0 to 1) of the window's seconds that had a report; at 1 the feed is only a lower bound."""
        return self._window(length_s).seconds / length_s

    def reported(self, side_index: int, length_s: int = LENGTH_S) -> int:
        """Return a side's reported micro-USD within the window."""
        return self._window(length_s).usd[side_index]

    def hidden(self, side_index: int, length_s: int = LENGTH_S) -> Hidden:
        """Return the estimate of what the window's reports of a side hide."""
        window = self._window(length_s)
        usd = window.usd[side_index]
        if not usd:
            return NOTHING_HIDDEN
        return self._beside_largest(window, usd) if self.largest else self._beside_latest(window, side_index)

    def _window(self, length_s: int) -> _Window:
        return self._slow if length_s == LENGTH_S else self._fast

    def _beside_latest(self, window: _Window, side_index: int) -> Hidden:
        seconds, length = window.seconds, window.length
        share = min(seconds / length, 1.0 - 0.5 / length)
        unseen = -math.log(1.0 - share) * length - seconds
        reports = window.reports[side_index]
        mine = unseen * reports / sum(window.reports)
        if mine <= 0.0:
            return NOTHING_HIDDEN
        spread = self.marks.spread
        # Of what is hidden: how many orders, how large each, and how well the reports tell the mean.
        noise = length * share / (1.0 - share) / unseen**2 + (1.0 + spread) / mine + spread / reports
        return interval(window.usd[side_index] * unseen / seconds, noise, mine, censored=seconds >= length)

    def _beside_largest(self, window: _Window, usd: int) -> Hidden:
        if not self.marks.known:
            return Hidden(0, 0, 0, censored=True)
        seconds = window.seconds
        rate = seconds / (window.length - seconds + max(window.tails, 1) / TAIL_UNIT)
        side_share = usd / sum(window.usd)
        expected = rate * window.below / MICROS  # USD, of both sides
        if expected <= 0.0:
            return NOTHING_HIDDEN
        noise = 1.0 / seconds + self.marks.uncertainty + rate * window.squares / (expected * expected * side_share)
        mine = rate * (seconds - window.tails / TAIL_UNIT) * side_share
        return interval(expected * side_share * MICROS, noise, mine, censored=False)

    def state(self) -> CalendarState:
        """Return what a snapshot stores."""
        seconds = [
            SecondState(
                second=at,
                usd=list(slot.usd),
                reports=list(slot.reports),
                largest=slot.largest,
                tail=slot.tail,
                below=slot.below,
                square=slot.square,
            )
            for at, slot in self._seconds.items()
        ]
        return CalendarState(largest=self.largest, second=self._second, seconds=seconds, marks=self.marks.state())

    @classmethod
    def restore(cls, kept: CalendarState) -> CalendarSeconds:
        """Return the feed that :meth:`state` stored."""
        self = cls(largest=kept.largest)
        self._second = kept.second
        self.marks = Marks.restore(kept.marks)
        for each in kept.seconds:
            slot = self._seconds[each.second] = _Second()
            slot.usd, slot.reports, slot.largest = each.usd, each.reports, each.largest
            slot.tail, slot.below, slot.square = each.tail, each.below, each.square
            for window in (self._slow, self._fast):
                if each.second > kept.second - window.length:
                    window.add(slot, 1)
        return self
