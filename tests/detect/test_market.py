"""The market-wide view."""

from __future__ import annotations

import msgspec
import pytest

from monitor.detect.asset_summary import AssetSummary, Liquidated
from monitor.detect.decide import gates
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.detector import Detector
from monitor.detect.market import ACTIVE_S, STRESS_S, Market
from monitor.detect.overview import market_view
from monitor.detect.settings import BaselineSettings, DetectorSettings, MarketSettings
from monitor.model.events import MICROS, AnyEvent, Side
from monitor.model.sides import BySide
from monitor.model.signals import Phase
from tests.detect.scenarios import (
    BRISK,
    START,
    burst,
    crash,
    in_order,
    interest,
    liquidation,
    mark,
    play,
    ramp,
    trade,
    turns,
)

COINS = ("SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK")


def summary(
    asset: str,
    usd: float = 0.0,
    *,
    second: int = START,
    price: float | None = None,
    stressed: tuple[bool, bool] = (False, False),
    longs: Phase = "calm",
) -> AssetSummary:
    """A summary of an asset with one liquidation of longs, if any."""
    liquidated = Liquidated(second, "long", round(usd * MICROS), orders=1, complete=True, aggregated=False)
    return AssetSummary(
        asset=asset,
        second=second,
        liquidations=(liquidated,) if usd else (),
        price=price,
        is_mark=True,
        stressed=BySide(*stressed),
        phases=BySide(longs, "calm"),
        venues=("bybit",),
    )


def may_cascade(market: Market, side: Side = "long") -> bool:
    """Whether a side may be in a cascade as of the last closed second."""
    return market.may_cascade(market.scope.facts(), side, market.scope.state.sides[side].score.points)


def closed(*summaries: AssetSummary, settings: DetectorSettings | None = None) -> Market:
    """A market that took the summaries in one second."""
    market = Market(settings or DetectorSettings())
    for each in summaries:
        market.take(each)
    market.close(START, NO_FEEDS)
    return market


def test_one_odd_row_of_one_coin_is_no_market_cascade() -> None:
    """20 million USD of one coin in a row, in a market that falls, gives the market almost nothing."""
    events: list[AnyEvent] = [
        *ramp(START, 600, 100.0, 100.0, step=5),
        *ramp(START + 601, 119, 100.0, 97.0),
        *ramp(START + 725, 475, 97.0, 97.0, step=5),
        liquidation(START + 690, 19_600_000.0, asset="ADA", orders=13),
        *(liquidation(START + 650 + at, 60_000.0, asset=coin) for at, coin in enumerate(COINS[:3])),
    ]
    _, signals = play(in_order(events), BRISK)
    assert not [signal for signal in signals if signal.asset == "MARKET" and signal.phase == "cascade"]


def test_many_coins_at_once_are_a_market_cascade() -> None:
    """Six coins in liquidation while the leader only falls: the breadth allows it, though no leader is in a cascade."""
    events = [*ramp(START, 600, 100.0, 100.0, step=5), *ramp(START + 601, 119, 100.0, 94.0)]
    for coin in COINS:
        events += burst(START + 601, 119, 50_000.0, asset=coin)
    _, signals = play(in_order(events), BRISK)
    assert [signal.phase for signal in turns(signals, "MARKET")][-1] == "cascade"
    assert not turns(signals, "BTC")


@pytest.mark.parametrize(("open_interest_usd", "called"), [(8e9, True), (10e9, False)])
def test_breadth_alone_needs_much_of_the_open_interest(open_interest_usd: float, called: bool) -> None:
    """The same 36 million USD of coins are 45 basis points of all open interest, or 36; stress is common."""
    events: list[AnyEvent] = [*ramp(START, 600, 100.0, 100.0, step=5), *ramp(START + 601, 119, 100.0, 94.0)]
    events.append(interest(START, open_interest_usd / 100.0, open_interest_usd))
    for coin in COINS:
        events += burst(START + 601, 119, 50_000.0, asset=coin)
    _, signals = play(in_order(events), BRISK)
    assert ("cascade" in [signal.phase for signal in turns(signals, "MARKET")]) == called
    assert not [signal for signal in turns(signals, "BTC") if signal.phase == "cascade"]


def test_where_no_liquidations_can_be_seen_breadth_needs_no_sum() -> None:
    """What hourly totals or a price alone show is in no five minutes, so their sum says nothing there."""
    stressed = [summary(coin, 1.0, stressed=(True, False)) for coin in COINS]
    market = closed(*(each._replace(open_interest_usd=1e9) for each in stressed))
    assert not may_cascade(market)
    market.scope.state.seen_share = 0.0
    assert may_cascade(market)


