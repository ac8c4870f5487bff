"""Context through the whole detector: what signals and views say, and that nothing but a decision is a decision."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from monitor.detect.context.holders import Holding
from monitor.detect.decide.signal import Totals
from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings, MarketSettings
from monitor.detect.view import AssetView
from monitor.model.events import (
    MICROS,
    AnyEvent,
    MarkPrice,
    VolatilityIndex,
)
from monitor.model.signals import Signal
from tests.detect.scenarios import START, crash, in_order, interest, liquidation, mark, play, trade

HOUR = 3_600
DAY = 86_400
STRATEGY = Holding(
    holder="Strategy", asset="BTC", quantity=712_647, average_cost_usd=76_037, as_of=date(2026, 2, 2), source="filing"
)
SETTINGS = DetectorSettings(
    levels={"BTC": (75_000.0, 70_000.0)},
    holders=(STRATEGY,),
    market=MarketSettings(indexes={"XYZ:SP500": "falls", "XYZ:VIX": "rises"}),
)


def view_of(detector: Detector, asset: str = "BTC") -> AssetView:
    return next(each for each in detector.view().assets if each.asset == asset)


def dvol(second: int, value: float) -> VolatilityIndex:
    return VolatilityIndex("deribit", "BTC-DVOL", "BTC", second * MICROS, second * MICROS, value)


QUARTER = 6 * HOUR


def totals(start: int, hours: int, usd: float, arrived: int) -> list[AnyEvent]:
    """Longs liquidated evenly, as totals every six hours that arrive afterwards."""
    ends = range(start + QUARTER, start + HOUR * hours + 1, QUARTER)
    return [liquidation(at, usd / len(ends), coverage="aggregated", arrived=arrived) for at in ends]


def report() -> list[AnyEvent]:
    """BTC in the month to early February 2026: 4.4 B of longs in 30 days, 2.16 B in 7, 237 M in the last one.

    Price and open interest fall from 80,000 USD and 1,000,000 coins to 65,640 USD and 90.3 % of the coins, the last
    day by 1.28 %. The last hour is in single orders, one every ten seconds.
    """
    start = START - START % DAY
    end = start + 30 * DAY
    last_hour = 237e6 / 24
    events: list[AnyEvent] = [
        *totals(start, 23 * 24, 4.4e9 - 2.16e9, end - 2 * HOUR),
        *totals(end - 7 * DAY, 6 * 24, 2.16e9 - 237e6, end - 2 * HOUR),
        *totals(end - DAY, 18, 237e6 - last_hour, end - 2 * HOUR),
        *(liquidation(end - HOUR + at, last_hour / 360) for at in range(0, HOUR, 10)),
    ]
    times = [*range(start, end - HOUR, HOUR), *range(end - HOUR, end + 1, 10)]
    for at in times:
        done = (at - start) / (30 * DAY)
        if at > end - DAY:
            price = 65_640.0 / 0.9872 * (1.0 - 0.0128 * (at - end + DAY) / DAY)
        else:
            price = 80_000.0 + (65_640.0 / 0.9872 - 80_000.0) * done * 30 / 29
        coins = 1e6 * (1.0 - 0.097 * done)
        events += [mark(at, price), interest(at, coins, coins * price)]
    return in_order(events)


pytestmark = pytest.mark.xdist_group("context")  # one worker plays the month and the story


@pytest.fixture(scope="module")
def month() -> tuple[Detector, list[Signal]]:
    """The report's month, played once."""
    return play(report(), SETTINGS)


def test_the_report_is_no_cascade(month: tuple[Detector, list[Signal]]) -> None:
    """No cascade and a score below 50, at the report's date and every minute of the day before."""
    detector, signals = month
    shown = view_of(detector)
    last_day = [signal for signal in signals if signal.event_time_us > (detector.second - DAY) * MICROS]
    assert shown.phase in ("calm", "building", "relief")
    assert shown.risk_score < 50
    assert all(signal.phase != "cascade" and signal.risk_score < 50 for signal in last_day)


