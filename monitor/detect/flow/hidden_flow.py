"""Defines what a feed of one report a second hides: the estimate, its interval, and what each kind of feed offers.

Sums stay integers of micro-USD, and what is estimated is never added to what was reported: both are handed out.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple, Protocol

from monitor.model.events import MOST_MICROS, Side

LENGTH_S: Final = 60
"""Length, in seconds, of the window that totals are estimated over: calendar seconds resolve up to 4.8 orders a second
in it."""
FAST_S: Final = 10
"""Length, in seconds, of the window that an onset is judged by: calendar seconds resolve up to 3.0 orders a second."""
QUIET_SHARE: Final = 0.2
"""Maximum share of a minute's seconds with a report while order sizes are learned: then few reports hide others."""
SPREAD: Final = 1.6
"""Half-width of the confidence interval, in standard deviations of the logarithm: 89 % nominal, so that at least 80 %
of minutes are covered although the spread is itself estimated and orders are not exactly lognormal."""
FEW: Final = 3.0
"""Minimum expected hidden orders for a low estimate above zero: with fewer there may well be none."""


class Hidden(NamedTuple):
    """Holds what one side's reports hide, micro-USD: low, middle, high; ``censored`` is true if high has no bound."""

    low: int
    mid: int
    high: int
    censored: bool


NOTHING_HIDDEN: Final = Hidden(0, 0, 0, False)


class ThrottledFeed(Protocol):
    """Keeps the last minute's reports of one symbol's feed, and estimates what they hide.

    Times of reports are microseconds since the epoch, amounts micro-USD; ``side_index`` is 0 for longs, 1 for shorts;
    ``length_s`` is :data:`LENGTH_S` or :data:`FAST_S`.
    """

    @property
    def empty(self) -> bool:
        """Return True if the last minute had no report."""

    def add(self, time_us: int, side: Side, micros: int) -> None:
        """Add a report; one older than a minute is ignored, one ahead of time counts in this second."""

    def advance(self, second: int) -> None:
        """Make ``second`` the current one and forget what is older than a minute."""

    def saturation(self, length_s: int = LENGTH_S) -> float:
        """Return the share (0 to 1) of the window in which the feed could show no further order."""

    def reported(self, side_index: int, length_s: int = LENGTH_S) -> int:
        """Return a side's reported micro-USD within the window."""

    def hidden(self, side_index: int, length_s: int = LENGTH_S) -> Hidden:
        """Return the estimate of what the window's reports of a side hide."""

    def state(self) -> Any:
        """Return what a snapshot stores."""


def interval(mid: float, noise: float, orders: float, *, censored: bool) -> Hidden:
    """Return a confidence interval on the logarithm; ``noise`` is the hidden sum's variance over its squared mean."""
    deviation = math.sqrt(math.log1p(noise))
    factor = math.exp(SPREAD * deviation)
    mid = min(mid, MOST_MICROS)
    low = 0 if orders < FEW else round(mid / factor)
    return Hidden(low, round(mid), round(min(mid * factor, MOST_MICROS)), censored)
