"""Tests of windows of arrays against one window after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.rolling import rolling_max, rolling_sums
from monitor.model.events import MICROS


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60), st.integers(1, 20))
def test_rolling_max_is_that_of_each_window(values: list[float], length: int) -> None:
    """Every value is the maximum of the window that ends there, also where the window is not full."""
    expected = [max(values[max(0, end - length + 1) : end + 1]) for end in range(len(values))]
    assert rolling_max(np.array(values), length).tolist() == expected


def test_rolling_sums_are_half_open() -> None:
    """An order leaves a minute's sum exactly a minute after it came."""
    times = np.array([10, 20, 70]) * MICROS
    ends = np.array([9, 10, 69, 70, 80, 130]) * MICROS
    sums = rolling_sums(times, np.array([1, 2, 4]), ends, 60 * MICROS)
    assert sums.tolist() == [0, 1, 3, 6, 4, 0]
