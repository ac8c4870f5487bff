from __future__ import annotations

import numpy as np

from monitor.lab.evaluate.markets.tape import grid
from monitor.model.events import MICROS
from tests.lab.evaluate.tapes import START, forced, interest, mark, tape


def test_price_is_the_median_of_the_venues() -> None:
    """One venue's wrong price does not move the median, and a silent venue is left out while others report."""
    events = [
        mark(0, 100.0, venue="a"),
        mark(0, 102.0, venue="b"),
        mark(1, 60.0, venue="c"),
        mark(900, 90.0, venue="c"),
    ]
    at = (START + np.array([-1, 0, 1, 900])) * MICROS
    prices = tape(events).price_at(at)
    assert np.isnan(prices[0])
    assert prices[1:].tolist() == [101.0, 100.0, 90.0]


def test_price_of_a_tape_without_any_is_unknown() -> None:
    """Forced orders alone give no price."""
    lone = tape([forced(0, 1e6)])
    assert np.isnan(lone.price_at(np.array([START * MICROS]))).all()
    assert lone.stretches() == []


def test_repeated_liquidations_count_once_and_hourly_totals_not_at_all() -> None:
    """A repeated liquidation counts once, and a total of an hour counts in no minute."""
    order = forced(5, 2e6)
    known = tape([mark(0, 100.0), order, order, forced(6, 9e6, coverage="aggregated"), forced(7, 1e6, "short")])
    assert known.forced("long").usd(START * MICROS, (START + 60) * MICROS) == 2e6
    assert known.forced("long").usd(START * MICROS, (START + 5) * MICROS) == 0.0
    assert known.aggregated


def test_open_interest_is_the_sum_over_venues() -> None:
    """Open interest is summed over venues and unknown until all of them reported."""
    events = [interest(0, 10.0, venue="a"), interest(30, 5.0, venue="b"), interest(60, 8.0, venue="a")]
    coins, usd = tape(events).interest_at((START + np.array([0, 30, 60])) * MICROS)
    assert np.isnan(coins[0])
    assert coins[1:].tolist() == [15.0, 13.0]
    assert usd[1:].tolist() == [1500.0, 1300.0]


def test_a_long_silence_ends_a_stretch() -> None:
    """A recording of two days a year apart is two stretches."""
    apart = tape([mark(0, 1.0), mark(60, 1.0), mark(86_400, 2.0), mark(86_460, 2.0)])
    spans = [(start // MICROS - START, end // MICROS - START) for start, end in apart.stretches()]
    assert spans == [(0, 60), (86_400, 86_460)]


def test_grid_stays_within_its_ends() -> None:
    """A grid has full steps within its ends only."""
    assert (grid(61 * MICROS, 185 * MICROS, 60) // MICROS).tolist() == [120, 180]
