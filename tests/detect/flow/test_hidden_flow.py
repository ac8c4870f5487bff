"""The interval around an estimate of hidden flow."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.flow.hidden_flow import FEW, SPREAD, interval
from monitor.model.events import MOST_MICROS


def test_the_interval_is_symmetric_on_the_logarithm() -> None:
    """A squared error of e - 1 is a deviation of one: low and high lie a factor of e to the spread away."""
    found = interval(1e9, math.e - 1, 10.0, censored=False)
    assert found.low == pytest.approx(1e9 / math.exp(SPREAD), abs=1)
    assert found.high == pytest.approx(1e9 * math.exp(SPREAD), abs=1)


def test_few_hidden_orders_may_be_none() -> None:
    """Below three expected orders the low end is zero."""
    assert interval(1e9, 0.1, FEW - 0.1, censored=False).low == 0
    assert interval(1e9, 0.1, FEW, censored=False).low > 0


@given(st.floats(0, 1e30), st.floats(0, 1e9), st.floats(0, 1e6), st.booleans())
def test_any_interval_is_in_order_and_fits_the_sums(mid: float, noise: float, orders: float, censored: bool) -> None:
    """Whatever is estimated stays in order and within what sums of 64 bits hold."""
    found = interval(mid, noise, orders, censored=censored)
    assert 0 <= found.low <= found.mid <= found.high <= MOST_MICROS
    assert found.censored == censored
