import asyncio
import re
import shutil
import subprocess
import threading
import time
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor import __version__
from monitor.bus.ports import BusStats, Partition
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.stats import AGE_BOUNDS_US, SessionStats, total
from monitor.deliver.http import routes
from monitor.deliver.http_server import HttpServer
from monitor.deliver.loop_health import Pulse
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.deliver.paging.notifier import NotifierStats
from monitor.detect.view import AheadView, AssetView, DetectorView, EpisodeView, MarketView
from monitor.model.histogram import Histogram
from monitor.model.signals import WindowTotals
from monitor.model.visibility import MonitorVisibility, VisibilityState
from monitor.storage.side_output import OutputStats
from monitor.storage.state_losses import Lost
from tests.waiting import patient

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def asset(name: str, **changes: Any) -> AssetView:
    """A calm asset."""
    calm = AssetView(
        asset=name,
        phase="calm",
        direction="long",
        risk_score=3.0,
        price=100.0,
        drawdown_by_window={"1h": 0.02},
        windows={"1m": WindowTotals(10.0, 5.0, 2)},
        open_interest_usd=1e6,
        funding_rate=None,
        coverage_ratio=0.5,
        evidence=(),
        episode_id=None,
        venues={},
    )
    return calm._replace(**changes)


def detector(*assets: AssetView) -> DetectorView:
    return DetectorView(
        assets=assets,
        signals_by_phase={"cascade": 7},
        liquidations=2,
        liquidated_usd=(10.0, 5.0),
        duplicates_by_venue={"bybit": 3},
        late_by_venue={"okx": 1},
        venues_in_gap=(),
        second=1_700_000_000,
        market=MarketView(0.4, (6.0, 0.0), "BTC", 2, 0.75),
        ahead=AheadView({"okx": 3_600.0}, {"okx": 4}, {"bybit": 5}, 6),
        excluded={("bybit", "open_interest"): 4},
    )


def fleet(venue: str = "bybit") -> FleetStats:
    stats = SessionStats(venue, "linear-0")
    stats.frames, stats.connected, stats.last_message_us = 11, 1, 2_500_000
    stats.gap_us, stats.refusals, stats.crashes = 1_500_000, 4, 1
    stats.rejects["malformed"] = 2
    stats.reconnects["stale"] = 5
    stats.skipped["backlog"] = 6
    stats.events["trade"] = 9
    stats.liquidated_long_micro_usd, stats.liquidated_short_micro_usd = 12_345_678, 1
    for age_us in (900, 1_000, 3_000, 99_000_000):
        stats.ages.observe(age_us)
    idle = SessionStats(venue, "linear-1")
    return FleetStats(venue, [stats, idle], total(venue, [stats, idle]), True, 1, 0, 0)


def scrape(snapshot: Snapshot, **options: Any) -> Samples:
    """Samples of one scrape by name and sorted labels."""
    text = MonitorMetrics(lambda: snapshot, **options).exposition().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"cascade_{name}", tuple(sorted(labels.items()))))


def test_detector_counts_are_shown_with_known_labels_from_zero() -> None:
    """Signals, duplicates and late events are counted, and labels that are known start at zero."""
    samples = scrape(Snapshot(detector=detector()), venues=["bybit", "binance-usdm"])
    assert value(samples, "signals_total", phase="cascade") == 7
    assert value(samples, "signals_total", phase="relief") == 0
    assert value(samples, "events_duplicate_total", venue="bybit") == 3
    assert value(samples, "events_duplicate_total", venue="binance-usdm") == 0
    assert value(samples, "events_late_total", venue="okx") == 1
    assert value(samples, "source_ahead_seconds", venue="okx") == 3_600
    assert value(samples, "source_ahead_records_total", venue="okx", outcome="placed") == 4
    assert value(samples, "source_ahead_records_total", venue="bybit", outcome="refused") == 5
    assert value(samples, "watermark_steps_back_total") == 6
    assert value(samples, "liquidations_excluded_total", venue="bybit", reason="open_interest") == 4
    assert value(samples, "decided_timestamp_seconds") == 1_700_000_000
    assert value(samples, "symbols_stressed_ratio") == 0.4
    elsewhere = scrape(Snapshot(detector=detector()._replace(market=None)))
    assert value(elsewhere, "symbols_stressed_ratio") is None
    assert value(samples, "frames_rejected_total", venue="bybit", reason="malformed") == 0
    assert value(samples, "feed_reconnects_total", venue="binance-usdm", reason="stale") == 0
    assert value(samples, "liquidated_usd_total", venue="binance-usdm", side="short") == 0


