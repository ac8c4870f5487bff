"""What a feed of one report a second hides: estimators for "latest" and "largest", with their uncertainty.

A feed that shows at most one forced order per symbol and second is silent about the rest just when it matters. How many
seconds had a report says how many orders there must have been; what the reports were worth says how large those were:

- **latest**: a report is a random one of its second, so ``rate = -ln(1 - k / W)`` and ``S = W rate mean(report)``. With
  a report in every second the rate has no upper bound: the estimate is *censored*, its high end open.
- **largest**: ``P(max <= x) = exp(-rate (1 - F(x)))``, so ``rate = k / ((W - k) + sum(1 - F(report)))``, also where
  every second has one; beside a report of x there were ``rate F(x)`` smaller ones, ``rate E_F[mark; mark < x]`` USD.
  ``F`` is the distribution of single orders in calm.

Sums stay integers of micro-USD, and what is estimated is never added to what was reported: both are handed out.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from monitor.detect.flow.order_sizes import Marks
from monitor.model.events import MICROS, MOST_MICROS, Coverage, Side, saturated

LENGTH_S: Final = 60
"""The window that totals are estimated over: up to 4.8 orders a second can be told apart ..."""
FAST_S: Final = 10
"""... and the one that an onset is judged by: up to 3.0."""
THROTTLED: Final[frozenset[Coverage]] = frozenset({"latest_per_second", "largest_per_second", "sampled"})
"""Kinds of coverage that hide by the second. ``sampled`` (OKX: one order per contract and second, which one is not
said) is read as the latest."""
QUIET_SHARE: Final = 0.2
"""Orders are learned from while at most this share of a minute's seconds has a report: then few hide others."""
TAIL_UNIT: Final = 1_000_000
"""``1 - F`` is summed in integers of this, so that adding and evicting never drifts."""
SPREAD: Final = 1.6
"""Standard deviations (of the logarithm of what is hidden) to either side of the middle: 89 %, so that at least 80 % of
minutes are covered though the orders' spread is itself estimated and no lognormal is."""
FEW: Final = 3.0
"""With fewer hidden orders than this expected, there may well be next to none: low is then nothing."""


class Hidden(NamedTuple):
    """What one side's reports hide, micro-USD: low, middle and high estimate; ``censored`` says that high is open."""

    low: int
    mid: int
    high: int
    censored: bool


NOTHING_HIDDEN: Final = Hidden(0, 0, 0, False)


class _Window:
    """Rolling sums of the seconds that a window holds."""

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
    """What one second reported, and of its largest report what :class:`_Window` sums up."""

    __slots__ = ("below", "largest", "reports", "square", "tail", "usd")

    def __init__(self) -> None:
        self.usd = [0, 0]
        self.reports = [0, 0]
        self.largest = self.tail = self.below = self.square = 0


class Throttle:
    """The reports of one symbol's feed over the last minute, and what they hide. O(1) a report and a second.

    Unit: micro-USD. Source: one report a second at most, so the share of seconds without one gives the rate whatever
    the convention. Typical: saturation below 0.05 in calm, 1 in a cascade, where a feed of the latest shows a tenth of
    ten orders a second and a feed of the largest 60 %.

    Args:
        largest: whether a report is the largest of its second; else it is the latest.

    Example:
        Two orders a second (the middle of a minute of 86 % saturation), each worth 1,000 USD, seen one a second:

        >>> import random
        >>> generator, feed = random.Random(4), Throttle()
        >>> for second in range(60):
        ...     feed.advance(second)
        ...     if generator.random() < 1 - math.exp(-2.0):
        ...         feed.add(second, "long", 1_000 * MICROS)
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
        """Whether the last minute had no report."""
        return not self._seconds

    def add(self, second: int, side: Side, micros: int) -> None:
        """Take a report; one older than a minute is left out, one ahead of time counts in the current second."""
        at = min(second, self._second)
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
        """Make ``second`` the current one and forget what leaves the windows."""
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
        """Share of the window's seconds that had a report, 0 to 1; at 1 the feed says only "at least"."""
        return self._window(length_s).seconds / length_s

    def reported(self, side_index: int, length_s: int = LENGTH_S) -> int:
        """Micro-USD of a side within the window, as reported."""
        return self._window(length_s).usd[side_index]

    def hidden(self, side_index: int, length_s: int = LENGTH_S) -> Hidden:
        """What the window's reports of a side hide."""
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
        return _interval(window.usd[side_index] * unseen / seconds, noise, mine, censored=seconds >= length)

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
        return _interval(expected * side_share * MICROS, noise, mine, censored=False)

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        seconds = [
            (at, slot.usd, slot.reports, slot.largest, slot.tail, slot.below, slot.square)
            for at, slot in self._seconds.items()
        ]
        return [self.largest, self._second, seconds, self.marks.state()]

    @classmethod
    def restore(cls, state: list[Any]) -> Throttle:
        """The feed that :meth:`state` described."""
        largest, second, seconds, marks = state
        self = cls(largest=largest)
        self._second = second
        self.marks = Marks.restore(marks)
        for at, usd, reports, largest_report, tail, below, square in seconds:
            slot = self._seconds[at] = _Second()
            slot.usd, slot.reports, slot.largest = list(usd), list(reports), largest_report
            slot.tail, slot.below, slot.square = tail, below, square
            for window in (self._slow, self._fast):
                if at > second - window.length:
                    window.add(slot, 1)
        return self


def _interval(mid: float, noise: float, orders: float, *, censored: bool) -> Hidden:
    """An interval on the logarithm: ``noise`` is the variance of what is hidden over its squared mean."""
    deviation = math.sqrt(math.log1p(noise))
    factor = math.exp(SPREAD * deviation)
    mid = min(mid, MOST_MICROS)
    low = 0 if orders < FEW else round(mid / factor)
    return Hidden(low, round(mid), round(min(mid * factor, MOST_MICROS)), censored)
