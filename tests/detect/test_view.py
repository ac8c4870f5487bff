"""What others may read."""

from __future__ import annotations

import pytest

from monitor.detect.detector import Detector
from monitor.detect.view import EpisodeView
from monitor.model.events import MICROS, AnyEvent, Heartbeat
from tests.detect.scenarios import START, crash, in_order, interest, liquidation, mark, play


def test_the_view_shows_what_the_detector_holds() -> None:
    """Assets in order of first sight, the market last, with windows, venues, open interest, funding and coverage."""
    events = [
        mark(START, 100.0),
        mark(START, 10.0, asset="SOL"),
        interest(START, 5.0, 500.0, "bybit"),
        interest(START, 2.0, 200.0, "okx"),
        liquidation(START, 300.0, "long", "bybit"),
        liquidation(START, 100.0, "short", "okx", coverage="latest_per_second"),
    ]
    detector, _ = play(events)
    view = detector.view()
    assert [asset.asset for asset in view.assets] == ["BTC", "SOL", "MARKET"]
    bitcoin, solana, market = view.assets
    assert (bitcoin.price, bitcoin.phase, bitcoin.episodes, bitcoin.episode_id) == (100.0, "calm", [], None)
    assert bitcoin.open_interest_usd == 700.0
    assert bitcoin.coverage_ratio == 0.75
    assert (bitcoin.windows["1m"].long, bitcoin.windows["30d"].short, bitcoin.windows["1h"].count) == (300.0, 100.0, 2)
    assert {venue: totals.count for venue, totals in bitcoin.venues.items()} == {"bybit": 1, "okx": 1}
    assert bitcoin.drawdown_by_window == {"10s": 0.0, "1m": 0.0, "5m": 0.0, "1h": 0.0, "24h": 0.0}
    assert (solana.open_interest_usd, solana.funding_rate, solana.coverage_ratio) == (None, None, None)
    assert market.coverage_ratio is None
    assert (view.liquidations, view.liquidated_usd) == (2, (300.0, 100.0))


def test_the_view_shows_what_throttled_feeds_hide() -> None:
    """A minute's interval and saturation of assets that such a feed shows; of the market its saturation."""
    events = [
        *(liquidation(START + at, 1_000.0, venue="okx", coverage="latest_per_second") for at in range(40)),
        liquidation(START + 5, 1_000.0, asset="SOL"),
        liquidation(START + 5, 1_000.0, asset="XRP", venue="okx", coverage="latest_per_second"),
    ]
    detector, _ = play(in_order(events), until=START + 60)
    bitcoin, solana, ripple, market = detector.view().assets
    assert bitcoin.corrected_1m is not None
    longs = bitcoin.corrected_1m.long
    assert longs.high is not None
    assert bitcoin.windows["1m"].long < longs.low < longs.mid < longs.high
    assert bitcoin.saturation == {"okx": pytest.approx(2 / 3, abs=1e-4)}
    assert (solana.corrected_1m, solana.saturation) == (None, {})
    assert ripple.saturation["okx"] < 0.1
    assert (market.corrected_1m, market.saturation) == (None, bitcoin.saturation)


def test_the_view_shows_how_the_market_moves_as_one() -> None:
    """Three assets with the same of longs and none of shorts; BTC's returns come two seconds before SOL's."""
    events: list[AnyEvent] = [liquidation(START, 1_000.0, asset=asset) for asset in ("BTC", "ETH", "SOL")]
    for at in range(4, 60):
        moves = [100.0 + (at - lag) % 4 for lag in (0, 2)]
        events += [mark(START + at, moves[0]), mark(START + at, moves[1], asset="SOL")]
    view = play(in_order(events))[0].view().market
    assert view is not None
    assert view.effective_assets == pytest.approx((3.0, 0.0))
    assert view.leader == "BTC"
    assert view.lead_s % 4 == 2
    assert view.lead_correlation > 0.8
    assert Detector(with_market=False).view().market is None


def test_the_view_leads_with_the_side_that_is_further_along() -> None:
    """During a cascade it shows that side's phase, score, severity, evidence and episode."""
    events = crash(side="short")
    detector, _ = play([event for event in events if event.receive_time_us < (START + 720) * MICROS])
    shown = detector.view().assets[0]
    assert (shown.phase, shown.direction) == ("cascade", "short")
    assert shown.episode_id is not None
    assert shown.episode_id.startswith("BTC-short-")
    assert shown.episodes == [EpisodeView(shown.episode_id, "short", "cascade", 3)]
    assert round(sum(found.contribution for found in shown.evidence), 2) == shown.risk_score > 90


def test_a_venue_whose_beats_stopped_is_in_a_gap() -> None:
    """Five seconds after the last heartbeat of its liquidation channel; other channels' beats say nothing of it."""

    def beat(second: int, venue: str, channel: str) -> Heartbeat:
        at = second * MICROS
        return Heartbeat(venue, "*", "*", at, at, "trades" if channel == "trades" else "liquidations")

    detector = Detector()
    detector.apply([beat(START, "bybit", "liquidations"), beat(START, "okx", "trades")])
    detector.advance(START + 5)
    assert detector.view().venues_in_gap == []
    detector.advance(START + 6)
    assert detector.view().venues_in_gap == ["bybit"]


def test_a_view_is_a_copy() -> None:
    """What was shown does not change with what comes."""
    detector, _ = play([liquidation(START, 5.0)])
    view = detector.view()
    detector.apply([liquidation(START + 5, 5.0), liquidation(START + 5, 7.0, id_="twice")])
    detector.apply([liquidation(START + 5, 7.0, id_="twice")])
    assert (view.liquidations, view.duplicates_by_venue, view.second) == (1, {}, START + 1)


def test_the_view_counts_what_came_too_late_for_every_window() -> None:
    """A liquidation older than the longest window is in no sum, and its count and amount are shown."""
    old = liquidation(START - 31 * 86_400, 300.0, arrived=START + 1)
    detector, _ = play([mark(START, 100.0), liquidation(START, 5.0), old, mark(START + 60, 100.0)])
    view = detector.view()
    assert (view.outdated, view.outdated_usd) == (1, 300.0)
    assert view.assets[0].windows["30d"].long == 5.0