def test_feed_counters_are_shown_by_venue_and_connection() -> None:
    """What the sessions count comes out in base units."""
    samples = scrape(Snapshot(fleets=[fleet()]), venues=["bybit"])
    assert value(samples, "feed_connected", venue="bybit", connection="linear-0") == 1
    assert value(samples, "feed_connected", venue="bybit", connection="linear-1") == 0
    assert value(samples, "feed_last_message_timestamp_seconds", venue="bybit", connection="linear-0") == 2.5
    assert value(samples, "feed_gap_seconds_total", venue="bybit") == 1.5
    assert value(samples, "feed_reconnects_total", venue="bybit", reason="stale") == 5
    assert value(samples, "feed_refusals_total", venue="bybit") == 4
    assert value(samples, "rows_skipped_total", venue="bybit", reason="backlog") == 6
    assert value(samples, "feed_crashes_total", venue="bybit") == 1
    assert value(samples, "frames_received_total", venue="bybit") == 11
    assert value(samples, "frames_rejected_total", venue="bybit", reason="malformed") == 2
    assert value(samples, "events_received_total", venue="bybit", type="trade") == 9
    assert value(samples, "liquidated_usd_total", venue="bybit", side="long") == 12.345678
    assert value(samples, "liquidated_usd_total", venue="bybit", side="short") == 0.000001
    assert value(samples, "trade_bars_active", venue="bybit") == 1


def test_a_configured_venue_without_a_connection_is_down_from_the_start() -> None:
    """A start without network exports a 0 for each configured venue, which the connections' own series replace."""
    cold = scrape(Snapshot(), venues=["bybit", "okx"])
    assert value(cold, "feed_connected", venue="bybit", connection="none") == 0
    later = scrape(Snapshot(fleets=[fleet()]), venues=["bybit", "okx"])
    assert value(later, "feed_connected", venue="bybit", connection="none") is None
    assert value(later, "feed_connected", venue="okx", connection="none") == 0


def test_visibility_has_one_state_and_its_beginning() -> None:
    """The current state alone is 1; a role that decides nothing has none of the metrics."""
    samples = scrape(FULL)
    states = {state: value(samples, "visibility_state", state=state) for state in VisibilityState}
    assert states == {"starting": 0, "seeing": 0, "degraded": 0, "blind": 1}
    assert value(samples, "visibility_since_timestamp_seconds") == 6
    assert value(samples, "visibility_venues", kind="connected") == 1
    assert value(samples, "visibility_venues", kind="expected") == 3
    assert not any(name.startswith("cascade_visibility") for name, _ in scrape(Snapshot()))


def test_age_histogram_is_cumulative_in_seconds() -> None:
    """Bucket counts are added up, the bounds are seconds, and the last bucket holds everything."""
    samples = scrape(Snapshot(fleets=[fleet()]))
    assert value(samples, "event_age_seconds_bucket", venue="bybit", le="0.001") == 2
    assert value(samples, "event_age_seconds_bucket", venue="bybit", le="0.005") == 3
    assert value(samples, "event_age_seconds_bucket", venue="bybit", le="30") == 3
    assert value(samples, "event_age_seconds_bucket", venue="bybit", le="+Inf") == 4
    assert value(samples, "event_age_seconds_count", venue="bybit") == 4
    assert value(samples, "event_age_seconds_sum", venue="bybit") == pytest.approx(99.0049)
    assert len(AGE_BOUNDS_US) + 1 == sum(name == "cascade_event_age_seconds_bucket" for name, _ in samples)


def test_decision_latency_is_shown() -> None:
    """The detector's latency is a histogram without labels."""
    latency = Histogram((0.01, 0.25), (3, 2, 1), 1.5)
    samples = scrape(Snapshot(decision_latency=latency))
    assert value(samples, "decision_latency_seconds_bucket", le="0.25") == 5
    assert value(samples, "decision_latency_seconds_sum") == 1.5


