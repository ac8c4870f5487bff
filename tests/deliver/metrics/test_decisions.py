"""What decisions are made of, as metrics."""

from __future__ import annotations

from monitor.deliver.metrics.decisions import MOST_EXPLAINED, evidence_metrics
from monitor.deliver.metrics.monitor import Snapshot
from monitor.detect.view import DetectorView, MarketView
from monitor.model.signals import CorrectedTotals, CorrectedUsd, Evidence
from tests.deliver.metrics.test_monitor import asset, detector, scrape, value

MOVE = Evidence("move_5m", 0.03, 0.003, 20.5)


def test_the_market_s_spread_and_lead_are_shown() -> None:
    """How many assets it is spread over by side, and by how much which leader is first; no lead without a leader."""
    samples = scrape(Snapshot(detector=detector()))
    assert value(samples, "effective_assets", side="long") == 6.0
    assert value(samples, "effective_assets", side="short") == 0.0
    assert value(samples, "leader_lead_seconds", leader="BTC") == 2
    assert value(samples, "leader_correlation_ratio", leader="BTC") == 0.75
    led_by_none = scrape(Snapshot(detector=detector()._replace(market=MarketView(0.0))))
    assert not [name for name, _ in led_by_none if name.startswith("cascade_leader")]


def test_what_throttled_feeds_hide_is_shown_as_an_interval() -> None:
    """Low, middle and high of either side, an open high left out; a venue's saturation is its worst, folded or not."""
    hidden = CorrectedTotals(CorrectedUsd(10.0, 20.0, 40.0), CorrectedUsd(1.0, 2.0, None))
    btc = asset("BTC", corrected_1m=hidden, saturation={"okx": 0.5, "binance-usdm": 0.2})
    folded = asset("WIF", saturation={"okx": 0.9}, open_interest_usd=1.0)
    samples = scrape(Snapshot(detector=detector(btc, folded)), max_assets=1)
    found = [
        value(samples, "liquidated_usd_corrected", asset="BTC", side=side, estimate=estimate)
        for side in ("long", "short")
        for estimate in ("low", "mid", "high")
    ]
    assert found == [10.0, 20.0, 40.0, 1.0, 2.0, None]
    assert value(samples, "feed_saturation_ratio", venue="okx") == 0.9
    assert value(samples, "feed_saturation_ratio", venue="binance-usdm") == 0.2
    calm: DetectorView = detector(asset("ETH"))
    assert not [name for name, _ in scrape(Snapshot(detector=calm)) if name == "cascade_liquidated_usd_corrected"]


def test_evidence_is_shown_of_those_that_are_not_calm() -> None:
    """Items with points, and no more assets than the limit, the highest scores first."""
    silent = Evidence("funding_z", 0.1, 0.0, 0.0)
    stirred = asset("BTC", phase="building", direction="short", evidence=[MOVE, silent])
    samples = scrape(Snapshot(detector=detector(stirred, asset("ETH", evidence=[MOVE]))))
    shown = {labels: points for (name, labels), points in samples.items() if name == "cascade_evidence_points"}
    assert shown == {(("asset", "BTC"), ("direction", "short"), ("feature", "move_5m")): 20.5}
    many = [
        asset(f"A{number:02}", phase="cascade", risk_score=float(number), evidence=[MOVE])
        for number in range(2 * MOST_EXPLAINED)
    ]
    [family] = evidence_metrics(many)
    assert [labels[0] for labels, _ in family.rows][:2] == ["A39", "A38"]
    assert len(family.rows) == MOST_EXPLAINED


def test_the_missing_share_of_each_window_is_shown() -> None:
    """One series by venue and window, of venues with a gap within the day."""
    samples = scrape(Snapshot(detector=detector()._replace(gap_ratios={("okx", "5m"): 0.5, ("okx", "1h"): 0.04})))
    assert value(samples, "window_gap_ratio", venue="okx", window="5m") == 0.5
    assert value(samples, "window_gap_ratio", venue="okx", window="1h") == 0.04
