"""Rolling extremes against a slow reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.price.extremes import Extremes
from tests.detect.stored import stored

pushes = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1.0, 2.0, 2.5, 3.0, 3.0, 7.0, 9.5])), min_size=1)


@given(pushes, st.integers(1, 60), st.integers(0, 200))
def test_extremes_equal_those_of_all_values_of_the_window(
    plan: list[tuple[int, float]], length_s: int, pause: int
) -> None:
    """High and low are those of all values not older than the window, or of the newest if all are."""
    extremes, kept, now = Extremes(length_s), [], 0
    for ticks, value in plan:
        now += ticks
        extremes.push(now, value)
        kept.append((now, value))
        inside = [price for at, price in kept if at >= now - length_s]
        assert (extremes.high, extremes.low) == (max(inside), min(inside))
    extremes.expire(now + pause)
    inside = [price for at, price in kept if at >= now + pause - length_s] or [kept[-1][1]]
    if pause <= length_s:
        assert (extremes.high, extremes.low) == (max(inside), min(inside))
    else:
        assert (extremes.high, extremes.low) == (kept[-1][1], kept[-1][1])


@given(pushes, pushes)
def test_restored_extremes_go_on_as_before(first: list[tuple[int, float]], then: list[tuple[int, float]]) -> None:
    """A snapshot through MessagePack leads to the same extremes."""
    extremes, now = Extremes(30), 0
    for ticks, value in first:
        now += ticks
        extremes.push(now, value)
    other = Extremes(30)
    other.load(stored(extremes.state()))
    for ticks, value in then:
        now += ticks
        extremes.push(now, value)
        other.push(now, value)
        assert (extremes.high, extremes.low) == (other.high, other.low)


def test_no_more_is_kept_than_can_still_be_an_extreme() -> None:
    """A long rise keeps one low a second and a single high."""
    extremes = Extremes(100)
    for second in range(1_000):
        extremes.push(second, float(second))
    assert [len(extremes.state().highs), len(extremes.state().lows)] == [1, 101]


@pytest.mark.parametrize("which", ["high", "low"])
def test_nothing_pushed_has_no_extreme(which: str) -> None:
    """Asking before the first value is an error."""
    with pytest.raises(IndexError):
        getattr(Extremes(10), which)