def test_process_wide_values_are_shown() -> None:
    """Build, loop lag, age of the contract data and lag of consumers are there in every role."""
    lag = {Partition("market.trades.v1", 3): 42}
    ages, failures = {"okx": 60.0}, {"okx": 2}
    samples = scrape(Snapshot(lag=lag, instruments_age_s=ages, loop_lag_s=0.25, instruments_failures=failures))
    assert any(name == "cascade_build_info" and ("version", __version__) in labels for name, labels in samples)
    assert value(samples, "event_loop_lag_seconds") == 0.25
    assert value(samples, "instruments_age_seconds", venue="okx") == 60
    assert value(samples, "instruments_failures_total", venue="okx") == 2
    none_yet = scrape(Snapshot(), venues=["okx"])
    assert value(none_yet, "instruments_failures_total", venue="okx") == 0, "an increase from nothing would be missed"
    assert value(samples, "consumer_lag_records", topic="market.trades.v1", partition="3") == 42
    assert not any(name == "cascade_risk_score" for name, _ in samples)


def test_asset_in_an_episode() -> None:
    """An asset's score, phase, sums, price and the episodes of both sides are shown with their labels."""
    both = [EpisodeView("BTC-long-1", "long", "relief", 2), EpisodeView("BTC-short-2", "short", "cascade", 3)]
    view = asset("BTC", phase="cascade", risk_score=81.5, episodes=both)
    samples = scrape(Snapshot(detector=detector(view)))
    assert value(samples, "risk_score", asset="BTC") == 81.5
    assert [value(samples, "phase", asset="BTC", phase=p) for p in ("calm", "building", "cascade", "relief")] == [
        0,
        0,
        1,
        0,
    ]
    assert value(samples, "episode_active", asset="BTC", direction="long", severity="2", phase="relief") == 1
    assert value(samples, "episode_active", asset="BTC", direction="short", severity="3", phase="cascade") == 1
    assert value(samples, "liquidated_usd", asset="BTC", side="long", window="1m") == 10
    assert value(samples, "liquidated_usd", asset="BTC", side="short", window="1m") == 5
    assert value(samples, "open_interest_usd", asset="BTC") == 1e6
    assert value(samples, "mark_price_usd", asset="BTC") == 100
    assert value(samples, "drawdown_ratio", asset="BTC", window="1h") == 0.02
    assert value(samples, "feed_coverage_ratio", asset="BTC") == 0.5


def test_what_is_not_known_is_absent() -> None:
    """A price, open interest or coverage that nobody knows is no zero, and calm is no episode."""
    samples = scrape(Snapshot(detector=detector(asset("X", price=None, open_interest_usd=None, coverage_ratio=None))))
    names = {name for name, _ in samples}
    assert "cascade_risk_score" in names
    for absent in ("mark_price_usd", "open_interest_usd", "feed_coverage_ratio", "episode_active"):
        assert f"cascade_{absent}" not in names


def test_small_assets_are_folded_into_other() -> None:
    """Beyond the limit by open interest, sums are added and the worst phase, score and episodes are kept."""
    builds = [EpisodeView("B-long-1", "long", "building", 2)]
    views = [
        asset("BTC", open_interest_usd=9e9),
        asset("MARKET", open_interest_usd=None, price=None),
        asset("PINNED", open_interest_usd=None),
        asset("A", open_interest_usd=5.0, phase="relief", risk_score=20.0),
        asset("B", open_interest_usd=4.0, phase="building", risk_score=50.0, episodes=builds),
        asset("C", open_interest_usd=None, risk_score=1.0),
    ]
    samples = scrape(Snapshot(detector=detector(*views)), assets=["PINNED"], max_assets=3)
    assert {dict(labels)["asset"] for name, labels in samples if name == "cascade_risk_score"} == {
        "BTC",
        "MARKET",
        "PINNED",
        "other",
    }
    assert value(samples, "risk_score", asset="other") == 50
    assert value(samples, "phase", asset="other", phase="building") == 1
    assert value(samples, "phase", asset="other", phase="relief") == 0
    assert value(samples, "episode_active", asset="other", direction="long", severity="2", phase="building") == 1
    assert value(samples, "liquidated_usd", asset="other", side="long", window="1m") == 30
    assert value(samples, "open_interest_usd", asset="other") == 9
    assert value(samples, "mark_price_usd", asset="other") is None


def test_pinned_assets_are_shown_even_beyond_the_limit() -> None:
    """Configured assets have series of their own however many they are."""
    samples = scrape(Snapshot(detector=detector(asset("A"), asset("B"))), assets=["A", "B"], max_assets=1)
    assert value(samples, "risk_score", asset="A") is not None
    assert value(samples, "risk_score", asset="B") is not None
    assert value(samples, "risk_score", asset="other") is None


