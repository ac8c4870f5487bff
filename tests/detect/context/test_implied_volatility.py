"""Level and rise of a volatility index."""

from __future__ import annotations

from monitor.detect.context.implied_volatility import ImpliedVolatility
from tests.detect.stored import stored


def test_a_days_rise_of_the_index_is_surprising() -> None:
    """37 to 44 within a day is, a fall is not; another venue's index is another."""
    index = ImpliedVolatility()
    assert index.level(0) is None
    index.add("deribit", 1_000, 37.0)
    assert (index.level(1_000), index.change_24h(1_000), index.surprise(1_000)) == (37.0, None, 0.0)
    index.learn_minute(1_000)
    index.add("okx", 87_400, 99.0)
    index.add("deribit", 87_400, 44.0)
    assert (index.level(87_400), index.change_24h(87_400)) == (44.0, 7.0)
    assert round(index.surprise(87_400), 1) == 2.2
    again = ImpliedVolatility()
    again.load(stored(index.state()))
    index.learn_minute(87_400)
    again.learn_minute(87_400)
    assert again.state() == index.state()
    assert index.level(87_400 + 3_601) is None
    index.add("deribit", 90_000, 30.0)
    assert index.surprise(90_000) == 0.0
    index.add("deribit", 87_401, 31.0)  # late
    assert index.level(90_000) == 30.0
