from __future__ import annotations

import math
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.trade_bars import BAR_US, TradeFolder, TradeOverlap
from monitor.model.events import AnyEvent, Liquidation, TakerSide, Trade, TradeBar

VENUE = "test-venue"


def trade(
    time_us: int,
    price: float = 10.0,
    quantity: float = 1.0,
    side: TakerSide = "buy",
    symbol: str = "BTCUSDT",
    trades: int = 1,
    key: str = "",
) -> Trade:
    """A trade that was received a millisecond after it happened."""
    return Trade(VENUE, symbol, "BTC", time_us, time_us + 1000, side, price, quantity, price * quantity, trades, key)


def test_one_interval_is_one_bar() -> None:
    """Trades within 100 ms become one bar: first, highest, lowest, last price, sums by taker side, fills counted."""
    folder = TradeFolder()
    assert not folder.fold(
        [trade(1_000_000, 10.0), trade(1_050_000, 12.0, 2.0, "sell"), trade(1_099_999, 9.0, trades=3)]
    )
    assert folder.flush() == [
        TradeBar(VENUE, "BTCUSDT", "BTC", 1_100_000, 1_100_999, BAR_US, 10.0, 12.0, 9.0, 9.0, 2.0, 2.0, 19.0, 24.0, 5)
    ]
    assert not folder.flush()


def test_interval_ends_before_its_end() -> None:
    """A trade at an interval's very end belongs to the next: intervals are half-open, and event time ends a bar."""
    folder = TradeFolder()
    folder.fold([trade(1_000_000)])
    ended = folder.fold([trade(1_100_000)])
    assert [(bar.event_time_us, bar.trades) for bar in ended] == [(1_100_000, 1)]
    assert [bar.event_time_us for bar in folder.flush()] == [1_200_000]


def test_late_trades_make_a_further_bar_of_the_same_interval() -> None:
    """Trades older than the open bar are kept in bars of their own interval, one each, handed out by the timer."""
    folder = TradeFolder()
    folder.fold([trade(1_200_000), trade(1_010_000, 5.0), trade(1_020_000, 6.0), trade(950_000)])
    late = folder.flush_ended(0)
    assert [(bar.event_time_us, bar.open, bar.close, bar.trades) for bar in late] == [
        (1_100_000, 5.0, 6.0, 2),
        (1_000_000, 10.0, 10.0, 1),
    ]
    assert not folder.flush_ended(1_399_999)
    assert [bar.event_time_us for bar in folder.flush_ended(1_400_000)] == [1_300_000]


def test_symbols_have_bars_of_their_own() -> None:
    """Two symbols never share a bar."""
    folder = TradeFolder()
    folder.fold([trade(1_000_000, symbol="A"), trade(1_000_000, symbol="B"), trade(1_000_001, symbol="A")])
    assert {(bar.symbol, bar.trades) for bar in folder.flush()} == {("A", 2), ("B", 1)}


TRADES = st.lists(
    st.builds(
        trade,
        st.integers(0, 1_000_000),
        st.floats(1e-8, 1e6),
        st.floats(1e-8, 1e6),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["A", "B", "C"]),
        st.integers(1, 5),
    ),
    max_size=80,
)


@given(batches=st.lists(st.tuples(TRADES, st.integers(0, 1_500_000)), max_size=5))
def test_bars_hold_exactly_what_the_trades_held(batches: list[tuple[list[Trade], int]]) -> None:
    """Against a sort of all trades into intervals: counts, highs and lows are exact, in whatever order they came.

    Sums differ from an exactly rounded sum by the order of additions alone: for n positive terms at most n ulp of the
    total, 1e-12 relative for the 400 trades here.
    """
    folder = TradeFolder()
    bars: list[TradeBar] = []
    reference: dict[tuple[str, int], list[Trade]] = defaultdict(list)
    for trades, now_us in batches:
        bars += folder.fold(trades)
        bars += folder.flush_ended(now_us)
        for one in trades:
            reference[one.symbol, (one.event_time_us // BAR_US + 1) * BAR_US].append(one)
    bars += folder.flush()

    got: dict[tuple[str, int], list[TradeBar]] = defaultdict(list)
    for bar in bars:
        got[bar.symbol, bar.event_time_us].append(bar)
    assert got.keys() == reference.keys()
    for key, parts in got.items():
        assert sum(bar.trades for bar in parts) == sum(one.trades for one in reference[key])
        assert max(bar.high for bar in parts) == max(one.price for one in reference[key])
        assert min(bar.low for bar in parts) == min(one.price for one in reference[key])
        for side in ("buy", "sell"):
            ours = [one for one in reference[key] if one.taker_side == side]
            usd = math.fsum(getattr(bar, f"{side}_usd") for bar in parts)
            quantity = math.fsum(getattr(bar, f"{side}_quantity") for bar in parts)
            assert math.isclose(usd, math.fsum(one.notional_usd for one in ours), rel_tol=1e-12)
            assert math.isclose(quantity, math.fsum(one.quantity for one in ours), rel_tol=1e-12)


def test_overload_folds_until_it_has_been_calm() -> None:
    """A full bus turns folding on once; calm for long enough turns it off once."""
    switch = OverloadSwitch("each", 30.0, VENUE)
    assert not switch.folding
    switch.pressed(1_000_000)
    switch.pressed(2_000_000)
    assert switch.folding
    assert not switch.relax(31_999_999)
    assert switch.relax(32_000_000)
    assert not switch.relax(90_000_000)
    assert not switch.folding
    assert (switch.to_bars, switch.to_each) == (1, 1)


def test_configured_bars_stay_bars() -> None:
    """Bars by configuration are no overload: no switch is counted and none undone."""
    switch = OverloadSwitch("bars", 0.0, VENUE)
    switch.pressed(1)
    assert not switch.relax(10**12)
    assert switch.folding
    assert (switch.to_bars, switch.to_each) == (0, 0)


def test_overlap_passes_each_trade_once_and_all_else_always() -> None:
    """Copies of trades on a second socket are dropped and counted; the same id of another symbol is no copy."""
    overlap = TradeOverlap()
    liquidation = Liquidation(VENUE, "BTCUSDT", "BTC", 1, 1, "long", 1.0, "complete", "1")
    first: list[AnyEvent] = [trade(1, key="1"), trade(1, key="1", symbol="ETHUSDT"), liquidation]
    assert overlap.fresh(first) == first
    assert overlap.fresh([trade(1, key="1"), trade(2, key="2"), liquidation]) == [trade(2, key="2"), liquidation]
    assert overlap.duplicates == 1
