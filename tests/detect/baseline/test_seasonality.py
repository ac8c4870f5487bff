"""The shape of the day and the week."""

from __future__ import annotations

import pytest

from monitor.detect.baseline.seasonality import PROFILE, WEEKEND, Shape
from tests.detect.scenarios import START

HOUR = START // 3_600 - START // 3_600 % 24  # midnight of a Wednesday


def shape() -> Shape:
    """A shape that has seen nothing."""
    return Shape(power=1, shrink=200, per_day=60)


def week(shown: Shape) -> list[float]:
    """The factors of a week's hours from midnight of a Wednesday on."""
    return [shown.factor(HOUR + hour) for hour in range(168)]


def test_before_anything_was_learned_it_is_the_markets() -> None:
    """Hours stand to each other as in the profile, Saturday to Wednesday as the weekend; a week averages to 1."""
    factors = week(shape())
    assert factors[14] / factors[5] == pytest.approx(PROFILE[14] / PROFILE[5])
    assert factors[3 * 24 + 14] / factors[14] == pytest.approx(WEEKEND)
    assert factors[5 * 24 + 14] == factors[14]
    assert sum(factors) / 168 == pytest.approx(1.0)


def test_a_power_applies_to_every_factor() -> None:
    """A variance goes with the square."""
    square = Shape(power=2, shrink=200, per_day=12)
    assert square.factor(HOUR + 14) / square.factor(HOUR + 5) == pytest.approx((PROFILE[14] / PROFILE[5]) ** 2)


def test_an_hours_own_experience_takes_over() -> None:
    """Four weeks of an hour that is as busy as any other one: its own mean against the profile, 1,680 to 200."""
    shown = shape()
    for day in range(28):
        for hour in range(24):
            for _ in range(60):
                shown.learn(HOUR + 24 * day + hour, 1.0)
    factors = week(shown)
    assert max(factors[:24]) / min(factors[:24]) < 1.1
    assert sum(factors) / 168 == pytest.approx(1.0)


def test_factors_stay_within_their_hour() -> None:
    """What is learned in an hour shapes the next ones, so that a restart or a sleep within it makes no difference."""
    shown = shape()
    before = shown.factor(HOUR)
    shown.learn(HOUR, 9.0, 30)
    assert shown.factor(HOUR) == before
    assert shown.factor(HOUR + 24) > before


def test_several_at_once_are_as_one_by_one() -> None:
    """Sixty empty minutes in one go."""
    one, other = shape(), shape()
    for _ in range(60):
        one.learn(HOUR, 0.0)
    other.learn(HOUR, 0.0, 60)
    assert week(one) == pytest.approx(week(other))
    third = shape()
    third.load(one.state())
    assert third.state() == one.state()
