"""Taker volume of the last minute."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.flow.taker_volume import TakerVolume, TakerVolumeSnapshot
from monitor.model.events import MICROS, TradeBar
from tests.budget import examples
from tests.detect.scenarios import START, trade


def bar(second: int, buy_usd: float, sell_usd: float, venue: str = "bybit") -> TradeBar:
    """A bar of trades of 100 ms."""
    at = second * MICROS + 100_000
    return TradeBar(venue, "BTCUSDT", "BTC", at, at, 100_000, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, buy_usd, sell_usd, 2)


def test_longs_are_closed_by_sells_and_shorts_by_buys() -> None:
    """Only the given venues count, and only the last minute."""
    volume = TakerVolume()
    assert not volume
    volume.advance(START)
    volume.add_trade(trade(START, 300.0, "sell"), START)
    volume.add_trade(trade(START, 700.0, "buy"), START)
    volume.add_bar(bar(START, 20.0, 40.0, "okx"), START)
    volume.advance(START + 59)
    assert volume
    assert volume.by_venue() == {"bybit": (700 * MICROS, 300 * MICROS), "okx": (20 * MICROS, 40 * MICROS)}
    assert (volume.closing_usd("long", {"bybit", "okx"}), volume.closing_usd("short", {"okx"})) == (340.0, 20.0)
    volume.advance(START + 60)
    assert volume.closing_usd("long", {"bybit", "okx"}) == 0.0


trades = st.lists(
    st.tuples(
        st.integers(0, 150), st.sampled_from(["bybit", "okx"]), st.sampled_from(["buy", "sell"]), st.integers(1, 9)
    ),
    max_size=30,
)


@given(trades, st.integers(0, 30))
@hypothesis_settings(max_examples=examples(12, 240))
def test_sums_are_those_of_the_minutes_trades(plan: list[tuple[int, str, str, int]], cut: int) -> None:
    """After any trades, with a restart in between, each venue's sums are those by definition."""
    volume = TakerVolume()
    plan = sorted(plan)
    for number, (at, venue, side, usd) in enumerate(plan):
        if number == cut:
            kept = msgspec.msgpack.decode(msgspec.msgpack.encode(volume.snapshot()), type=TakerVolumeSnapshot)
            volume = TakerVolume()
            volume.restore(kept)
        volume.advance(START + at)
        volume.add_trade(trade(START + at, float(usd), side, venue), START + at)
    now = plan[-1][0] if plan else 0
    volume.advance(START + now)
    expected = {
        venue: tuple(
            sum(usd * MICROS for at, where, way, usd in plan if (where, way) == (venue, side) and at > now - 60)
            for side in ("buy", "sell")
        )
        for venue in dict.fromkeys(venue for _, venue, _, _ in plan)
    }
    assert volume.by_venue() == expected
