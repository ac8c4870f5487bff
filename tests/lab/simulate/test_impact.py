from __future__ import annotations

import pytest

from monitor.lab.simulate.impact import IMPACT, MIN_DEPTH, Impact, backstop_share


def test_backstop_grows_with_the_flow_and_saturates() -> None:
    """The insurance fund takes nothing of nothing, half of its most at 3 bp a second, never more than 65 %."""
    assert backstop_share(0) == 0
    assert backstop_share(3e-4) == pytest.approx(0.325)
    assert 0.6 < backstop_share(1) < 0.65


def test_half_of_the_impact_comes_back_soon() -> None:
    """A sell lowers the price at once; minutes later half of it is left."""
    impact = Impact(1e-4, 0.0)
    impact.push(-0.01)
    assert impact.log_price == pytest.approx(-0.01 * IMPACT)
    impact.relax(0.0, 300)
    assert impact.log_price == pytest.approx(-0.005 * IMPACT, rel=0.05)


def test_the_book_thins_in_a_fast_move_and_recovers() -> None:
    """Calm's noise leaves the depth alone, a fall takes it within seconds to its floor, a minute brings it back."""
    impact = Impact(1e-4, 0.0)
    impact.relax(2e-4, 1)
    assert impact.depth == 1
    for second in range(20):
        impact.relax(-0.005 * second, 1)
    assert impact.depth == pytest.approx(MIN_DEPTH, abs=0.01)
    for _ in range(180):
        impact.relax(-0.1, 1)
    assert impact.depth > 0.9


def test_a_thin_book_moves_more() -> None:
    """The same order moves the price more when the depth is gone."""
    full, thin = Impact(1e-4, 0.0), Impact(1e-4, 0.0)
    thin.depth = MIN_DEPTH
    full.push(-0.01)
    thin.push(-0.01)
    assert thin.log_price == pytest.approx(full.log_price / MIN_DEPTH)
