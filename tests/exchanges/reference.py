"""Shared parts of the parsers' property tests: numbers as exchanges write them, and a comparison with Decimals."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from monitor.exchanges.messages import Message
from monitor.model.events import Liquidation, Reject, Trade
from monitor.model.validation import NOTIONAL

NOW_MS = 1_764_000_000_000
NOW_US = NOW_MS * 1000

good_numbers = st.decimals(min_value="0.0001", max_value="4000", places=7).map(str)
"""Prices and sizes whose products are plausible notionals, also times the largest contract size here (1,000 coins).

The ranges themselves are tested in ``test_absurd.py``.
"""
odd_numbers = st.sampled_from(["0", "-1", "-0.5", "NaN", "inf", "-Infinity", "1e999", "", "abc", "0x10"])
numbers = st.one_of(good_numbers, good_numbers, good_numbers, odd_numbers)
times_ms = st.one_of(
    st.integers(NOW_MS - 50_000, NOW_MS + 5_000),
    st.sampled_from([0, -1, 1_764_000_000, NOW_MS + 5_001, NOW_MS + 3_600_000, NOW_US]),
)

Expected = tuple[str, str, Decimal, Decimal, Decimal, int]
"""Asset, side, price, quantity, notional, time."""


def is_number(text: str) -> bool:
    """Return whether a text is a finite positive decimal number."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        return False
    return value.is_finite() and 0 < value < Decimal("1e300")


def is_time(time_ms: int) -> bool:
    """Return whether an event time is plausible for a receipt at NOW."""
    return 1_230_768_000_000 <= time_ms <= NOW_MS + 5_000


def is_notional(usd: Decimal) -> bool:
    """Return whether an amount in USD is plausible, which products of the numbers above need not be."""
    return NOTIONAL.low <= float(usd) <= NOTIONAL.high


def check(messages: list[Message], expected: list[Expected], rows: int) -> None:
    """Assert that the events are the expected ones in order, to 12 digits, and that every other row is a reject."""
    events = [m for m in messages if isinstance(m, Liquidation | Trade)]
    assert len(events) == len(expected)
    for event, (asset, side, price, quantity, usd, time_ms) in zip(events, expected, strict=True):
        assert event.asset == asset
        assert (event.side if isinstance(event, Liquidation) else event.taker_side) == side
        assert event.event_time_us == time_ms * 1000
        for given, wanted in ((event.price, price), (event.quantity, quantity), (event.notional_usd, usd)):
            assert isinstance(given, float)
            assert abs(Decimal(given) / wanted - 1) < Decimal("1e-12")
    assert sum(isinstance(m, Reject) for m in messages) == rows - len(expected)
