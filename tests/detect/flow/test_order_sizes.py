"""How large single orders are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.detect.flow.order_sizes import KNOWN, LARGEST_SPREAD, PRIOR_SPREAD, Marks


def learned(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Marks:
    """A distribution of these."""
    marks = Marks()
    for value in values.tolist():
        marks.learn(value)
    return marks


def test_before_anything_came_nothing_is_known() -> None:
    """No order is too large, none adds to a moment, and the spread is the assumed one."""
    marks = Marks()
    assert not marks.known
    assert (marks.beyond(1e9), marks.moment(1, 1e9)) == (1.0, 0.0)
    assert marks.spread == pytest.approx(math.expm1(PRIOR_SPREAD**2))


def test_moments_are_those_of_the_sample() -> None:
    """Shares above and sums below a size are within a tenth of counting them."""
    values = np.random.default_rng(2).lognormal(math.log(2_000), 1.2, 20_000)
    marks = learned(values)
    for size in (1_000.0, 5_000.0, 20_000.0):
        assert marks.beyond(size) == pytest.approx((values > size).mean(), abs=0.03)
        assert marks.moment(1, size) == pytest.approx(np.where(values < size, values, 0).mean(), rel=0.1)
        assert marks.moment(2, size) == pytest.approx(np.where(values < size, values**2, 0).mean(), rel=0.1)
    assert marks.mean == pytest.approx(values.mean(), rel=0.1)


def test_a_few_equal_orders_make_no_narrow_distribution() -> None:
    """Thirty of the same size leave half of the assumed variance, and a value of nothing teaches nothing."""
    marks = learned(np.full(KNOWN, 500.0))
    assert marks.known
    assert marks.spread > math.expm1(PRIOR_SPREAD**2 / 3)
    before = marks.state()
    marks.learn(0.0)
    assert marks.state() == before


def test_the_spread_has_an_upper_bound() -> None:
    """Sizes over twenty decades do not make the mean hang on orders that nobody has seen."""
    marks = learned(10.0 ** np.random.default_rng(3).uniform(-10, 10, 2_000))
    assert marks.spread == pytest.approx(math.expm1(LARGEST_SPREAD**2))
    assert Marks.restore(marks.state()).state() == marks.state()
