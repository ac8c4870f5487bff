"""Tests that observations are counted in inclusive buckets, against a slow reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.histogram import BucketCounter

BOUNDS = (1_000, 2_000, 30_000_000)
values = st.lists(st.one_of(st.sampled_from(BOUNDS), st.integers(-10, 40_000_000)))


@given(values, values)
def test_counts_are_those_of_a_slow_reference(first: list[int], second: list[int]) -> None:
    """Each bucket excludes its lower and includes its upper bound; two counters add up to one of all observations."""
    one, other = BucketCounter(BOUNDS), BucketCounter(BOUNDS)
    for counter, observed in ((one, first), (other, second)):
        for value in observed:
            counter.observe(value)
    one.add(other)
    lower = (float("-inf"), *BOUNDS)
    upper = (*BOUNDS, float("inf"))
    every = first + second
    assert one.counts == [sum(low < each <= high for each in every) for low, high in zip(lower, upper, strict=True)]
    assert one.sum == sum(max(0, each) for each in every)


def test_a_copy_is_in_the_unit_that_is_asked_for() -> None:
    """Bounds are converted from microseconds to seconds, and the copy does not change with later observations."""
    counter = BucketCounter(BOUNDS)
    counter.observe(1_500)
    shown = counter.histogram(unit=1_000_000)
    counter.observe(1)
    assert shown.bounds == [0.001, 0.002, 30.0]
    assert (list(shown.counts), shown.sum) == ([0, 1, 0, 0], 0.0015)


def test_counters_of_other_bounds_do_not_add() -> None:
    """Adding counters with different buckets raises an error."""
    with pytest.raises(ValueError, match="zip"):
        BucketCounter((1,)).add(BucketCounter((1, 2)))
