"""One asset over all venues."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.asset import Asset
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MICROS, AnyEvent, MarkPrice, TradeBar
from monitor.model.sides import BySide
from tests.budget import examples
from tests.detect.scenarios import (
    BRISK,
    NO_COVERAGE,
    START,
    burst,
    close_every_second,
    crash,
    encoded,
    in_order,
    liquidation,
    mark,
    play,
    ramp,
    seconds_of,
    trade,
    turns,
)


def test_forced_share_is_of_the_takers_that_go_the_same_way() -> None:
    """Dying longs sell: their dollars are held against taker sells, on venues whose liquidations are seen."""
    asset = Asset("BTC", DetectorSettings())
    asset.open(START)
    asset.liquidation(liquidation(START, 100_000.0))
    asset.trade(trade(START, 300_000.0, "sell"))
    asset.trade(trade(START, 700_000.0, "buy"))
    asset.trade(trade(START, 9e9, "sell", "blind"))
    end = (START + 1) * MICROS
    asset.trade_bar(
        TradeBar(
            "bybit", "BTCUSDT", "BTC", end, end, 100_000, 100.0, 100.0, 100.0, 100.0, 10, 20, 1_000.0, 200_000.0, 5
        )
    )
    asset.close(START, NO_FEEDS)
    assert (asset.taker_usd("long"), asset.taker_usd("short")) == (500_000.0, 701_000.0)
    evidence = {found.feature: found for found in asset.leading()[2].evidence}
    assert evidence["forced_share_1m"].value == 0.2
    asset.close(START + 60, NO_FEEDS)
    assert asset.taker_usd("long") == 0.0


def test_a_share_cannot_be_more_than_all() -> None:
    """Where a feed of trades lags behind that of liquidations the share is one."""
    asset = Asset("BTC", DetectorSettings())
    asset.open(START)
    asset.liquidation(liquidation(START, 100_000.0))
    asset.trade(trade(START, 10.0, "sell"))
    asset.close(START, NO_FEEDS)
    assert next(found.value for found in asset.leading()[2].evidence if found.feature == "forced_share_1m") == 1.0


def executed(events: list[AnyEvent], form: str) -> list[AnyEvent]:
    """The events with each mark as what was traded at that price."""
    found: list[AnyEvent] = []
    for event in events:
        if isinstance(event, MarkPrice) and form == "trade":
            second = event.event_time_us // MICROS
            found.append(msgspec.structs.replace(trade(second, 1.0), price=event.mark_price))
        elif isinstance(event, MarkPrice) and form == "bar":
            at, price = event.event_time_us, event.mark_price
            found.append(
                TradeBar("bybit", "BTCUSDT", "BTC", at, at, 100_000, price, price, price, price, 1, 1, 1.0, 1.0, 2)
            )
        elif not isinstance(event, MarkPrice):
            found.append(event)
    return found


@pytest.mark.parametrize("form", ["trade", "bar"])
def test_without_marks_what_was_traded_is_the_price(form: str) -> None:
    """A tape of trades and forced orders alone calls the same crash."""
    _, signals = play(executed(crash(), form), BRISK)
    assert [signal.phase for signal in turns(signals)][:2] == ["building", "cascade"]


def test_without_marks_and_trades_forced_orders_filled_are_the_price() -> None:
    """Their fills are, their limits are not: a bankruptcy price is far from the market."""
    fill, limit = (
        msgspec.structs.replace(liquidation(START, 1.0), price=94.0, price_kind=kind) for kind in ("fill", "bankruptcy")
    )
    detector, _ = play([fill])
    assert detector.assets["BTC"].scope.price.last == 94.0
    detector, _ = play([limit])
    assert detector.assets["BTC"].scope.price.last is None


def test_the_first_mark_ends_what_stood_in_for_it() -> None:
    """Nothing carries over from executed prices, and none counts beside a mark, also after a restart."""
    detector, _ = play([msgspec.structs.replace(trade(START, 1.0), price=90.0), mark(START + 1, 100.0)])
    restored = Detector.restore(detector.snapshot())
    for one in (detector, restored):
        one.apply([msgspec.structs.replace(trade(START + 2, 1.0), price=80.0)])
        one.advance(START + 3)
        assert one.assets["BTC"].scope.price.last == 100.0
        assert one.assets["BTC"].scope.price.move("1h", "short") == 0.0


def test_nothing_new_is_not_told() -> None:
    """The market hears of an asset only in seconds in which something of it is new."""
    asset = Asset("BTC", DetectorSettings())
    asset.open(START)
    asset.mark_price(mark(START, 100.0))
    asset.close(START, NO_FEEDS)
    told = asset.summary()
    assert told is not None
    assert (told.price, told.is_mark, told.liquidations, told.phases) == (100.0, True, (), BySide("calm", "calm"))
    asset.close(START + 1, NO_FEEDS)
    assert asset.summary() is None


def test_each_phase_of_an_episode_is_told() -> None:
    """The market hears of the second in which a phase begins though nothing else happened, also after a restart."""
    events = [event for event in crash() if event.receive_time_us < (START + 800) * MICROS]
    detector = Detector(BRISK, with_market=False)
    signals = detector.apply(events)
    summaries = detector.take_summaries()
    detector = Detector.restore(detector.snapshot(), BRISK, with_market=False)
    signals += detector.advance(START + 1_500)
    summaries += detector.take_summaries()
    told = {summary.second: summary.phases for summary in summaries}
    begun = [second for second, before in zip(list(told)[1:], told, strict=False) if told[second] != told[before]]
    assert [(told[second].long, second) for second in begun] == [
        (turn.phase, second) for turn, second in zip(turns(signals), seconds_of(turns(signals)), strict=True)
    ]
    assert [told[second].long for second in begun] == ["building", "cascade", "relief", "calm"]


def test_coverage_is_the_complete_feeds_share_of_the_day() -> None:
    """None without liquidations, then by venue."""
    asset = Asset("BTC", DetectorSettings())
    assert asset.coverage_ratio() is None
    asset.open(START)
    asset.liquidation(liquidation(START, 300.0))
    asset.liquidation(liquidation(START, 100.0, venue="okx", coverage="largest_per_second"))
    asset.close(START, NO_FEEDS)
    assert asset.coverage_ratio() == 0.75


quiet_plans = st.lists(
    st.tuples(
        st.sampled_from([1, 3, 20, 61, 300, 3_700]),
        st.sampled_from(["long", "short", "mark", "mark", "trade"]),
        st.sampled_from([500.0, 20_000.0, 60_000.0, 300_000.0]),
    ),
    min_size=1,
    max_size=7,
)


def events_of(plan: list[tuple[int, str, float]]) -> tuple[list[AnyEvent], int]:
    """Events with pauses between them, and the second after them."""
    events: list[AnyEvent] = [mark(START, 100.0)]
    at = START
    for ticks, kind, usd in plan:
        at += ticks
        if kind == "mark":
            events.append(mark(at, 100.0 - usd / 30_000.0))
        elif kind == "trade":
            events.append(trade(at, usd))
        else:
            events.append(liquidation(at, usd, "long" if kind == "long" else "short"))
    return events, at - at % 60 + 3_840


def assert_learned_alike(asleep: Asset, awake: Asset) -> None:
    """Both know the same normal."""
    assert asleep.scope.flow.learned_minutes == awake.scope.flow.learned_minutes
    assert asleep.scope.flow.rates == pytest.approx(awake.scope.flow.rates, rel=1e-9)
    assert asleep.scope.price.variance == pytest.approx(awake.scope.price.variance, rel=1e-12)
    for side in ("long", "short"):
        for window in ("10s", "1m", "5m", "1h"):
            mine, other = asleep.scope.flow.surprise(window, side, 1e7), awake.scope.flow.surprise(window, side, 1e7)
            assert mine == pytest.approx(other, rel=1e-9, abs=1e-9)


@given(quiet_plans)
@hypothesis_settings(max_examples=examples(5, 20))
def test_a_sleeping_asset_decides_and_learns_as_if_every_second_were_closed(plan: list[tuple[int, str, float]]) -> None:
    """Seconds and minutes that the detector skips change neither a signal nor what is normal."""
    events, until = events_of(plan)
    last = mark(until + 59, 100.0)
    awake = Asset("BTC", BRISK)
    expected = close_every_second(awake, [*events, last], until + 60)
    detector, signals = play([*events, last], BRISK, until + 60)
    mine = [signal for signal in signals if signal.asset == "BTC"]
    for signal in (*mine, *expected):
        signal.coverage = NO_COVERAGE
    assert encoded(mine) == encoded(expected)
    assert_learned_alike(detector.assets["BTC"], awake)


def test_a_cascade_learns_alike_awake_and_asleep() -> None:
    """The half hour in which learning stays frozen passes also for an asset that nothing happens to."""
    events = [*crash(), mark(START + 9_000, 97.0), mark(START + 9_059, 97.0)]
    awake = Asset("BTC", BRISK)
    close_every_second(awake, events, START + 9_060)
    detector, _ = play(events, BRISK, START + 9_060)
    assert_learned_alike(detector.assets["BTC"], awake)


def test_the_baseline_does_not_learn_from_a_cascade() -> None:
    """What is normal after a cascade is what was normal before it; half an hour later learning goes on."""
    history = [liquidation(START + 60 * minute, 6_000.0) for minute in range(600)]
    start = START + 36_000
    events = in_order([*history, *ramp(START, 36_000, 100.0, 100.0, step=60), *crash(start)])
    detector = Detector(BRISK)
    detector.apply([event for event in events if event.receive_time_us < (start + 600) * MICROS])
    flow = detector.assets["BTC"].scope.flow
    before, minutes = list(flow.rates), flow.learned_minutes
    detector.apply([event for event in events if event.receive_time_us >= (start + 600) * MICROS])
    # 600 s of calm are learned, the cascade from its first minute on and the half hour after its end are not.
    assert flow.rates[0] == pytest.approx(before[0], rel=0.02)
    assert flow.learned_minutes - minutes <= 1
    phases = detector.assets["BTC"].scope.phases.long
    ended = phases.state.since
    detector.advance(ended + 29 * 60)
    assert flow.learned_minutes - minutes <= 1
    detector.advance(ended + 33 * 60)
    assert flow.learned_minutes - minutes >= 2


def test_a_freeze_of_six_hours_thaws() -> None:
    """A market that stays as it became is a new normal: it is learned though the episode lasts."""
    endless = BRISK.model_copy(update={"phases": BRISK.phases.model_copy(update={"standstill": 1e6})})
    asset = Asset("BTC", endless)
    events = [event for event in crash() if event.receive_time_us < (START + 720) * MICROS]
    close_every_second(asset, events, START + 720)
    assert asset.scope.phases.long.state.phase == "cascade"
    frozen = asset.scope.state.frozen_since
    learned = asset.scope.flow.learned_minutes
    second = START + 720
    while second < frozen + 6 * 3_600:
        asset.close(second, NO_FEEDS)
        second += 10
    assert asset.scope.flow.learned_minutes == learned
    for later in range(second, second + 120):
        asset.close(later, NO_FEEDS)
    assert asset.scope.flow.learned_minutes > learned
    assert asset.scope.phases.long.state.phase == "cascade"


def test_a_burst_of_the_other_side_that_fades_is_noticed() -> None:
    """One-sidedness rises while windows empty: the asset stays awake where that could make it build."""
    events = in_order(
        [
            *burst(START, 30, 6_000.0, "short"),
            *burst(START + 200, 12, 15_000.0, "long"),
            mark(START + 190, 100.0),
            mark(START + 215, 97.0),
        ]
    )
    awake = Asset("BTC", BRISK)
    expected = close_every_second(awake, events, START + 700)
    _, signals = play(events, BRISK, START + 700)
    mine = [signal for signal in signals if signal.asset == "BTC"]
    assert mine
    for signal in (*mine, *expected):
        signal.coverage = NO_COVERAGE
    assert encoded(mine) == encoded(expected)


def test_funding_is_the_median_of_venues() -> None:
    """Each venue's last rate, of those that give one."""
    events = [
        msgspec.structs.replace(mark(START, 100.0, venue), funding_rate=rate)
        for venue, rate in (("a", 0.01), ("b", 0.03), ("c", -0.5))
    ]
    detector, _ = play([*events, mark(START, 100.0, "d")])
    assert detector.view().assets[0].funding_rate == 0.01
