"""What feeds of one report a calendar second hide, against tapes whose truth is known."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from monitor.detect.flow.calendar_seconds import CalendarSeconds, CalendarState
from monitor.detect.flow.hidden_flow import FAST_S, LENGTH_S, NOTHING_HIDDEN
from monitor.model.events import MICROS

MEDIAN, SPREAD = math.log(2_000), 1.8
"""Orders of the tapes: lognormal, 2,000 USD in the middle, as measured on calm days."""
CALM_RATE = 0.03
"""Orders a second on the calm hours from which the size of orders is learned."""


class Totals(NamedTuple):
    """Of a tape: the truth, what was shown, the corrected middle, and the share of minutes that the interval covers."""

    truth: float
    shown: float
    corrected: float
    covered: float
    censored: float


def throttled(rate: float, *, largest: bool, minutes: int = 100, size: float = 1.0) -> Totals:
    """A tape of a Poisson stream of orders through a feed of one report a second, after six calm hours."""
    generator = np.random.default_rng(int(1_000 * rate) + largest)
    feed, second = CalendarSeconds(largest=largest), 0

    def play(rate: float, size: float) -> float:
        nonlocal second
        second += 1
        feed.advance(second)
        orders = size * generator.lognormal(MEDIAN, SPREAD, generator.poisson(rate))
        if len(orders):
            feed.add(second * MICROS, "long", round(MICROS * float(orders.max() if largest else orders[-1])))
        return float(orders.sum())

    for _ in range(6 * 3_600):
        play(CALM_RATE, 1.0)
    truth = shown = corrected = 0.0
    covered = censored = 0
    for _ in range(minutes):
        minute = sum(play(rate, size) for _ in range(LENGTH_S))
        raw, hidden = feed.reported(0) / MICROS, feed.hidden(0)
        low, mid, high = raw + hidden.low / MICROS, raw + hidden.mid / MICROS, raw + hidden.high / MICROS
        truth, shown, corrected = truth + minute, shown + raw, corrected + mid
        covered += low <= minute + 1e-3 and (hidden.censored or minute <= high + 1e-3)
        censored += hidden.censored
    return Totals(truth, shown, corrected, covered / minutes, censored / minutes)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("saturation", [0.1, 0.5, 0.86, 0.99])
def test_corrected_totals_are_near_the_truth(saturation: float, largest: bool) -> None:
    """Within a quarter of it, and the interval covers four minutes in five, up to a report in almost every second."""
    totals = throttled(-math.log(1 - saturation), largest=largest)
    assert 0.75 <= totals.corrected / totals.truth <= 1.25
    assert totals.covered >= 0.8
    assert totals.shown < totals.truth


@pytest.mark.parametrize("rate", [10.0, 50.0])
def test_a_largest_feed_is_corrected_in_full_saturation(rate: float) -> None:
    """A report in every second, and the total of hundreds of orders a minute is still known."""
    totals = throttled(rate, largest=True)
    assert totals.shown < 0.7 * totals.truth
    assert 0.75 <= totals.corrected / totals.truth <= 1.25
    assert totals.covered >= 0.8
    assert totals.censored == 0


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_a_largest_feed_is_robust_to_larger_orders_than_in_calm(size: float) -> None:
    """Orders half or twice as large as those that were learned from change the total by less than a quarter."""
    totals = throttled(20.0, largest=True, size=size)
    assert 0.75 <= totals.corrected / totals.truth <= 1.25


def test_a_latest_feed_says_censored_beyond_its_ceiling() -> None:
    """With a report in every second the total is at least so much: high is open in every minute, low still holds."""
    totals = throttled(20.0, largest=False)
    assert totals.censored == 1.0
    assert totals.covered == 1.0
    assert totals.corrected < totals.truth / 2


def test_latest_by_hand() -> None:
    """Half of the seconds have a report of 1,000 USD: ln 2 orders a second, so 41.6 of which 30 were shown."""
    feed = CalendarSeconds()
    for second in range(LENGTH_S):
        feed.advance(second)
        if second % 2:
            feed.add(second * MICROS, "long", 1_000 * MICROS)
    assert (feed.saturation(), feed.saturation(FAST_S)) == (0.5, 0.5)
    assert feed.reported(0) == 30_000 * MICROS
    hidden = feed.hidden(0)
    assert hidden.mid == pytest.approx((60 * math.log(2) - 30) * 1_000 * MICROS, abs=1)
    assert hidden.low < hidden.mid < hidden.high
    assert feed.hidden(1) == NOTHING_HIDDEN
    assert feed.hidden(0, FAST_S).mid == pytest.approx((10 * math.log(2) - 5) * 1_000 * MICROS, abs=1)


def test_sides_share_a_symbols_second() -> None:
    """One report a second is of either side: what is hidden is split as the reports are."""
    feed = CalendarSeconds()
    for second in range(LENGTH_S):
        feed.advance(second)
        if second % 3:
            feed.add(second * MICROS, "long" if second % 3 == 1 else "short", 1_000 * MICROS)
    assert feed.hidden(0).mid == feed.hidden(1).mid > 0
    assert sum(feed.hidden(side).mid for side in range(2)) == pytest.approx((60 * math.log(3) - 40) * 1e9, abs=2)


def test_one_report_hides_next_to_nothing() -> None:
    """A single order in a quiet minute: a hundredth of it may be hidden, and nothing need be."""
    feed = CalendarSeconds()
    feed.advance(100)
    feed.add(100 * MICROS, "short", 50_000 * MICROS)
    hidden = feed.hidden(1)
    assert (hidden.low, hidden.censored) == (0, False)
    assert 0 < hidden.mid < 1_000 * MICROS


def test_a_largest_feed_without_experience_is_open() -> None:
    """Before the size of orders is known, nothing bounds what the largest of a second hides."""
    feed = CalendarSeconds(largest=True)
    feed.advance(10)
    feed.add(10 * MICROS, "long", MICROS)
    assert feed.hidden(0) == (0, 0, 0, True)


def test_windows_end_and_late_reports_count_where_they_belong() -> None:
    """A report leaves after a minute; one that comes late is of its own second, one from before the minute is not."""
    feed = CalendarSeconds()
    feed.advance(100)
    feed.add(100 * MICROS, "long", 7)
    feed.advance(130)
    feed.add(115 * MICROS, "long", 5)
    feed.add(70 * MICROS, "long", 3)
    feed.add(131 * MICROS, "long", 1)  # ahead of time: now
    assert (feed.reported(0), feed.reported(0, FAST_S)) == (13, 1)
    feed.advance(160)
    assert feed.reported(0) == 6
    feed.advance(175)
    assert feed.reported(0) == 1
    assert not feed.empty
    feed.advance(10_000)
    assert (feed.reported(0), feed.saturation(), feed.empty) == (0, 0.0, True)


@pytest.mark.parametrize("largest", [False, True])
def test_a_restored_feed_goes_on(largest: bool) -> None:
    """State through MessagePack makes no difference."""
    generator = np.random.default_rng(5)
    feed = CalendarSeconds(largest=largest)
    for second in range(3_000):
        feed.advance(second)
        if generator.random() < (0.1 if second < 2_900 else 0.9):
            feed.add(second * MICROS, "long", round(generator.lognormal(MEDIAN, SPREAD) * MICROS))
    other = CalendarSeconds.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(feed.state()), type=CalendarState))
    for each in (feed, other):
        each.advance(3_003)
        each.add(3_001 * MICROS, "short", 9_000 * MICROS)
    assert other.state() == feed.state()
    assert [other.hidden(side, length) for side in range(2) for length in (LENGTH_S, FAST_S)] == [
        feed.hidden(side, length) for side in range(2) for length in (LENGTH_S, FAST_S)
    ]
    assert feed.hidden(0).mid > 0
