"""Estimates what a feed hides whose second begins with an order: it is blind for a second after each report.

The first order of a symbol opens a window of one second; one order of the window is pushed at its end, and the next
order opens the next window. Binance and Aster show this: a report is pushed 1,003 to 1,012 ms after its order, and of
114,255 rows of BTCUSDT (December 2025 to February 2026) no two are closer than 0.5 s, and the closest 0.95 s apart.
Such a feed is a counter with a dead time that does not extend itself (G. F. Knoll, Radiation Detection and
Measurement, chapter 4): with ``k`` reports in a stretch whose live time, outside of the windows, is ``L``,

    ``rate = k / L``,   and the windows hide   ``rate (W - L)``   orders, the mean report each.

``L`` is measured from the reports' own times: as ``W - k`` it would depend on where the first and the last window are
cut, and near saturation on nothing else.
"""

from __future__ import annotations

from bisect import insort
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from monitor.detect.flow.hidden_flow import LENGTH_S, NOTHING_HIDDEN, QUIET_SHARE, Hidden, interval
from monitor.detect.flow.order_sizes import Marks, MarksState
from monitor.model.events import MICROS, Side, saturated

DEAD_US: Final = MICROS
"""Length of the window that an order opens, microseconds."""
RESOLUTION_US: Final = 5_000
"""Shortest mean live time between windows, microseconds, that can be told from none: the windows' own length varies by
some milliseconds. It bounds what can be resolved at 200 orders a second; beyond, the estimate is censored."""
UNSEEN_US: Final = 2 * MICROS
"""Time at the end of a stretch whose reports may not be here yet, microseconds: a window's second, and the way."""


class Report(NamedTuple):
    """Holds one report: time in microseconds, 0 for a long or 1 for a short, micro-USD."""

    time_us: int
    side: int
    micros: int


class DeadTimeState(msgspec.Struct, array_like=True, tag="dead_time"):
    """Everything that :class:`DeadTime` remembers.

    Attributes:
        second: the current second.
        reports: those of the last minute, by time, and the one before them.
        marks: distribution of order sizes.
    """

    second: int
    reports: list[Report]
    marks: MarksState


class _Stretch(NamedTuple):
    """Holds the reports of a window and its times: live as far as known, and dead, microseconds."""

    reports: list[Report]
    live_us: int
    dead_us: int


class DeadTime:
    """Keeps the last minute's reports of one symbol's feed; see :class:`monitor.detect.flow.hidden_flow.ThrottledFeed`.

    At most about sixty reports are kept, and an estimate reads all of them.

    Example:
        Three orders a second of 1,000 USD each, of which a window of a second shows the first:

        >>> import random
        >>> generator, feed, now, shown_us, orders = random.Random(4), DeadTime(), 0.0, -MICROS, 0
        >>> feed.advance(59)
        >>> while (now := now + generator.expovariate(3.0)) < 60:
        ...     orders += 1
        ...     if now * MICROS - shown_us >= MICROS:
        ...         shown_us = round(now * MICROS)
        ...         feed.add(shown_us, "long", 1_000 * MICROS)
        >>> shown, hidden = feed.reported(0), feed.hidden(0)
        >>> orders, shown // MICROS, (shown + hidden.mid) // MICROS
        (169, 45000, 169181)
    """

    __slots__ = ("_reports", "_second", "marks")

    def __init__(self) -> None:
        self.marks = Marks()
        self._second = 0
        self._reports: list[Report] = []  # by time; the first may be older than a minute

    @property
    def empty(self) -> bool:
        """Return True if the last minute had no report."""
        return not self._of(LENGTH_S)

    def add(self, time_us: int, side: Side, micros: int) -> None:
        """Add a report; one older than a minute is ignored, one ahead of time counts in this second."""
        time_us = min(time_us, self._end_us - 1)
        if time_us < self._start_us(LENGTH_S):
            return
        insort(self._reports, Report(time_us, 0 if side == "long" else 1, micros))
        if len(self._of(LENGTH_S)) <= QUIET_SHARE * LENGTH_S:
            self.marks.learn(micros / MICROS)

    def advance(self, second: int) -> None:
        """Make ``second`` the current one and forget reports older than a minute, but the last of those."""
        self._second = second
        oldest = len(self._reports) - len(self._of(LENGTH_S))
        if oldest > 1:
            del self._reports[: oldest - 1]

    def saturation(self, length_s: int = LENGTH_S) -> float:
        """Return the share (0 to 1) of the window that lies within a second after a report."""
        return min(1.0, len(self._of(length_s)) * DEAD_US / (length_s * MICROS))

    def reported(self, side_index: int, length_s: int = LENGTH_S) -> int:
        """Return a side's reported micro-USD within the window."""
        return saturated(sum(report.micros for report in self._of(length_s) if report.side == side_index))

    def hidden(self, side_index: int, length_s: int = LENGTH_S) -> Hidden:
        """Return the estimate of what the window's reports of a side hide."""
        stretch = self._stretch(length_s)
        mine = [report.micros for report in stretch.reports if report.side == side_index]
        if not mine or not sum(mine):
            return NOTHING_HIDDEN
        count = len(stretch.reports)
        least_us = count * RESOLUTION_US
        unseen = stretch.dead_us * count / max(stretch.live_us, least_us)
        orders = unseen * len(mine) / count
        spread = self.marks.spread
        # Of what is hidden: how well the rate is known, how many orders, how large each, and the mean of the reports.
        noise = 1.0 / count + (1.0 + spread) / orders + spread / len(mine)
        return interval(sum(mine) * unseen / count, noise, orders, censored=stretch.live_us < least_us)

    def state(self) -> DeadTimeState:
        """Return what a snapshot stores."""
        return DeadTimeState(second=self._second, reports=list(self._reports), marks=self.marks.state())

    @classmethod
    def restore(cls, kept: DeadTimeState) -> DeadTime:
        """Return the feed that :meth:`state` stored."""
        self = cls()
        self._second, self._reports = kept.second, kept.reports
        self.marks = Marks.restore(kept.marks)
        return self

    @property
    def _end_us(self) -> int:
        return (self._second + 1) * MICROS

    def _start_us(self, length_s: int) -> int:
        return self._end_us - length_s * MICROS

    def _of(self, length_s: int) -> list[Report]:
        """Return the reports of the last seconds, the current one included."""
        start_us = self._start_us(length_s)
        first = len(self._reports)
        while first and self._reports[first - 1].time_us >= start_us:
            first -= 1
        return self._reports[first:]

    def _stretch(self, length_s: int) -> _Stretch:
        """Measure the window's live and dead time from its reports and the one before them."""
        reports = self._of(length_s)
        start_us, end_us = self._start_us(length_s), self._end_us
        before = self._reports[: len(self._reports) - len(reports)]
        times = [report.time_us for report in reports]
        open_us = max(start_us, before[-1].time_us + DEAD_US) if before else start_us
        dead_us = open_us - start_us
        live_us = max(0, times[0] - open_us) if times else 0
        for earlier, later in pairwise(times):
            gap_us = later - earlier
            live_us += max(0, gap_us - DEAD_US)
            dead_us += min(DEAD_US, gap_us)
        if times:
            dead_us += min(DEAD_US, end_us - times[-1])
            live_us += max(0, end_us - UNSEEN_US - times[-1] - DEAD_US)
        return _Stretch(reports, live_us, dead_us)
