from __future__ import annotations

from monitor.lab.simulate.throttle import Batch, LatestPerSecond, OnePerSecond
from monitor.model.events import MICROS
from tests.lab.simulate.builders import T0, order


def test_latest_per_second_keeps_the_last_of_each_symbol() -> None:
    """Orders at 0.1, 0.5 and 0.9 s: the one at 0.9 s comes out at 1 s; an empty second shows nothing."""
    throttle = LatestPerSecond()
    early, middle, late = (order("binance-usdm", at) for at in (100, 500, 900))
    other = order("binance-usdm", 200, asset="ETH")
    assert throttle.feed([early, other], T0 + 300_000) == []
    assert throttle.feed([middle, late], T0 + 1 * MICROS) == [late, other]
    assert throttle.feed([], T0 + 2 * MICROS) == []
    assert throttle.feed([middle], T0 + 2_100_000) == []
    assert throttle.flush() == [middle]
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
