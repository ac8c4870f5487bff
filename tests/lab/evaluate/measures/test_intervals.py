from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.evaluate.measures.intervals import (
    difference,
    poisson_cdf,
    poisson_interval,
    quantile,
    ratio,
    ratios,
    resamples,
)


@pytest.mark.parametrize(
    ("count", "level", "low", "high"),
    [
        (0, 0.95, 0.0, 3.689),
        (1, 0.95, 0.025, 5.572),
        (5, 0.95, 1.623, 11.668),
        (10, 0.95, 4.795, 18.390),
        (50, 0.95, 37.111, 65.919),
        (3, 0.90, 0.818, 7.754),
    ],
)
def test_poisson_interval_is_the_known_one(count: int, level: float, low: float, high: float) -> None:
    """The exact limits are those in tables of Garwood's interval."""
    assert poisson_interval(count, level) == pytest.approx((low, high), abs=6e-4)


def test_poisson_cdf_sums_the_probabilities() -> None:
    """P(X <= 2) for a mean of 1 is e^-1 * (1 + 1 + 1/2)."""
    assert poisson_cdf(2, 1.0) == pytest.approx(2.5 * math.exp(-1))
    assert poisson_cdf(0, 0.0) == 1.0


def test_resamples_are_the_same_each_time_and_draw_as_many_blocks_as_there_are() -> None:
    """Draws are the same in each run and have as many blocks as there are."""
    assert (resamples(7, 50) == resamples(7, 50)).all()
    assert (resamples(7, 50).sum(axis=1) == 7).all()
    assert resamples(0, 3).shape == (3, 0)


def test_a_ratio_is_of_sums_and_its_interval_of_draws() -> None:
    """Ten blocks of which half are found give 0.5 with the interval of ten coin tosses."""
    found, events = np.array([2.0, 0.0] * 5), np.full(10, 2.0)
    estimate = ratio(resamples(10), found, events)
    assert (estimate.value, estimate.n) == (0.5, 20)
    assert estimate.low == pytest.approx(0.2, abs=0.101)
    assert estimate.high == pytest.approx(0.8, abs=0.101)


def test_a_ratio_of_nothing_is_unknown() -> None:
    """A ratio with an empty denominator is unknown, and draws with one are left out."""
    assert ratio(resamples(2), np.zeros(2), np.zeros(2)).value is None
    drawn = ratios(np.array([[2, 0], [1, 1]]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert np.isnan(drawn[0])
    assert drawn[1] == 1.0


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    """Blocks that both runs lose cancel out in a paired difference."""
    weights, events = resamples(20), np.ones(20)
    mine = np.array([1.0, 0.0] * 10)
    both = ratios(weights, mine, events)
    assert difference(both, both, 0.0)[:3] == (0.0, 0.0, 0.0)
    assert difference(both, both, None).value is None


@given(
    st.lists(st.lists(st.floats(-100, 100), max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(0, 3), min_size=5, max_size=5),
    st.sampled_from([0.5, 0.9]),
)
def test_a_drawn_quantile_is_that_of_the_values_as_often_as_drawn(
    values: list[list[float]], times: list[int], share: float
) -> None:
    """In a draw the quantile is of the values of the drawn blocks, as often as drawn."""
    weights = np.array([times[: len(values)]])
    estimate, (drawn,) = quantile(weights, values, share)
    flat = [value for block in values for value in block]
    assert estimate.value == (float(np.quantile(flat, share)) if flat else None)
    repeated = [value for block, often in zip(values, times, strict=False) for value in block for _ in range(often)]
    if repeated:
        assert drawn == pytest.approx(np.quantile(repeated, share))
    else:
        assert np.isnan(drawn)
