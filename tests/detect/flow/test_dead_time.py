"""What feeds hide that are blind for a second after each report, against tapes whose truth is known."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.flow.dead_time import DeadTime, DeadTimeState
from monitor.detect.flow.hidden_flow import FAST_S, LENGTH_S, NOTHING_HIDDEN
from monitor.model.events import MICROS

MEDIAN, SPREAD = math.log(2_000), 1.8
"""Orders of the tapes: lognormal, 2,000 USD in the middle, as measured on calm days."""
CALM_RATE = 0.03
"""Orders a second on the calm hours from which the size of orders is learned."""
DELAY_S = 1.01
"""Delay from an order to its report: the window's second, and some milliseconds."""


class Totals(NamedTuple):
    """Of a tape: the truth, what was shown, the corrected middle, and the shares of minutes covered and censored."""

    truth: float
    shown: float
    corrected: float
    covered: float
    censored: float


class Tape:
    """A Poisson stream of orders through windows of a second that begin with an order.

    Args:
        seed: of the orders.
        last: true if a window shows its last order, at the time of its first, instead of the first.
    """

    def __init__(self, seed: int, *, last: bool = False) -> None:
        self.feed = DeadTime()
        self._generator = np.random.default_rng(seed)
        self._last = last
        self._opened = -math.inf
        self._waiting: deque[tuple[float, float]] = deque()
        self._second = 0

    def minute(self, rate: float) -> float:
        """Play a minute at a rate of orders a second and return the USD of all its orders."""
        total = 0.0
        for second in range(self._second, self._second + LENGTH_S):
            self.feed.advance(second)
            for at in sorted(second + self._generator.random(self._generator.poisson(rate))):
                usd = float(self._generator.lognormal(MEDIAN, SPREAD))
                total += usd
                if at - self._opened >= 1.0:
                    self._opened = at
                    self._waiting.append((at, usd))
                elif self._last:
                    self._waiting[-1] = (self._opened, usd)
            while self._waiting and self._waiting[0][0] + DELAY_S <= second + 1:
                at, usd = self._waiting.popleft()
                self.feed.add(round(at * MICROS), "long", round(usd * MICROS))
        self._second += LENGTH_S
        return total


def corrected(rate: float, *, last: bool = False, minutes: int = 100) -> Totals:
    """Compare a tape's truth with what was estimated of it, minute by minute, after six calm hours."""
    tape = Tape(round(1_000 * rate), last=last)
    for _ in range(360):
        tape.minute(CALM_RATE)
    truth = shown = estimated = 0.0
    covered = censored = 0
    for _ in range(minutes):
        usd = tape.minute(rate)
        raw, hidden = tape.feed.reported(0) / MICROS, tape.feed.hidden(0)
        low, mid, high = (raw + part / MICROS for part in hidden[:3])
        truth, shown, estimated = truth + usd, shown + raw, estimated + mid
        covered += low <= usd + 1e-3 and (hidden.censored or usd <= high + 1e-3)
        censored += hidden.censored
    return Totals(truth, shown, estimated, covered / minutes, censored / minutes)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("saturation", [0.1, 0.33, 0.5, 0.67, 0.75, 0.86, 0.91, 0.99])
def test_corrected_totals_are_near_the_truth(saturation: float, last: bool) -> None:
    """Within a quarter of it, and the interval covers four minutes in five, up to 99 orders a second."""
    totals = corrected(saturation / (1 - saturation), last=last, minutes=100 if saturation < 0.9 else 40)
    assert 0.75 <= totals.corrected / totals.truth <= 1.25
    assert totals.covered >= 0.8
    assert totals.shown < totals.truth


def test_a_feed_says_censored_beyond_its_ceiling() -> None:
    """At 500 orders a second windows follow one another without a measurable pause: high is open, low still holds."""
    totals = corrected(500.0, minutes=20)
    assert (totals.censored, totals.covered) == (1.0, 1.0)
    assert totals.corrected < totals.truth


