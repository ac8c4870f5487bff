from __future__ import annotations

import math

import pytest

from monitor.lab.simulate.history import history
from monitor.lab.simulate.market import Market
from monitor.lab.simulate.scenario import SHORT
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice, OpenInterest, TradeBar

T0 = 1_790_000_000 * MICROS
SECONDS = 120


@pytest.fixture(scope="module")
def events() -> list[AnyEvent]:
    """Two minutes of calm."""
    return list(history(Market(SHORT, 4, T0), SECONDS))


def test_history_is_by_time_and_ends_on_its_second(events: list[AnyEvent]) -> None:
    """Events are sorted, lie within the requested time, and are received when they happen."""
    times = [event.event_time_us for event in events]
    assert times == sorted(times)
    assert times[0] >= T0
    assert times[-1] == T0 + SECONDS * MICROS
    assert all(event.receive_time_us == event.event_time_us for event in events)


def test_history_has_every_kind_for_every_symbol(events: list[AnyEvent]) -> None:
    """Mark prices each second of all 18 symbols, open interest each 5 s of the two venues that stream it."""
    marks = [event for event in events if isinstance(event, MarkPrice)]
    interest = [event for event in events if isinstance(event, OpenInterest)]
    assert len(marks) == 18 * SECONDS
    assert len(interest) == 12 * SECONDS // 5
    assert {event.venue for event in interest} == {"bybit", "okx"}
    assert all(event.open_interest_usd > 0 for event in interest)
    pepe = {event.mark_price for event in marks if event.asset == "PEPE"}
    assert all(price == pytest.approx(9.5e-6, rel=0.02) for price in pepe)


def test_history_liquidations_are_what_the_feeds_show(events: list[AnyEvent]) -> None:
    """Ids are unique; throttled venues show at most one order per symbol and second; notionals are exact."""
    liquidations = [event for event in events if isinstance(event, Liquidation)]
    assert len(liquidations) > SECONDS
    assert len({event.id for event in liquidations}) == len(liquidations)
    shown = [(e.symbol, e.event_time_us // MICROS) for e in liquidations if e.coverage != "complete"]
    assert len(set(shown)) == len(shown)
    kinds = {(event.venue, event.coverage, event.price_kind) for event in liquidations}
    assert kinds == {
        ("binance-usdm", "latest_per_second", "average_fill"),
        ("bybit", "complete", "bankruptcy"),
        ("okx", "sampled", "bankruptcy"),
    }
    for event in liquidations:
        assert isinstance(event.price, float)
        assert isinstance(event.quantity, float)
        assert math.isclose(event.notional_usd, event.price * event.quantity, rel_tol=1e-9)


def test_history_bars_hold_together(events: list[AnyEvent]) -> None:
    """Bars cover one second, their prices are ordered and their sums are of both takers."""
    bars = [event for event in events if isinstance(event, TradeBar)]
    assert len(bars) > 10 * SECONDS
    for bar in bars:
        assert bar.interval_us == MICROS
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.buy_usd + bar.sell_usd > 0
        assert bar.trades > 0
        assert (bar.buy_usd > 0) == (bar.buy_quantity > 0)