FULL = Snapshot(
    detector=detector(
        asset("BTC", episodes=[EpisodeView("BTC-long-1", "long", "cascade", 1)]), asset("MARKET"), asset("ETH")
    ),
    decision_latency=Histogram((0.01,), (1, 0), 0.001),
    fleets=[fleet(), fleet("okx")],
    lag={Partition("market.trades.v1", 0): 1},
    instruments_age_s={"okx": 1.0},
    bus=BusStats(5, 1, 100, 2),
    commits=3,
    shards_lost=1,
    rebalances=2,
    channel_lags={"pagerduty": {Partition("signals.v1", 0): 1}},
    notifiers=[
        NotifierStats(
            "pagerduty",
            {"trigger": 1},
            {"server": 2},
            1,
            [("BTC", "long")],
            3_000_000,
            Histogram((3.0,), (1, 0), 0.5),
            0,
            2,
            given_up={"trigger": 1},
            forgot_us=4_000_000,
        )
    ],
    state_saved_us=5_000_000,
    visibility=MonitorVisibility(VisibilityState.BLIND, 1, 3, 6_000_000),
    summaries_passed_over=6,
    outputs=[OutputStats("recording", failing=True, dropped=7)],
    records_unreadable=7,
    state_lost=Lost({"asset": 2, "market": 0}, 6_000_000),
    bus_oldest_s=30.0,
    topics_missing=2,
)


def test_pages_and_kept_state_are_shown() -> None:
    """What was accepted, what failed, what waits, which incidents are open, and what was kept and left out."""
    samples = scrape(FULL)
    assert value(samples, "pages_total", channel="pagerduty", action="trigger") == 1
    assert value(samples, "page_failures_total", channel="pagerduty", reason="server") == 2
    assert value(samples, "pages_given_up_total", channel="pagerduty", action="trigger") == 1
    assert value(samples, "notifier_crashes_total", channel="pagerduty") == 2
    assert value(samples, "pages_pending", channel="pagerduty") == 1
    assert value(samples, "episode_paged", channel="pagerduty", asset="BTC", direction="long") == 1
    assert value(samples, "notifier_last_read_timestamp_seconds", channel="pagerduty") == 3
    assert value(samples, "notifier_forgot_timestamp_seconds", channel="pagerduty") == 4
    assert value(samples, "page_latency_seconds_bucket", channel="pagerduty", le="3") == 1
    assert value(samples, "state_saved_timestamp_seconds") == 5
    assert value(samples, "summaries_passed_over_total") == 6
    assert value(samples, "output_failing", output="recording") == 1
    assert value(samples, "output_dropped_total", output="recording") == 7
    assert value(samples, "bus_records_unreadable_total") == 7
    assert value(samples, "state_parts_lost_total", part="asset") == 2
    assert value(samples, "state_parts_lost_total", part="market") == 0
    assert value(samples, "state_lost_timestamp_seconds") == 6
    assert value(samples, "bus_oldest_unconfirmed_seconds") == 30
    assert value(samples, "topics_missing") == 2
    assert value(scrape(Snapshot()), "state_saved_timestamp_seconds") is None


def test_text_is_conventional() -> None:
    """Every family has help and type, our prefix, base units and `_total` on counters alone."""
    text = MonitorMetrics(lambda: FULL).exposition().decode()
    families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert len(families) == len(set(families))
    for name, kind in families:
        assert re.search(rf"^# HELP {name} \S", text, re.MULTILINE), name
        assert name.startswith(("cascade_", "process_")), name
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|us|milliseconds|micros|percent|pct|kb|count)(_|$)", name), name
    ours = [name for name, _ in families if name.startswith("cascade_")]
    assert len(ours) >= 25


def test_promtool_accepts_the_text() -> None:
    """Prometheus' own lint has nothing to say of the scrape."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    text = MonitorMetrics(lambda: FULL).exposition()
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, timeout=patient(30), check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


async def test_scrape_is_taken_on_the_loop_and_written_off_it() -> None:
    """A scrape over HTTP takes its snapshot on the event loop's thread and makes the text on another."""
    pulse = Pulse(lambda: time.monotonic_ns() // 1000)
    threads: list[str] = []

    def take() -> Snapshot:
        threads.append(threading.current_thread().name)
        return FULL._replace(loop_lag_s=pulse.lag_s)

    shown = MonitorMetrics(lambda: pulse.call(take), venues=["bybit"])
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(0)
    with HttpServer("127.0.0.1", 0, routes(shown.exposition, lambda: pulse.alive, list)) as server:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{server.url}/metrics")
    beating.cancel()
    assert 'cascade_frames_received_total{venue="bybit"} 11.0' in answer.text
    assert threads == [threading.current_thread().name]
