from __future__ import annotations

from monitor.lab.simulate.throttle import Batch, FirstOfWindow, OnePerSecond
from tests.lab.simulate.builders import T0, order


def test_a_window_shows_its_first_order_a_second_later() -> None:
    """Orders at 0.1, 0.5, 1.1 and 1.9 s: those at 0.1 and 1.1 s are shown, each a second later, whatever the clock."""
    throttle = FirstOfWindow()
    first, hidden, second, late = (order("binance-usdm", at) for at in (100, 500, 1_100, 1_900))
    other = order("binance-usdm", 200, asset="ETH")
    assert throttle.feed([first, other, hidden], T0 + 1_000_000) == []
    assert throttle.feed([second], T0 + 1_150_000) == [first]
    assert throttle.feed([late], T0 + 2_000_000) == [other]
    assert throttle.feed([], T0 + 2_100_000) == [second]
    assert throttle.flush() == []


def test_what_a_window_holds_comes_out_when_it_is_flushed() -> None:
    """The end of a market shows what its last second held."""
    throttle = FirstOfWindow()
    held = order("binance-usdm", 100)
    assert throttle.feed([held], T0 + 200_000) == []
    assert throttle.flush() == [held]
    assert throttle.flush() == []


def test_one_per_second_spaces_a_contract() -> None:
    """Orders at 0, 0.9, 1.0 and 1.5 s: those at 0 and 1.0 s pass; another contract is on its own."""
    throttle = OnePerSecond()
    orders = [order("okx", at) for at in (0, 900, 1_000, 1_500)]
    other = order("okx", 950, asset="ETH")
    assert throttle.feed([*orders, other]) == [orders[0], orders[2], other]
    assert throttle.feed([order("okx", 1_999)]) == []


def test_batch_loses_nothing() -> None:
    """Everything comes out at the end of its half second, in order."""
    batch = Batch(500_000)
    first, second = order("bybit", 100), order("bybit", 450)
    assert batch.feed([first], T0 + 400_000) == []
    assert batch.feed([second], T0 + 500_000) == [first, second]
    assert batch.feed([first], T0 + 600_000) == []
    assert batch.flush() == [first]
