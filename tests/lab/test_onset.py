"""Tests of the onset of an episode, found from its whole course."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.lab.onset import AHEAD_S, flow_onset


def slow(price: list[float], pace: list[float], low: int) -> int | None:
    """Return the onset by the rule's first clause, second by second."""
    drop = price[0] - price[low]
    for second in range(low + 1):
        ahead = min(price[second : second + AHEAD_S + 1])
        if pace[second] >= 0.1 * max(pace) and price[second] - ahead >= 0.25 * drop:
            return second
    return None


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 9)), min_size=2, max_size=700))
def test_it_is_what_a_search_second_by_second_finds(steps: list[tuple[int, int]]) -> None:
    """The onset is that of a search second by second, on whole numbers so that both agree to the bit."""
    price = np.cumsum([float(step) for step, _ in steps])
    price[0] = price.max() + 1
    pace = [float(flow) for _, flow in steps]
    low = int(np.argmin(price))
    expected = slow(price.tolist(), pace, low)
    assume(expected is not None)
    assert flow_onset(price, np.array(pace), 0, low) == expected


def test_a_trickle_before_a_fall_is_not_its_onset() -> None:
    """Forced flow below a tenth of the worst minute's does not count, however much the price falls after it."""
    price = np.concatenate((np.zeros(100), np.linspace(0.0, -10.0, 101)))
    pace = np.concatenate((np.full(120, 0.9), np.full(81, 10.0)))
    assert flow_onset(price, pace, 0, 200) == 120


def test_flow_long_before_the_fall_is_not_its_onset() -> None:
    """Flow that no fall within five minutes follows is not the onset."""
    price = np.concatenate((np.zeros(1_000), np.linspace(0.0, -100.0, 101)))
    assert flow_onset(price, np.full(1_101, 1.0), 0, 1_100) == 725


def test_without_flow_the_price_alone_decides() -> None:
    """Without flow the onset is the first second after which five minutes bring a quarter of the drop."""
    price = np.concatenate((np.zeros(500), np.linspace(0.0, -8.0, 9)))
    assert flow_onset(price, None, 0, 508) == 202


def test_a_drop_too_slow_for_five_minutes_begins_where_a_quarter_is_done() -> None:
    """A fall of an hour, of which no five minutes bring a quarter, begins where a quarter is done."""
    assert flow_onset(np.linspace(0.0, -3_600.0, 3_601), None, 0, 3_600) == 900