def test_the_report_says_what_is_behind_it(month: tuple[Detector, list[Signal]]) -> None:
    """Pace slowing, both levels broken and stale, a loss of 7.41 B, and leverage that fell mostly by price."""
    context = view_of(month[0]).context
    assert context.pace is not None
    long = context.pace[0]
    assert [long.day_to_week, long.day_to_rest_of_week] == pytest.approx([0.77, 0.74], abs=0.005)
    assert [long.week_to_month, long.week_to_rest_of_month] == pytest.approx([2.10, 3.17], abs=0.005)
    assert (long.covered_7d, long.covered_30d) == (1.0, 1.0)
    assert [(level.price, level.state, level.broken) for level in context.levels] == [
        (75_000.0, "stale", True),
        (70_000.0, "stale", True),
    ]
    assert [round(level.distance_ratio, 3) for level in context.levels] == [-0.125, -0.062]
    (holding,) = context.holders
    assert round(holding.pnl_usd / 1e9, 2) == -7.41
    assert context.open_interest is not None
    change = context.open_interest.changes["30d"]
    assert change.constant_price == pytest.approx(-0.097, abs=0.001)
    assert change.usd == pytest.approx(0.903 * 65_640 / 80_000 - 1, abs=0.001)
    assert change.usd == pytest.approx(change.constant_price + change.price_effect, abs=1e-11)
    assert change.price_effect / change.usd > 0.6


def test_the_market_sees_the_report_too(month: tuple[Detector, list[Signal]]) -> None:
    """With one asset the market's open interest and pace are its own; coins are not added up."""
    detector, _ = month
    market, bitcoin = view_of(detector, "MARKET"), view_of(detector)
    assert market.context.open_interest is not None
    assert bitcoin.context.open_interest is not None
    ours, its = market.context.open_interest.changes["30d"], bitcoin.context.open_interest.changes["30d"]
    assert (ours.usd, ours.constant_price) == (its.usd, its.constant_price)
    assert ours.coins is msgspec.UNSET
    assert set(market.windows) >= {"24h", "7d", "30d"}
    assert market.windows["30d"] == bitcoin.windows["30d"]
    assert market.context.pace is not None


def test_windows_and_context_survive_a_restart(month: tuple[Detector, list[Signal]]) -> None:
    """After snapshot and restore long windows, pace and context are the same, of assets and market, and go on so."""
    detector, _ = month
    again = Detector.restore(detector.snapshot(), SETTINGS)
    # What was refused or placed is counted anew by each process, as every counter of a scrape is.
    assert again.view()._replace(ahead=detector.view().ahead) == detector.view()
    assert again.snapshot() == detector.snapshot()


def short_story() -> list[AnyEvent]:
    """A crash with open interest, trades, funding and DVOL around it, two crypto assets and an index."""
    extra: list[AnyEvent] = []
    for at in range(START, START + 1_500, 20):
        coins = 1_000.0 - (at - START) / 10
        extra += [interest(at, coins, 100.0 * coins, "okx"), trade(at, 5_000.0, "buy" if at % 40 else "sell")]
        extra += [mark(at, 50.0 - (at - START) / 500, "hyperliquid", "XYZ:SP500"), mark(at, 20.0, asset="XYZ:VIX")]
        funded = MarkPrice("okx", "BTC-USDT-SWAP", "BTC", at * MICROS, at * MICROS, 100.0, 99.9, 0.0001)
        extra += [funded, dvol(at, 40.0)]
    return in_order([*crash(), *extra])


