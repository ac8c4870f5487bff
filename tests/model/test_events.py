from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.events import MICROS, micro_usd


@pytest.mark.parametrize(
    ("usd", "micros"), [(0.0, 0), (1e-6, 1), (0.5e-6, 0), (1.5e-6, 2), (2.5e-6, 2), (-0.3, -300_000), (1e9, 10**15)]
)
def test_dollars_become_the_nearest_micro_dollar(usd: float, micros: int) -> None:
    """Amounts are rounded half to even, so that rounding does not bias sums."""
    assert micro_usd(usd) == micros


@given(st.integers(-(10**15), 10**15))
def test_a_micro_dollar_amount_comes_back_whole(micros: int) -> None:
    """A float represents every micro-USD up to a billion USD."""
    assert micro_usd(micros / MICROS) == micros
