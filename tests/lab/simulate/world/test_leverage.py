from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.simulate.world.leverage import NEAREST, LeverageRing, kernel
from monitor.model.events import SIDES, Side


@pytest.mark.parametrize("side", SIDES)
def test_new_positions_lie_beyond_the_nearest_bins(side: Side) -> None:
    """The mix sums to one, none of it right at the price, all of it within the ring's half."""
    weights = kernel(side, 0.024)
    assert weights.sum() == pytest.approx(1)
    assert not weights[:NEAREST].any()
    assert len(weights) < 2_000


@given(st.sampled_from(SIDES), st.lists(st.integers(-300, 300), min_size=1, max_size=30))
def test_nothing_is_lost_or_liquidated_twice(side: Side, path: list[int]) -> None:
    """Whatever the path, what is open and what was liquidated add up to what was opened."""
    ring = LeverageRing(side, 1.0, 0.024, np.random.default_rng(1))
    opened, liquidated = ring.open, 0.0
    assert opened == pytest.approx(1)
    for at in path:
        if ring.reaches(at):
            liquidated += ring.cross(at)
            assert not ring.reaches(at)
            assert ring.cross(at) == 0
    assert ring.open + liquidated == pytest.approx(opened)
    ring.close(0.25)
    ring.add(0, 0.5)
    assert ring.open == pytest.approx(0.75 * (opened - liquidated) + 0.5)


def test_closing_for_years_keeps_the_sum() -> None:
    """Bins and their scale do not underflow apart."""
    ring = LeverageRing("long", 1.0, 0.024, np.random.default_rng(1))
    for _ in range(200):
        ring.close(0.5)
        ring.add(0, 1.0)
    assert ring.open == pytest.approx(2.0, rel=0.01)
    assert ring.cross(-2_000) == pytest.approx(ring.open + 2.0, rel=0.02)
