from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.evaluate.intervals import difference, of_values, poisson_cdf, poisson_interval, ratio, ratios, resamples


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
    """The exact limits that tables of Garwood's interval print."""
    assert poisson_interval(count, level) == pytest.approx((low, high), abs=6e-4)


def test_poisson_cdf_sums_the_probabilities() -> None:
    """P(X <= 2) for a mean of 1 is e^-1 * (1 + 1 + 1/2)."""
    assert poisson_cdf(2, 1.0) == pytest.approx(2.5 * math.exp(-1))
    assert poisson_cdf(0, 0.0) == 1.0


def test_resamples_are_the_same_each_time_and_draw_as_many_blocks_as_there_are() -> None:
    """Two runs print the same intervals."""
    assert (resamples(7, 50) == resamples(7, 50)).all()
    assert (resamples(7, 50).sum(axis=1) == 7).all()
    assert resamples(0, 3).shape == (3, 0)


def test_a_ratio_is_of_sums_and_its_interval_of_draws() -> None:
    """Ten blocks of two events each, half of the blocks found: 0.5 with the interval of ten coins."""
    found, events = np.array([2.0, 0.0] * 5), np.full(10, 2.0)
    estimate = ratio(resamples(10), found, events)
    assert (estimate.value, estimate.n) == (0.5, 20)
    assert estimate.low == pytest.approx(0.2, abs=0.101)
    assert estimate.high == pytest.approx(0.8, abs=0.101)


def test_a_ratio_of_nothing_is_unknown() -> None:
    """Without events there is no recall, and draws without any are left out."""
    assert ratio(resamples(2), np.zeros(2), np.zeros(2)).value is None
    drawn = ratios(np.array([[2, 0], [1, 1]]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert np.isnan(drawn[0])
    assert drawn[1] == 1.0


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    """What is hard for both cancels out: the same blocks lost by both leave a difference of nothing."""
    weights, events = resamples(20), np.ones(20)
    mine = np.array([1.0, 0.0] * 10)
    both = ratios(weights, mine, events)
    assert difference(both, both, 0.0)[:3] == (0.0, 0.0, 0.0)
    assert difference(both, both, None).value is None


def test_a_median_is_of_all_values_and_drawn_by_blocks() -> None:
    """Blocks that were not drawn leave theirs out."""
    estimate, drawn = of_values(np.array([[1, 1], [2, 0], [0, 0]]), [[1.0, 3.0], [11.0]], lambda v: float(np.median(v)))
    assert (estimate.value, estimate.n) == (3.0, 3)
    assert drawn[:2].tolist() == [3.0, 2.0]
    assert np.isnan(drawn[2])
    assert of_values(np.array([[1]]), [[]], lambda v: float(np.median(v)))[0].value is None