def test_the_same_dollars_of_few_coins_are_none() -> None:
    """Below five assets, BTC among them, breadth means nothing: without a leader's cascade the market only builds."""
    events = [*ramp(START, 600, 100.0, 100.0, step=5), *ramp(START + 601, 119, 100.0, 94.0)]
    for coin in COINS[:3]:
        events += burst(START + 601, 119, 100_000.0, asset=coin)
    _, signals = play(in_order(events), BRISK)
    assert [signal.phase for signal in turns(signals, "MARKET")] == ["building"]


def test_a_leader_in_a_cascade_allows_the_markets() -> None:
    """A crash of BTC alone is the market's; the same of a coin that leads nothing is not."""
    _, signals = play(crash(asset="BTC"), BRISK)
    assert [signal.phase for signal in turns(signals, "MARKET")] == ["building", "cascade", "relief", "calm"]
    _, signals = play(crash(asset="SOL"), BRISK)
    assert [signal.phase for signal in turns(signals, "SOL")] == ["building", "cascade", "relief", "calm"]
    assert not turns(signals, "MARKET")


@pytest.mark.parametrize(
    ("share", "largest", "others", "expected"),
    [(0.5, 900.0, 100.0, 200.0), (0.2, 900.0, 100.0, 125.0), (0.5, 50.0, 150.0, 200.0), (0.5, 900.0, 0.0, 0.0)],
)
def test_the_largest_asset_counts_for_no_more_than_its_share(
    share: float, largest: float, others: float, expected: float
) -> None:
    """The sum is what it would be if the largest had its share of it at the most, and no more than it is."""
    settings = DetectorSettings(market=MarketSettings(largest_share=share))
    summaries = [summary("ADA", largest), *([summary("SOL", others / 2), summary("XRP", others / 2)] if others else [])]
    limit = closed(*summaries, settings=settings).limit("1m", "long")
    assert limit == pytest.approx(expected)


def test_leaders_and_a_share_of_one_are_not_limited() -> None:
    """A leader may be all of the market; so may any coin where the settings say so; and nothing needs no limit."""
    assert closed(summary("BTC", 900.0), summary("SOL", 1.0)).limit("1m", "long") is None
    whole = DetectorSettings(market=MarketSettings(largest_share=1.0))
    assert closed(summary("ADA", 900.0), settings=whole).limit("1m", "long") is None
    assert closed().limit("1m", "long") is None


def test_breadth_is_of_assets_liquidated_within_the_hour() -> None:
    """Stressed within the last minute, over all that were liquidated within the hour, five at the least."""
    market = closed(*(summary(coin, 1.0, stressed=(number < 3, number < 1)) for number, coin in enumerate(COINS)))
    assert market.breadth(START, "long") == 0.5
    assert market.breadth(START + STRESS_S - 1, "long") == 0.5
    assert market.breadth(START + STRESS_S, "long") == 0.0
    assert market.breadth(START + ACTIVE_S, "long") == 0.0
    assert closed(*(summary(coin, 1.0, stressed=(True, True)) for coin in COINS[:4])).breadth(START, "long") == 0.0


def test_breadth_is_of_one_side() -> None:
    """Coins whose longs die say nothing of the shorts: what follows a fall is no squeeze before shorts die."""
    market = closed(*(summary(coin, 1.0, stressed=(True, number < 3)) for number, coin in enumerate(COINS)))
    assert (market.breadth(START, "long"), market.breadth(START, "short")) == (1.0, 0.5)
    assert market_view(market, START).stressed_ratio == 1.0


@pytest.mark.parametrize("phase", ["building", "cascade", "relief"])
def test_what_is_normal_is_not_learned_while_the_leader_is_in_an_episode(phase: Phase) -> None:
    """The leader's price is the market's: what moved it in its own episode would be taken for quiet. Others may die."""
    others = summary("SOL", 1.0, longs="cascade"), summary("ETH", price=10.0, longs="cascade")
    assert not closed(summary("BTC", price=100.0), *others).scope.state.frozen_since
    assert closed(summary("BTC", price=100.0, longs=phase), *others).scope.state.frozen_since == START


