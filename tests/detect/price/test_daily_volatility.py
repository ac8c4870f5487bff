"""The usual volatility of a day."""

from __future__ import annotations

import pytest

from monitor.detect.price.daily_volatility import DAY_S, DAYS, LOWEST_VOLATILITY, UsualVolatility

STEP = 300


def days(usual: UsualVolatility, first: int, count: int, swing: float) -> None:
    """So many days of a price that swings by as much every five minutes."""
    for at in range(first * DAY_S, (first + count) * DAY_S, STEP):
        usual.take(at, 100.0 * (1.0 + swing * (at // STEP % 2)))


def test_a_crash_hardly_moves_it() -> None:
    """One day ten times as wild leaves the median of ten where it was, and many such days become what is usual."""
    usual = UsualVolatility(0.03)
    days(usual, 0, 10, 0.001)
    calm = usual.value
    assert calm == pytest.approx(0.017, rel=0.02)
    days(usual, 10, 1, 0.01)
    usual.take(11 * DAY_S, 100.0)
    assert usual.value == pytest.approx(calm, rel=0.01)
    days(usual, 11, 20, 0.01)
    assert usual.value == pytest.approx(0.17, rel=0.02)


def test_what_was_assumed_counts_as_a_day() -> None:
    """After one day it is halfway between the two, and after thirty it is gone."""
    usual = UsualVolatility(0.03)
    days(usual, 0, 1, 0.001)
    assert usual.value == 0.03
    usual.take(DAY_S, 100.0)
    assert usual.value == pytest.approx((0.03 + 0.017) / 2, rel=0.02)
    days(usual, 1, DAYS, 0.001)
    assert usual.value == pytest.approx(0.017, rel=0.02)


def test_days_that_say_too_little_do_not_count() -> None:
    """A few hours, a price that stands still, a silence of days: none is a day; and none is below the least."""
    usual = UsualVolatility(0.03)
    for at in range(0, DAY_S // 3, STEP):
        usual.take(at, 100.0 - (at // STEP + 1) % 2)
    days(usual, 1, 2, 0.0)
    usual.take(9 * DAY_S, 50.0)
    usual.take(9 * DAY_S + 1, 49.0)
    usual.take(11 * DAY_S, 50.0)
    assert usual.value == 0.03
    pegged = UsualVolatility(0.0001)
    days(pegged, 0, 2, 1e-7)
    assert pegged.value == LOWEST_VOLATILITY


def test_what_is_older_than_thirty_days_is_forgotten() -> None:
    """A recording that goes on a year later begins with what is assumed, not with the volatility of then."""
    usual = UsualVolatility(0.03)
    days(usual, 0, 31, 0.001)
    assert usual.value == pytest.approx(0.017, rel=0.02)
    usual.take(400 * DAY_S, 100.0)
    assert usual.value == 0.03


def test_a_restored_one_goes_on() -> None:
    """What a snapshot keeps is all of it."""
    usual = UsualVolatility(0.03)
    days(usual, 0, 3, 0.001)
    twin, empty = UsualVolatility(0.03), UsualVolatility(0.03)
    twin.load(usual.state())
    empty.load(UsualVolatility(0.03).state())
    for one in (usual, twin):
        days(one, 3, 2, 0.002)
    assert twin.state() == usual.state()
    assert empty.state() == UsualVolatility(0.03).state()