def test_signals_carry_what_is_known_and_nothing_else() -> None:
    """Open interest, funding, basis, DVOL and pace where they are known; levels and holders where configured."""
    _, signals = play(short_story(), SETTINGS)
    told = [signal for signal in signals if signal.asset == "BTC" and signal.phase == "cascade"][-1]
    assert isinstance(told.open_interest, msgspec.Struct)
    assert set(told.open_interest.changes) == {"5m"}
    assert told.open_interest.changes["5m"].constant_price < -0.02
    assert (told.funding_8h, told.funding_z) == (0.0001, msgspec.UNSET)
    assert [told.basis_bp, told.basis_dispersion_bp] == pytest.approx([10.01, 0.0], abs=0.001)
    assert isinstance(told.dvol, msgspec.Struct)
    assert (told.dvol.value, told.dvol.change_24h) == (40.0, msgspec.UNSET)
    assert isinstance(told.pace, msgspec.Struct)
    assert told.pace.day_to_week is msgspec.UNSET
    assert isinstance(told.levels, list)
    assert [level.state for level in told.levels] == ["stale", "stale"]
    market = [signal for signal in signals if signal.asset == "MARKET"][-1]
    assert isinstance(market.tradfi, msgspec.Struct)
    assert market.tradfi.index == "XYZ:SP500"
    bare = [signal for signal in play(crash())[1] if signal.asset == "BTC"][-1]
    absent = b'"open_interest"', b'"levels"', b'"holders"', b'"funding_8h"', b'"dvol"', b'"tradfi"'
    assert not any(name in msgspec.json.encode(bare) for name in absent)


def test_restored_within_a_story_is_undisturbed() -> None:
    """Saved and restored before, in and after the crash, signals and state are those of the run that was not."""
    events = short_story()
    straight = Detector(SETTINGS)
    expected = straight.apply(events)
    restored, signals, before = Detector(SETTINGS), [], 0
    for cut in (300, 1_111, len(events)):
        signals += restored.apply(events[before:cut])
        before, restored = cut, Detector.restore(restored.snapshot(), SETTINGS)
    assert msgspec.json.encode(signals) == msgspec.json.encode(expected)
    assert restored.view() == straight.view()


def test_indexes_are_no_crypto_assets() -> None:
    """Their liquidations and stress are in no sum and no breadth of the market, their open interest neither."""
    events = [
        mark(START, 50.0, asset="XYZ:SP500"),
        liquidation(START, 5e6, asset="XYZ:SP500"),
        interest(START, 10.0, 500.0, asset="XYZ:SP500"),
        interest(START, 10.0, 900.0),
        mark(START, 90.0),
    ]
    detector, _ = play(events, SETTINGS, START + 120)
    assert detector.market is not None
    assert detector.market.scope.state.totals == Totals()
    assert set(detector.market.state.active_at) == {"BTC"}
    market = view_of(detector, "MARKET")
    assert market.open_interest_usd == 900.0
    assert market.context.tradfi is not None
    assert (market.context.tradfi.index, market.context.tradfi.stress) == ("XYZ:SP500", 0.0)


def test_history_at_the_start_fills_long_windows() -> None:
    """Open interest of thirty days that arrives within a second is as if it had been watched."""
    old = [
        msgspec.structs.replace(interest(START - day * DAY, 100.0, 8_000.0), receive_time_us=START * MICROS)
        for day in range(31, 0, -1)
    ]
    detector, _ = play([*old, interest(START, 95.0, 5_700.0)], None, START + 60)
    found = view_of(detector).context.open_interest
    assert found is not None
    assert (found.usd, found.age_s) == (5_700.0, 59)
    assert {window: round(change.constant_price, 6) for window, change in found.changes.items()} == {
        "24h": -0.05,
        "7d": -0.05,
        "30d": -0.05,
    }


def test_a_level_that_was_not_configured_before_starts_anew() -> None:
    """A restart with other levels keeps what it knows of the old ones and looks at the new."""
    detector, _ = play([mark(START, 72_000.0)], SETTINGS, START + 60)
    changed = SETTINGS.model_copy(update={"levels": {"BTC": (70_000.0, 60_000.0)}})
    again = Detector.restore(detector.snapshot(), changed)
    again.apply([mark(START + 61, 69_000.0)])
    again.advance(START + 125)
    again.apply([mark(START + 126, 69_000.0)])
    again.advance(START + 127)
    states = {level.price: (level.state, level.broken_us) for level in view_of(again).context.levels}
    assert states == {70_000.0: ("broken", (START + 126) * MICROS), 60_000.0: ("above", msgspec.UNSET)}
