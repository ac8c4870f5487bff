"""Steps of the market: a second that closes, a fault, and a step back in time."""

from __future__ import annotations

import pytest

from monitor.detect.asset_summary import AssetSummary
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.market import Market
from monitor.detect.market_step import close_market, market_at
from monitor.detect.quarantine import LENGTH_S, Quarantine
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MARKET
from monitor.model.sides import BySide
from tests.detect.scenarios import START


def summary(second: int) -> AssetSummary:
    """A price of BTC."""
    return AssetSummary(
        asset="BTC",
        second=second,
        liquidations=(),
        price=100.0,
        is_mark=True,
        stressed=BySide(long=False, short=False),
        phases=BySide("calm", "calm"),
        venues=(),
    )


def test_a_market_without_a_fault_stays_the_same() -> None:
    """It takes the summaries of its second and closes it."""
    market, quarantine = Market(DetectorSettings()), Quarantine()
    after, signals = close_market(market, quarantine, START, [summary(START)], NO_FEEDS)
    assert after is market
    assert (signals, market.state.leader, market.scope.state.second) == ([], "BTC", START)


def test_a_market_that_raises_is_made_anew_after_its_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Summaries meanwhile are passed over; then one is taken again."""
    market, quarantine = Market(DetectorSettings()), Quarantine()
    with monkeypatch.context() as patch:
        patch.setattr(Market, "close", lambda *_: 1 // 0)
        after, _ = close_market(market, quarantine, START, [summary(START)], NO_FEEDS)
    assert after is not market
    assert quarantine.active(START) == [MARKET]
    same, _ = close_market(after, quarantine, START + 1, [summary(START + 1)], NO_FEEDS)
    assert (same is after, same.state.leader) == (True, "")
    later = START + LENGTH_S
    same, _ = close_market(after, quarantine, later, [summary(later)], NO_FEEDS)
    assert (same is after, same.state.leader) == (True, "BTC")


def test_a_market_of_a_dropped_second_is_made_anew() -> None:
    """One that closed no later second stays what it is."""
    market, _ = close_market(Market(DetectorSettings()), Quarantine(), START, [summary(START)], NO_FEEDS)
    assert market_at(market, START) == (market, [])
    fresh, signals = market_at(market, START - 1)
    assert fresh is not market
    assert signals == []