def test_what_is_normal_is_not_learned_in_the_leaders_relief() -> None:
    """The market's own episode is over long before the leader's, and what counts from its end is the leader's."""
    settings = DetectorSettings(baseline=BaselineSettings(frozen_after_minutes=5))
    detector, _ = play(in_order([*crash(usd=4_000.0), *ramp(START + 1_501, 1_500, 97.0, 97.0)]), settings)
    btc, market = detector.assets["BTC"], detector.market
    assert market is not None
    assert btc.scope.phases.long.state.phase == "calm"
    (own,), (leaders,) = market.scope.episodes(), btc.scope.episodes()
    assert own.ended_us is not None
    assert leaders.ended_us is not None
    assert leaders.ended_us - own.ended_us > 5 * 60 * MICROS
    assert market.scope.state.disturbed_at == pytest.approx(btc.scope.state.disturbed_at, abs=1)


def test_the_markets_price_is_the_first_leaders() -> None:
    """ETH until BTC has one; other coins never; no price of the one is compared with the other's."""
    market = closed(summary("SOL", price=20.0), summary("ETH", price=2_000.0))
    assert (market.state.leader, market.scope.price.last) == ("ETH", 2_000.0)
    market.take(summary("BTC", price=50_000.0, second=START + 1))
    market.take(summary("ETH", price=1_000.0, second=START + 1))
    market.close(START + 1, NO_FEEDS)
    assert (market.state.leader, market.scope.price.last) == ("BTC", 50_000.0)
    assert market.scope.price.move("24h", "short") == market.scope.price.move("24h", "long") == 0.0
    assert market.scope.price.volatility_ratio() == 0.0


def test_the_markets_price_begins_anew_with_its_leaders_first_mark() -> None:
    """What stood in for the mark is in no move of the market's, also after a restart in between."""
    detector, _ = play([msgspec.structs.replace(trade(START, 1.0), price=90.0)])
    for one in (Detector.restore(detector.snapshot()), detector):
        one.apply([mark(START + 1, 100.0), mark(START + 2, 99.0)])
        one.advance(START + 3)
        assert one.market is not None
        assert one.market.scope.price.last == 99.0
        assert one.market.scope.price.move("24h", "short") == 0.0
        assert one.market.scope.price.move("24h", "long") == pytest.approx(0.01)


def test_a_first_mark_of_one_that_does_not_lead_changes_nothing() -> None:
    """The market goes on with its leader's price when the next leader's first mark comes."""
    detector, _ = play([mark(START, 100.0), msgspec.structs.replace(trade(START, 1.0, asset="ETH"), price=9.0)])
    detector.apply([mark(START + 1, 99.0), mark(START + 1, 10.0, asset="ETH")])
    detector.advance(START + 2)
    assert detector.market is not None
    assert detector.market.scope.price.move("24h", "long") == pytest.approx(0.01)


def test_a_leader_that_appears_in_an_episode_carries_no_price_over() -> None:
    """The episode's drawdown and end are measured in the new leader's price from then on."""
    events = crash(asset="ETH")
    events += [mark(START + 700 + at, 50_000.0) for at in range(0, 800, 5)]
    _, signals = play(in_order(events), BRISK)
    late = [s for s in signals if s.asset == "MARKET" and s.event_time_us > (START + 702) * MICROS]
    assert late
    assert all(signal.price == 50_000.0 and signal.drawdown_pct == 0.0 for signal in late)


def test_a_leader_that_leaves_its_cascade_allows_no_more() -> None:
    """The second in which a leader goes to relief is told though nothing else happened in it."""
    market = closed(summary("BTC", 1.0, longs="cascade"))
    assert (may_cascade(market, "long"), may_cascade(market, "short")) == (True, False)
    market.take(summary("BTC", second=START + 1))
    assert not may_cascade(market)
    detector, signals = play([event for event in crash() if event.receive_time_us < (START + 800) * MICROS], BRISK)
    signals += detector.advance(START + 1_500)
    assert "relief" in [signal.phase for signal in turns(signals)]
    assert detector.market is not None
    assert detector.market.state.leader_phases == {"BTC": BySide("calm", "calm")}


def test_the_market_does_not_rush() -> None:
    """A leader that rushes is called alone: what it does within seconds is not the market's yet."""
    detector, signals = play(
        in_order(
            [
                interest(START, 1.0, 25e9),
                *ramp(START, 600, 100.0, 100.0, "BTC", 1),
                *ramp(START + 601, 8, 100.0, 98.5),
                *(liquidation(START + 605, 2e6) for _ in range(5)),
            ]
        ),
        until=START + 608,
    )
    assert {signal.asset for signal in turns(signals) if signal.phase == "cascade"} == {"BTC"}
    market = detector.market
    assert market is not None
    assert market.scope.price.windows == ("5m", "1h", "24h")
    assert [gates.is_rush(each.scope.facts(), "long") for each in (detector.assets["BTC"], market)] == [True, False]