def test_half_a_minute_of_dead_time_by_hand() -> None:
    """A report every two seconds: 30 in 30 s of live time, so one order a second, and the windows hide 30 orders."""
    feed = DeadTime()
    feed.advance(LENGTH_S - 1)
    for number in range(30):
        feed.add((2 * number + 1) * MICROS, "long", 1_000 * MICROS)
    assert (feed.saturation(), feed.saturation(FAST_S)) == (0.5, 0.5)
    assert feed.reported(0) == 30_000 * MICROS
    hidden = feed.hidden(0)
    assert hidden.mid == pytest.approx(30_000 * MICROS, rel=1e-9)
    assert hidden.low < hidden.mid < hidden.high
    assert feed.hidden(1) == NOTHING_HIDDEN


def test_sides_share_a_symbols_window() -> None:
    """One report a window is of either side: what is hidden is split as the reports are."""
    feed = DeadTime()
    feed.advance(LENGTH_S - 1)
    for number in range(40):
        feed.add(number * 1_500_000, "long" if number % 2 else "short", 1_000 * MICROS)
    assert feed.hidden(0).mid == feed.hidden(1).mid > 0


def test_reports_that_have_not_arrived_are_no_live_time() -> None:
    """A second without a report at the end, which may be on its way, does not lower the estimated rate."""
    feed = DeadTime()
    feed.advance(LENGTH_S - 1)
    for number in range(54):
        feed.add(round(number * 1.1 * MICROS), "long", 1_000 * MICROS)
    ratio = feed.hidden(0).mid / feed.reported(0)
    feed.advance(LENGTH_S)
    assert feed.hidden(0).mid / feed.reported(0) == pytest.approx(ratio, rel=0.05)


def test_windows_end_and_late_reports_count_where_they_belong() -> None:
    """A report leaves after a minute; one that comes late is of its own second, one from before the minute is not."""
    feed = DeadTime()
    feed.advance(100)
    feed.add(100 * MICROS, "long", 7)
    feed.advance(130)
    feed.add(115 * MICROS, "long", 5)
    feed.add(70 * MICROS, "long", 3)
    feed.add(131 * MICROS, "long", 1)  # ahead of time: now
    assert (feed.reported(0), feed.reported(0, FAST_S)) == (13, 1)
    feed.advance(160)
    assert feed.reported(0) == 6
    feed.advance(10_000)
    assert (feed.reported(0), feed.saturation(), feed.empty) == (0, 0.0, True)


def test_one_report_hides_next_to_nothing() -> None:
    """A single order in a quiet minute: a fiftieth of it may be hidden, and nothing need be."""
    feed = DeadTime()
    feed.advance(100)
    feed.add(100 * MICROS, "short", 50_000 * MICROS)
    hidden = feed.hidden(1)
    assert (hidden.low, hidden.censored) == (0, False)
    assert 0 < hidden.mid < 1_000 * MICROS


@given(
    st.lists(st.tuples(st.integers(0, 200 * MICROS), st.sampled_from(["long", "short"]), st.integers(1, 2**60))),
    st.lists(st.integers(0, 250), min_size=1),
)
def test_any_reports_give_an_interval_and_survive_a_restart(
    reports: list[tuple[int, str, int]], seconds: list[int]
) -> None:
    """Whatever the order and the sizes, memory stays a minute long and the restored feed estimates the same."""
    feed = DeadTime()
    for second in sorted(seconds):
        feed.advance(second)
        for time_us, side, micros in reports:
            feed.add(time_us, "long" if side == "long" else "short", micros)
        again = DeadTime.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(feed.state()), type=DeadTimeState))
        for index in range(2):
            for length_s in (FAST_S, LENGTH_S):
                hidden = feed.hidden(index, length_s)
                assert 0 <= hidden.low <= hidden.mid <= hidden.high
                assert again.hidden(index, length_s) == hidden
    feed.advance(400)
    assert feed.empty
    assert len(feed.state().reports) <= 1
